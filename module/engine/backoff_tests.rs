// SPDX-License-Identifier: GPL-2.0

//! Tests of when the peer is looked for again.

use super::*;

const INTERVAL: u64 = 10_000;

#[test]
fn a_connection_that_lasted_is_looked_for_again_at_once() {
    let mut backoff = Backoff::default();
    backoff.begin(Instant(5_000));
    assert_eq!(backoff.end(Instant(15_000), false, INTERVAL, 7), 0);
}

#[test]
fn connections_that_end_at_once_begin_further_and_further_apart() {
    let mut backoff = Backoff::default();
    let mut now = 0;
    let mut gaps = [0; 6];
    for gap in &mut gaps {
        let began = now;
        backoff.begin(Instant(now));
        now += 100;
        now += backoff.end(Instant(now), false, INTERVAL, 0);
        *gap = now - began;
    }
    assert_eq!(gaps, [10_000, 20_000, 40_000, 80_000, 80_000, 80_000]);
    assert_eq!(backoff.failures(), 6);
    // One that lasts makes good for all.
    backoff.begin(Instant(now));
    assert_eq!(backoff.end(Instant(now + INTERVAL), false, INTERVAL, 0), 0);
    assert_eq!(backoff.failures(), 0);
}

#[test]
fn chance_makes_a_pause_longer_and_never_shorter() {
    for random in [0, 1, 2_499, 2_500, u64::MAX] {
        let mut backoff = Backoff::default();
        backoff.begin(Instant(0));
        let pause = backoff.end(Instant(0), false, INTERVAL, random);
        assert!((INTERVAL..INTERVAL + 2_500).contains(&pause), "{pause}");
    }
}

#[test]
fn who_was_left_by_the_peer_waits_for_it_at_once() {
    let mut backoff = Backoff::default();
    backoff.begin(Instant(0));
    assert_eq!(backoff.end(Instant(10), true, INTERVAL, 0), 0);
}

#[test]
fn an_attempt_that_never_began_counts_as_one_that_failed() {
    let mut backoff = Backoff::default();
    assert_eq!(backoff.end(Instant(0), false, INTERVAL, 0), INTERVAL);
}
