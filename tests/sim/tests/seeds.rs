// SPDX-License-Identifier: GPL-2.0

//! Seeds that once failed, and what every seed has to be.

use std::collections::BTreeSet;

use sim::plan::Plan;
use sim::random::{run, Outcome};
use sim::story::{render, Line};

#[test]
fn seeds_that_failed_once_are_well() {
    let kept = sim::kept::read().expect("seeds");
    assert!(!kept.is_empty());
    for kept in kept {
        let outcome = run(&kept.plan, false);
        assert_eq!(outcome.failure, None, "{}: seed {}", kept.place, kept.plan);
    }
}

#[test]
fn a_seed_has_the_same_log_every_time() {
    let log = |seed| {
        let outcome = run(&Plan::of(seed), true);
        render(&outcome.story) + &outcome.picture
    };
    for seed in 0..12 {
        let here = log(seed);
        let there = std::thread::spawn(move || log(seed)).join().expect("run");
        assert!(here.len() > 1000);
        assert_eq!(here, there, "seed {seed}");
    }
}

#[test]
fn telling_a_story_does_not_change_it() {
    for seed in 0..12 {
        let [told, untold] = [true, false].map(|told| run(&Plan::of(seed), told));
        assert_eq!(told.steps, untold.steps, "seed {seed}");
        assert_eq!(told.failure, untold.failure, "seed {seed}");
    }
}

#[test]
fn actions_that_are_left_out_are_not_done() {
    let written = |outcome: &Outcome| {
        let writes = |line: &&Line| line.text.starts_with("application writes");
        outcome.story.iter().filter(writes).count()
    };
    let mut all_written = 0;
    for seed in 0..12 {
        let all = run(&Plan::of(seed), true);
        let none = Plan {
            only: Some(BTreeSet::new()),
            ..Plan::of(seed)
        };
        let none = run(&none, true);
        all_written += written(&all);
        assert_eq!(written(&none), 0);
    }
    assert!(all_written > 0);
}
