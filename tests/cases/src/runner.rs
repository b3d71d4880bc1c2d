// SPDX-License-Identifier: GPL-2.0

//! Runs cases on pairs of machines: several at the same time, machines shared where that is safe.

use std::{
    collections::VecDeque,
    fmt, fs,
    sync::{mpsc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail, Context, Result};
use vm::{Cluster, Kernel, Link, Spec};

use crate::{
    case::{Case, Drivers, TANDEM},
    cases::CASES,
    judge,
    pair::Pair,
    report::Report,
    turns::Turn,
    Cli,
};

/// Size of a data disk: small, so that a full resync takes little of the time.
const DISK_BYTES: u64 = 32 << 20;

/// Where consoles of failures go, from the checkout.
const FAILURES: &str = "target/cases";

/// A case with one pair of drivers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    case: Case,
    drivers: Drivers,
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.case.name, self.drivers)
    }
}

/// The jobs that the command line asks for, those of one pair beside each other.
pub(crate) fn plan(cli: &Cli) -> Vec<Job> {
    let chosen = |case: &Case| match cli.filter.as_slice() {
        [] => !case.on_demand,
        filter => filter.iter().any(|text| case.name.contains(text.as_str())),
    };
    let by_turns = cli.filter.is_empty() && cli.by_turns;
    let turn = by_turns.then(Turn::of_commit);
    let mut jobs: Vec<Job> = Vec::new();
    for (place, case) in CASES.iter().enumerate() {
        if !case.runs_with(cli.kernel) || !chosen(case) {
            continue;
        }
        let pairs = match turn {
            // A pair that is asked for by name runs all cases that could run with it.
            _ if !cli.pairs.is_empty() => cli.pairs.clone(),
            // On the debug kernel, each case runs each time.
            Some(turn) if cli.kernel == Kernel::Stock && turn.passes_over(case, place) => continue,
            Some(turn) => turn.pairs(case, place),
            None => case.pairs.to_vec(),
        };
        jobs.extend(pairs.into_iter().map(|drivers| Job {
            case: *case,
            drivers,
        }));
    }
    jobs.sort_by_key(|job| job.drivers.to_string());
    jobs
}

/// Runs all jobs and adds their results.
pub(crate) fn run(cli: &Cli, jobs: Vec<Job>, report: &mut Report) -> Result<()> {
    let folder = vm::repository().join(FAILURES);
    let _ = fs::remove_dir_all(&folder);
    println!(
        "# {} cases in virtual machines, {} at a time",
        jobs.len(),
        cli.jobs
    );
    let present = CASES
        .iter()
        .filter(|case| case.runs_with(cli.kernel) && !case.on_demand);
    let whole: usize = present.map(|case| case.pairs.len()).sum();
    if cli.filter.is_empty() && cli.pairs.is_empty() && jobs.len() < whole {
        println!(
            "# {} runs, of other pairs of drivers and of long cases, are left to other commits: \
             make test EVERY_PAIR=1 has them",
            whole - jobs.len()
        );
    }
    let others = CASES
        .iter()
        .filter(|case| !case.runs_with(cli.kernel))
        .count();
    if others > 0 {
        let other = match cli.kernel {
            Kernel::Stock => "debug kernel: make test-debug",
            Kernel::Debug => "stock kernel: make cases",
        };
        println!("# {others} more cases need the {other}");
    }
    if cli.leaks && cli.kernel != Kernel::Debug {
        bail!("--leaks: only the debug kernel can tell what memory was lost");
    }
    let queue = Mutex::new(VecDeque::from(jobs));
    let report = Mutex::new(report);
    let stop = Mutex::new(false);
    thread::scope(|scope| {
        for worker in 0..cli.jobs.max(1) {
            let (queue, report, stop) = (&queue, &report, &stop);
            scope.spawn(move || {
                let mut worker = Worker::new(worker, cli);
                while let Some(job) = take(queue, stop, worker.drivers()) {
                    let begin = Instant::now();
                    let result = worker.run(job);
                    let seconds = begin.elapsed().as_secs_f64();
                    let mut report = lock(report);
                    match result {
                        Ok(()) => report.pass(&job.to_string(), seconds),
                        Err(error) => {
                            report.fail(&job.to_string(), &format!("{error:#}"));
                            *lock(stop) = cli.keep;
                        }
                    }
                }
            });
        }
    });
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The next job, if possible one for the drivers that are loaded already.
fn take(queue: &Mutex<VecDeque<Job>>, stop: &Mutex<bool>, loaded: Option<Drivers>) -> Option<Job> {
    if *lock(stop) {
        return None;
    }
    let mut queue = lock(queue);
    let same = loaded.and_then(|drivers| queue.iter().position(|job| job.drivers == drivers));
    match same {
        Some(index) => queue.remove(index),
        // The far end has another pair, most likely, than the workers beside are at.
        None if loaded.is_some() => queue.pop_back(),
        None => queue.pop_front(),
    }
}

struct Worker {
    name: String,
    kernel: Kernel,
    /// Whether lost memory is looked for after each case.
    leaks: bool,
    keep: bool,
    cluster: Option<(Drivers, Cluster)>,
}

impl Worker {
    fn new(number: usize, cli: &Cli) -> Self {
        Self {
            name: format!("cases-{}-{number}", std::process::id()),
            kernel: cli.kernel,
            leaks: cli.leaks,
            keep: cli.keep,
            cluster: None,
        }
    }

    fn drivers(&self) -> Option<Drivers> {
        self.cluster.as_ref().map(|(drivers, _)| *drivers)
    }

    fn run(&mut self, job: Job) -> Result<()> {
        let cluster = self.machines(job).context("before the case: no machines")?;
        let begins: Vec<usize> = cluster
            .nodes()
            .iter()
            .map(|node| node.console().map_or(0, |text| text.len()))
            .collect();
        let result = limited(job.case, &cluster).and_then(|()| judge::complaints(&cluster));
        let result = match result {
            Ok(()) if self.leaks => unloaded(&cluster),
            result => result,
        };
        match result {
            Ok(()) => {
                self.cluster = Some((job.drivers, cluster));
                Ok(())
            }
            Err(error) => {
                let kept = keep_consoles(&job, &cluster, &begins);
                if self.keep {
                    println!(
                        "      machines kept: scripts/vm --name {} sh a ...",
                        cluster.name()
                    );
                    cluster.leave_running();
                }
                Err(error.context(kept))
            }
        }
    }

    /// Machines as after a boot: the ones at hand reset, or new ones.
    fn machines(&mut self, Job { case, drivers }: Job) -> Result<Cluster> {
        if let Some((loaded, cluster)) = self.cluster.take() {
            if loaded == drivers && cluster.spec().mem_mib >= case.mem_mib {
                match reset(&cluster) {
                    Ok(()) => return Ok(cluster),
                    Err(error) => eprintln!("tandem: a reset failed, booting anew: {error:#}"),
                }
            }
        }
        let spec = Spec {
            drivers: vm::Drivers::pair(drivers.a, drivers.b),
            disk_bytes: DISK_BYTES,
            kernel: self.kernel,
            stock_for_drbd: true,
            mem_mib: match self.kernel {
                Kernel::Stock => case.mem_mib,
                Kernel::Debug => case.mem_mib.max(1024),
            },
            // Ours meets itself on two processors; the others run quicker on one.
            cpus: if drivers == TANDEM { 2 } else { 1 },
            append: if self.leaks { vm::FIND_LEAKS } else { "" }.into(),
            ..Spec::default()
        };
        Cluster::up(&self.name, &spec)
    }
}

/// Undoes what a case did, and judges what its module left behind.
fn unloaded(cluster: &Cluster) -> Result<()> {
    reset(cluster).context("after the case: the machines cannot be reset")?;
    judge::lost_memory(cluster)?;
    judge::complaints(cluster)
}

/// Undoes what a case did.
fn reset(cluster: &Cluster) -> Result<()> {
    cluster.link("a", "b", Link::Up)?;
    thread::scope(|scope| {
        let resets: Vec<_> = cluster
            .nodes()
            .iter()
            .map(|node| {
                scope.spawn(move || {
                    if node.is_on() {
                        node.ok_within("/payload/reset", Duration::from_secs(30))
                            .map(drop)
                    } else {
                        node.wipe_disks()?;
                        node.start()
                    }
                })
            })
            .collect();
        resets.into_iter().try_for_each(|reset| {
            reset
                .join()
                .unwrap_or_else(|_| Err(anyhow!("a reset panicked")))
        })
    })
}

/// Runs a case and ends its machines when its time is over, which ends the case.
fn limited(case: Case, cluster: &Cluster) -> Result<()> {
    let (done, over) = mpsc::channel();
    let limit = case.limit.mul_f64(cluster.spec().time_scale());
    thread::scope(|scope| {
        let work = scope.spawn(move || {
            let result = (case.run)(&Pair::new(cluster));
            let _ = done.send(());
            result
        });
        let in_time = over.recv_timeout(limit).is_ok() || work.is_finished();
        let states = if in_time {
            String::new()
        } else {
            look(cluster)
        };
        if !in_time {
            for node in cluster.nodes() {
                let _ = node.kill();
            }
        }
        let result = work
            .join()
            .unwrap_or_else(|_| Err(anyhow!("the case panicked")));
        match (in_time, result) {
            (true, result) => result,
            (false, Err(error)) => {
                Err(error.context(format!("over {} s{states}", limit.as_secs())))
            }
            (false, Ok(())) => Err(anyhow!("over {} s{states}", limit.as_secs())),
        }
    })
}

/// What both nodes think at this moment.
fn look(cluster: &Cluster) -> String {
    let mut text = String::new();
    for node in cluster.nodes() {
        let state = node
            .sh_within("cat /proc/drbd", Duration::from_secs(5))
            .map_or_else(|_| "no answer".into(), |output| output.stdout);
        text.push_str(&format!("\n{}: {}", node.name(), state.trim_end()));
    }
    text
}

/// Copies what the consoles said during the case; tells where.
fn keep_consoles(job: &Job, cluster: &Cluster, begins: &[usize]) -> String {
    let folder = vm::repository()
        .join(FAILURES)
        .join(job.to_string().replace(' ', "."));
    let mut result = fs::create_dir_all(&folder);
    for (node, begin) in cluster.nodes().iter().zip(begins) {
        let text = node.console().unwrap_or_default();
        let text = text.get(*begin..).unwrap_or(&text);
        result = result.and(fs::write(
            folder.join(format!("{}.console.log", node.name())),
            text,
        ));
    }
    match result {
        Ok(()) => format!("consoles: {}", folder.display()),
        Err(error) => format!("consoles could not be kept: {error}"),
    }
}
