// SPDX-License-Identifier: GPL-2.0

//! Tests of the resync with digests, from both sides.

use super::super::tests::{
    run,
    volume,
    write,
    write_of_peer,
    Vecs,
    MIRRORED, //
};
use super::super::*;
use super::*;
use crate::engine::ids::Instant;

const BLOCK: Extent = Extent {
    sector: 0,
    bytes: 4096,
};

/// One side of a resync in which one block is left.
fn one_left(side: ResyncUse, tells_digests: bool) -> Volume<Vecs> {
    let mut v = volume(Policy {
        resync: side,
        ..MIRRORED
    });
    v.bitmap_mut().unwrap().set_out_of_sync(BLOCK);
    run(&mut v, |v, fx| {
        v.start_resync(Instant(0), tells_digests, fx);
    });
    v.sync_tick(Instant(100), 0);
    v
}

/// A target that reads the block; returns the read, too.
fn target_that_reads() -> (Volume<Vecs>, PeerTicket) {
    let mut v = one_left(ResyncUse::Target, true);
    let effects = run(&mut v, |v, fx| while v.resync_more(fx) {});
    let [VolumeEffect::SubmitPeer(ticket)] = effects[..] else {
        panic!("{effects:?}");
    };
    let view = v.peer_view(ticket).unwrap();
    assert_eq!(view.operation, Operation::Read);
    assert_eq!(view.answer, Answer::Request);
    (v, ticket)
}

/// A target that has told the digest.
fn target_that_told() -> Volume<Vecs> {
    let (mut v, ticket) = target_that_reads();
    let effects = run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    assert_eq!(effects, [VolumeEffect::QueueReply(ticket)]);
    run(&mut v, |v, fx| assert!(v.digest_made(ticket, fx)));
    v
}

fn equal(v: &mut Volume<Vecs>) -> (Result<(), PeerRequestError>, Vec<VolumeEffect>) {
    let mut result = Ok(());
    let effects = run(v, |v, fx| result = v.resync_equal(BLOCK, fx));
    (result, effects)
}

fn ends(effects: &[VolumeEffect]) -> bool {
    effects.contains(&VolumeEffect::Report(Report::ResyncFinished))
}

/// A source that the target told the digest of the block, and that has read it.
fn source_that_compares() -> (Volume<Vecs>, PeerTicket) {
    let mut v = one_left(ResyncUse::Source, false);
    let mut fx = Effects::new();
    let purpose = ReadFor::ResyncCheck;
    let ticket = v.peer_read(BLOCK, 7, purpose, &mut fx).unwrap();
    let effects = run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    assert_eq!(effects, [VolumeEffect::QueueReply(ticket)]);
    assert_eq!(v.peer_view(ticket).unwrap().answer, Answer::Check);
    (v, ticket)
}

fn acks(effects: &[VolumeEffect]) -> Vec<AckKind> {
    let kind = |effect: &VolumeEffect| match effect {
        VolumeEffect::Ack { kind, .. } => Some(*kind),
        _ => None,
    };
    effects.iter().filter_map(kind).collect()
}

#[test]
fn a_block_that_is_equal_is_in_sync_without_being_sent() {
    let mut v = target_that_told();
    let (result, effects) = equal(&mut v);
    assert_eq!((result, ends(&effects)), (Ok(()), true));
    assert_eq!(v.out_of_sync(), 0);
    assert_eq!(v.last_resync().equal, Some(1));
    assert_eq!(v.peer_requests(), 0);
}

#[test]
fn a_block_that_differs_is_written() {
    let mut v = target_that_told();
    let mut fx = Effects::new();
    let ticket = v.resync_data(BLOCK, &mut fx).unwrap().unwrap();
    assert_eq!(v.peer_view(ticket).unwrap().operation, Operation::Write);
    let effects = run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    assert_eq!(acks(&effects), [AckKind::ResyncWrite]);
    assert_eq!(v.out_of_sync(), 0);
    assert_eq!(v.last_resync().equal, Some(0));
}

#[test]
fn a_block_that_was_written_since_is_asked_for_again() {
    let mut v = target_that_told();
    write(&mut v, 0);
    let (result, effects) = equal(&mut v);
    assert_eq!((result, ends(&effects)), (Ok(()), false));
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn a_block_that_was_marked_since_is_asked_for_again() {
    let mut v = target_that_told();
    v.mark(BLOCK);
    let (result, effects) = equal(&mut v);
    assert_eq!((result, ends(&effects)), (Ok(()), false));
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn a_block_that_cannot_be_read_is_asked_for_without_a_digest() {
    let (mut v, ticket) = target_that_reads();
    let effects = run(&mut v, |v, fx| v.peer_io_done(ticket, false, fx));
    assert!(effects.contains(&VolumeEffect::QueueResyncRequest(BLOCK)));
    assert_eq!(equal(&mut v).0, Err(PeerRequestError::Unexpected));
    let mut fx = Effects::new();
    assert!(v.resync_data(BLOCK, &mut fx).unwrap().is_some());
}

#[test]
fn without_memory_for_what_we_have_it_is_asked_for_without_a_digest() {
    let (mut v, ticket) = target_that_reads();
    let effects = run(&mut v, |v, fx| v.digest_unread(ticket, fx));
    assert_eq!(effects, [VolumeEffect::QueueResyncRequest(BLOCK)]);
    let mut fx = Effects::new();
    assert!(v.resync_data(BLOCK, &mut fx).unwrap().is_some());
    assert_eq!(v.counters().local_pending, 1);
}

#[test]
fn equal_is_no_answer_to_what_was_asked_without_a_digest() {
    let mut v = one_left(ResyncUse::Target, false);
    run(&mut v, |v, fx| while v.resync_more(fx) {});
    assert_eq!(equal(&mut v).0, Err(PeerRequestError::Unexpected));
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn a_resync_that_was_given_up_sends_no_request_for_what_it_reads() {
    let (mut v, ticket) = target_that_reads();
    run(&mut v, |v, fx| v.stop_resync(fx));
    run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    assert_eq!(v.peer_requests(), 0);
}

#[test]
fn a_range_is_asked_for_again_only_when_the_answer_for_a_given_up_resync_is_there() {
    let mut v = target_that_told();
    run(&mut v, |v, fx| v.stop_resync(fx));
    run(&mut v, |v, fx| v.start_resync(Instant(200), true, fx));
    v.sync_tick(Instant(300), 0);
    let more = |v: &mut Volume<Vecs>| run(v, |v, fx| while v.resync_more(fx) {});
    assert_eq!(more(&mut v), []);
    assert_eq!(equal(&mut v).0, Ok(()));
    assert_eq!(v.out_of_sync(), 1);
    assert_eq!(more(&mut v).len(), 1);
}

#[test]
fn the_source_tells_that_a_block_is_equal() {
    let (mut v, ticket) = source_that_compares();
    let effects = run(&mut v, |v, fx| assert!(!v.resync_checked(ticket, true, fx)));
    assert_eq!(acks(&effects), [AckKind::ResyncEqual]);
    assert!(ends(&effects));
    assert_eq!(v.out_of_sync(), 0);
    assert_eq!(v.last_resync().equal, Some(1));
}

#[test]
fn the_source_sends_a_block_that_differs() {
    let (mut v, ticket) = source_that_compares();
    let effects = run(&mut v, |v, fx| assert!(v.resync_checked(ticket, false, fx)));
    assert_eq!(effects, []);
    assert_eq!(v.peer_view(ticket).unwrap().answer, Answer::ResyncData);
    run(&mut v, |v, fx| v.peer_reply_sent(ticket, fx));
    assert_eq!(v.out_of_sync(), 1);
    run(&mut v, |v, fx| v.resync_acked(BLOCK, true, fx).unwrap());
    assert_eq!(v.out_of_sync(), 0);
    assert_eq!(v.last_resync().equal, Some(0));
}

#[test]
fn a_mark_that_came_while_the_source_compared_stays() {
    let (mut v, ticket) = source_that_compares();
    v.mark(BLOCK);
    run(&mut v, |v, fx| assert!(!v.resync_checked(ticket, true, fx)));
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn a_write_waits_until_its_block_is_compared_at_the_source() {
    let (mut v, ticket) = source_that_compares();
    let (ticket_of_write, effects) = write(&mut v, 0);
    assert_eq!(effects, []);
    let effects = run(&mut v, |v, fx| assert!(!v.resync_checked(ticket, true, fx)));
    assert!(effects.contains(&VolumeEffect::SubmitLocal(ticket_of_write)));
}

#[test]
fn beside_a_block_of_a_verify_too_no_write_of_the_peer_waits_for_a_digest() {
    let (mut v, _) = target_that_reads();
    let range = VerifyRange {
        start: Some(800),
        stop: 808,
    };
    v.start_verify(VerifySide::Source, range, Instant(200));
    v.sync_tick(Instant(300), 0);
    run(&mut v, |v, fx| while v.verify_more(fx) {});
    assert!(v.verify.has_open());
    let effects = run(&mut v, |v, fx| {
        write_of_peer(v, BLOCK, WantedAck::Written, fx).unwrap();
    });
    assert!(
        matches!(effects[..], [VolumeEffect::SubmitPeer(_)]),
        "{effects:?}"
    );
}

#[test]
fn a_lost_connection_frees_what_is_read_for_a_digest() {
    let (mut v, ticket) = target_that_reads();
    run(&mut v, |v, fx| v.connection_lost(fx));
    run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    assert_eq!(v.peer_requests(), 0);
    assert_eq!(v.out_of_sync(), 1);
}
