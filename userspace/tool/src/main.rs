// SPDX-License-Identifier: GPL-2.0

//! `tandem`: sets replicated block devices up and shows their state.
//!
//! One binary with several names: `tandem setup` is also `drbdsetup`, and `tandem meta` is also
//! `drbdmeta`. What is typed (`cli`) becomes what is meant (`intent`), a command does it (`cmd`),
//! and its outcome is one of the exit codes of DRBD's tools (`exit`).
#![forbid(unsafe_code)]

mod cli;
mod cmd;
mod dump_text;
mod exit;
mod failure;
mod intent;
mod kernel;
mod last_size;
mod lock;
mod model;
mod pacemaker;
mod progress;
mod reasons;
mod registry;
mod render;

use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = cli::parse(std::env::args_os()).and_then(cmd::run);
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report();
            failure.exit().into()
        }
    }
}
