// SPDX-License-Identifier: GPL-2.0

//! Tests of pings and silence.

use super::*;

const SILENCE: Silence = Silence {
    interval: 10_000,
    answer: 500,
};

/// Nothing comes for so long; what that leads to, and after how many milliseconds.
fn quiet(life: &mut Life, pings: &Pings, ms: u32) -> Option<(u32, LifeStep)> {
    let mut past = 0;
    while past < ms {
        let wait = life.wait(SILENCE);
        past += wait;
        match life.waited(wait, past.into(), pings, SILENCE) {
            LifeStep::Wait => {}
            step => return Some((past, step)),
        }
    }
    None
}

#[test]
fn a_silent_peer_is_asked_and_then_dead() {
    let (mut life, mut pings) = (Life::default(), Pings::default());
    let asks = quiet(&mut life, &pings, 20_000);
    assert_eq!(asks, Some((10_000, LifeStep::Ping)));
    pings.asked(false);
    let dies = quiet(&mut life, &pings, 20_000);
    assert_eq!(dies, Some((500, LifeStep::Dead)));
}

#[test]
fn an_answer_that_came_before_anybody_looked_is_not_waited_for() {
    let (mut life, mut pings) = (Life::default(), Pings::default());
    pings.asked(true);
    assert!(pings.answered());
    life.heard();
    let next = quiet(&mut life, &pings, 20_000);
    assert_eq!(next, Some((10_000, LifeStep::Ping)));
}

#[test]
fn the_answer_to_another_threads_ping_has_its_time_from_when_it_is_noticed() {
    let (mut life, mut pings) = (Life::default(), Pings::default());
    assert_eq!(quiet(&mut life, &pings, 9_000), None);
    pings.asked(false);
    let dies = quiet(&mut life, &pings, 20_000);
    assert_eq!(dies, Some((750, LifeStep::Dead)));
}

#[test]
fn who_is_heard_on_the_other_socket_is_not_dead() {
    let (mut life, mut pings) = (Life::default(), Pings::default());
    pings.asked(false);
    for (ms, quiet, step) in [
        (250, 250, LifeStep::Wait),
        (500, 100, LifeStep::Wait),
        (1, 500, LifeStep::Dead),
    ] {
        assert_eq!(life.waited(ms, quiet, &pings, SILENCE), step);
    }
}

#[test]
fn only_the_last_answer_is_told_once_and_only_if_it_is_wanted() {
    let mut pings = Pings::default();
    pings.asked(true);
    pings.asked(false);
    assert!(!pings.answered());
    assert!(pings.answered());
    assert!(!pings.answered());
    pings.asked(false);
    assert!(!pings.answered());
}
