// SPDX-License-Identifier: GPL-2.0

//! Tests of discards, of requests that the peer does not take, and of thin resync.

use super::tests::{
    run,
    volume,
    Vecs,
    MIRRORED, //
};
use super::*;
use crate::engine::ids::{
    PeerTicket,
    MAX_DISCARD_BYTES,
    MAX_REQUEST_BYTES, //
};

const UNIT: Extent = Extent {
    sector: 0,
    bytes: 65536,
};

/// A request of the application, which has to be taken; what is to be done.
fn issue(
    v: &mut Volume<Vecs>,
    operation: Operation,
    extent: Extent,
) -> (Ticket, Vec<VolumeEffect>) {
    let mut taken = None;
    let effects = run(v, |v, fx| {
        taken = Some(v.write(operation, extent, WriteFlags::default(), fx));
    });
    (taken.unwrap().unwrap(), effects)
}

#[test]
fn a_discard_may_be_larger_than_a_write() {
    let mut v = volume(MIRRORED);
    let large = Extent::new(0, MAX_DISCARD_BYTES);
    for operation in [Operation::Discard, Operation::Zeroes { unmap: true }] {
        let (ticket, effects) = issue(&mut v, operation, large);
        // The second one waits for the first one.
        let started = effects.contains(&VolumeEffect::SubmitLocal(ticket));
        assert_eq!(started, operation == Operation::Discard);
    }
    let mut fx = Effects::new();
    let flags = WriteFlags::default();
    let beyond = Extent::new(0, MAX_DISCARD_BYTES + 512);
    let refused = v.write(Operation::Discard, beyond, flags, &mut fx);
    assert_eq!(refused, Err(Refusal::Io));
    let beyond = Extent::new(0, MAX_REQUEST_BYTES + 512);
    let refused = v.write(Operation::Write, beyond, flags, &mut fx);
    assert_eq!(refused, Err(Refusal::Io));
}

#[test]
fn a_discard_of_nothing_closes_the_epoch_and_is_not_sent() {
    let mut v = volume(MIRRORED);
    let (ticket, effects) = issue(&mut v, Operation::Discard, Extent::new(8, 0));
    assert!(effects.contains(&VolumeEffect::FlushStream));
    assert!(!effects.contains(&VolumeEffect::QueueWrite(ticket)));
}

#[test]
fn discards_that_are_not_relied_upon_are_zeroes_on_both_nodes() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = issue(&mut v, Operation::Discard, UNIT);
    assert_eq!(v.local_request(ticket), Some((Operation::Discard, UNIT)));
    let mut fx = Effects::new();
    let policy = Policy {
        discards: false,
        ..MIRRORED
    };
    v.set_policy(policy, &mut fx);
    let zeroes = Operation::Zeroes { unmap: true };
    assert_eq!(v.local_request(ticket), Some((zeroes, UNIT)));
    let flags = WriteFlags::default();
    let told = Extent::new(1 << 12, 65536);
    let ack = WantedAck::Written;
    let discard = Operation::Discard;
    let ticket = v.peer_write(
        discard,
        told,
        flags,
        1,
        ack,
        false,
        WritePlace {
            epoch: 0,
            sequence: 1,
        },
        &mut fx,
    );
    assert_eq!(v.peer_view(ticket.unwrap()).unwrap().operation, zeroes);
}

#[test]
fn what_the_peer_does_not_take_waits_for_the_end_of_the_connection() {
    for (operation, bytes, taken) in [
        (Operation::Write, 32768, true),
        (Operation::Write, 36864, false),
        (Operation::Discard, 4096, false),
        (Operation::Zeroes { unmap: false }, 65536, true),
    ] {
        let mut v = volume(MIRRORED);
        let policy = Policy {
            takes: RequestLimits {
                write: 32768,
                discard: 0,
                zeroes: 65536,
            },
            ..MIRRORED
        };
        run(&mut v, |v, fx| v.set_policy(policy, fx));
        let extent = Extent::new(0, bytes);
        let (ticket, effects) = issue(&mut v, operation, extent);
        assert_eq!(effects.contains(&VolumeEffect::QueueWrite(ticket)), taken);
        let told = effects.contains(&VolumeEffect::Report(Report::TooLarge));
        assert_eq!(told, !taken);
        let effects = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
        // Only the own disk has it: that is not enough while there is a peer.
        assert!(!effects.contains(&VolumeEffect::Complete { ticket, ok: true }));
        let effects = run(&mut v, |v, fx| v.connection_lost(fx));
        assert!(effects.contains(&VolumeEffect::Complete { ticket, ok: true }));
        assert_eq!(v.out_of_sync(), u64::from(bytes / 4096));
    }
}

/// A target that lacks the first 128 KiB, and asks for units of 64 KiB.
fn thin_target(tells_digests: bool) -> Volume<Vecs> {
    let policy = Policy {
        resync: ResyncUse::Target,
        ..MIRRORED
    };
    let mut v = volume(policy);
    let lacks = Extent::new(0, 128 << 10);
    v.bitmap_mut().unwrap().set_out_of_sync(lacks);
    v.bitmap_mut().unwrap().set_in_sync(Extent::new(136, 4096));
    v.set_resync_limits(ResyncLimits {
        thin_bytes: UNIT.bytes,
        request_bytes: 1 << 20,
        ..ResyncLimits::default()
    });
    run(&mut v, |v, fx| {
        v.start_resync(Instant(0), tells_digests, fx);
    });
    v.sync_tick(Instant(100), 0);
    v
}

#[test]
fn whole_units_are_asked_for_thinly() {
    let mut v = thin_target(false);
    let effects = run(&mut v, |v, fx| while v.resync_more(fx) {});
    assert_eq!(
        effects,
        [
            VolumeEffect::QueueThinRequest(UNIT),
            VolumeEffect::QueueResyncRequest(Extent::new(128, 4096)),
            VolumeEffect::QueueResyncRequest(Extent::new(144, 57344)),
        ]
    );
}

#[test]
fn with_digests_nothing_is_asked_for_thinly() {
    let mut v = thin_target(true);
    let effects = run(&mut v, |v, fx| while v.resync_more(fx) {});
    let reads = |effect: &VolumeEffect| matches!(effect, VolumeEffect::SubmitPeer(_));
    assert!(!effects.is_empty() && effects.iter().all(reads));
    assert_eq!(
        v.resync_zeroes(UNIT, &mut Effects::new()),
        Err(PeerRequestError::Unexpected)
    );
}

#[test]
fn zeroes_of_the_source_are_discarded_and_then_in_sync() {
    let mut v = thin_target(false);
    run(&mut v, |v, fx| while v.resync_more(fx) {});
    let before = v.out_of_sync();
    let mut submitted = None;
    for effect in run(&mut v, |v, fx| {
        v.resync_zeroes(UNIT, fx).unwrap();
    }) {
        if let VolumeEffect::SubmitPeer(ticket) = effect {
            submitted = Some(ticket);
        }
    }
    let ticket = submitted.unwrap();
    let view = v.peer_view(ticket).unwrap();
    assert_eq!((view.operation, view.extent), (Operation::Discard, UNIT));
    assert_eq!(v.out_of_sync(), before);
    let effects = run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    assert!(effects.contains(&VolumeEffect::Ack {
        kind: AckKind::ResyncWrite,
        extent: UNIT,
        block_id: u64::MAX,
        sequence: 1,
    }));
    assert_eq!(v.out_of_sync(), before - 16);
}

#[test]
fn zeroes_that_were_not_asked_for_are_refused() {
    let mut v = thin_target(false);
    let mut fx = Effects::new();
    assert!(v.resync_zeroes(UNIT, &mut fx).is_err());
    run(&mut v, |v, fx| while v.resync_more(fx) {});
    // This one was asked for, but not thinly.
    let plain = Extent::new(128, 4096);
    let refused = v.resync_zeroes(plain, &mut fx);
    assert_eq!(refused, Err(PeerRequestError::Unexpected));
    assert!(v.resync_data(plain, &mut fx).is_ok());
}

#[test]
fn zeroes_of_a_range_that_was_written_since_are_thrown_away() {
    let mut v = thin_target(false);
    run(&mut v, |v, fx| while v.resync_more(fx) {});
    let (ticket, _) = issue(&mut v, Operation::Write, Extent::new(8, 4096));
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let effects = run(&mut v, |v, fx| {
        v.resync_zeroes(UNIT, fx).unwrap();
    });
    let submitted = |effect: &VolumeEffect| matches!(effect, VolumeEffect::SubmitPeer(_));
    assert!(!effects.iter().any(submitted));
}

fn thin_read(purpose: ReadFor) -> (Volume<Vecs>, PeerTicket) {
    let policy = Policy {
        resync: ResyncUse::Source,
        ..MIRRORED
    };
    let mut v = volume(policy);
    v.bitmap_mut().unwrap().set_out_of_sync(UNIT);
    let mut fx = Effects::new();
    v.start_resync(Instant(0), false, &mut fx);
    let ticket = v.peer_read(UNIT, u64::MAX, purpose, &mut fx).unwrap();
    (v, ticket)
}

#[test]
fn a_source_looks_for_zeroes_only_if_asked_to() {
    let (v, ticket) = thin_read(ReadFor::ResyncThin);
    assert_eq!(v.peer_view(ticket).unwrap().answer, Answer::ThinData);
    let (v, ticket) = thin_read(ReadFor::Resync);
    assert_eq!(v.peer_view(ticket).unwrap().answer, Answer::ResyncData);
}

#[test]
fn what_was_told_to_be_zeroes_is_in_sync_when_the_target_has_it() {
    let (mut v, ticket) = thin_read(ReadFor::ResyncThin);
    run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    run(&mut v, |v, fx| v.peer_reply_sent(ticket, fx));
    assert_eq!(v.out_of_sync(), 16);
    run(&mut v, |v, fx| v.resync_acked(UNIT, true, fx).unwrap());
    assert_eq!(v.out_of_sync(), 0);
}
