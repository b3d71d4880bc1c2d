// SPDX-License-Identifier: GPL-2.0

//! `make bench`: our module beside the stock C module and the bare disk, in the same kernel.

mod check;
mod figures;
mod guest;
mod job;
mod measure;
mod memory;
mod module;
mod outcome;
mod plot;
mod record;
mod table;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

/// What is measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Clock {
    /// A clock: two processors, runs alternate.
    Time,
    /// Instructions executed: one processor, repeatable.
    Icount,
}

/// Where the two nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Setup {
    /// In one kernel, over its loopback.
    Pair,
    /// In two virtual machines with one processor each, over a cable; with a clock only.
    Machines,
}

/// Measures replication between two resources on RAM disks.
#[derive(Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    measurement: measure::Measurement,
    #[command(subcommand)]
    other: Option<Other>,
}

/// What else can be done.
#[derive(Subcommand)]
enum Other {
    /// The short form: counts what our module costs, and fails if it is more than committed.
    /// Status 77 if there are no figures for what is here.
    Check(check::Check),
    /// Draws the ratios to the C module that were measured last.
    Plot(plot::Plot),
}

fn main() -> ExitCode {
    vm::stop_orphans();
    match vm::stop_on_signals().and_then(|()| run(&Cli::parse())) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    match &cli.other {
        None => cli.measurement.run().map(|()| ExitCode::SUCCESS),
        Some(Other::Check(check)) => check.run(),
        Some(Other::Plot(plot)) => plot.run().map(|()| ExitCode::SUCCESS),
    }
}
