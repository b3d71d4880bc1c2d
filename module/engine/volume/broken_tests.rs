// SPDX-License-Identifier: GPL-2.0

//! What cannot be is reported, each under its own name, and changes nothing else.

use super::tests::{
    run,
    volume,
    write,
    write_of_peer,
    Vecs,
    MIRRORED, //
};
use super::*;
use crate::engine::ids::PeerTicket;

fn reported(effects: &[VolumeEffect]) -> Vec<Invariant> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            VolumeEffect::Report(Report::Broken(invariant)) => Some(*invariant),
            _ => None,
        })
        .collect()
}

/// The step breaks just this, and yields no other effect.
fn breaks(
    v: &mut Volume<Vecs>,
    invariant: Invariant,
    step: impl FnOnce(&mut Volume<Vecs>, &mut Effects),
) {
    let effects = run(v, step);
    assert_eq!(reported(&effects), [invariant]);
    assert_eq!(effects.len(), 1, "{effects:?}");
    assert_eq!(v.broken.count(invariant), 1);
}

fn peer_write(v: &mut Volume<Vecs>) -> PeerTicket {
    let mut ticket = None;
    run(v, |v, fx| {
        let extent = Extent::new(0, 4096);
        let ack = WantedAck::Written;
        let taken = write_of_peer(v, extent, ack, fx);
        ticket = taken.ok();
    });
    ticket.unwrap()
}

#[test]
fn an_end_of_io_of_no_request_is_reported() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    let former = Ticket {
        generation: ticket.generation.wrapping_sub(1),
        ..ticket
    };
    breaks(&mut v, Invariant::Request, |v, fx| {
        v.local_done(former, true, fx);
    });
    assert_eq!(v.counters().local_pending, 1);
}

#[test]
fn a_second_end_of_io_is_reported() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    let first = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!(reported(&first), []);
    breaks(&mut v, Invariant::Request, |v, fx| {
        v.local_done(ticket, true, fx);
    });
}

#[test]
fn what_was_sent_without_being_begun_is_reported() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    breaks(&mut v, Invariant::Request, |v, fx| v.send_done(ticket, fx));
}

#[test]
fn an_end_of_io_of_no_request_of_the_peer_is_reported() {
    let mut v = volume(MIRRORED);
    for index in [0, u32::MAX] {
        let mut v = volume(MIRRORED);
        breaks(&mut v, Invariant::PeerRequest, |v, fx| {
            v.peer_io_done(PeerTicket { index }, true, fx);
        });
    }
    let ticket = peer_write(&mut v);
    run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    breaks(&mut v, Invariant::PeerRequest, |v, fx| {
        v.peer_io_done(ticket, true, fx);
    });
}

#[test]
fn an_end_of_io_of_what_still_waits_is_reported() {
    let mut v = volume(MIRRORED);
    let first = peer_write(&mut v);
    let second = peer_write(&mut v);
    assert_ne!(first, second);
    breaks(&mut v, Invariant::PeerRequest, |v, fx| {
        v.peer_io_done(second, true, fx);
    });
}

#[test]
fn an_answer_to_nothing_that_was_sent_is_reported() {
    let mut v = volume(MIRRORED);
    let ticket = peer_write(&mut v);
    breaks(&mut v, Invariant::PeerRequest, |v, fx| {
        v.peer_reply_sent(ticket, fx);
    });
    let mut v = volume(MIRRORED);
    breaks(&mut v, Invariant::PeerRequest, |v, fx| {
        assert!(v.verify_compared(PeerTicket { index: 3 }, true, fx));
    });
}

#[test]
fn a_slot_that_is_freed_twice_is_reported_and_stays_free_once() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    let effects = run(&mut v, |v, fx| {
        v.release(ticket.index, fx);
        v.release(ticket.index, fx);
    });
    assert_eq!(reported(&effects), [Invariant::Slot]);
    assert_eq!(v.requests(), 0);
}

#[test]
fn counts_below_zero_are_reported() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    v.counters.local_pending = 0;
    breaks(&mut v, Invariant::DiskCount, |v, fx| {
        v.local_done(ticket, true, fx);
    });
    let mut v = volume(MIRRORED);
    let ticket = peer_write(&mut v);
    v.counters.unanswered = 0;
    let effects = run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    assert_eq!(reported(&effects), [Invariant::PeerCount]);
    assert_eq!(v.counters().unanswered, 0);
}

#[test]
fn an_extent_of_the_log_that_is_left_twice_is_reported() {
    let mut v = volume(Policy {
        log: true,
        ..MIRRORED
    });
    breaks(&mut v, Invariant::LogReference, |v, fx| {
        v.leave_log(Extent::new(0, 4096), 1);
        v.resume(fx);
    });
}

#[test]
fn what_is_raised_without_effects_is_reported_by_the_next_step() {
    let mut v = volume(MIRRORED);
    v.broken.raise(Invariant::Effects);
    v.broken.raise(Invariant::MetadataRoom);
    assert!(v.has_work());
    let effects = run(&mut v, |v, fx| v.resume(fx));
    let all = [Invariant::Effects, Invariant::MetadataRoom];
    assert_eq!(reported(&effects), all);
    assert!(!v.has_work());
}
