// SPDX-License-Identifier: GPL-2.0

//! Where the time of cuts goes: sums by stage, over all pairs of machines.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::Mutex,
    time::{Duration, Instant},
};

/// How long each stage took, in all cuts together.
#[derive(Debug, Default)]
pub(crate) struct Stages(Mutex<BTreeMap<&'static str, Duration>>);

impl Stages {
    /// Adds what `work` takes to a stage.
    pub(crate) fn time<T>(&self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        *self.sums().entry(stage).or_default() += begin.elapsed();
        result
    }

    /// Seconds of each stage for each of so many cuts, the longest first.
    pub(crate) fn line(&self, cuts: u64) -> String {
        let mut sums: Vec<_> = self
            .sums()
            .iter()
            .map(|(name, sum)| (*sum, *name))
            .collect();
        sums.sort_unstable_by(|one, other| other.cmp(one));
        let mut line = String::from("seconds of a cut:");
        for (sum, name) in sums {
            // Writing to a string cannot fail.
            let _ = write!(
                line,
                " {name} {:.1}",
                sum.as_secs_f64() / cuts.max(1) as f64
            );
        }
        line
    }

    fn sums(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Duration>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_told_by_length_for_each_cut() {
        let stages = Stages::default();
        for (stage, seconds) in [("boot", 2), ("load", 7), ("boot", 4)] {
            *stages.sums().entry(stage).or_default() += Duration::from_secs(seconds);
        }
        assert_eq!(stages.line(2), "seconds of a cut: load 3.5 boot 3.0");
        assert_eq!(stages.time("look", || 7), 7);
    }
}
