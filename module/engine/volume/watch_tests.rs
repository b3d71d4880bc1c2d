// SPDX-License-Identifier: GPL-2.0

//! Tests of disks and peers that do not answer.

use super::super::tests::{
    run,
    volume,
    write,
    write_of_peer,
    Vecs,
    MIRRORED, //
};
use super::*;
use crate::engine::ids::Extent;
use crate::engine::volume::{
    LocalUse,
    MirrorUse,
    Policy,
    ReadRoute, //
};

const WATCHED: Policy = Policy {
    disk_timeout_ms: 1000,
    ..MIRRORED
};

/// The disk was given up by force.
const ABANDONED: Policy = Policy {
    local: LocalUse::None,
    abandon: true,
    ..WATCHED
};

fn watch(v: &mut Volume<Vecs>, now: u64) -> bool {
    run(v, |v, fx| v.watch_disk(Instant(now), fx))
        .contains(&VolumeEffect::Report(Report::DiskTimeout))
}

fn has_completed(effects: &[VolumeEffect], ticket: Ticket, ok: bool) -> bool {
    effects.contains(&VolumeEffect::Complete { ticket, ok })
}

/// A write that the peer has and the disk does not answer.
fn hanging_write(v: &mut Volume<Vecs>, copied: bool) -> Ticket {
    let (ticket, _) = write(v, 0);
    assert!(v.local_starts(ticket, copied));
    assert!(v.send_begin(ticket, 1, Instant(1)).is_some());
    run(v, |v, fx| v.send_done(ticket, fx));
    run(v, |v, fx| {
        v.peer_answered(ticket, true, false, fx).unwrap();
    });
    ticket
}

#[test]
fn a_disk_is_overdue_after_its_timeout_and_not_before() {
    let mut v = volume(WATCHED);
    assert!(!watch(&mut v, 1));
    let (ticket, _) = write(&mut v, 0);
    assert!(!watch(&mut v, 5000));
    assert!(!watch(&mut v, 6000));
    assert!(watch(&mut v, 6001));
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert!(!watch(&mut v, 9000));
}

#[test]
fn a_peer_is_overdue_after_its_timeout_until_a_write_is_answered_for_good() {
    const PATIENT: Policy = Policy {
        peer_timeout_ms: 42_000,
        ..MIRRORED
    };
    let mut v = volume(PATIENT);
    let (ticket, _) = write(&mut v, 0);
    // It waits to be sent.
    assert!(!v.peer_is_overdue(Instant(90_000)));
    assert!(v.send_begin(ticket, 1, Instant(1)).is_some());
    run(&mut v, |v, fx| v.send_done(ticket, fx));
    let overdue = |v: &Volume<Vecs>| [42_001, 42_002].map(|now| v.peer_is_overdue(Instant(now)));
    assert_eq!(overdue(&v), [false, true]);
    run(&mut v, |v, fx| v.set_policy(MIRRORED, fx));
    assert_eq!(overdue(&v), [false; 2]);
    run(&mut v, |v, fx| v.set_policy(PATIENT, fx));
    // A refusal is no answer before its reason is known.
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    run(&mut v, |v, fx| {
        v.peer_answered(ticket, false, false, fx).unwrap();
    });
    assert_eq!(overdue(&v), [false, true]);
    let (other, _) = write(&mut v, 8);
    assert!(v.send_begin(other, 1, Instant(9)).is_some());
    run(&mut v, |v, fx| {
        v.peer_answered(other, true, false, fx).unwrap()
    });
    assert_eq!(overdue(&v), [false, true]);
}

#[test]
fn without_a_timeout_nothing_is_overdue() {
    let mut v = volume(MIRRORED);
    write(&mut v, 0);
    assert!(!watch(&mut v, 1));
    assert!(!watch(&mut v, 1 << 40));
}

#[test]
fn a_request_of_the_peer_is_watched_too() {
    let mut v = volume(WATCHED);
    run(&mut v, |v, fx| {
        let extent = Extent::new(0, 4096);
        let ack = crate::engine::volume::WantedAck::Written;
        write_of_peer(v, extent, ack, fx).unwrap();
    });
    assert!(!watch(&mut v, 10));
    assert!(watch(&mut v, 1011));
}

#[test]
fn a_write_that_the_peer_has_is_completed_without_the_disk() {
    let mut v = volume(WATCHED);
    let ticket = hanging_write(&mut v, true);
    let effects = run(&mut v, |v, fx| v.set_policy(ABANDONED, fx));
    assert!(has_completed(&effects, ticket, true));
    assert_eq!(v.out_of_sync(), 1);
    // The disk is in use until it has answered.
    assert_eq!(v.counters().local_pending, 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!(v.counters().local_pending, 0);
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn a_write_on_the_applications_memory_waits_for_the_disk() {
    let mut v = volume(WATCHED);
    let ticket = hanging_write(&mut v, false);
    let effects = run(&mut v, |v, fx| v.set_policy(ABANDONED, fx));
    assert!(!has_completed(&effects, ticket, true));
    let effects = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert!(has_completed(&effects, ticket, true));
}

#[test]
fn a_write_that_is_nowhere_else_fails() {
    let alone = Policy {
        mirror: MirrorUse::Mark,
        peer_readable: false,
        ..WATCHED
    };
    let mut v = volume(alone);
    let (ticket, _) = write(&mut v, 0);
    v.local_starts(ticket, true);
    let given_up = Policy {
        local: LocalUse::None,
        abandon: true,
        good_data: false,
        ..alone
    };
    let effects = run(&mut v, |v, fx| v.set_policy(given_up, fx));
    assert!(has_completed(&effects, ticket, false));
}

#[test]
fn a_read_goes_on_at_the_peer() {
    let mut v = volume(WATCHED);
    let mut fx = Effects::new();
    let ticket = match v.read(Extent::new(0, 4096), &mut fx) {
        Ok(ReadRoute::Slot(ticket)) => ticket,
        other => panic!("{other:?}"),
    };
    assert!(v.local_starts(ticket, true));
    assert!(v.is_at_disk(ticket));
    let effects = run(&mut v, |v, fx| v.set_policy(ABANDONED, fx));
    assert!(effects.contains(&VolumeEffect::QueueRead(ticket)));
    assert!(!v.is_at_disk(ticket));
    assert_eq!(v.out_of_sync(), 0);
}

#[test]
fn nothing_is_started_on_a_disk_that_was_abandoned() {
    let mut v = volume(WATCHED);
    let (ticket, _) = write(&mut v, 0);
    run(&mut v, |v, fx| v.set_policy(ABANDONED, fx));
    assert!(!v.local_starts(ticket, true));
    run(&mut v, |v, fx| v.local_done(ticket, false, fx));
    assert_eq!(v.counters().local_pending, 0);
}

#[test]
fn a_write_that_starts_while_the_disk_goes_is_marked() {
    let mut v = volume(ABANDONED);
    write(&mut v, 3);
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn many_requests_are_abandoned_in_many_steps() {
    let mut v = volume(WATCHED);
    let tickets: Vec<Ticket> = (0..40)
        .map(|n| {
            let (ticket, _) = write(&mut v, n);
            v.local_starts(ticket, true);
            ticket
        })
        .collect();
    let effects = run(&mut v, |v, fx| v.connection_lost(fx));
    assert!(!effects
        .iter()
        .any(|e| matches!(e, VolumeEffect::Complete { .. })));
    let effects = run(&mut v, |v, fx| v.set_policy(ABANDONED, fx));
    for ticket in tickets {
        assert!(has_completed(&effects, ticket, false));
    }
}

#[test]
fn an_answer_that_nobody_waits_for_is_a_broken_invariant() {
    let mut v = volume(WATCHED);
    let ticket = hanging_write(&mut v, true);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let effects = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let broken = VolumeEffect::Report(Report::Broken(Invariant::Request));
    assert!(effects.contains(&broken));
}
