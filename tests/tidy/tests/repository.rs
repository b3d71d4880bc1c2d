// SPDX-License-Identifier: GPL-2.0

//! The repository keeps its own rules.

use std::io::{self, Write};

use tidy::{table, tree::Tree};

#[test]
fn the_repository_keeps_every_rule() {
    let tree = Tree::read(&Tree::repository()).unwrap();
    // Past the capture of the test harness: the table belongs into the output of every run.
    let _ = write!(io::stdout(), "\n{}", table::of(&tree));
    let found = tidy::check(&tree).unwrap();
    for finding in &found {
        eprintln!("{finding}");
    }
    assert!(found.is_empty(), "{} findings, above", found.len());
}
