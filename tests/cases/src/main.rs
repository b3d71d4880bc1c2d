// SPDX-License-Identifier: GPL-2.0

//! The case runner: `make test` and `make cases`.
//!
//! A case is one behaviour of two machines, in a file of `cases/` named by it. It runs once for
//! every pair of drivers that it names, as `turns` has it. Cases of the same pair share booted
//! machines, which are reset in between; whatever cannot be reset is booted anew.

mod alike;
mod cargo;
mod case;
mod cases;
mod debian;
mod false_peer;
mod files;
mod fuzz;
mod handlers;
mod judge;
mod log;
mod own;
mod programs;
mod refusal;
mod report;
mod runner;
mod thin;
mod trouble;
mod turns;
mod unload;
mod xml_help;

use std::{process::ExitCode, str::FromStr};

use anyhow::Result;
use clap::Parser;
use vm::{pair, Kernel};

use crate::{case::Drivers, report::Report};

/// Runs the virtual machine cases, and with --cargo the cargo tests and the fuzz targets before.
#[derive(Parser)]
#[command(name = "cases")]
pub(crate) struct Cli {
    /// Runs the cargo tests of both workspaces and the fuzz targets first.
    #[arg(long)]
    cargo: bool,
    /// With --cargo, so many new seeds in the simulator.
    #[arg(long, default_value_t = 0)]
    seeds: u64,
    /// With --cargo, makes so many power cuts under load after the cases.
    #[arg(long, default_value_t = 0)]
    cuts: u64,
    /// Counts what our module costs beside the committed figures.
    #[arg(long)]
    cost: bool,
    /// The kernel of the machines: stock or debug.
    #[arg(long, default_value = "stock", value_parser = Kernel::from_str)]
    kernel: Kernel,
    /// On the debug kernel, a search for lost memory after each case, in three times the time.
    #[arg(long)]
    leaks: bool,
    /// Only lists the cases.
    #[arg(long)]
    list: bool,
    /// Only these pairs of drivers, for example tandem-drbd,drbd-tandem.
    #[arg(long, value_delimiter = ',', value_parser = Drivers::from_str)]
    pairs: Vec<Drivers>,
    /// Pairs that have the C module by turns, one or none, and some long cases, too: the commit
    /// says whose turn it is. Cases that are named run with all their pairs.
    #[arg(long)]
    by_turns: bool,
    /// Pairs of machines that run at the same time; as many as processors if not given.
    #[arg(long, default_value_t = default_jobs())]
    jobs: usize,
    /// Stops at the first failure and leaves its machines running under the name "failed".
    #[arg(long)]
    keep: bool,
    /// Only cases whose name has one of these texts in it.
    filter: Vec<String>,
}

/// Cases wait for time limits more than they compute: two at a time on two processors take hardly
/// longer each than one.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cases: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<bool> {
    let jobs = runner::plan(cli);
    if cli.list {
        for job in jobs {
            println!("{job}");
        }
        return Ok(true);
    }
    vm::stop_orphans();
    vm::stop_on_signals()?;
    let mut report = Report::default();
    if cli.cargo {
        cargo::deny_panics(&mut report);
        cargo::test(&mut report);
        fuzz::test(&mut report);
        programs::simulate(cli.seeds, &mut report);
    }
    if cli.cost {
        programs::count_cost(&mut report);
    }
    runner::run(cli, jobs, &mut report)?;
    if cli.cargo {
        programs::cut_power(cli.cuts, &mut report);
    }
    Ok(report.close())
}
