// SPDX-License-Identifier: GPL-2.0

//! Seeds that once found a fault.

use sim::random::{run, Plan};

/// Each found one of: resync data over a waiting write, bits forgotten by a crashed target, a late
/// acknowledgement that cleared a new mark, an attach that was not compared, a slot deadlock, ...
const SEEDS: &[u64] = &[
    7, 8, 30, 33, 37, 40, 57, 88, 91, 94, 131, 147, 148, 152, 166, 167, 187, 198, 205, 211, 235,
    265, 266, 267, 281, 290, 291, 292, 296, 299, 383, 464, 484, 553, 834, 840, 907, 921, 923, 987,
    1052, 1883, 2907,
];

#[test]
fn seeds_that_failed_once_are_well() {
    for &seed in SEEDS {
        let outcome = run(&Plan::of(seed));
        assert_eq!(outcome.failure, None, "seed {seed}");
    }
}

#[test]
fn a_seed_tells_the_same_story_twice() {
    for seed in [3, 198] {
        let plan = Plan {
            told: true,
            ..Plan::of(seed)
        };
        let story = run(&plan).story;
        assert!(!story.is_empty());
        assert_eq!(story, run(&plan).story);
    }
}
