// SPDX-License-Identifier: GPL-2.0

//! Tests of flushes and writes whose disk is lost.

use super::super::peer::WantedAck;
use super::super::tests::{
    run,
    volume,
    write,
    Vecs,
    MIRRORED, //
};
use super::*;
use crate::engine::ids::Instant;
use crate::engine::volume::Policy;

/// Alone with a good disk.
const ALONE_WITH_DISK: Policy = Policy {
    mirror: MirrorUse::Mark,
    peer_readable: false,
    ..MIRRORED
};

/// The disk is gone, and I/O waits for another one.
const FROZEN: Policy = Policy {
    local: LocalUse::None,
    good_data: false,
    hold: true,
    keep_failed: true,
    ..ALONE_WITH_DISK
};

fn flush(v: &mut Volume<Vecs>) -> Ticket {
    let mut fx = Effects::new();
    let flags = WriteFlags::default();
    v.write(Operation::Flush, Extent::default(), flags, &mut fx)
        .unwrap()
}

/// Whether it was reported as done, if it was reported.
fn reported(effects: &[VolumeEffect], wanted: Ticket) -> Option<bool> {
    effects.iter().find_map(|effect| match effect {
        VolumeEffect::Complete { ticket, ok } if *ticket == wanted => Some(*ok),
        _ => None,
    })
}

fn another_disk(v: &mut Volume<Vecs>) -> Vec<VolumeEffect> {
    let tables = v.set_disk(None);
    v.set_disk(tables);
    run(v, |v, fx| v.set_policy(ALONE_WITH_DISK, fx))
}

#[test]
fn a_flush_that_failed_is_not_done_on_the_disk_that_comes_next() {
    let frozen = Policy {
        keep_failed: true,
        ..ALONE_WITH_DISK
    };
    let mut v = volume(frozen);
    let ticket = flush(&mut v);
    let mut effects = run(&mut v, |v, fx| v.local_done(ticket, false, fx));
    effects.extend(run(&mut v, |v, fx| v.set_policy(FROZEN, fx)));
    assert_eq!(reported(&effects, ticket), None);
    let mut effects = another_disk(&mut v);
    effects.extend(run(&mut v, |v, fx| v.local_done(ticket, true, fx)));
    assert_eq!(reported(&effects, ticket), Some(false));
}

/// A write is done, and not flushed.
fn written_alone() -> Volume<Vecs> {
    let mut v = volume(ALONE_WITH_DISK);
    let (ticket, _) = write(&mut v, 0);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    v
}

#[test]
fn a_loss_is_told_also_when_no_request_waited_for_another_disk() {
    let mut v = written_alone();
    let failing = Policy {
        hold: false,
        ..FROZEN
    };
    run(&mut v, |v, fx| v.set_policy(failing, fx));
    another_disk(&mut v);
    let ticket = flush(&mut v);
    let effects = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!(reported(&effects, ticket), Some(false));
}

#[test]
fn what_was_flushed_is_not_lost_with_the_disk() {
    let mut v = written_alone();
    let ticket = flush(&mut v);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    another_disk(&mut v);
    let ticket = flush(&mut v);
    let effects = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!(reported(&effects, ticket), Some(true));
}

#[test]
fn the_next_application_is_not_told_of_a_loss_before_it() {
    let mut v = written_alone();
    let secondary = Policy {
        primary: false,
        ..ALONE_WITH_DISK
    };
    run(&mut v, |v, fx| v.set_policy(secondary, fx));
    another_disk(&mut v);
    let ticket = flush(&mut v);
    let effects = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!(reported(&effects, ticket), Some(true));
}

#[test]
fn the_first_flush_after_a_lost_disk_says_that_what_was_done_may_be_gone() {
    let mut v = written_alone();
    run(&mut v, |v, fx| v.set_policy(FROZEN, fx));
    another_disk(&mut v);
    for ok in [false, true] {
        let ticket = flush(&mut v);
        let effects = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
        assert_eq!(reported(&effects, ticket), Some(ok));
    }
}

/// A write whose local half has failed, sent with protocol A.
fn sent_and_failed() -> (Volume<Vecs>, Ticket) {
    let mut v = volume(Policy {
        ack: WantedAck::None,
        ..MIRRORED
    });
    let (ticket, _) = write(&mut v, 0);
    assert!(v.send_begin(ticket, 1, Instant(0)).is_some());
    run(&mut v, |v, fx| v.local_done(ticket, false, fx));
    let effects = run(&mut v, |v, fx| v.send_done(ticket, fx));
    assert_eq!(reported(&effects, ticket), None);
    assert!(effects.contains(&VolumeEffect::CloseEpoch(1)));
    (v, ticket)
}

#[test]
fn with_protocol_a_a_write_that_the_own_disk_does_not_keep_waits_for_the_barrier() {
    let (mut v, ticket) = sent_and_failed();
    let effects = run(&mut v, |v, fx| {
        v.barrier_acked(1, fx);
    });
    assert_eq!(reported(&effects, ticket), Some(true));
}

#[test]
fn a_write_that_was_only_sent_is_not_done_when_the_connection_is_lost() {
    let (mut v, ticket) = sent_and_failed();
    let effects = run(&mut v, |v, fx| v.connection_lost(fx));
    assert_eq!(reported(&effects, ticket), Some(false));
}

#[test]
fn a_refusal_that_comes_behind_the_word_about_the_disk_is_not_waited_on() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    assert!(v.send_begin(ticket, 1, Instant(0)).is_some());
    run(&mut v, |v, fx| v.send_done(ticket, fx));
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    // The peer's disk is gone, and another one has come.
    run(&mut v, |v, fx| v.set_policy(ALONE_WITH_DISK, fx));
    run(&mut v, |v, fx| v.set_policy(MIRRORED, fx));
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(ticket, false, false, fx).unwrap();
    });
    assert_eq!(reported(&effects, ticket), Some(true));
    assert_eq!(v.out_of_sync(), 1);
}
