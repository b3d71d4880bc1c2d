// SPDX-License-Identifier: GPL-2.0

//! Feeds recordings of a running module to the engine, and says whether the same comes of them.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Parser;

/// Feeds recordings of the module (/sys/kernel/debug/tandem/trace) to the engine and compares the
/// effects, one for one.
#[derive(Parser)]
struct Args {
    /// Tells every event and its effects.
    #[arg(long)]
    story: bool,
    /// The recordings.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("replay: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool> {
    let mut well = true;
    for file in &args.files {
        let path = file.display();
        let bytes = fs::read(file).with_context(|| format!("cannot read {path}"))?;
        let tell = |line: &str| {
            if args.story {
                println!("{line}");
            }
        };
        match replay::replay(&bytes, tell) {
            Ok(summary) => println!("{path}: {summary}"),
            Err(failure) => {
                well = false;
                println!("{path}: {failure}");
            }
        }
    }
    Ok(well)
}
