// SPDX-License-Identifier: GPL-2.0

//! `make sim-mutants`: does the simulator find the faults that are planted in the engine?
//!
//! Each patch of `tests/sim/mutants` is one fault. A copy of the tree gets it, the simulator is
//! built there, and has to fail within as many seeds as a commit gets, or else in its stories. A
//! fault that it does not find says that the simulator is too weak.

mod patch;
mod tree;
mod trial;

use std::process::ExitCode;

use anyhow::{bail, Result};
use clap::Parser;

use crate::patch::Patch;
use crate::tree::Tree;
use crate::trial::{Simulator, Verdict};

/// Plants faults in the engine, one by one, and lets the simulator find them.
#[derive(Parser)]
#[command(name = "mutants")]
struct Args {
    /// Most seeds for each fault.
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The first seed: of those that commits get.
    #[arg(long, default_value_t = 1 << 42)]
    start: u64,
    /// Only lists the faults.
    #[arg(long)]
    list: bool,
    /// Only faults whose name has one of these texts in it.
    filter: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<bool> {
    let repository = vm::repository();
    let wanted = |name: &str| {
        args.filter.is_empty() || args.filter.iter().any(|text| name.contains(text.as_str()))
    };
    let mut patches = patch::read_all(&repository.join("tests/sim/mutants"))?;
    patches.retain(|patch| wanted(&patch.name));
    if patches.is_empty() {
        bail!("no fault has such a name");
    }
    if args.list {
        for patch in &patches {
            println!("{:32} {}", patch.name, patch.breaks);
        }
        return Ok(true);
    }
    let tree = Tree::new(&repository)?;
    tree.restore()?;
    let simulator = Simulator::build(&tree, args.seeds)?;
    println!("{:32} {:44} after", "fault", "found by");
    let mut well = 0;
    for patch in &patches {
        well += u32::from(tell(patch, &trial(&tree, &simulator, patch, args.start)));
    }
    tree.restore()?;
    println!("{well} of {} faults found", patches.len());
    Ok(well as usize == patches.len())
}

/// Plants one fault and looks for it.
fn trial(tree: &Tree, simulator: &Simulator, patch: &Patch, start: u64) -> Result<Verdict> {
    tree.restore()?;
    tree.apply(&patch.file)?;
    simulator.look(tree, patch.start.unwrap_or(start), patch.stories_first)
}

/// Prints a line of the table; true if the fault was found.
fn tell(patch: &Patch, verdict: &Result<Verdict>) -> bool {
    let name = &patch.name;
    match verdict {
        Ok(Verdict::Seed { after, failure }) => {
            let kind: String = failure.chars().take(44).collect();
            println!("{name:32} {kind:44} {after} seeds");
        }
        Ok(Verdict::Story(story)) => println!("{name:32} story {story}"),
        Ok(Verdict::Survived) => println!("{name:32} NOT FOUND. {}", patch.breaks),
        Err(error) => println!("{name:32} ERROR: {error:#}"),
    }
    matches!(verdict, Ok(Verdict::Seed { .. } | Verdict::Story(_)))
}

#[cfg(test)]
mod tests {
    use crate::{patch, tree};

    #[test]
    fn every_fault_can_still_be_planted() {
        let repository = vm::repository();
        let patches = patch::read_all(&repository.join("tests/sim/mutants")).expect("patches");
        assert!(!patches.is_empty(), "no patch is there");
        let stale: Vec<String> = patches
            .iter()
            .filter_map(|patch| tree::check(&repository, &patch.file).err())
            .map(|error| format!("{error:#}"))
            .collect();
        assert!(stale.is_empty(), "{}", stale.join("\n"));
    }
}
