// SPDX-License-Identifier: GPL-2.0

//! What the modules take of the machine's memory.

use std::collections::BTreeMap;

use anyhow::{anyhow, Result};

/// Free MiB after each step of setting up two volumes in one kernel.
pub(crate) struct Steps(BTreeMap<String, f64>);

impl Steps {
    /// Reads lines of a step's name and a number.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut steps = BTreeMap::new();
        for line in text.lines() {
            if let Some((name, number)) = line.split_once(' ') {
                if let Ok(number) = number.parse() {
                    steps.insert(name.to_owned(), number);
                }
            }
        }
        Ok(Self(steps))
    }

    /// MiB that were taken from one step to a later one.
    fn taken(&self, from: &str, to: &str) -> Result<f64> {
        let at = |name: &str| {
            self.0
                .get(name)
                .copied()
                .ok_or_else(|| anyhow!("the guest told no memory for '{name}'"))
        };
        Ok(at(from)? - at(to)?)
    }

    /// The table's row: code, then for one of the two volumes what attaching and connecting took.
    pub(crate) fn row(&self, module: &str, size: &str, mib: f64) -> Result<String> {
        let loaded = self.taken("before", "loaded")?;
        let attached = self.taken("formatted", "attached")? / 2.0;
        let connected = self.taken("attached", "connected")? / 2.0;
        let left = self.taken("before", "unloaded")?;
        let budget = 16.0 + 40.0 * mib / f64::from(1 << 20);
        let total = attached + connected;
        let verdict = if total <= budget { "" } else { "  OVER" };
        Ok(format!(
            "{module:<8} {size:>6} {loaded:>8.1} {attached:>9.1} {connected:>10.1} {total:>8.1} \
             {budget:>8.1} {left:>8.1}{verdict}"
        ))
    }
}

/// The table's head.
pub(crate) const HEAD: &str =
    "module   volume   loaded  attached  connected    total   budget     left";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_for_one_of_the_two_volumes() {
        let text = "before 100\nloaded 99\nformatted 90\nattached 80\nconnected 60\nunloaded 100\n";
        let row = Steps::parse(text)
            .unwrap()
            .row("m", "1T", 1048576.0)
            .unwrap();
        let words: Vec<_> = row.split_whitespace().collect();
        assert_eq!(
            words,
            ["m", "1T", "1.0", "5.0", "10.0", "15.0", "56.0", "0.0"]
        );
        assert!(Steps::parse("").unwrap().row("m", "1T", 1.0).is_err());
    }
}
