// SPDX-License-Identifier: GPL-2.0

//! Tests of the verify: what is asked for, what waits, what is marked, and when it is over.

use super::super::tests::{
    run,
    volume,
    write,
    write_of_peer,
    MIRRORED, //
};
use super::super::*;
use crate::engine::ids::PeerTicket;

const LIMITS: ResyncLimits = ResyncLimits {
    in_flight: 64,
    request_bytes: 4096,
    thin_bytes: 0,
    rate: 1 << 20,
    plan_ahead: 0,
    fill_target: 0,
    delay_target: 1,
    max_rate: 0,
    min_rate: 0,
};

/// Asks for as many digests as are allowed at that time.
fn more(volume: &mut Volume<tests::Vecs>, ms: u64) -> Vec<VolumeEffect> {
    volume.sync_tick(Instant(ms), 0);
    run(volume, |v, fx| while v.verify_more(fx) {})
}

fn block(number: u64) -> Extent {
    Extent::new(number * 8, 4096)
}

/// Begins a verify of some blocks as the source; returns the effects of the first requests.
fn begin(volume: &mut Volume<tests::Vecs>, first: u64, end: u64) -> Vec<VolumeEffect> {
    begin_with(LIMITS, volume, first, end)
}

fn begin_with(
    limits: ResyncLimits,
    volume: &mut Volume<tests::Vecs>,
    first: u64,
    end: u64,
) -> Vec<VolumeEffect> {
    let range = VerifyRange {
        start: Some(first * 8),
        stop: end * 8,
    };
    volume.set_resync_limits(limits);
    volume.start_verify(VerifySide::Source, range, Instant(0));
    more(volume, 100)
}

fn asked(effects: &[VolumeEffect]) -> Vec<u64> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            VolumeEffect::QueueVerifyRequest(extent) => Some(extent.sector / 8),
            _ => None,
        })
        .collect()
}

/// The peer's digest comes, and our copy is read; returns what is to be compared.
fn read(volume: &mut Volume<tests::Vecs>, number: u64) -> PeerTicket {
    let mut fx = Effects::new();
    let ticket = volume
        .verify_answered(block(number), &mut fx)
        .unwrap()
        .unwrap();
    assert!(fx.take().any(|e| e == VolumeEffect::SubmitPeer(ticket)));
    let effects = run(volume, |v, fx| v.peer_io_done(ticket, true, fx));
    assert!(effects.contains(&VolumeEffect::QueueReply(ticket)));
    ticket
}

fn compare(volume: &mut Volume<tests::Vecs>, number: u64, equal: bool) -> Vec<VolumeEffect> {
    let ticket = read(volume, number);
    let mut all = run(volume, |v, fx| {
        assert_eq!(v.verify_compared(ticket, equal, fx), equal)
    });
    if !equal {
        // Read once more.
        assert!(all.contains(&VolumeEffect::SubmitPeer(ticket)));
        run(volume, |v, fx| v.peer_io_done(ticket, true, fx));
        all = run(
            volume,
            |v, fx| assert!(v.verify_compared(ticket, false, fx)),
        );
    }
    all
}

fn has_ack(effects: &[VolumeEffect], wanted: AckKind) -> bool {
    effects
        .iter()
        .any(|e| matches!(e, VolumeEffect::Ack { kind, .. } if *kind == wanted))
}

/// The ranges that are told to differ: first sector and sectors.
fn told(effects: &[VolumeEffect]) -> Vec<(u64, u64)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            VolumeEffect::Report(Report::Different { start, sectors }) => Some((*start, *sectors)),
            _ => None,
        })
        .collect()
}

fn finished(effects: &[VolumeEffect]) -> bool {
    effects.contains(&VolumeEffect::Report(Report::VerifyFinished))
}

#[test]
fn each_block_up_to_the_stop_sector_is_asked_for_once() {
    let mut v = volume(MIRRORED);
    let effects = begin(&mut v, 3, 6);
    assert_eq!(asked(&effects), [3, 4, 5]);
    let later = more(&mut v, 200);
    assert_eq!(asked(&later), []);
}

#[test]
fn no_more_blocks_are_asked_for_than_the_window_holds() {
    let mut v = volume(MIRRORED);
    let effects = begin(&mut v, 0, 1000);
    assert_eq!(asked(&effects).len(), 8);
    let after_one = compare(&mut v, 0, true);
    assert!(has_ack(&after_one, AckKind::VerifyEqual));
    let more = more(&mut v, 200);
    assert_eq!(asked(&more), [8]);
}

#[test]
fn a_full_window_is_filled_again_when_half_of_it_was_compared() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 1000);
    for number in 0..3 {
        assert_eq!(asked(&compare(&mut v, number, true)), []);
    }
    assert_eq!(asked(&compare(&mut v, 3, true)), [8, 9, 10, 11]);
}

#[test]
fn what_differs_twice_is_marked_and_told_as_one_range() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 4);
    assert!(has_ack(
        &compare(&mut v, 0, false),
        AckKind::VerifyDifferent
    ));
    compare(&mut v, 1, false);
    compare(&mut v, 2, true);
    let last = compare(&mut v, 3, true);
    assert_eq!(told(&last), [(0, 16)]);
    assert_eq!(v.out_of_sync(), 2);
    assert!(finished(&last));
    assert_eq!(v.last_verify().different, 2);
    assert!(v.verify_progress().is_none());
}

#[test]
fn neighbours_that_differ_are_one_range_in_whatever_order_they_are_settled() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 5);
    let mut ranges = Vec::new();
    for (number, equal) in [(2, false), (0, true), (1, false), (4, true), (3, false)] {
        ranges.extend(told(&compare(&mut v, number, equal)));
    }
    assert_eq!(ranges, [(8, 24)]);
}

#[test]
fn the_source_tells_a_range_when_both_neighbours_are_settled() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 1000);
    let mut outcome = |number, equal| told(&compare(&mut v, number, equal));
    for (number, equal) in [(1, false), (7, true), (2, false), (0, true), (3, true)] {
        assert_eq!(outcome(number, equal), [], "{number}");
    }
    assert_eq!(outcome(4, true), [(8, 16)]);
}

#[test]
fn a_range_is_told_when_the_verify_has_left_it_behind() {
    let mut v = volume(MIRRORED);
    let range = VerifyRange::default();
    v.set_resync_limits(LIMITS);
    v.start_verify(VerifySide::Target, range, Instant(0));
    let mut outcome = |number, equal| {
        v.verify.answered();
        told(&run(&mut v, |v, fx| {
            v.verify_result(block(number), equal, fx).unwrap()
        }))
    };
    assert_eq!(outcome(3, false), []);
    assert_eq!(outcome(4 + 15, true), []);
    assert_eq!(outcome(4 + 16, true), [(24, 8)]);
}

#[test]
fn what_differs_only_once_is_equal() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 1);
    let ticket = read(&mut v, 0);
    run(&mut v, |v, fx| {
        assert!(!v.verify_compared(ticket, false, fx))
    });
    run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    let effects = run(&mut v, |v, fx| assert!(v.verify_compared(ticket, true, fx)));
    assert!(has_ack(&effects, AckKind::VerifyEqual));
    assert_eq!(v.out_of_sync(), 0);
}

#[test]
fn a_block_that_cannot_be_read_differs() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 1);
    let mut fx = Effects::new();
    let ticket = v.verify_answered(block(0), &mut fx).unwrap().unwrap();
    run(&mut v, |v, fx| v.peer_io_done(ticket, false, fx));
    assert_eq!(
        v.peer_view(ticket).unwrap().answer,
        Answer::Compare { failed: true }
    );
    let effects = run(
        &mut v,
        |v, fx| assert!(v.verify_compared(ticket, false, fx)),
    );
    assert!(has_ack(&effects, AckKind::VerifyDifferent));
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn a_write_waits_until_its_block_is_compared() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 2);
    let (ticket, effects) = write(&mut v, 0);
    assert_eq!(effects, []);
    let after = compare(&mut v, 0, true);
    assert!(after.contains(&VolumeEffect::QueueWrite(ticket)));
}

#[test]
fn a_block_is_asked_for_when_the_writes_before_are_on_both_disks() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 1);
    assert_eq!(asked(&begin(&mut v, 0, 3)), [0, 2]);
    let mut fx = Effects::new();
    assert!(v.send_begin(ticket, 1, Instant(0)).is_some());
    v.send_done(ticket, &mut fx);
    let local = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!(asked(&local), []);
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(ticket, true, false, fx).unwrap();
    });
    assert_eq!(asked(&effects), [1]);
}

#[test]
fn writes_of_the_peer_wait_for_a_comparison_and_not_for_an_answer() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 1);
    let peer_write = |v: &mut Volume<tests::Vecs>| {
        let mut fx = Effects::new();
        let ticket = write_of_peer(v, block(0), WantedAck::Written, &mut fx);
        let submitted = fx.take().any(|e| matches!(e, VolumeEffect::SubmitPeer(_)));
        (ticket.unwrap(), submitted)
    };
    // Sent before the answer: it goes on, and the comparison waits for it.
    let (early, submitted) = peer_write(&mut v);
    assert!(submitted);
    let mut fx = Effects::new();
    let ticket = v.verify_answered(block(0), &mut fx).unwrap().unwrap();
    assert!(fx.is_empty());
    // Sent behind the answer: it waits for the comparison.
    let (late, submitted) = peer_write(&mut v);
    assert!(!submitted);
    let effects = run(&mut v, |v, fx| v.peer_io_done(early, true, fx));
    assert!(effects.contains(&VolumeEffect::SubmitPeer(ticket)));
    assert!(!effects.contains(&VolumeEffect::SubmitPeer(late)));
    run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    let effects = run(&mut v, |v, fx| assert!(v.verify_compared(ticket, true, fx)));
    assert!(effects.contains(&VolumeEffect::SubmitPeer(late)));
}

#[test]
fn an_answer_that_was_not_asked_for_is_refused() {
    let mut v = volume(MIRRORED);
    let mut fx = Effects::new();
    let error = v.verify_answered(block(0), &mut fx);
    assert_eq!(error, Err(PeerRequestError::Unexpected));
    begin(&mut v, 0, 1);
    let other = v.verify_answered(Extent::new(0, 512), &mut fx);
    assert_eq!(other, Err(PeerRequestError::Unexpected));
    read(&mut v, 0);
    let twice = v.verify_answered(block(0), &mut fx);
    assert_eq!(twice, Err(PeerRequestError::Unexpected));
}

#[test]
fn the_target_marks_what_the_source_found_and_ends_by_itself() {
    let mut v = volume(MIRRORED);
    let blocks = tests::SECTORS / 8;
    let target = VerifySide::Target;
    v.start_verify(target, VerifyRange::default(), Instant(0));
    let mut last = Vec::new();
    for number in [blocks - 2, blocks - 1] {
        let mut fx = Effects::new();
        let ticket = v
            .peer_read(block(number), u64::MAX, ReadFor::Verify, &mut fx)
            .unwrap();
        run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
        assert_eq!(
            v.peer_view(ticket).unwrap().answer,
            Answer::Digest { failed: false }
        );
        run(&mut v, |v, fx| v.peer_reply_sent(ticket, fx));
        assert!(!finished(&last));
        last = run(&mut v, |v, fx| {
            v.verify_result(block(number), number == blocks - 1, fx)
                .unwrap();
        });
    }
    assert!(finished(&last));
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn an_end_that_overtakes_the_last_outcomes_waits_for_them() {
    let mut v = volume(MIRRORED);
    v.start_verify(VerifySide::Target, VerifyRange::default(), Instant(0));
    let mut fx = Effects::new();
    for number in [0, 1] {
        let read = v.peer_read(block(number), u64::MAX, ReadFor::Verify, &mut fx);
        let ticket = read.unwrap();
        run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
        run(&mut v, |v, fx| v.peer_reply_sent(ticket, fx));
    }
    run(&mut v, |v, fx| v.verify_result(block(0), true, fx).unwrap());
    assert!(!finished(&run(&mut v, |v, fx| v.stop_verify_at(0, fx))));
    let effects = run(&mut v, |v, fx| {
        v.verify_result(block(1), false, fx).unwrap()
    });
    assert!(finished(&effects));
    assert_eq!(v.last_verify().different, 1);
    assert_eq!(v.stop_verify(&mut fx), Some(16));
}

#[test]
fn a_verify_that_is_given_up_takes_late_outcomes() {
    let mut v = volume(MIRRORED);
    let last = tests::SECTORS / 8 - 1;
    v.start_verify(VerifySide::Target, VerifyRange::default(), Instant(0));
    let mut fx = Effects::new();
    let read = v.peer_read(block(last), u64::MAX, ReadFor::Verify, &mut fx);
    let ticket = read.unwrap();
    run(&mut v, |v, fx| v.peer_io_done(ticket, true, fx));
    run(&mut v, |v, fx| v.peer_reply_sent(ticket, fx));
    let mut reached = None;
    run(&mut v, |v, fx| reached = v.stop_verify(fx));
    assert_eq!(reached, None);
    assert_eq!(
        v.start_verify(VerifySide::Source, VerifyRange::default(), Instant(1)),
        0
    );
    run(&mut v, |v, fx| {
        v.stop_verify(fx);
    });
    // And what differs is told all the same.
    let effects = run(&mut v, |v, fx| {
        v.verify_result(block(last), false, fx).unwrap();
    });
    let (start, sectors) = (last * 8, 8);
    let told = VolumeEffect::Report(Report::Different { start, sectors });
    assert!(effects.contains(&told));
    assert_eq!(v.out_of_sync(), 1);
}

#[test]
fn an_outcome_that_is_not_due_is_refused() {
    let mut v = volume(MIRRORED);
    let mut fx = Effects::new();
    let error = v.verify_result(block(0), false, &mut fx);
    assert_eq!(error, Err(PeerRequestError::Unexpected));
    assert_eq!(v.out_of_sync(), 0);
}

#[test]
fn a_verify_ends_when_all_before_the_stop_sector_is_settled_in_any_order() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 3);
    assert!(!finished(&compare(&mut v, 2, true)));
    assert!(!finished(&compare(&mut v, 0, true)));
    assert!(finished(&compare(&mut v, 1, false)));
    assert_eq!(v.stop_verify(&mut Effects::new()), Some(24));
}

#[test]
fn a_stop_sector_that_is_passed_already_ends_the_verify() {
    let mut v = volume(MIRRORED);
    // Eight blocks in each step.
    let limits = ResyncLimits {
        rate: 320,
        ..LIMITS
    };
    begin_with(limits, &mut v, 0, 1000);
    for number in 0..8 {
        assert!(!finished(&compare(&mut v, number, true)));
    }
    let effects = run(&mut v, |v, fx| v.stop_verify_at(16, fx));
    assert!(finished(&effects));
    assert_eq!(v.stop_verify(&mut Effects::new()), Some(64));
}

#[test]
fn the_next_verify_begins_where_the_last_one_stopped() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 2);
    compare(&mut v, 0, true);
    assert!(finished(&compare(&mut v, 1, true)));
    let mut fx = Effects::new();
    assert_eq!(v.stop_verify(&mut fx), Some(16));
    let first = v.start_verify(VerifySide::Source, VerifyRange::default(), Instant(0));
    assert_eq!(first, 16);
}

#[test]
fn a_lost_connection_frees_every_block() {
    let mut v = volume(MIRRORED);
    begin(&mut v, 0, 3);
    let ticket = read(&mut v, 0);
    let (waiting, _) = write(&mut v, 1);
    let at_disk = v
        .verify_answered(block(2), &mut Effects::new())
        .unwrap()
        .unwrap();
    let lonely = Policy {
        mirror: MirrorUse::Mark,
        ..MIRRORED
    };
    run(&mut v, |v, fx| v.set_policy(lonely, fx));
    run(&mut v, |v, fx| v.connection_lost(fx));
    // What was in the send queue, and at the disk.
    let effects = run(&mut v, |v, fx| v.peer_reply_sent(ticket, fx));
    assert!(effects.contains(&VolumeEffect::ReleasePeer(ticket)));
    run(&mut v, |v, fx| v.peer_io_done(at_disk, true, fx));
    assert_eq!(v.peers.used(), 0);
    run(&mut v, |v, fx| v.local_done(waiting, true, fx));
    assert_eq!(v.requests(), 0);
    assert!(v.verify_progress().is_none());
}
