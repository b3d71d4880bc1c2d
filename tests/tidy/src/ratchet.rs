// SPDX-License-Identifier: GPL-2.0

//! Old sinners, with a number that may only fall.
//!
//! A line of `tests/tidy/ratchet.txt` is `rule file number`, or `rule file:function number`. Above
//! the number all findings are told. Well below it, the number has to be lowered; that is told too.

use std::collections::BTreeMap;

use anyhow::{bail, Context, Result};

use crate::{finding::Finding, tree::Tree};

/// Where the ratchet is.
pub const PATH: &str = "tests/tidy/ratchet.txt";

/// The tenth of its number that a file may be below it: a few lines more or less need no edit here.
const SLACK: usize = 10;

/// The permitted measure, and the line that permits it, by rule and file or function.
#[derive(Debug, Default)]
pub struct Ratchet {
    permitted: BTreeMap<(String, String), (usize, usize)>,
}

impl Ratchet {
    /// Reads the ratchet of a tree; a tree without one permits nothing.
    ///
    /// # Errors
    /// A line of another form.
    pub fn of(tree: &Tree) -> Result<Self> {
        let mut it = Self::default();
        let Some(file) = tree.file(PATH) else {
            return Ok(it);
        };
        for (nr, line) in file.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parts: Vec<&str> = line.split_whitespace().collect();
            let &[rule, key, number] = parts.as_slice() else {
                bail!("{PATH}:{nr}: not of the form 'rule file number'");
            };
            let number = number
                .parse()
                .with_context(|| format!("{PATH}:{nr}: the third word is no number"))?;
            it.permitted
                .insert((rule.to_owned(), key.to_owned()), (number, nr));
        }
        Ok(it)
    }

    /// Leaves of `found` what is not permitted, and adds what is permitted without need.
    pub fn judge(&self, found: Vec<Finding>) -> Vec<Finding> {
        let mut sums: BTreeMap<(String, String), usize> = BTreeMap::new();
        for finding in &found {
            let sum = sums
                .entry((finding.rule.to_owned(), finding.key()))
                .or_default();
            *sum += finding.measure;
        }
        let is_permitted = |finding: &Finding| {
            let at = (finding.rule.to_owned(), finding.key());
            match (sums.get(&at), self.permitted.get(&at)) {
                (Some(sum), Some((most, _))) => sum <= most,
                _ => false,
            }
        };
        let mut left: Vec<Finding> = found.into_iter().filter(|f| !is_permitted(f)).collect();
        for (at, &(most, line)) in &self.permitted {
            let sum = sums.get(at).copied().unwrap_or(0);
            if sum + most / SLACK < most {
                let (rule, key) = at;
                let text = format!("{rule} {key} is at {sum} now: lower the {most}");
                left.push(Finding::new("ratchet", PATH, line, text));
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(ratchet: &str, found: Vec<Finding>) -> Vec<Finding> {
        let tree = Tree::of(&[(PATH, ratchet)]).unwrap();
        Ratchet::of(&tree).unwrap().judge(found)
    }

    fn finding(measure: usize) -> Finding {
        Finding::new("length", "a.rs", 1, "long").measuring(measure)
    }

    #[test]
    fn what_is_permitted_is_not_told() {
        assert_eq!(judge("length a.rs 700\n", vec![finding(700)]), []);
        assert_eq!(judge("length a.rs 700\n", vec![finding(690)]), []);
    }

    #[test]
    fn what_grows_above_its_number_is_told() {
        let left = judge("length a.rs 700\n", vec![finding(701)]);
        assert_eq!(left, [finding(701)]);
    }

    #[test]
    fn findings_of_a_file_count_together() {
        let left = judge("length a.rs 1\n", vec![finding(1), finding(1)]);
        assert_eq!(left.len(), 2);
    }

    #[test]
    fn a_number_that_is_too_high_is_told() {
        let left = judge("# old\nlength a.rs 700\n", vec![finding(600)]);
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].rule, left[0].line), ("ratchet", 2));
        assert_eq!(judge("length gone.rs 1\n", vec![]).len(), 1);
    }

    #[test]
    fn a_line_of_another_form_is_an_error() {
        for text in ["length a.rs", "length a.rs many", "a b 1 d"] {
            let tree = Tree::of(&[(PATH, text)]).unwrap();
            assert!(Ratchet::of(&tree).is_err(), "{text}");
        }
    }
}
