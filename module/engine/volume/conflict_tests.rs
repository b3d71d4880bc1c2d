// SPDX-License-Identifier: GPL-2.0

//! Tests of concurrent writes of two Primaries, one volume at a time.

use super::*;
use crate::engine::ids::{
    Instant,
    PeerTicket, //
};
use crate::engine::volume::tests::{
    run,
    volume,
    write,
    Vecs,
    MIRRORED, //
};
use crate::engine::volume::{
    MirrorUse,
    Policy,
    ReadFor,
    ResyncUse,
    WantedAck,
    WriteFlags,
    WritePlace, //
};

/// One of two Primaries.
fn primary(conflicts: Conflicts) -> Volume<Vecs> {
    volume(Policy {
        conflicts,
        ..MIRRORED
    })
}

/// A write of ours to block 0 that is on the wire.
fn sent(v: &mut Volume<Vecs>) -> Ticket {
    let (ticket, _) = write(v, 0);
    send(v, ticket);
    ticket
}

fn send(v: &mut Volume<Vecs>, ticket: Ticket) {
    assert!(v.send_begin(ticket, 1, Instant(0)).is_some());
    run(v, |v, fx| v.send_done(ticket, fx));
}

/// A write of the peer comes, as packet `number`; what is to be done.
fn comes(
    v: &mut Volume<Vecs>,
    extent: Extent,
    number: u32,
) -> (Result<PeerTicket, PeerRequestError>, Vec<VolumeEffect>) {
    let mut taken = Err(PeerRequestError::Full);
    let effects = run(v, |v, fx| {
        let (flags, ack) = (WriteFlags::default(), WantedAck::Written);
        let place = WritePlace {
            epoch: 0,
            sequence: number,
        };
        taken = v.peer_write(Operation::Write, extent, flags, 9, ack, false, place, fx);
    });
    (taken, effects)
}

fn acks(effects: &[VolumeEffect]) -> Vec<AckKind> {
    let kind = |effect: &VolumeEffect| match effect {
        VolumeEffect::Ack { kind, .. } => Some(*kind),
        _ => None,
    };
    effects.iter().filter_map(kind).collect()
}

fn starts(effects: &[VolumeEffect]) -> bool {
    let start = |e: &VolumeEffect| matches!(e, VolumeEffect::SubmitPeer(_));
    effects.iter().any(start)
}

fn completes(effects: &[VolumeEffect], ticket: Ticket) -> bool {
    effects.contains(&VolumeEffect::Complete { ticket, ok: true })
}

const BLOCK: Extent = Extent {
    sector: 0,
    bytes: 4096,
};

/// Reaches out of it.
const WIDER: Extent = Extent {
    sector: 0,
    bytes: 8192,
};

#[test]
fn a_covered_write_of_the_peer_is_superseded_when_our_disk_has_ours() {
    let mut v = primary(Conflicts::Decides);
    let own = sent(&mut v);
    let (_, effects) = comes(&mut v, BLOCK, 1);
    assert!(effects.is_empty(), "{effects:?}");
    let effects = run(&mut v, |v, fx| v.local_done(own, true, fx));
    assert_eq!(acks(&effects), [AckKind::Superseded]);
    assert!(effects.contains(&VolumeEffect::PeerWritePutOff { epoch: 0 }));
    assert_eq!(v.peer_requests(), 0);
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(own, true, false, fx).unwrap();
    });
    assert!(completes(&effects, own));
}

#[test]
fn a_write_of_the_peer_that_reaches_further_has_to_be_retried() {
    let mut v = primary(Conflicts::Decides);
    let own = sent(&mut v);
    run(&mut v, |v, fx| v.local_done(own, true, fx));
    let (_, effects) = comes(&mut v, WIDER, 1);
    assert_eq!(acks(&effects), [AckKind::Retry]);
    assert_eq!(v.peer_requests(), 0);
}

#[test]
fn what_the_peer_acknowledged_is_before_what_it_sent_since() {
    let mut v = primary(Conflicts::Decides);
    let own = sent(&mut v);
    run(&mut v, |v, fx| {
        v.peer_numbered(1, fx);
        v.peer_answered(own, true, false, fx).unwrap();
    });
    let (_, effects) = comes(&mut v, BLOCK, 2);
    assert!(effects.is_empty(), "{effects:?}");
    let effects = run(&mut v, |v, fx| v.local_done(own, true, fx));
    assert!(completes(&effects, own) && starts(&effects));
    assert_eq!(acks(&effects), []);
}

#[test]
fn a_write_waits_for_the_acknowledgement_that_was_sent_before_it() {
    let mut v = primary(Conflicts::Decides);
    let own = sent(&mut v);
    run(&mut v, |v, fx| v.local_done(own, true, fx));
    let (taken, effects) = comes(&mut v, BLOCK, 2);
    assert_eq!(taken, Err(PeerRequestError::Early));
    assert!(effects.is_empty() && v.is_early());
    let effects = run(&mut v, |v, fx| {
        v.peer_numbered(1, fx);
        v.peer_answered(own, true, false, fx).unwrap();
    });
    assert!(effects.contains(&VolumeEffect::Room));
    let (taken, effects) = comes(&mut v, BLOCK, 2);
    assert!(taken.is_ok() && starts(&effects));
}

#[test]
fn the_other_node_does_not_wait_for_numbers() {
    for conflicts in [Conflicts::None, Conflicts::PeerDecides] {
        let mut v = primary(conflicts);
        assert!(comes(&mut v, BLOCK, 7).0.is_ok());
    }
}

#[test]
fn writes_and_acknowledgements_are_numbered_in_one_order() {
    let mut v = primary(Conflicts::PeerDecides);
    let number = |effects: &[VolumeEffect]| match effects.first() {
        Some(VolumeEffect::Ack { sequence, .. }) => *sequence,
        other => panic!("{other:?}"),
    };
    let (ticket, _) = comes(&mut v, BLOCK, 1);
    let effects = run(&mut v, |v, fx| v.peer_io_done(ticket.unwrap(), true, fx));
    assert_eq!(number(&effects), 1);
    let (own, _) = write(&mut v, 5);
    let view = v.send_begin(own, 1, Instant(0)).unwrap();
    assert_eq!(view.sequence, 2);
    let effects = run(&mut v, |v, fx| {
        v.refuse_peer(AckKind::Negative, BLOCK, 1, fx);
    });
    assert_eq!(number(&effects), 3);
    run(&mut v, |v, fx| v.connection_lost(fx));
    let effects = run(&mut v, |v, fx| {
        v.refuse_peer(AckKind::Negative, BLOCK, 1, fx);
    });
    assert_eq!(number(&effects), 1);
}

#[test]
fn the_peers_write_waits_until_it_is_decided_what_becomes_of_ours() {
    let mut v = primary(Conflicts::PeerDecides);
    let own = sent(&mut v);
    let (_, effects) = comes(&mut v, BLOCK, 1);
    assert!(effects.is_empty());
    let effects = run(&mut v, |v, fx| v.local_done(own, true, fx));
    assert!(!starts(&effects));
    let effects = run(&mut v, |v, fx| v.peer_put_off(own, true, fx).unwrap());
    assert!(effects.contains(&VolumeEffect::PutOff(1)));
    assert!(completes(&effects, own) && starts(&effects));
    assert_eq!(v.out_of_sync(), 0);
    // Nothing waits for a barrier.
    assert_eq!(v.requests(), 0);
}

#[test]
fn a_write_to_be_retried_begins_anew_behind_the_peers() {
    let mut v = primary(Conflicts::PeerDecides);
    let own = sent(&mut v);
    let half = Extent::new(0, 2048);
    let (theirs, _) = comes(&mut v, half, 1);
    let effects = run(&mut v, |v, fx| v.peer_put_off(own, false, fx).unwrap());
    assert!(!starts(&effects), "our disk has not answered");
    let effects = run(&mut v, |v, fx| v.local_done(own, true, fx));
    assert!(starts(&effects) && !completes(&effects, own));
    let effects = run(&mut v, |v, fx| v.peer_io_done(theirs.unwrap(), true, fx));
    assert!(effects.contains(&VolumeEffect::QueueWrite(own)));
    assert!(effects.contains(&VolumeEffect::SubmitLocal(own)));
    send(&mut v, own);
    run(&mut v, |v, fx| v.local_done(own, true, fx));
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(own, true, false, fx).unwrap();
    });
    assert!(completes(&effects, own));
}

#[test]
fn what_does_not_cover_ours_does_not_supersede_it() {
    // So do peers below version 100, which have no other word.
    let mut v = primary(Conflicts::PeerDecides);
    let own = sent(&mut v);
    run(&mut v, |v, fx| v.local_done(own, true, fx));
    comes(&mut v, Extent::new(0, 2048), 1).0.unwrap();
    let effects = run(&mut v, |v, fx| v.peer_put_off(own, true, fx).unwrap());
    assert!(starts(&effects) && !completes(&effects, own));
}

#[test]
fn a_write_that_nothing_supersedes_here_is_written_again() {
    for superseded in [true, false] {
        let mut v = primary(Conflicts::PeerDecides);
        let own = sent(&mut v);
        run(&mut v, |v, fx| v.local_done(own, true, fx));
        let effects = run(&mut v, |v, fx| v.peer_put_off(own, superseded, fx).unwrap());
        assert!(effects.contains(&VolumeEffect::QueueWrite(own)));
        assert!(effects.contains(&VolumeEffect::SubmitLocal(own)));
        assert!(!completes(&effects, own));
    }
}

#[test]
fn a_verdict_that_overtakes_the_sender_counts_when_it_has_finished() {
    let mut v = primary(Conflicts::PeerDecides);
    let (own, _) = write(&mut v, 0);
    assert!(v.send_begin(own, 1, Instant(0)).is_some());
    run(&mut v, |v, fx| v.local_done(own, true, fx));
    comes(&mut v, BLOCK, 1).0.unwrap();
    let effects = run(&mut v, |v, fx| v.peer_put_off(own, true, fx).unwrap());
    assert!(!completes(&effects, own));
    let effects = run(&mut v, |v, fx| v.send_done(own, fx));
    assert!(completes(&effects, own));
}

#[test]
fn a_verdict_is_taken_from_the_decider_only_and_once() {
    for conflicts in [Conflicts::None, Conflicts::Decides] {
        let mut v = primary(conflicts);
        let own = sent(&mut v);
        let mut fx = Effects::new();
        let taken = v.peer_put_off(own, true, &mut fx);
        assert_eq!(taken, Err(PeerRequestError::Unexpected));
    }
    let mut v = primary(Conflicts::PeerDecides);
    let own = sent(&mut v);
    run(&mut v, |v, fx| {
        v.peer_answered(own, true, false, fx).unwrap();
    });
    let mut fx = Effects::new();
    let taken = v.peer_put_off(own, true, &mut fx);
    assert_eq!(taken, Err(PeerRequestError::Unexpected));
}

#[test]
fn the_peers_write_goes_before_our_own_that_have_not_begun() {
    for conflicts in [Conflicts::Decides, Conflicts::PeerDecides] {
        let mut v = primary(conflicts);
        let first = sent(&mut v);
        // Waits for the first one.
        let extent = Extent::new(0, 8192);
        let mut waiting = None;
        run(&mut v, |v, fx| {
            let flags = WriteFlags::default();
            waiting = v.write(Operation::Write, extent, flags, fx).ok();
        });
        // Meets the waiting one only.
        let (_, effects) = comes(&mut v, Extent::new(8, 4096), 1);
        assert!(starts(&effects), "{conflicts:?}");
        run(&mut v, |v, fx| v.local_done(first, true, fx));
        let effects = run(&mut v, |v, fx| {
            v.peer_answered(first, true, false, fx).unwrap();
        });
        let begun = VolumeEffect::SubmitLocal(waiting.unwrap());
        assert!(!effects.contains(&begun));
    }
}

#[test]
fn a_put_off_write_is_marked_when_the_peer_is_lost() {
    let mut v = primary(Conflicts::PeerDecides);
    let own = sent(&mut v);
    comes(&mut v, Extent::new(0, 2048), 1).0.unwrap();
    run(&mut v, |v, fx| v.peer_put_off(own, false, fx).unwrap());
    let alone = Policy {
        mirror: MirrorUse::Mark,
        peer_readable: false,
        ..MIRRORED
    };
    run(&mut v, |v, fx| {
        v.connection_lost(fx);
        v.set_policy(alone, fx);
    });
    run(&mut v, |v, fx| v.local_done(own, true, fx));
    assert_eq!(v.out_of_sync(), 0, "it waits for what was received before");
    let theirs = PeerTicket { index: 0 };
    run(&mut v, |v, fx| v.peer_io_done(theirs, true, fx));
    assert_eq!(v.out_of_sync(), 1);
    let effects = run(&mut v, |v, fx| v.local_done(own, true, fx));
    assert!(completes(&effects, own));
}

#[test]
fn the_peers_write_does_not_wait_behind_a_read_that_waits_for_ours() {
    let mut v = primary(Conflicts::Decides);
    let own = sent(&mut v);
    let mut fx = Effects::new();
    // Waits for our write, which the peer has not answered.
    v.peer_read(WIDER, 3, ReadFor::Resync, &mut fx).unwrap();
    assert!(fx.is_empty());
    let (_, effects) = comes(&mut v, Extent::new(8, 4096), 1);
    assert!(starts(&effects));
    let _ = own;
}

/// A request of the peer's resync for a block.
fn asks(
    v: &mut Volume<Vecs>,
    block: u64,
    fx: &mut Effects,
) -> Result<PeerTicket, PeerRequestError> {
    let extent = Extent::new(8 * block, 4096);
    v.peer_read(extent, 1, ReadFor::Resync, fx)
}

#[test]
fn no_request_waits_for_a_place_that_resync_data_keeps_as_the_peers_write_may_be_behind_it() {
    let full = Err(PeerRequestError::Full);
    for (conflicts, taken) in [(Conflicts::Decides, true), (Conflicts::None, false)] {
        let mut v = primary(conflicts);
        v.policy.resync = ResyncUse::Source;
        v.mark(Extent::new(0, 4096));
        run(&mut v, |v, fx| v.start_resync(Instant(0), false, fx));
        let mut fx = Effects::new();
        let sent = asks(&mut v, 0, &mut fx).unwrap();
        run(&mut v, |v, fx| v.peer_io_done(sent, true, fx));
        run(&mut v, |v, fx| v.peer_reply_sent(sent, fx));
        for block in 1.. {
            if !v.has_peer_room() {
                break;
            }
            asks(&mut v, block, &mut Effects::new()).unwrap();
        }
        // The place is given away, and can be taken when the driver has heard of that.
        let effects = run(&mut v, |v, fx| assert_eq!(asks(v, 500, fx), full));
        assert_eq!(effects.contains(&VolumeEffect::ReleasePeer(sent)), taken);
        assert_eq!(asks(&mut v, 500, &mut Effects::new()).is_ok(), taken);
    }
}
