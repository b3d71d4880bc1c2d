// SPDX-License-Identifier: GPL-2.0

//! `make endure`: cuts the power of one or both of two machines that replicate, again and again, at
//! random moments of a load, and looks after each cut whether everything is there that was
//! acknowledged.

mod cut;
mod file_system;
mod load;
mod plan;

use std::{process::ExitCode, str::FromStr, time::Instant};

use anyhow::{Context, Result};
use clap::Parser;
use vm::{
    pair::{long_run, Pair},
    Kernel, Loss, Spec,
};

use crate::plan::Plan;

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
    /// Leaves the machines running after a failure.
    #[arg(long)]
    keep: bool,
}

/// Size of a data disk: a file system with its journal, and little more to verify.
const DISK_BYTES: u64 = 96 << 20;

fn main() -> ExitCode {
    vm::stop_orphans();
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("endure: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    vm::stop_on_signals()?;
    let spec = Spec {
        disk_bytes: DISK_BYTES,
        volatile_disks: true,
        kernel: cli.kernel,
        mem_mib: match cli.kernel {
            Kernel::Stock => 512,
            Kernel::Debug => 1024,
        },
        ..Spec::default()
    };
    long_run("endure", &spec, cli.keep, |pair| cuts(cli, pair))
}

fn cuts(cli: &Cli, pair: &Pair<'_>) -> Result<()> {
    cut::begin(pair)?;
    let begin = Instant::now();
    let mut progress = Progress::default();
    for number in cli.start..cli.start.saturating_add(cli.cuts) {
        let plan = Plan::draw(cli.seed, number);
        let outcome = cut::run(pair, &plan).with_context(|| {
            format!(
                "{plan}\nagain: make endure CUTS=1 START={number} SEED={}",
                cli.seed
            )
        })?;
        progress.cuts += 1;
        progress.done += outcome.done;
        progress.held += outcome.held;
        progress.loss += outcome.loss;
        let progress = progress.line(cli, begin.elapsed().as_secs_f64());
        println!(
            "{plan}: {} done, {} there; {progress}",
            outcome.done, outcome.held
        );
    }
    Ok(())
}

/// Sums over all cuts.
#[derive(Default)]
struct Progress {
    cuts: u64,
    done: u64,
    held: u64,
    loss: Loss,
}

impl Progress {
    fn line(&self, cli: &Cli, seconds: f64) -> String {
        let Loss { lost, torn, kept } = self.loss;
        let each = seconds / self.cuts as f64;
        let left = each * cli.cuts.saturating_sub(self.cuts) as f64 / 60.0;
        format!(
            "all {} of {}: {} done, {} there, unflushed {lost} lost {torn} torn {kept} kept, \
             {each:.0} s each, {left:.0} min left; next START={}",
            self.cuts,
            cli.cuts,
            self.done,
            self.held,
            cli.start + self.cuts
        )
    }
}
