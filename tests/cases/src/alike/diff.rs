// SPDX-License-Identifier: GPL-2.0

//! Where two texts differ, line by line.

use std::fmt;

/// Lines in the place of others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hunk<'a> {
    /// Lines of the first text only.
    pub(super) ours: Vec<&'a str>,
    /// Lines of the second text only.
    pub(super) theirs: Vec<&'a str>,
}

impl fmt::Display for Hunk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.ours {
            writeln!(f, "-{line}")?;
        }
        for line in &self.theirs {
            writeln!(f, "+{line}")?;
        }
        Ok(())
    }
}

/// The differences, with as many lines in common as there can be.
pub(super) fn lines<'a>(ours: &[&'a str], theirs: &[&'a str]) -> Vec<Hunk<'a>> {
    let common = common(ours, theirs);
    let (mut at, mut other) = (0, 0);
    let mut hunks = Vec::new();
    let mut hunk = Hunk::default();
    while at < ours.len() || other < theirs.len() {
        if at < ours.len() && other < theirs.len() && ours[at] == theirs[other] {
            if hunk != Hunk::default() {
                hunks.push(std::mem::take(&mut hunk));
            }
            at += 1;
            other += 1;
        } else if other == theirs.len()
            || at < ours.len() && common[at + 1][other] >= common[at][other + 1]
        {
            hunk.ours.push(ours[at]);
            at += 1;
        } else {
            hunk.theirs.push(theirs[other]);
            other += 1;
        }
    }
    if hunk != Hunk::default() {
        hunks.push(hunk);
    }
    hunks
}

/// How many lines can be in common from two places on.
fn common(ours: &[&str], theirs: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; theirs.len() + 1]; ours.len() + 1];
    for at in (0..ours.len()).rev() {
        for other in (0..theirs.len()).rev() {
            common[at][other] = if ours[at] == theirs[other] {
                common[at + 1][other + 1] + 1
            } else {
                common[at + 1][other].max(common[at][other + 1])
            };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::{lines, Hunk};

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(lines(&["a", "b"], &["a", "b"]), []);
    }

    #[test]
    fn what_is_another_what_is_more_and_what_moved_is_found() {
        let hunk = |ours: &[&'static str], theirs: &[&'static str]| Hunk {
            ours: ours.to_vec(),
            theirs: theirs.to_vec(),
        };
        assert_eq!(
            lines(&["a", "b", "c"], &["a", "x", "c"]),
            [hunk(&["b"], &["x"])]
        );
        assert_eq!(lines(&["a"], &["a", "b"]), [hunk(&[], &["b"])]);
        assert_eq!(
            lines(&["a", "b", "c"], &["b", "c", "a"]),
            [hunk(&["a"], &[]), hunk(&[], &["a"])]
        );
    }
}
