// SPDX-License-Identifier: GPL-2.0

//! `make endure`: cuts the power of one or both of two machines that replicate, again and again, at
//! random moments of a load, and looks after each cut whether everything is there that was
//! acknowledged.

mod cut;
mod file_system;
mod load;
mod plan;
mod stages;
mod tally;

use std::{
    process::ExitCode,
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use clap::Parser;
use vm::{
    pair::{long_run, Pair},
    Kernel, Spec,
};

use crate::{
    plan::{Fault, Plan},
    stages::Stages,
    tally::Tally,
};

/// Power cuts of two machines that replicate, at random moments of a load.
#[derive(Parser)]
#[command(name = "endure")]
struct Cli {
    /// So many cuts.
    #[arg(long, default_value_t = 1000)]
    cuts: u64,
    /// The number of the first.
    #[arg(long, default_value_t = 1)]
    start: u64,
    /// What all draws come from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The kernel of the machines: stock or debug.
    #[arg(long, default_value = "stock", value_parser = Kernel::from_str)]
    kernel: Kernel,
    /// Begins no cut after so many minutes; that some were left out is exit status 77.
    #[arg(long)]
    minutes: Option<u64>,
    /// Plants a fault of the machines, to see it found.
    #[arg(long)]
    plant: Option<Fault>,
    /// Pairs of machines that run at the same time; as many as processors if not given.
    #[arg(long, default_value_t = default_pairs())]
    pairs: u64,
    /// Leaves the machines running after a failure.
    #[arg(long)]
    keep: bool,
}

/// Size of a data disk: a file system with its journal, and little more to verify.
const DISK_BYTES: u64 = 48 << 20;

/// The exit status when all cuts were well that there was time for: some were skipped.
const LEFT_OUT: u8 = 77;

fn main() -> ExitCode {
    vm::stop_orphans();
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(LEFT_OUT),
        Err(error) => {
            eprintln!("endure: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all cuts were made.
fn run(cli: &Cli) -> Result<bool> {
    vm::stop_on_signals()?;
    let spec = Spec {
        disk_bytes: DISK_BYTES,
        volatile_disks: true,
        databases: true,
        kernel: cli.kernel,
        mem_mib: match cli.kernel {
            Kernel::Stock => 512,
            Kernel::Debug => 1024,
        },
        ..Spec::default()
    };
    let limit = cli.minutes.map_or(Duration::MAX, |minutes| {
        Duration::from_secs(minutes.saturating_mul(60))
    });
    let run = Run {
        cli,
        tally: Tally::new(cli.start, cli.cuts, limit),
        stages: Stages::default(),
    };
    thread::scope(|scope| {
        for number in 1..=cli.pairs.clamp(1, cli.cuts.max(1)) {
            let (spec, run) = (&spec, &run);
            scope.spawn(move || run.on_a_pair(&format!("endure-{number}"), spec));
        }
    });
    let (count, failed) = run.tally.result();
    println!("{}", run.stages.line(count));
    match count {
        _ if failed => bail!("what was wrong is above; {count} cuts were well"),
        0 if cli.cuts > 0 => bail!("there was no time for any cut"),
        count if count < cli.cuts => {
            println!(
                "skipped: {} of {} cuts: no time is left",
                cli.cuts - count,
                cli.cuts
            );
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// What all pairs of machines share.
struct Run<'a> {
    cli: &'a Cli,
    tally: Tally,
    stages: Stages,
}

impl Run<'_> {
    /// Boots a pair, and makes cuts until there are no more, or one has failed. What was wrong is
    /// told at once: the other pairs still end the cuts that they are at.
    fn on_a_pair(&self, name: &str, spec: &Spec) {
        if let Err(error) = long_run(name, spec, self.cli.keep, |pair| self.cuts(pair)) {
            self.tally.fail();
            eprintln!("endure: {error:#}");
        }
    }

    fn cuts(&self, pair: &Pair<'_>) -> Result<()> {
        cut::begin(pair)?;
        let seed = self.cli.seed;
        while let Some(number) = self.tally.take() {
            let begin = Instant::now();
            let mut plan = Plan::draw(seed, number);
            plan.fault = self.cli.plant;
            let outcome = cut::run(pair, &plan, &self.stages).with_context(|| {
                format!("{plan}\nagain: make endure CUTS=1 START={number} SEED={seed}")
            })?;
            println!(
                "{plan}: {} done, {} there, in {:.0} s; {}",
                outcome.done,
                outcome.held,
                begin.elapsed().as_secs_f64(),
                self.tally.add(number, &outcome)
            );
        }
        Ok(())
    }
}

/// Waiting for time limits takes as long as computing: as many pairs as processors.
fn default_pairs() -> u64 {
    thread::available_parallelism().map_or(1, |processors| processors.get() as u64)
}
