// SPDX-License-Identifier: GPL-2.0

//! The machine with the pair, or the two machines, and what is asked of them.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, Result};
use vm::{Cluster, Driver, Drivers, Node, Spec};

use crate::{
    job::{Job, Kind, Length, LARGE},
    memory::Steps,
    module::Module,
    outcome::Outcome,
    record::{Circumstances, Record},
    Clock, Setup,
};

/// The guest's half.
const SCRIPT: &str = include_str!("../guest/pair.sh");

/// MiB of each RAM disk.
const DISK_MIB: u32 = 128;

/// How long one module's jobs may take.
const LIMIT: Duration = Duration::from_secs(900);

/// How often the host looks whether the guest is done; it looks from outside, so that the guest
/// spends nothing on it.
const LOOK: Duration = Duration::from_millis(100);

/// MiB of a machine, and of one that has thin volumes: two bitmaps in memory, two on their disks,
/// which may have half of it.
const MEMORY_MIB: u32 = 2048;
const LARGE_MEMORY_MIB: u32 = 6144;

/// Booted machines with filled RAM disks and no module loaded.
pub(crate) struct Guest {
    cluster: Cluster,
    setup: Setup,
    clock: Clock,
    seed: u32,
    runs: u32,
}

/// What is done in one go, with one set-up of the pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'a> {
    pub(crate) module: &'a Module,
    pub(crate) protocol: &'a str,
    pub(crate) seed: u32,
    pub(crate) length: Length,
    pub(crate) jobs: &'a [&'static Job],
}

impl Guest {
    /// Boots it, with the modules that are not there anyway; `large` says whether there will be
    /// jobs with thin volumes.
    pub(crate) fn boot(
        (setup, clock): (Setup, Clock),
        seed: u32,
        modules: &[Module],
        large: bool,
    ) -> Result<Self> {
        let (nodes, cpus) = match setup {
            Setup::Pair => (1, 2),
            Setup::Machines => (2, 1),
        };
        let spec = Spec {
            nodes,
            cpus,
            drivers: Drivers::all(Driver::Tandem),
            mem_mib: if large { LARGE_MEMORY_MIB } else { MEMORY_MIB },
            icount: clock == Clock::Icount,
            seed,
            disk_bytes: 1 << 20,
            ..Spec::default()
        };
        let cluster = Cluster::up(&format!("bench-{}-{seed}", std::process::id()), &spec)?;
        for node in cluster.nodes() {
            node.write_file("/usr/local/sbin/pair", SCRIPT.as_bytes())?;
            node.ok(&format!(
                "chmod +x /usr/local/sbin/pair; rmmod tandem; pair fill {DISK_MIB}"
            ))?;
            for module in modules {
                if let Module::Other { path, .. } = module {
                    let scratch = cluster.folder().join("stripped.ko");
                    node.write_file(&module.in_guest(), &vm::strip(path, &scratch)?)?;
                }
            }
        }
        Ok(Self {
            cluster,
            setup,
            clock,
            seed,
            runs: 0,
        })
    }

    /// What the script on a node has to know.
    fn environment(&self, own: &str, peer: &str, protocol: &str) -> Result<String> {
        let address = |node| self.cluster.node(node).map(Node::address);
        Ok(match self.setup {
            Setup::Pair => format!("export PROTOCOL={protocol}"),
            Setup::Machines => format!(
                "export PROTOCOL={protocol} OWN={} PEER={}",
                address(own)?,
                address(peer)?
            ),
        })
    }

    /// Sets the other machine up, or takes it down; what there is one machine for does so itself.
    fn other(&self, what: &str, module: &Module, protocol: &str) -> Result<()> {
        if self.setup == Setup::Pair || *module == Module::Bare {
            return Ok(());
        }
        let environment = self.environment("b", "a", protocol)?;
        let command = format!("{environment}; pair {what} {}", module.in_guest());
        self.cluster.node("b")?.ok(&command).map(drop)
    }

    pub(crate) fn node(&self) -> Result<&Node> {
        self.cluster.node("a")
    }

    /// The seed that it was booted with.
    pub(crate) fn seed(&self) -> u32 {
        self.seed
    }

    /// What a module takes for a volume of that size.
    pub(crate) fn memory(&self, module: &Module, size: &str) -> Result<Steps> {
        let command = format!("pair memory {} {size}", module.in_guest());
        let text = self.node()?.ok_within(&command, LIMIT)?;
        self.cluster.check()?;
        Steps::parse(&text)
    }

    /// Does all jobs with one module.
    pub(crate) fn run(&mut self, order: &Order<'_>) -> Result<Vec<Record>> {
        self.runs += 1;
        let folder = format!("/run/bench-{}", self.runs);
        self.node()?.ok(&format!("mkdir {folder}"))?;
        let module = order.module.in_guest();
        let (large, small): (Vec<&Job>, Vec<&Job>) =
            order.jobs.iter().copied().partition(|job| job.is_large());
        if !small.is_empty() {
            let mut words = format!("run {module} {folder}");
            for job in small {
                words.push_str(&format!(
                    " {} {}",
                    job.name,
                    job.order(order.length, order.seed)
                ));
            }
            self.other("join", order.module, order.protocol)?;
            self.background(&words, &folder, order.protocol)?;
            self.other("leave", order.module, order.protocol)?;
        }
        if !large.is_empty() {
            let words = format!("large {module} {folder} {LARGE}");
            self.background(&words, &folder, order.protocol)?;
        }
        let how = Circumstances {
            setup: self.setup,
            clock: self.clock,
            module: order.module,
            protocol: order.protocol,
            seed: order.seed,
        };
        let mut records = Vec::new();
        for job in order.jobs {
            records.push(Record::new(job, &self.outcome(job, &folder)?, &how));
        }
        self.cluster.check()?;
        self.node()?.ok(&format!("rm -r {folder}"))?;
        Ok(records)
    }

    /// Reads how a job ended.
    fn outcome(&self, job: &Job, folder: &str) -> Result<Outcome> {
        let node = self.node()?;
        let read = |file: &str| node.ok(&format!("cat {folder}/{file}"));
        match job.kind {
            Kind::Fio(..) | Kind::Alone(_) => {
                Outcome::from_fio(job, &read(&format!("{}.json", job.name))?)
            }
            Kind::Passage(_, span, percent) => {
                let sectors: u32 = read("sectors")?.parse()?;
                let blocks = sectors / 8 * percent / 100;
                let log = read(&format!("{}.log", job.name))?;
                Outcome::from_log(&log, span, f64::from(blocks))
            }
            Kind::Large(span) => {
                let log = read(&format!("{}.log", job.name))?;
                Outcome::from_log(&log, span, 1.0)
            }
        }
    }

    /// Runs the script beside the agent, and waits for the mark that its end leaves on the console.
    fn background(&self, words: &str, folder: &str, protocol: &str) -> Result<()> {
        let node = self.node()?;
        let step = words.split(' ').next().unwrap_or_default();
        let mark = format!("tandem-bench: {folder} {step} ended");
        let environment = self.environment("a", "b", protocol)?;
        node.ok(&format!(
            "{environment}; ({{ pair {words} >{folder}/log 2>&1; echo $? >{folder}/status; \
             echo '{mark}' >/dev/kmsg; }} </dev/null >/dev/null 2>&1 &)"
        ))?;
        let begin = Instant::now();
        let limit = LIMIT.mul_f64(vm::time_scale());
        while !node.console()?.contains(&mark) {
            self.cluster.check()?;
            if !node.is_on() || begin.elapsed() > limit {
                let state = node.sh("cat /proc/drbd; dmesg | tail -n 40");
                bail!("'pair {words}' did not end: {state:?}");
            }
            thread::sleep(LOOK);
        }
        if node.ok(&format!("cat {folder}/status"))? != "0" {
            let log = node.ok(&format!("cat {folder}/log; dmesg | tail -n 40"))?;
            bail!("'pair {words}' failed:\n{log}");
        }
        Ok(())
    }

    /// Ends it.
    pub(crate) fn down(self) -> Result<()> {
        self.cluster.down()
    }
}
