// SPDX-License-Identifier: GPL-2.0

//! What runs in the guest: one batch of one of the fuzzers. Prints a tally of what was reached, or
//! what the module did wrong, with status 1; 3 if something hangs.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{Parser, Subcommand};
use live_fuzz::{
    batch::{self, Plan},
    messages,
};

/// One batch of a live fuzzer.
#[derive(Parser)]
#[command(name = "fuzz-guest")]
struct Cli {
    /// The first seed.
    #[arg(long)]
    start: u64,
    /// So many seeds, at most.
    #[arg(long)]
    count: u64,
    /// And for so many seconds, at most.
    #[arg(long)]
    seconds: u64,
    /// Nothing may take longer, in seconds.
    #[arg(long, default_value_t = 60)]
    patience: u64,
    #[command(subcommand)]
    fuzzer: Fuzzer,
}

#[derive(Clone, Copy, Subcommand)]
enum Fuzzer {
    /// Sessions of a peer.
    Wire,
    /// Messages of a tool, as root and as nobody.
    Netlink,
    /// Messages of a tool by the user that this runs as, who has no rights.
    Nobody,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("wrong: {error:#}");
            // Threads may hang that were not waited for.
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let plan = Plan {
        start: cli.start,
        count: cli.count,
        time: Duration::from_secs(cli.seconds),
        patience: Duration::from_secs(cli.patience),
    };
    let tally = match cli.fuzzer {
        Fuzzer::Wire => batch::run(plan)?,
        Fuzzer::Netlink => messages::run(plan)?,
        Fuzzer::Nobody => messages::run_as_nobody(plan)?,
    };
    print!("{tally}");
    Ok(())
}
