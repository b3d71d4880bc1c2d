// SPDX-License-Identifier: GPL-2.0

//! Tests of the data path, one volume at a time. The simulator (`tests/sim`) runs two.

use super::*;
use crate::engine::ids::PeerTicket;
use crate::engine::meta::activity_log::LogSlot;
use crate::engine::meta::activity_log_block::{
    Ring,
    BLOCK_BYTES, //
};

pub(super) struct Vecs;

impl Storage for Vecs {
    type Array<T: 'static> = Vec<T>;
}

pub(super) const SECTORS: u64 = 1 << 20;
const SLOTS: usize = 64;

/// The policy of a Primary with a good disk and a good peer.
pub(super) const MIRRORED: Policy = Policy {
    local: LocalUse::Full,
    mirror: MirrorUse::Send,
    resync: ResyncUse::None,
    peer_readable: true,
    hold: false,
    primary: true,
    log: false,
    only_disk: false,
    peer_writes: false,
    good_data: true,
    ack: WantedAck::Written,
    tells_ack: true,
    meeting: false,
    peer_log: false,
    conflicts: Conflicts::None,
    drain: Drain::None,
    balancing: crate::engine::options::ReadBalancing::PreferLocal,
    disk_timeout_ms: 0,
    peer_timeout_ms: 0,
    abandon: false,
    keep_failed: false,
    congestion: None,
    lead: Lead::None,
    discards: true,
    takes: RequestLimits::ANY,
};

fn bitmap() -> Bitmap<Vecs> {
    let words = Bitmap::<Vecs>::words_needed(SECTORS) as usize;
    let changed = Bitmap::<Vecs>::changed_needed(SECTORS) as usize;
    Bitmap::new(vec![0; words], vec![0; changed], SECTORS).unwrap()
}

pub(super) fn volume(policy: Policy) -> Volume<Vecs> {
    let mut volume = Volume::new(Tables {
        slots: vec![Slot::default(); SLOTS],
        peers: vec![PeerSlot::default(); SLOTS],
        overlap_nodes: vec![OverlapNode::default(); 4 * SLOTS],
        overlap_heads: vec![0; 64],
    });
    let log = ActivityLog::new(vec![LogSlot::default(); 67], vec![0; 128], Ring::DEFAULT, 0);
    volume.set_disk(Some(DiskTables {
        bitmap: bitmap(),
        log: log.unwrap(),
    }));
    volume.set_capacity(SECTORS);
    let mut fx = Effects::new();
    volume.set_policy(policy, &mut fx);
    volume
}

/// Writes 4 KiB at a block; returns the ticket and what is to be done.
pub(super) fn write(volume: &mut Volume<Vecs>, block: u64) -> (Ticket, Vec<VolumeEffect>) {
    let mut fx = Effects::new();
    let extent = Extent::new(block * 8, 4096);
    let flags = WriteFlags::default();
    let ticket = volume.write(Operation::Write, extent, flags, &mut fx);
    (ticket.unwrap(), fx.take().collect())
}

/// Lets the sender send a write.
pub(super) fn send(volume: &mut Volume<Vecs>, ticket: Ticket, epoch: u32) {
    let mut fx = Effects::new();
    assert!(volume.send_begin(ticket, epoch, Instant(0)).is_some());
    volume.send_done(ticket, &mut fx);
}

/// Carries a step out and everything that it leaves.
pub(super) fn run(
    volume: &mut Volume<Vecs>,
    step: impl FnOnce(&mut Volume<Vecs>, &mut Effects),
) -> Vec<VolumeEffect> {
    let mut fx = Effects::new();
    step(volume, &mut fx);
    let mut all: Vec<_> = fx.take().collect();
    for _ in 0..1000 {
        if !volume.has_work() {
            return all;
        }
        volume.resume(&mut fx);
        all.extend(fx.take());
    }
    panic!("a step did not come to its end");
}

fn completed(effects: &[VolumeEffect]) -> Vec<(Ticket, bool)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            VolumeEffect::Complete { ticket, ok } => Some((*ticket, *ok)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_mirrored_write_completes_after_both_halves() {
    let mut v = volume(MIRRORED);
    let (ticket, effects) = write(&mut v, 0);
    assert!(effects.contains(&VolumeEffect::QueueWrite(ticket)));
    assert!(effects.contains(&VolumeEffect::SubmitLocal(ticket)));
    send(&mut v, ticket, 1);
    let after_disk = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!(completed(&after_disk), []);
    let after_peer = run(&mut v, |v, fx| {
        v.peer_answered(ticket, true, false, fx).unwrap();
    });
    assert_eq!(completed(&after_peer), [(ticket, true)]);
}

#[test]
fn the_epoch_is_closed_before_the_write_is_reported() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 7);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(ticket, true, false, fx).unwrap();
    });
    let close = effects
        .iter()
        .position(|e| *e == VolumeEffect::CloseEpoch(7));
    let report = effects
        .iter()
        .position(|e| matches!(e, VolumeEffect::Complete { .. }));
    assert!(close.unwrap() < report.unwrap());
}

#[test]
fn a_refused_write_is_not_reported_before_the_peer_has_said_why() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let refused = run(&mut v, |v, fx| {
        v.peer_answered(ticket, false, false, fx).unwrap();
    });
    assert_eq!(completed(&refused), []);
    let hold = |hold| Policy {
        peer_readable: false,
        mirror: MirrorUse::Mark,
        hold,
        ..MIRRORED
    };
    // Its generation is being saved.
    let held = run(&mut v, |v, fx| v.set_policy(hold(true), fx));
    assert_eq!(completed(&held), []);
    let saved = run(&mut v, |v, fx| v.set_policy(hold(false), fx));
    assert_eq!(completed(&saved), [(ticket, true)]);
    assert!(v.bitmap().unwrap().is_set(0));
}

#[test]
fn a_write_that_only_a_peer_without_good_data_has_is_not_done() {
    let policy = Policy {
        peer_readable: false,
        ..MIRRORED
    };
    let mut v = volume(policy);
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 1);
    run(&mut v, |v, fx| v.local_done(ticket, false, fx));
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(ticket, true, false, fx).unwrap();
    });
    assert_eq!(completed(&effects), [(ticket, false)]);
}

#[test]
fn a_disk_whose_metadata_cannot_be_written_keeps_nothing() {
    let alone = Policy {
        peer_readable: false,
        mirror: MirrorUse::Mark,
        ..MIRRORED
    };
    let mut v = volume(alone);
    let (ticket, _) = write(&mut v, 0);
    v.metadata_failed();
    let effects = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!(completed(&effects), [(ticket, false)]);
    assert!(!v.keeps_metadata());
    let mut fx = Effects::new();
    assert_eq!(v.read(Extent::new(0, 4096), &mut fx), Err(Refusal::Io));
    assert_eq!(v.next_changed_page(0), None);
    let mut image = [0; crate::engine::meta::bitmap::PAGE_BYTES];
    assert!(!v.take_bitmap_page(0, &mut image));
    v.set_disk(None);
    assert!(v.keeps_metadata());
}

#[test]
fn a_slot_is_kept_until_the_barrier_is_acknowledged() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    run(&mut v, |v, fx| {
        v.peer_answered(ticket, true, false, fx).unwrap();
    });
    assert_eq!(v.requests(), 1);
    run(&mut v, |v, fx| assert!(v.barrier_acked(1, fx)));
    assert_eq!((v.requests(), v.out_of_sync()), (0, 0));
}

#[test]
fn what_no_barrier_confirmed_is_out_of_sync_when_the_connection_is_lost() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 3);
    send(&mut v, ticket, 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    run(&mut v, |v, fx| {
        v.peer_answered(ticket, true, false, fx).unwrap();
    });
    run(&mut v, |v, fx| v.connection_lost(fx));
    assert_eq!((v.requests(), v.out_of_sync()), (0, 1));
}

#[test]
fn a_held_write_completes_when_the_policy_lets_it() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let hold = Policy {
        hold: true,
        mirror: MirrorUse::Mark,
        ..MIRRORED
    };
    run(&mut v, |v, fx| v.set_policy(hold, fx));
    let lost = run(&mut v, |v, fx| v.connection_lost(fx));
    assert_eq!(completed(&lost), []);
    let alone = Policy {
        hold: false,
        ..hold
    };
    let freed = run(&mut v, |v, fx| v.set_policy(alone, fx));
    assert_eq!(completed(&freed), [(ticket, true)]);
}

#[test]
fn an_overlapping_write_waits_for_the_earlier_one() {
    let mut v = volume(MIRRORED);
    let (first, _) = write(&mut v, 0);
    let (second, effects) = write(&mut v, 0);
    assert_eq!(effects, []);
    send(&mut v, first, 1);
    run(&mut v, |v, fx| v.local_done(first, true, fx));
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(first, true, false, fx).unwrap();
    });
    assert!(effects.contains(&VolumeEffect::SubmitLocal(second)));
}

#[test]
fn many_writes_that_wait_for_the_log_ask_for_it_once() {
    let mut v = volume(Policy {
        log: true,
        ..MIRRORED
    });
    let mut asked = 0;
    for extent in 0..40 {
        let (_, effects) = write(&mut v, extent * 1024);
        asked += effects.len();
    }
    assert_eq!(asked, 1);
    // A step with all of them waiting comes to its end.
    run(&mut v, |v, fx| {
        v.set_policy(
            Policy {
                log: true,
                ..MIRRORED
            },
            fx,
        );
    });
    let mut block = [0; BLOCK_BYTES];
    assert!(v.log_prepare(&mut block, |seed, _| seed).is_some());
    let effects = run(&mut v, |v, fx| v.log_committed(true, fx));
    let submitted = |e: &&VolumeEffect| matches!(e, VolumeEffect::SubmitLocal(_));
    assert_eq!(effects.iter().filter(submitted).count(), 40);
}

#[test]
fn a_full_table_refuses_and_takes_again() {
    let mut v = volume(MIRRORED);
    let first = write(&mut v, 0).0;
    for block in 1..SLOTS as u64 {
        write(&mut v, block);
    }
    let mut fx = Effects::new();
    let extent = Extent::new(0, 4096);
    let refused = v.write(Operation::Write, extent, WriteFlags::default(), &mut fx);
    assert_eq!(refused, Err(Refusal::Full));
    run(&mut v, |v, fx| v.local_done(first, true, fx));
    run(&mut v, |v, fx| v.connection_lost(fx));
    assert!(v.has_room());
}

#[test]
fn an_answer_to_nothing_is_an_error_of_the_peer() {
    let mut v = volume(MIRRORED);
    let mut fx = Effects::new();
    let ticket = Ticket::from_block_id(0x1234_5678_9abc_def0);
    let answer = v.peer_answered(ticket, true, false, &mut fx);
    assert_eq!(answer, Err(PeerRequestError::Unexpected));
}

/// A write of the peer comes, which it calls 7 and which waits for no other.
pub(super) fn write_of_peer(
    v: &mut Volume<Vecs>,
    extent: Extent,
    ack: WantedAck,
    fx: &mut Effects,
) -> Result<PeerTicket, PeerRequestError> {
    let (flags, place) = (WriteFlags::default(), WritePlace::default());
    v.peer_write(Operation::Write, extent, flags, 7, ack, false, place, fx)
}

#[test]
fn a_write_of_the_peer_outside_of_the_volume_is_refused() {
    let mut v = volume(Policy {
        mirror: MirrorUse::Mark,
        ..MIRRORED
    });
    let mut fx = Effects::new();
    let taken = v.peer_write(
        Operation::Write,
        Extent::new(SECTORS - 1, 4096),
        WriteFlags::default(),
        1,
        WantedAck::Written,
        false,
        WritePlace::default(),
        &mut fx,
    );
    assert_eq!(taken, Err(PeerRequestError::OutOfRange));
    assert!(fx.is_empty());
}

#[test]
fn a_write_of_the_peer_is_acknowledged_when_it_is_on_disk() {
    let mut v = volume(MIRRORED);
    let mut fx = Effects::new();
    let ticket: PeerTicket = v
        .peer_write(
            Operation::Write,
            Extent::new(8, 4096),
            WriteFlags::default(),
            42,
            WantedAck::Written,
            false,
            WritePlace::default(),
            &mut fx,
        )
        .unwrap();
    assert_eq!(
        fx.take().collect::<Vec<_>>(),
        [VolumeEffect::SubmitPeer(ticket)]
    );
    let effects = run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    assert!(matches!(
        effects.first(),
        Some(VolumeEffect::Ack {
            kind: AckKind::Write,
            block_id: 42,
            ..
        })
    ));
    assert!(effects.contains(&VolumeEffect::PeerWriteFinished { epoch: 0 }));
}

#[test]
fn with_protocol_a_a_write_is_done_when_it_is_sent() {
    let mut v = volume(Policy {
        ack: WantedAck::None,
        ..MIRRORED
    });
    let (ticket, _) = write(&mut v, 0);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert!(v.send_begin(ticket, 1, Instant(0)).is_some());
    let effects = run(&mut v, |v, fx| v.send_done(ticket, fx));
    assert_eq!(completed(&effects), [(ticket, true)]);
    // The peer may still lose it.
    run(&mut v, |v, fx| v.connection_lost(fx));
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn a_write_that_the_peer_refuses_is_out_of_sync_and_succeeds() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(ticket, false, false, fx).unwrap();
    });
    assert_eq!(completed(&effects), []);
    let outdated = Policy {
        peer_readable: false,
        mirror: MirrorUse::Mark,
        ..MIRRORED
    };
    let effects = run(&mut v, |v, fx| v.set_policy(outdated, fx));
    assert_eq!(completed(&effects), [(ticket, true)]);
    assert_eq!((v.requests(), v.out_of_sync()), (0, 1));
}

/// What a policy change reports.
fn drained(effects: &[VolumeEffect]) -> bool {
    effects.contains(&VolumeEffect::Report(Report::Drained))
}

#[test]
fn a_volume_without_requests_is_drained_at_once() {
    let mut v = volume(MIRRORED);
    let drain = Drain::Own;
    let policy = Policy { drain, ..MIRRORED };
    assert!(drained(&run(&mut v, |v, fx| v.set_policy(policy, fx))));
}

#[test]
fn a_volume_is_drained_when_the_last_barrier_is_acknowledged_and_says_it_once() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 7);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let drain = Drain::Own;
    let policy = Policy { drain, ..MIRRORED };
    let effects = run(&mut v, |v, fx| v.set_policy(policy, fx));
    assert!(!drained(&effects));
    assert!(effects.contains(&VolumeEffect::FlushStream));
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(ticket, true, false, fx).unwrap();
    });
    assert!(!drained(&effects));
    let effects = run(&mut v, |v, fx| {
        v.barrier_acked(7, fx);
    });
    assert!(drained(&effects));
    let policy = Policy {
        drain: Drain::None,
        ..MIRRORED
    };
    assert!(!drained(&run(&mut v, |v, fx| v.set_policy(policy, fx))));
}

/// The source of a resync, which has sent the one block that was out of sync.
pub(super) fn source_that_sends() -> (Volume<Vecs>, Extent, PeerTicket) {
    let source = Policy {
        resync: ResyncUse::Source,
        ..MIRRORED
    };
    let mut v = volume(source);
    let extent = Extent::new(0, 4096);
    v.bitmap_mut().unwrap().set_out_of_sync(extent);
    let mut fx = Effects::new();
    v.start_resync(Instant(0), false, &mut fx);
    let read = v.peer_read(extent, 1, ReadFor::Resync, &mut fx).unwrap();
    run(&mut v, |v, fx| v.peer_io_done(read, true, fx));
    (v, extent, read)
}

/// The same, when its sender has said so.
pub(super) fn source_that_sent() -> (Volume<Vecs>, Extent) {
    let (mut v, extent, read) = source_that_sends();
    run(&mut v, |v, fx| v.peer_reply_sent(read, fx));
    (v, extent)
}

#[test]
fn an_acknowledgement_of_resync_data_does_not_clear_a_later_mark() {
    let (mut v, extent) = source_that_sent();
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    run(&mut v, |v, fx| {
        v.peer_answered(ticket, false, false, fx).unwrap();
    });
    run(&mut v, |v, fx| v.resync_acked(extent, true, fx).unwrap());
    assert_eq!(v.out_of_sync(), 1);
    assert_eq!(v.peer_requests(), 0);
}

#[test]
fn an_acknowledgement_of_current_resync_data_clears_its_mark() {
    let (mut v, extent) = source_that_sent();
    run(&mut v, |v, fx| v.resync_acked(extent, true, fx).unwrap());
    assert_eq!(v.out_of_sync(), 0);
    assert_eq!(v.peer_requests(), 0);
}

#[test]
fn an_acknowledgement_of_a_former_disks_write_clears_nothing_on_the_new_one() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    let log = ActivityLog::new(vec![LogSlot::default(); 67], vec![0; 128], Ring::DEFAULT, 0);
    let mut bitmap = bitmap();
    bitmap.set_out_of_sync(Extent::new(0, 4096));
    v.set_disk(Some(DiskTables {
        bitmap,
        log: log.unwrap(),
    }));
    run(&mut v, |v, fx| {
        v.peer_answered(ticket, true, true, fx).unwrap();
    });
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn a_source_whose_disk_others_use_lets_a_peer_wait_that_does_not_write() {
    let mut v = volume(Policy {
        resync: ResyncUse::Source,
        ..MIRRORED
    });
    v.set_resync_limits(ResyncLimits {
        min_rate: 1,
        ..ResyncLimits::default()
    });
    for block in 0..100 {
        v.mark(Extent::new(block * 8, 4096));
    }
    run(&mut v, |v, fx| v.start_resync(Instant(0), false, fx));
    v.sync_tick(Instant(100), 0);
    v.unmark(Extent::new(0, 50 * 4096));
    v.sync_tick(Instant(200), 65);
    let ask = |v: &mut Volume<Vecs>, purpose| {
        let mut fx = Effects::new();
        v.peer_read(Extent::new(8 * 60, 4096), 1, purpose, &mut fx)
            .map(drop)
    };
    let later = Err(PeerRequestError::Later);
    assert_eq!(ask(&mut v, ReadFor::Resync), later);
    assert_eq!(ask(&mut v, ReadFor::Verify), later);
    assert_eq!(ask(&mut v, ReadFor::Application), Ok(()));
    v.policy.peer_writes = true;
    assert_eq!(ask(&mut v, ReadFor::Resync), Ok(()));
    v.policy.peer_writes = false;
    v.sync_tick(Instant(300), 65);
    assert_eq!(ask(&mut v, ReadFor::Resync), Ok(()));
}

#[test]
fn below_version_100_the_barrier_says_that_the_peers_disk_has_it() {
    for (protocol, answers) in [(WantedAck::None, false), (WantedAck::Received, true)] {
        // A Primary whose own disk is not good, and a peer that goes by the protocol.
        let policy = Policy {
            local: LocalUse::WriteMostly,
            ack: protocol,
            tells_ack: false,
            ..MIRRORED
        };
        let mut v = volume(policy);
        let (ticket, _) = write(&mut v, 0);
        run(&mut v, |v, fx| v.local_done(ticket, true, fx));
        let view = v.send_begin(ticket, 3, Instant(0)).unwrap();
        assert!(!view.may_set_in_sync);
        let effects = run(&mut v, |v, fx| v.send_done(ticket, fx));
        assert!(effects.contains(&VolumeEffect::CloseEpoch(3)));
        if answers {
            let effects = run(&mut v, |v, fx| {
                v.peer_answered(ticket, true, false, fx).unwrap();
            });
            assert_eq!(completed(&effects), []);
        }
        let effects = run(&mut v, |v, fx| {
            v.barrier_acked(3, fx);
        });
        assert_eq!(completed(&effects), [(ticket, true)]);
        assert_eq!(v.requests(), 0);
    }
}
