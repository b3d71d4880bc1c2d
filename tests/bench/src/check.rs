// SPDX-License-Identifier: GPL-2.0

//! The short form: what our module costs now, beside the committed figures.

use std::{
    collections::{BTreeMap, VecDeque},
    process::ExitCode,
    sync::Mutex,
    thread,
    time::Instant,
};

use anyhow::{anyhow, bail, Result};
use clap::Args;

use crate::{
    figures::{made_with, Figures, Verdict},
    guest::{Guest, Order},
    job::{Job, Length},
    measure::progress,
    module::Module,
    record::{median, Record},
    Clock, Setup,
};

/// The jobs that are counted.
const JOBS: &[&str] = &["randwrite-4k-qd1", "randwrite-4k-qd32", "randread-4k-qd32"];

/// How often the pair is set up anew in each machine. What a write at depth 1 costs depends by some
/// percent on how threads and timers fell into step, which another connection decides again.
const ROUNDS: u32 = 2;

/// Status of a check that had nothing to compare with.
const SKIPPED: u8 = 77;

/// Counts instructions of our module, and compares with the committed figures.
#[derive(Args)]
pub(crate) struct Check {
    /// Writes tests/bench/figures.toml, to be committed, instead of comparing with it.
    #[arg(long)]
    commit_figures: bool,
    /// Number of seeds; the median counts.
    #[arg(long, default_value_t = 3)]
    seeds: u32,
    /// Machines that run at the same time; as many as processors if not given. The count does not
    /// depend on it.
    #[arg(long)]
    jobs: Option<usize>,
}

impl Check {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let jobs = JOBS
            .iter()
            .map(|name| Job::named(name).ok_or_else(|| anyhow!("there is no job {name}")))
            .collect::<Result<Vec<_>>>()?;
        let first = boot(1)?;
        let here = made_with(first.node()?)?;
        if self.commit_figures {
            let figures = Figures {
                made_with: here,
                instructions_per_io: counts(&jobs, &self.count(first, &jobs)?)?
                    .into_iter()
                    .map(|(job, count)| (job.to_owned(), count.round() as u64))
                    .collect(),
            };
            figures.write()?;
            println!("bench: tests/bench/figures.toml is written");
            return Ok(ExitCode::SUCCESS);
        }
        let figures = Figures::read()?;
        let differences = figures.differences(&here);
        if !differences.is_empty() {
            println!(
                "skipped: no cost is compared: {}; 'make bench-figures' writes new ones",
                differences.join("; ")
            );
            first.down()?;
            return Ok(SKIPPED.into());
        }
        judge(&figures, &counts(&jobs, &self.count(first, &jobs)?)?)
    }

    /// All records of all seeds; as many machines at a time as there are processors: instructions
    /// do not become more when a host is busy.
    fn count(&self, first: Guest, jobs: &[&'static Job]) -> Result<Vec<Record>> {
        let waiting: VecDeque<u32> = (2..=self.seeds).collect();
        let waiting = Mutex::new(waiting);
        let take = || match waiting.lock() {
            Ok(mut waiting) => waiting.pop_front(),
            Err(poisoned) => poisoned.into_inner().pop_front(),
        };
        let work = |mut ready: Option<Guest>| -> Result<Vec<Record>> {
            let mut records = Vec::new();
            loop {
                let guest = match ready.take() {
                    Some(guest) => guest,
                    None => match take() {
                        Some(seed) => boot(seed)?,
                        None => return Ok(records),
                    },
                };
                records.extend(one(guest, jobs)?);
            }
        };
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        let beside = self.jobs.unwrap_or_else(processors).saturating_sub(1);
        thread::scope(|scope| {
            let others: Vec<_> = (0..beside).map(|_| scope.spawn(|| work(None))).collect();
            let mut all = work(Some(first))?;
            for other in others {
                let records = other.join().map_err(|_| anyhow!("a count panicked"))?;
                all.extend(records?);
            }
            Ok(all)
        })
    }
}

fn boot(seed: u32) -> Result<Guest> {
    Guest::boot((Setup::Pair, Clock::Icount), seed, &[], false)
}

/// What one machine counts.
fn one(mut guest: Guest, jobs: &[&'static Job]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for round in 0..ROUNDS {
        let begin = Instant::now();
        let new = guest.run(&Order {
            module: &Module::Tandem,
            protocol: "C",
            seed: guest.seed() * 100 + round,
            length: Length::Times(1),
            jobs,
        })?;
        let head = format!("seed {} round {}", guest.seed(), round + 1);
        progress(&head, &new, begin.elapsed());
        records.extend(new);
    }
    guest.down()?;
    Ok(records)
}

/// Medians by job.
fn counts(jobs: &[&'static Job], records: &[Record]) -> Result<BTreeMap<&'static str, f64>> {
    let mut found = BTreeMap::new();
    for job in jobs {
        let of_job = records.iter().filter(|record| record.job == job.name);
        match median(
            of_job
                .filter_map(|record| record.instructions_per_io)
                .collect(),
        ) {
            Some(count) => found.insert(job.name, count),
            None => bail!("nothing was counted for {}", job.name),
        };
    }
    Ok(found)
}

/// Tells people what each job costs, and fails if one costs more than it may.
fn judge(figures: &Figures, counts: &BTreeMap<&'static str, f64>) -> Result<ExitCode> {
    let mut verdicts = Vec::new();
    for (job, count) in counts {
        let Some((change, verdict)) = figures.judge(job, *count) else {
            bail!("tests/bench/figures.toml has no {job}: 'make bench-figures' writes it anew");
        };
        let words = match verdict {
            Verdict::Same => "as committed",
            Verdict::Worse => "MORE than the committed figure allows",
            Verdict::Better => "better: commit it with 'make bench-figures'",
        };
        println!(
            "{job:<20} {count:>8.0} instructions for an I/O, {:+.1} %: {words}",
            change * 100.0
        );
        verdicts.push(verdict);
    }
    Ok(match verdicts.contains(&Verdict::Worse) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}
