// SPDX-License-Identifier: GPL-2.0

//! What was reached, and how often: a fuzzer that never gets past the login would be quiet, too.

use std::{collections::BTreeMap, fmt};

use tandem_engine::{state::ConnState, wire::Command};

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, u64>);

/// What a line of a tally begins with.
const MARK: &str = "tally ";

impl Tally {
    /// Counts something.
    pub fn add(&mut self, name: &str, count: u64) {
        match self.0.get_mut(name) {
            Some(so_far) => *so_far += count,
            None => {
                self.0.insert(name.into(), count);
            }
        }
    }

    /// A packet of the module came.
    pub(crate) fn came(&mut self, command: Command) {
        self.add(&format!("got {}", command.as_str()), 1);
    }

    /// The module told a new state.
    pub(crate) fn state(&mut self, conn: ConnState) {
        self.add(&format!("state {}", conn.as_str()), 1);
    }

    /// Adds all of another one.
    pub fn merge(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            self.add(name, *count);
        }
    }

    /// How often something was counted.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Those of the names that were never counted.
    pub fn lacks<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        names
            .iter()
            .copied()
            .filter(|name| self.of(name) == 0)
            .collect()
    }

    /// Reads the lines of a tally out of a text; other lines are left alone.
    pub fn parse(text: &str) -> Self {
        let mut tally = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix(MARK)) {
            if let Some((count, name)) = line.split_once(' ') {
                tally.add(name, count.parse().unwrap_or(0));
            }
        }
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(name, count)| writeln!(f, "{MARK}{count} {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_is_read_as_it_was_written() {
        let mut tally = Tally::default();
        tally.add("sessions", 3);
        tally.came(Command::RsDataReply);
        let text = format!("noise\n{tally}more noise");
        assert_eq!(Tally::parse(&text), tally);
        assert_eq!(tally.lacks(&["sessions", "got Barrier"]), ["got Barrier"]);
    }
}
