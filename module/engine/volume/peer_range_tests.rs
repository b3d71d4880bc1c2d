// SPDX-License-Identifier: GPL-2.0

//! What the peer may name: ranges inside of the volume, and of its answers only what was asked.

use super::tests::{
    run,
    volume,
    write_of_peer,
    Vecs,
    MIRRORED,
    SECTORS, //
};
use super::*;
use crate::engine::ids::PeerTicket;

const BLOCK: Extent = Extent {
    sector: 0,
    bytes: 4096,
};

/// The source of a resync in which one block is left.
fn source() -> Volume<Vecs> {
    let mut v = volume(Policy {
        resync: ResyncUse::Source,
        ..MIRRORED
    });
    v.bitmap_mut().unwrap().set_out_of_sync(BLOCK);
    run(&mut v, |v, fx| {
        v.start_resync(Instant(0), false, fx);
    });
    v
}

/// The target asked for the block and was sent it.
fn sent(v: &mut Volume<Vecs>) {
    let mut fx = Effects::new();
    let read = v.peer_read(BLOCK, 1, ReadFor::Resync, &mut fx).unwrap();
    run(v, |v, fx| v.peer_io_done(read, true, fx));
    run(v, |v, fx| v.peer_reply_sent(read, fx));
}

fn acked(
    v: &mut Volume<Vecs>,
    extent: Extent,
    ok: bool,
) -> (Result<(), PeerRequestError>, Vec<VolumeEffect>) {
    let mut result = Ok(());
    let effects = run(v, |v, fx| result = v.resync_acked(extent, ok, fx));
    (result, effects)
}

fn ends(effects: &[VolumeEffect]) -> bool {
    effects.contains(&VolumeEffect::Report(Report::ResyncFinished))
}

#[test]
fn a_discard_of_the_peer_is_never_one_that_no_disk_takes() {
    let (flags, place) = (
        WriteFlags {
            fua: true,
            preflush: true,
            sync: true,
        },
        WritePlace::default(),
    );
    for operation in [Operation::Discard, Operation::Zeroes { unmap: true }] {
        let mut v = volume(MIRRORED);
        let mut fx = Effects::new();
        let mut take = |extent| {
            let ack = WantedAck::Written;
            v.peer_write(operation, extent, flags, 7, ack, false, place, &mut fx)
        };
        let ticket = take(BLOCK).unwrap();
        let empty = take(Extent::new(0, 0));
        assert_eq!(empty, Err(PeerRequestError::OutOfRange));
        let taken = v.peer_view(ticket).unwrap().flags;
        assert!(!taken.fua && !taken.preflush && taken.sync, "{operation:?}");
    }
}

#[test]
fn resync_data_that_was_not_sent_is_not_acknowledged() {
    for ok in [true, false] {
        let mut v = source();
        let (result, effects) = acked(&mut v, BLOCK, ok);
        assert_eq!(result, Err(PeerRequestError::Unexpected));
        assert!(!ends(&effects), "the peer ended the resync");
        assert_eq!((v.out_of_sync(), v.resync_failed()), (1, 0));
    }
}

#[test]
fn another_range_than_was_sent_is_not_acknowledged() {
    for ok in [true, false] {
        let mut v = source();
        sent(&mut v);
        for (sector, bytes) in [(8, 4096), (0, 8192), (0, 512)] {
            let other = Extent::new(sector, bytes);
            let (result, effects) = acked(&mut v, other, ok);
            assert_eq!(result, Err(PeerRequestError::Unexpected));
            assert!(!ends(&effects));
        }
        let (result, effects) = acked(&mut v, BLOCK, ok);
        assert_eq!((result, ends(&effects)), (Ok(()), true));
        assert_eq!(v.resync_failed(), u64::from(!ok));
    }
}

#[test]
fn an_acknowledgement_outside_of_the_volume_is_an_error() {
    for (sector, bytes) in [(SECTORS, 4096), (u64::MAX, 4096), (0, 0), (0, u32::MAX)] {
        let mut v = source();
        let (result, _) = acked(&mut v, Extent::new(sector, bytes), false);
        assert_eq!(result, Err(PeerRequestError::OutOfRange));
        assert_eq!(v.resync_failed(), 0);
    }
}

#[test]
fn a_late_acknowledgement_is_taken_once_and_says_nothing() {
    let mut v = source();
    sent(&mut v);
    run(&mut v, |v, fx| v.stop_resync(fx));
    assert_eq!(v.peer_requests(), 0);
    assert_eq!(acked(&mut v, BLOCK, true).0, Ok(()));
    assert_eq!(v.out_of_sync(), 1);
    let again = acked(&mut v, BLOCK, true).0;
    assert_eq!(again, Err(PeerRequestError::Unexpected));
}

#[test]
fn what_was_sent_on_a_former_connection_is_not_acknowledged_on_the_next() {
    let mut v = source();
    sent(&mut v);
    run(&mut v, |v, fx| v.stop_resync(fx));
    run(&mut v, |v, fx| v.connection_lost(fx));
    let late = acked(&mut v, BLOCK, true).0;
    assert_eq!(late, Err(PeerRequestError::Unexpected));
}

fn received(v: &mut Volume<Vecs>, extent: Extent) -> (Option<PeerTicket>, Vec<VolumeEffect>) {
    let mut ticket = None;
    let effects = run(v, |v, fx| {
        let ack = WantedAck::Received;
        let taken = write_of_peer(v, extent, ack, fx);
        ticket = taken.ok();
    });
    (ticket, effects)
}

#[test]
fn a_write_is_acknowledged_as_received_before_it_goes_to_the_disk() {
    let mut v = volume(MIRRORED);
    let (ticket, effects) = received(&mut v, BLOCK);
    let ack = VolumeEffect::Ack {
        kind: AckKind::Received,
        extent: BLOCK,
        block_id: 7,
        sequence: 1,
    };
    let ticket = ticket.unwrap();
    assert_eq!(effects, [ack, VolumeEffect::SubmitPeer(ticket)]);
    let done = run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    assert!(!done.iter().any(|e| matches!(e, VolumeEffect::Ack { .. })));
}

#[test]
fn a_write_outside_of_the_volume_is_not_acknowledged_as_received() {
    for (sector, bytes) in [(SECTORS, 4096), (0, 100), (0, 2 << 20)] {
        let mut v = volume(MIRRORED);
        let (ticket, effects) = received(&mut v, Extent::new(sector, bytes));
        assert_eq!((ticket, effects.len()), (None, 0), "{effects:?}");
    }
}
