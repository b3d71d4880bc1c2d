// SPDX-License-Identifier: GPL-2.0

//! Prints the table of unsafe code and what is against the style; fails if anything is.

use std::process::ExitCode;

use anyhow::Result;
use tidy::{table, tree::Tree};

fn main() -> Result<ExitCode> {
    let tree = Tree::read(&Tree::repository())?;
    print!("{}", table::of(&tree));
    let found = tidy::check(&tree)?;
    for finding in &found {
        println!("{finding}");
    }
    println!("{} rules, {} findings", tidy::rules::ALL.len(), found.len());
    Ok(if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
