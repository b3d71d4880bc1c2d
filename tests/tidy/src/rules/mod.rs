// SPDX-License-Identifier: GPL-2.0

//! The rules.
//!
//! To add one: write a function from a tree to findings in the file of its topic, with a test that
//! shows it fire, and name it in [`ALL`].

use crate::{finding::Finding, tree::Tree};

mod code;
mod dead;
mod dependencies;
mod driver;
mod engine;
mod heads;
mod lengths;
mod text;
mod unsafety;

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, as findings and the ratchet have it.
    pub name: &'static str,
    /// Looks at all files.
    pub check: fn(&Tree) -> Vec<Finding>,
}

/// All rules.
pub const ALL: &[Rule] = &[
    text::LINE_LENGTH,
    text::ASCII,
    text::WHITESPACE,
    text::NOTE,
    text::MACHINE_PATH,
    heads::SPDX,
    heads::MODULE_DOC,
    lengths::FILE,
    lengths::FUNCTION,
    unsafety::HOME,
    unsafety::FORBIDDEN,
    unsafety::SAFETY,
    unsafety::BUDGET,
    engine::PURE,
    engine::BYTE_ORDER,
    engine::SIBLING_TESTS,
    driver::BINDINGS,
    driver::IMPORTS,
    code::PANICS,
    code::ALLOW,
    code::IGNORED_TEST,
    code::SLEEP,
    code::MOD_FILE,
    dead::RUST,
    dead::OTHER,
    dead::LINKS,
    dependencies::ENGINE,
    dependencies::REASON,
];

/// Runs one rule over a few files, for tests; returns path and line of what it finds.
#[cfg(test)]
fn run(rule: Rule, files: &[(&str, &str)]) -> Vec<(String, usize)> {
    let found = (rule.check)(&Tree::of(files).unwrap());
    assert!(found.iter().all(|finding| finding.rule == rule.name));
    found.into_iter().map(|f| (f.path, f.line)).collect()
}

/// The lines that one rule finds in one file, for tests.
#[cfg(test)]
fn lines(rule: Rule, path: &str, text: &str) -> Vec<usize> {
    let found = run(rule, &[(path, text)]);
    found.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn names_of_rules_are_unique() {
        for (at, rule) in ALL.iter().enumerate() {
            assert!(ALL[..at].iter().all(|other| other.name != rule.name));
        }
    }
}
