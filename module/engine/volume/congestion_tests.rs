// SPDX-License-Identifier: GPL-2.0

//! Tests of the limits of what may be on its way to a peer.

use super::super::tests::{
    run,
    send,
    volume,
    write,
    Vecs,
    MIRRORED, //
};
use super::super::{
    AckKind,
    Effects,
    MirrorUse,
    PeerRequestError,
    Policy,
    ReadFor,
    Report,
    ResyncUse,
    Volume,
    VolumeEffect,
    WantedAck, //
};
use super::*;
use crate::engine::ids::{
    Extent,
    Instant,
    Ticket,
    ID_SYNCER, //
};

const CONGESTED: VolumeEffect = VolumeEffect::Report(Report::Congested(Limit::Fill));
const RELIEVED: VolumeEffect = VolumeEffect::Report(Report::Relieved);

/// Protocol A; two writes of 4 KiB on their way are enough.
const LIMITED: Policy = Policy {
    ack: WantedAck::None,
    congestion: Some(Congestion {
        fill: 16,
        extents: 1237,
    }),
    ..MIRRORED
};

const AHEAD: Policy = Policy {
    mirror: MirrorUse::MarkAndTell,
    congestion: None,
    lead: Lead::Ahead,
    ..LIMITED
};

fn sent(v: &mut Volume<Vecs>, block: u64, epoch: u32) -> (Ticket, Vec<VolumeEffect>) {
    let (ticket, effects) = write(v, block);
    send(v, ticket, epoch);
    run(v, |v, fx| v.local_done(ticket, true, fx));
    (ticket, effects)
}

#[test]
fn the_write_that_finds_the_limit_reached_tells_it_once() {
    let mut v = volume(LIMITED);
    for block in 0..2 {
        assert!(!sent(&mut v, block, 1).1.contains(&CONGESTED));
    }
    assert_eq!(v.sectors_in_flight(), 16);
    assert!(sent(&mut v, 2, 1).1.contains(&CONGESTED));
    assert!(!sent(&mut v, 3, 1).1.contains(&CONGESTED));
}

#[test]
fn what_is_on_stable_storage_is_not_on_its_way() {
    let mut v = volume(LIMITED);
    for block in 0..4 {
        sent(&mut v, block, 1);
    }
    run(&mut v, |v, fx| assert!(v.barrier_acked(1, fx)));
    assert_eq!(v.sectors_in_flight(), 0);
    sent(&mut v, 5, 2);
    run(&mut v, Volume::connection_lost);
    assert_eq!(v.sectors_in_flight(), 0);
}

#[test]
fn who_uses_too_many_extents_tells_it() {
    let limits = Congestion {
        fill: 0,
        extents: 2,
    };
    let policy = Policy {
        log: true,
        congestion: Some(limits),
        ..LIMITED
    };
    let mut v = volume(policy);
    let mut told = Vec::new();
    for extent in 0..3 {
        let (_, mut effects) = write(&mut v, extent * 1024);
        let mut block = Box::new([0; crate::engine::meta::activity_log_block::BLOCK_BYTES]);
        if v.log_prepare(&mut block, |_, _| 0).is_some() {
            effects.extend(run(&mut v, |v, fx| v.log_committed(true, fx)));
        }
        told.push(effects.contains(&VolumeEffect::Report(Report::Congested(Limit::Extents))));
    }
    assert_eq!(told, [false, true, false]);
}

#[test]
fn ahead_of_the_peer_it_is_told_ranges_and_the_end_of_what_was_sent_is_noticed() {
    let mut v = volume(LIMITED);
    sent(&mut v, 0, 1);
    let effects = run(&mut v, |v, fx| v.set_policy(AHEAD, fx));
    assert!(!effects.contains(&RELIEVED));
    // What was sent is not marked: its bits are not set at the peer either.
    assert_eq!(v.out_of_sync(), 0);
    let (ticket, effects) = write(&mut v, 7);
    let range = Extent::new(56, 4096);
    assert!(effects.contains(&VolumeEffect::QueueOutOfSync(range)));
    assert_eq!(v.out_of_sync(), 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let effects = run(&mut v, |v, fx| assert!(v.barrier_acked(1, fx)));
    assert!(effects.contains(&RELIEVED));
}

#[test]
fn ahead_of_the_peer_its_resync_is_cancelled_and_what_it_was_sent_is_told_again() {
    let source = Policy {
        resync: ResyncUse::Source,
        ..LIMITED
    };
    let mut v = volume(source);
    let ranges: Vec<_> = (0..3).map(|block| Extent::new(block * 8, 4096)).collect();
    for &range in &ranges {
        v.bitmap_mut().unwrap().set_out_of_sync(range);
    }
    run(&mut v, |v, fx| v.start_resync(Instant(0), false, fx));
    let mut tickets = Vec::new();
    for &range in &ranges {
        run(&mut v, |v, fx| {
            tickets.push(v.peer_read(range, ID_SYNCER, ReadFor::Resync, fx).unwrap());
        });
    }
    for &ticket in &tickets[..2] {
        run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    }
    run(&mut v, |v, fx| v.peer_reply_sent(tickets[0], fx));
    let told =
        |effects: &[VolumeEffect], range| effects.contains(&VolumeEffect::QueueOutOfSync(range));
    // The second is with the network when the policy changes, the third is still being read.
    let effects = run(&mut v, |v, fx| v.set_policy(AHEAD, fx));
    assert!(told(&effects, ranges[0]) && !told(&effects, ranges[1]));
    let effects = run(&mut v, |v, fx| v.peer_reply_sent(tickets[1], fx));
    assert!(told(&effects, ranges[1]));
    assert!(!effects.contains(&RELIEVED));
    let effects = run(&mut v, |v, fx| v.peer_io_done(tickets[2], true, fx));
    let cancelled = effects.iter().any(|effect| {
        matches!(effect, VolumeEffect::Ack { kind: AckKind::ResyncCancelled, extent, .. }
            if *extent == ranges[2])
    });
    assert!(cancelled);
    assert!(effects.contains(&RELIEVED));
    // The target has cleared its bits, perhaps after it was told to set them.
    for &range in &ranges[..2] {
        let effects = run(&mut v, |v, fx| v.resync_acked(range, true, fx).unwrap());
        assert!(told(&effects, range));
    }
    assert_eq!(v.out_of_sync(), 3);
    let asked_for_nothing = run(&mut v, |v, fx| {
        let again = v.resync_acked(ranges[2], true, fx);
        assert_eq!(again, Err(PeerRequestError::Unexpected));
    });
    assert!(!asked_for_nothing.contains(&RELIEVED));
}

#[test]
fn resync_data_that_is_being_written_does_not_clear_a_range_that_changed_meanwhile() {
    let target = Policy {
        resync: ResyncUse::Target,
        ..MIRRORED
    };
    let mut v = volume(target);
    let range = Extent::new(0, 4096);
    v.bitmap_mut().unwrap().set_out_of_sync(range);
    run(&mut v, |v, fx| v.start_resync(Instant(0), false, fx));
    v.sync_tick(Instant(100), 0);
    let asked_again = |v: &mut Volume<Vecs>, fx: &mut Effects| while v.resync_more(fx) {};
    run(&mut v, asked_again);
    let mut came = None;
    run(&mut v, |v, fx| came = v.resync_data(range, fx).unwrap());
    v.peer_marked(range).unwrap();
    let effects = run(&mut v, |v, fx| v.peer_io_done(came.unwrap(), true, fx));
    let kind = AckKind::ResyncWrite;
    let acked = |e: &VolumeEffect| matches!(e, VolumeEffect::Ack { kind: k, .. } if *k == kind);
    assert!(effects.iter().any(acked));
    assert_eq!(v.out_of_sync(), 1);
    let mut fx = Effects::new();
    v.resume(&mut fx);
}
