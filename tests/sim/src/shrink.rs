// SPDX-License-Identifier: GPL-2.0

//! Makes a failing seed's story short: leaves out every action that the failure does not need.

use std::collections::BTreeSet;

use crate::plan::Plan;
use crate::random::{run, Outcome};

/// How many runs a shrink may take.
const TRIES: u32 = 20_000;

/// With how many other delays a part is tried: without an action the rest happens at other times.
const DELAYS: u32 = 64;

/// The search for a shorter story.
struct Search {
    /// The kind of failure that has to stay.
    kind: String,
    tries: u32,
}

/// The shortest plan found that fails in the same way as `plan`; `plan` itself if it is well.
pub fn shrink(plan: &Plan) -> Plan {
    let outcome = run(plan, false);
    let Some(failure) = &outcome.failure else {
        return plan.clone();
    };
    let mut search = Search {
        kind: kind(failure),
        tries: 0,
    };
    let mut best = search.cut_end(plan, &outcome);
    let mut actions: Vec<u32> = (0..outcome.actions)
        .filter(|&n| plan.takes(n) && !best.ends_before(n))
        .collect();
    let mut chunk = actions.len().div_ceil(2);
    while chunk > 0 && search.tries < TRIES {
        let before = actions.len();
        let mut from = 0;
        while from < actions.len() {
            let mut fewer = actions.clone();
            fewer.drain(from..(from + chunk).min(actions.len()));
            match search.fails(&fewer, &best) {
                Some(found) => (best, actions) = (found, fewer),
                None => from += chunk,
            }
        }
        // The last round again, as long as it finds something.
        let again = chunk == 1 && actions.len() < before;
        chunk = if again { 1 } else { chunk / 2 };
    }
    search.cut_idle(best, &actions)
}

impl Search {
    /// A plan of these actions that still fails.
    fn fails(&mut self, actions: &[u32], best: &Plan) -> Option<Plan> {
        let only = BTreeSet::from_iter(actions.iter().copied());
        (0..DELAYS).find_map(|n| {
            let plan = Plan {
                only: Some(only.clone()),
                delays: best.delays.wrapping_add(n),
                ..best.clone()
            };
            self.same(&plan).then_some(plan)
        })
    }

    fn same(&mut self, plan: &Plan) -> bool {
        self.tries += 1;
        let failure = run(plan, false).failure;
        self.tries <= TRIES && failure.is_some_and(|text| kind(&text) == self.kind)
    }

    /// Leaves out the actions behind the failure, if it came before the seed's end.
    fn cut_end(&mut self, plan: &Plan, outcome: &Outcome) -> Plan {
        let shorter = Plan {
            until: Some(outcome.actions),
            ..plan.clone()
        };
        if self.same(&shorter) {
            shorter
        } else {
            plan.clone()
        }
    }

    /// Leaves out the time behind the last action.
    fn cut_idle(&mut self, best: Plan, actions: &[u32]) -> Plan {
        let last = actions.last().map_or(0, |last| last + 1);
        let end = best.until.unwrap_or(u32::MAX);
        for until in [last, last + 1, last + 4, last + 16] {
            let shorter = Plan {
                until: Some(until),
                ..best.clone()
            };
            if until < end && self.same(&shorter) {
                return shorter;
            }
        }
        best
    }
}

/// States of two nodes that do not come together: one after the other, again and again.
const APART: [&str; 6] = [
    "StandAlone",
    "Disconnecting",
    "Unconnected",
    "WFConnection",
    "WFReportParams",
    "NetworkFailure",
];

/// In which states two nodes are stuck.
fn stuck(failure: &str) -> Option<String> {
    let (states, _) = failure.strip_prefix("stuck: ")?.split_once(',')?;
    let words = states.split_whitespace().map(|word| match word {
        _ if APART.contains(&word) => "apart",
        _ => word,
    });
    Some(words.collect::<Vec<_>>().join(" "))
}

/// What is the same in two failures of one kind: the words before the details.
pub fn kind(failure: &str) -> String {
    if let Some(states) = stuck(failure) {
        return format!("stuck: {states}");
    }
    let end = failure
        .match_indices(": ")
        .map(|(at, _)| at)
        .find(|&at| at > 1)
        .unwrap_or(failure.len());
    failure[..end]
        .chars()
        .filter(|c| !c.is_ascii_digit())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn failures_of_one_kind_differ_in_numbers_only() {
        let knows = "block 12 differs and nobody knows: a [1] b [2]";
        assert_eq!(kind(knows), "block  differs and nobody knows");
        assert_eq!(kind("a: protocol error: x"), "a: protocol error");
    }

    #[test]
    fn two_that_are_stuck_in_other_states_fail_in_another_way() {
        let text = |conn: &str, disk: &str| {
            format!("stuck: a {conn} Secondary/Unknown {disk}/DUnknown  b X, open requests [0, 0]")
        };
        let apart = kind(&text("WFConnection", "UpToDate"));
        assert_eq!(kind(&text("StandAlone", "UpToDate")), apart);
        assert_ne!(kind(&text("StandAlone", "Outdated")), apart);
        assert_ne!(kind(&text("SyncSource", "UpToDate")), apart);
    }
}
