// SPDX-License-Identifier: GPL-2.0

//! `make bench`: our module beside the stock C module and the bare disk, in the same kernel.

mod guest;
mod job;
mod memory;
mod record;
mod table;

use std::{
    fmt::Write as _,
    fs,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serde::Serialize;

use crate::{guest::Guest, record::Record};

/// What is measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Clock {
    /// A clock: two processors, runs alternate.
    Time,
    /// Instructions executed: one processor, repeatable.
    Icount,
}

/// Where the two nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Setup {
    /// In one kernel, over its loopback.
    Pair,
    /// In two virtual machines with one processor each, over a cable; with a clock only.
    Machines,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Module {
    /// The module of this checkout.
    Tandem,
    /// The stock kernel's C module.
    Drbd,
    /// The disk below, without replication.
    Bare,
}

impl Module {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Tandem => "tandem",
            Self::Drbd => "drbd",
            Self::Bare => "bare",
        }
    }
}

/// Measures replication between two resources on RAM disks.
#[derive(Parser)]
#[command(name = "bench")]
pub(crate) struct Cli {
    /// What to measure with.
    #[arg(long, value_delimiter = ',', default_value = "time,icount")]
    clock: Vec<Clock>,
    /// Where the two nodes are.
    #[arg(long, value_delimiter = ',', default_value = "pair,machines")]
    setup: Vec<Setup>,
    /// What to measure.
    #[arg(long, value_delimiter = ',', default_value = "tandem,drbd,bare")]
    module: Vec<Module>,
    /// Only jobs with one of these texts in their names.
    #[arg(long, value_delimiter = ',')]
    jobs: Vec<String>,
    /// The replication protocol.
    #[arg(long, default_value = "C", value_parser = ["A", "B", "C"])]
    protocol: String,
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

impl Cli {
    pub(crate) fn wants(&self, job: &str) -> bool {
        self.jobs.is_empty() || self.jobs.iter().any(|text| job.contains(text.as_str()))
    }
}

/// Sizes of volumes whose memory is told: name for people and `truncate`, and MiB.
const VOLUMES: &[(&str, f64)] = &[("1G", 1024.0), ("1T", 1_048_576.0)];

fn main() -> ExitCode {
    vm::stop_orphans();
    let cli = Cli::parse();
    let mut records = Vec::new();
    let result = vm::stop_on_signals().and_then(|()| run(&cli, &mut records));
    // What was measured before something failed counts, too.
    match save(&records).and(result) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli, records: &mut Vec<Record>) -> Result<()> {
    for clock in &cli.clock {
        for setup in &cli.setup {
            let begin = records.len();
            let result = match (clock, setup) {
                (Clock::Time, _) => timed(cli, *setup, records),
                (Clock::Icount, Setup::Pair) => counted(cli, records),
                // Two machines have no common count.
                (Clock::Icount, Setup::Machines) => continue,
            };
            print!("{}", table::text(*clock, *setup, &records[begin..]));
            result?;
        }
    }
    Ok(())
}

/// One boot, rounds of all modules in turn.
fn timed(cli: &Cli, setup: Setup, records: &mut Vec<Record>) -> Result<()> {
    let mut guest = Guest::boot(setup, Clock::Time, 1)?;
    if !cli.no_memory && setup == Setup::Pair {
        memory(cli, &guest)?;
    }
    for round in 1..=cli.rounds {
        for module in &cli.module {
            measure(cli, &mut guest, *module, round, records)?;
        }
    }
    guest.down()
}

/// One boot for each seed.
fn counted(cli: &Cli, records: &mut Vec<Record>) -> Result<()> {
    for seed in 1..=cli.seeds {
        let mut guest = Guest::boot(Setup::Pair, Clock::Icount, seed)?;
        for module in &cli.module {
            measure(cli, &mut guest, *module, seed, records)?;
        }
        guest.down()?;
    }
    Ok(())
}

fn measure(
    cli: &Cli,
    guest: &mut Guest,
    module: Module,
    seed: u32,
    records: &mut Vec<Record>,
) -> Result<()> {
    let begin = Instant::now();
    let new = guest.run(cli, module, seed)?;
    let mut line = String::new();
    for record in &new {
        // Writing to a string cannot fail.
        let _ = write!(line, " {}={}", record.job, table::figure(record));
    }
    progress(
        &format!("{} {seed}:{line}", module.as_str()),
        begin.elapsed(),
    );
    records.extend(new);
    Ok(())
}

fn memory(cli: &Cli, guest: &Guest) -> Result<()> {
    println!(
        "\nMemory, MiB; attached to total: one volume (of two in that kernel), max-buffers 2048"
    );
    println!("{}", memory::HEAD);
    for (size, mib) in VOLUMES {
        for module in cli.module.iter().filter(|module| **module != Module::Bare) {
            let steps = guest.memory(*module, size)?;
            println!("{}", steps.row(module.as_str(), size, *mib)?);
        }
    }
    println!();
    Ok(())
}

/// A line while it runs, with the host's load: other work on it spoils times.
fn progress(text: &str, took: Duration) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    eprintln!(
        "bench: {text} ({:.0} s, host load {load})",
        took.as_secs_f64()
    );
}

/// Writes all records, one a line.
fn save(records: &[Record]) -> Result<()> {
    let lines: Vec<String> = records
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    let path = vm::repository().join("target/bench.json");
    fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n")))
        .with_context(|| format!("cannot write {}", path.display()))
}
