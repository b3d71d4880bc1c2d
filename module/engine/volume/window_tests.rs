// SPDX-License-Identifier: GPL-2.0

//! Tests of the window of a resync.

use super::super::pace::ResyncLimits;
use super::super::tests::{
    run,
    volume,
    Vecs,
    MIRRORED, //
};
use super::super::{
    Policy,
    ResyncUse,
    VolumeEffect, //
};
use super::*;
use crate::engine::ids::{
    Extent,
    Instant, //
};

/// Blocks that may be on their way.
const WINDOW: u64 = 16;

/// A target that misses so many blocks, and asks for each of them by itself.
fn target(blocks: u64, in_flight: u64) -> Volume<Vecs> {
    let mut v = volume(Policy {
        resync: ResyncUse::Target,
        ..MIRRORED
    });
    v.set_resync_limits(ResyncLimits {
        in_flight: (in_flight * BLOCK_SECTORS) as u32,
        request_bytes: 4096,
        ..ResyncLimits::default()
    });
    v.mark(Extent::new(0, (blocks * 4096) as u32));
    run(&mut v, |v, fx| v.start_resync(Instant(100), false, fx));
    v.sync_tick(Instant(100), 0);
    v
}

/// What is asked for.
fn asked(effects: &[VolumeEffect]) -> Vec<Extent> {
    let request = |effect: &VolumeEffect| match *effect {
        VolumeEffect::QueueResyncRequest(extent) => Some(extent),
        _ => None,
    };
    effects.iter().filter_map(request).collect()
}

fn ask(v: &mut Volume<Vecs>) -> Vec<Extent> {
    let mut all = Vec::new();
    let mut more = true;
    while more {
        all.extend(asked(&run(v, |v, fx| more = v.resync_more(fx))));
    }
    all
}

/// The data of a block comes and is written. Returns what is asked for then.
fn comes(v: &mut Volume<Vecs>, extent: Extent) -> Vec<Extent> {
    let mut ticket = None;
    run(v, |v, fx| ticket = v.resync_data(extent, fx).unwrap());
    asked(&run(v, |v, fx| v.peer_io_done(ticket.unwrap(), true, fx)))
}

#[test]
fn a_full_window_is_filled_again_when_half_of_it_came() {
    let mut v = target(100, WINDOW);
    let first = ask(&mut v);
    assert_eq!(first.len() as u64, WINDOW);
    let (early, half) = first.split_at(WINDOW as usize / 2 - 1);
    for &extent in early {
        assert_eq!(comes(&mut v, extent), []);
    }
    assert_eq!(comes(&mut v, half[0]).len() as u64, WINDOW / 2);
}

#[test]
fn requests_take_half_of_the_slots_and_go_on_when_half_of_those_are_free() {
    let mut v = target(100, 1000);
    let first = ask(&mut v);
    let slots = u64::from(v.peers.len());
    assert_eq!(first.len() as u64, slots / 2);
    let (early, half) = first.split_at(slots as usize / 4 - 1);
    for &extent in early {
        assert_eq!(comes(&mut v, extent), []);
    }
    assert_eq!(comes(&mut v, half[0]).len() as u64, slots / 4);
}

#[test]
fn who_asked_for_all_waits_for_nothing() {
    let mut v = target(3, WINDOW);
    for extent in ask(&mut v) {
        assert_eq!(comes(&mut v, extent), []);
    }
    assert!(!v.has_work());
}

#[test]
fn a_resync_that_was_given_up_asks_for_nothing_more() {
    let mut v = target(100, WINDOW);
    assert_eq!(ask(&mut v).len() as u64, WINDOW);
    let effects = run(&mut v, |v, fx| {
        v.set_policy(MIRRORED, fx);
        v.stop_resync(fx);
    });
    assert_eq!(asked(&effects), []);
    assert!(!v.has_work());
}
