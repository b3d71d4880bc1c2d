// SPDX-License-Identifier: GPL-2.0

//! The whole measurement: clocks, set-ups, modules and protocols in turn.

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    guest::{Guest, Order},
    job::{Job, JOBS},
    memory,
    module::Module,
    record::Record,
    table::{self, Table},
    Clock, Setup,
};

/// What is measured, and how.
#[derive(Args)]
pub(crate) struct Measurement {
    /// What to measure with.
    #[arg(long, value_delimiter = ',', default_value = "time,icount")]
    clock: Vec<Clock>,
    /// Where the two nodes are.
    #[arg(long, value_delimiter = ',', default_value = "pair,machines")]
    setup: Vec<Setup>,
    /// What to measure: tandem, drbd (the stock C module), bare (the disk below), and other built
    /// modules as FILE.ko=NAME.
    #[arg(long, value_delimiter = ',', default_value = "tandem,drbd,bare")]
    module: Vec<Module>,
    /// Only jobs with one of these texts in their names.
    #[arg(long, value_delimiter = ',')]
    jobs: Vec<String>,
    /// The replication protocols; with the second and third one, only jobs that depend on it.
    #[arg(long, value_delimiter = ',', default_value = "C", value_parser = ["A", "B", "C"])]
    protocol: Vec<String>,
    /// How often each timed job runs.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of each timed fio job.
    #[arg(long, default_value_t = 3)]
    runtime: u32,
    /// Number of seeds when instructions are counted; three make two percent visible.
    #[arg(long, default_value_t = 1)]
    seeds: u32,
    /// Leaves out what the modules take of memory.
    #[arg(long)]
    no_memory: bool,
}

/// Sizes of volumes whose memory is told: name for people and `truncate`, and MiB.
const VOLUMES: &[(&str, f64)] = &[("1G", 1024.0), ("1T", 1_048_576.0)];

/// Where all records go.
pub(crate) fn results() -> PathBuf {
    vm::repository().join("target/bench.json")
}

impl Measurement {
    /// Measures, prints tables, and writes all records: also those from before something failed.
    pub(crate) fn run(&self) -> Result<()> {
        let mut records = Vec::new();
        let result = self.measure(&mut records);
        save(&records).and(result)
    }

    fn measure(&self, records: &mut Vec<Record>) -> Result<()> {
        for clock in &self.clock {
            for setup in &self.setup {
                let result = match (clock, setup) {
                    (Clock::Time, _) => self.timed(*setup, records),
                    (Clock::Icount, Setup::Pair) => self.counted(records),
                    // Two machines have no common count.
                    (Clock::Icount, Setup::Machines) => continue,
                };
                for protocol in &self.protocol {
                    let table = Table {
                        clock: *clock,
                        setup: *setup,
                        protocol,
                        modules: self.module.iter().map(Module::name).collect(),
                        records,
                    };
                    print!("{}", table.text());
                }
                result?;
            }
        }
        Ok(())
    }

    fn boot(&self, setup: Setup, clock: Clock, seed: u32) -> Result<Guest> {
        let large = self.module.iter().any(|module| {
            let mut jobs = self.jobs(setup, module, true).into_iter();
            jobs.any(Job::is_large)
        });
        Guest::boot((setup, clock), seed, &self.module, large)
    }

    /// One boot, rounds of all modules in turn.
    fn timed(&self, setup: Setup, records: &mut Vec<Record>) -> Result<()> {
        let mut guest = self.boot(setup, Clock::Time, 1)?;
        if !self.no_memory && setup == Setup::Pair {
            self.memory(&guest)?;
        }
        for round in 1..=self.rounds {
            self.round(&mut guest, (setup, Clock::Time), round, records)?;
        }
        guest.down()
    }

    /// One boot for each seed.
    fn counted(&self, records: &mut Vec<Record>) -> Result<()> {
        for seed in 1..=self.seeds {
            let mut guest = self.boot(Setup::Pair, Clock::Icount, seed)?;
            self.round(&mut guest, (Setup::Pair, Clock::Icount), seed, records)?;
            guest.down()?;
        }
        Ok(())
    }

    /// All protocols with all modules, once.
    fn round(
        &self,
        guest: &mut Guest,
        (setup, clock): (Setup, Clock),
        seed: u32,
        records: &mut Vec<Record>,
    ) -> Result<()> {
        for (place, protocol) in self.protocol.iter().enumerate() {
            for module in &self.module {
                let jobs = self.jobs(setup, module, place == 0);
                if jobs.is_empty() {
                    continue;
                }
                let begin = Instant::now();
                let order = Order {
                    module,
                    protocol,
                    seed,
                    length: clock.length(self.runtime),
                    jobs: &jobs,
                };
                let new = guest.run(&order)?;
                let head = format!("{} {protocol} {seed}", module.name());
                progress(&head, &new, begin.elapsed());
                records.extend(new);
            }
        }
        Ok(())
    }

    fn jobs(&self, setup: Setup, module: &Module, first_protocol: bool) -> Vec<&'static Job> {
        let wanted = |job: &Job| {
            self.jobs.is_empty()
                || self
                    .jobs
                    .iter()
                    .any(|text| job.name.contains(text.as_str()))
        };
        JOBS.iter()
            .filter(|job| wanted(job) && job.is_for(setup, module, first_protocol))
            .collect()
    }

    fn memory(&self, guest: &Guest) -> Result<()> {
        println!(
            "\nMemory, MiB; attached to total: one volume (of two in that kernel), \
             max-buffers 2048"
        );
        println!("{}", memory::HEAD);
        for (size, mib) in VOLUMES {
            for module in self.module.iter().filter(|module| **module != Module::Bare) {
                let steps = guest.memory(module, size)?;
                println!("{}", steps.row(module.name(), size, *mib)?);
            }
        }
        println!();
        Ok(())
    }
}

/// A line while it runs, with the host's load: other work on it spoils times.
pub(crate) fn progress(head: &str, new: &[Record], took: Duration) {
    let mut line = String::new();
    for record in new {
        // Writing to a string cannot fail.
        let _ = write!(line, " {}={}", record.job, table::figure(record));
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    eprintln!(
        "bench: {head}:{line} ({:.0} s, host load {load})",
        took.as_secs_f64()
    );
}

/// Writes all records, one a line.
fn save(records: &[Record]) -> Result<()> {
    let lines: Vec<String> = records
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    let path = results();
    fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n")))
        .with_context(|| format!("cannot write {}", path.display()))
}
