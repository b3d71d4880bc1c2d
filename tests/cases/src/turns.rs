// SPDX-License-Identifier: GPL-2.0

//! Which pairs of drivers a case runs with when pairs come by turns.
//!
//! The check of a commit has to end in 45 minutes, also on a slow day. So a case runs with our
//! module on both nodes, and with its pairs that have the C module by turns, one or none: the
//! commit decides, and most commits have another turn than the one before. What the product stands
//! on runs with every pair each time; some long cases run in every third turn only.

use std::process::Command;

use crate::case::{Case, Drivers, TANDEM};

/// Whose turn it is: a number that changes with the commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn(usize);

impl Turn {
    /// The turn of the commit that is checked out; always the same outside of a repository.
    pub(crate) fn of_commit() -> Self {
        let name = Command::new("git")
            .args(["rev-parse", "HEAD"])
            .current_dir(vm::repository())
            .output();
        let digits = name.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let digits = digits.unwrap_or_default();
        let number = digits.get(..7).map(|text| usize::from_str_radix(text, 16));
        Self(number.and_then(Result::ok).unwrap_or(0))
    }

    /// Where its seeds begin.
    pub(crate) fn seed(self) -> u64 {
        1 + 10_000 * self.0 as u64
    }

    /// Whether a long case is not run in this turn; `place` is the case's in the list of all.
    pub(crate) fn passes_over(self, case: &Case, place: usize) -> bool {
        case.by_turns && (self.0 + place) % 3 != 0
    }

    /// The pairs of a case in this turn; `place` is the case's in the list of all.
    pub(crate) fn pairs(self, case: &Case, place: usize) -> Vec<Drivers> {
        if case.every_pair {
            return case.pairs.to_vec();
        }
        let (own, others): (Vec<_>, Vec<_>) = case.pairs.iter().partition(|pair| **pair == TANDEM);
        // One turn in which it runs with our module only, if it can.
        let turns = others.len() + usize::from(!own.is_empty());
        let chosen = (self.0 + place)
            .checked_rem(turns)
            .and_then(|at| others.get(at));
        own.into_iter().chain(chosen.copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Turn;
    use crate::case::{Case, ALL, DRBD_TANDEM, TANDEM, TANDEM_DRBD};

    const CASE: Case = Case::new("a_case", |_| Ok(()));

    #[test]
    fn a_case_runs_with_our_pair_and_one_other_or_none_by_turns() {
        assert_eq!(Turn(6).pairs(&CASE, 0), [TANDEM, TANDEM_DRBD]);
        assert_eq!(Turn(7).pairs(&CASE, 0), [TANDEM, DRBD_TANDEM]);
        assert_eq!(Turn(8).pairs(&CASE, 0), [TANDEM]);
        assert_eq!(Turn(6).pairs(&CASE, 1), [TANDEM, DRBD_TANDEM]);
    }

    #[test]
    fn a_case_runs_in_every_turn() {
        let case = CASE.pairs(&[TANDEM_DRBD]);
        assert_eq!(Turn(4).pairs(&case, 0), [TANDEM_DRBD]);
        assert_eq!(Turn(5).pairs(&case, 0), [TANDEM_DRBD]);
        let case = CASE.pairs(&[TANDEM]);
        assert_eq!(Turn(5).pairs(&case, 0), [TANDEM]);
    }

    #[test]
    fn a_long_case_runs_in_every_third_turn() {
        let case = CASE.by_turns();
        let passed = [6, 7, 8, 9].map(|turn| Turn(turn).passes_over(&case, 0));
        assert_eq!(passed, [false, true, true, false]);
        assert!(!Turn(8).passes_over(&case, 1));
        assert!(!Turn(7).passes_over(&CASE, 0));
    }

    #[test]
    fn what_the_product_stands_on_runs_with_every_pair() {
        assert_eq!(Turn(7).pairs(&CASE.every_pair(), 3), ALL);
    }
}
