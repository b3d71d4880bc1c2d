// SPDX-License-Identifier: GPL-2.0

//! Which cuts are to be made and what became of those that were, over all pairs of machines.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use vm::Loss;

use crate::cut::Outcome;

/// The cuts of a run.
#[derive(Debug)]
pub(crate) struct Tally {
    /// How many there shall be.
    cuts: u64,
    /// None begins later than that after the first.
    limit: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the next one to be given out.
    next: u64,
    /// None is given out from this number on.
    end: u64,
    /// All below this number have been made.
    made: u64,
    /// And these.
    beyond: BTreeSet<u64>,
    /// When the first one began.
    begin: Option<Instant>,
    count: u64,
    failed: bool,
    done: u64,
    held: u64,
    loss: Loss,
}

impl Tally {
    /// So many cuts, the first of which has that number, as far as there is time.
    pub(crate) fn new(start: u64, cuts: u64, limit: Duration) -> Self {
        Self {
            cuts,
            limit,
            state: Mutex::new(State {
                next: start,
                end: start.saturating_add(cuts),
                made: start,
                ..State::default()
            }),
        }
    }

    /// The number of the next cut, if there is one.
    pub(crate) fn take(&self) -> Option<u64> {
        let mut state = self.state();
        let begin = *state.begin.get_or_insert_with(Instant::now);
        let number = state.next;
        if state.failed || number >= state.end || begin.elapsed() > self.limit {
            return None;
        }
        state.next += 1;
        Some(number)
    }

    /// One has failed: no cut is given out any more.
    pub(crate) fn fail(&self) {
        self.state().failed = true;
    }

    /// What became of all: how many were made, and whether one failed.
    pub(crate) fn result(&self) -> (u64, bool) {
        let state = self.state();
        (state.count, state.failed)
    }

    /// Adds what became of a cut; returns the sums until now, and how long the rest may take.
    pub(crate) fn add(&self, number: u64, outcome: &Outcome) -> String {
        let mut state = self.state();
        state.count += 1;
        state.done += outcome.done;
        state.held += outcome.held;
        state.loss += outcome.loss;
        state.beyond.insert(number);
        while let Some(made) = state.beyond.first().copied() {
            if made != state.made {
                break;
            }
            state.beyond.pop_first();
            state.made += 1;
        }
        let passed = state.begin.map_or(Duration::ZERO, |begin| begin.elapsed());
        state.line(self.cuts, passed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn line(&self, cuts: u64, passed: Duration) -> String {
        let Loss { lost, torn, kept } = self.loss;
        let each = passed.as_secs_f64() / self.count.max(1) as f64;
        let left = each * cuts.saturating_sub(self.count) as f64 / 60.0;
        format!(
            "all {} of {cuts}: {} done, {} there, unflushed {lost} lost {torn} torn {kept} kept, \
             {each:.0} s each, {left:.0} min left; next START={}",
            self.count, self.done, self.held, self.made
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_with_the_first_cut_that_was_not_made() {
        let tally = Tally::new(5, 4, Duration::MAX);
        assert_eq!(
            (tally.take(), tally.take(), tally.take()),
            (Some(5), Some(6), Some(7))
        );
        let line = tally.add(6, &Outcome::default());
        assert!(line.ends_with("next START=5"), "{line}");
        let line = tally.add(5, &Outcome::default());
        assert!(
            line.starts_with("all 2 of 4:") && line.ends_with("next START=7"),
            "{line}"
        );
    }

    #[test]
    fn no_cut_begins_when_one_has_failed() {
        let tally = Tally::new(1, 4, Duration::MAX);
        assert_eq!(tally.take(), Some(1));
        tally.fail();
        assert_eq!(tally.take(), None);
        assert_eq!(tally.result(), (0, true));
    }

    #[test]
    fn no_cut_begins_when_the_time_is_over() {
        let tally = Tally::new(1, 4, Duration::ZERO);
        tally.state().begin = Instant::now().checked_sub(Duration::from_secs(1));
        assert_eq!(tally.take(), None);
        assert_eq!(tally.result(), (0, false));
    }
}
