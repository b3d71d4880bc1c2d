// SPDX-License-Identifier: GPL-2.0

//! The style of the repository, as a test with a ratchet.
//!
//! Each rule of [`rules::ALL`] looks at all files and tells what it does not like. Old sinners
//! stand in `tests/tidy/ratchet.txt` with a number that may only fall. Rust is looked at as tokens,
//! not as text, so that words in strings and comments do not count as code.
//!
//! `Documentation/STYLE.md` gives the reasons of the rules; its words and these rules go together.

pub mod finding;
pub mod ratchet;
pub mod rules;
pub mod table;
pub mod tokens;
pub mod tree;

use anyhow::Result;
use finding::Finding;
use ratchet::Ratchet;
use tree::Tree;

/// Checks a tree against all rules and its ratchet; returns what is wrong, in order of the files.
///
/// # Errors
/// A ratchet that can't be read.
pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let found = rules::ALL.iter().flat_map(|rule| (rule.check)(tree));
    let mut left = Ratchet::of(tree)?.judge(found.collect());
    left.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    Ok(left)
}
