// SPDX-License-Identifier: GPL-2.0

//! Tests of the epochs.

use super::*;

#[test]
fn writes_before_any_completion_share_an_epoch() {
    let mut s = Stream::new(100);
    let a = s.place_write();
    let b = s.place_write();
    assert_eq!((a.barrier, b.barrier), (None, None));
    assert_eq!(a.epoch, b.epoch);
}

#[test]
fn a_write_after_a_completion_comes_behind_a_barrier() {
    let mut s = Stream::new(100);
    let a = s.place_write();
    s.close_epoch(a.epoch);
    let b = s.place_write();
    assert_eq!(b.barrier, Some(a.epoch));
    assert_ne!(a.epoch, b.epoch);
}

#[test]
fn completion_of_an_old_epoch_closes_nothing() {
    let mut s = Stream::new(100);
    let a = s.place_write();
    s.close_epoch(a.epoch);
    let b = s.place_write();
    s.close_epoch(a.epoch);
    assert_eq!(s.place_write().epoch, b.epoch);
}

#[test]
fn a_full_epoch_is_closed() {
    let mut s = Stream::new(2);
    let a = s.place_write();
    s.place_write();
    assert_eq!(s.place_write().barrier, Some(a.epoch));
}

#[test]
fn an_idle_connection_sends_the_barrier_that_is_due_once() {
    let mut s = Stream::new(100);
    let a = s.place_write();
    s.close_epoch(a.epoch);
    assert_eq!(s.take_barrier(), Some(a.epoch));
    assert_eq!(s.take_barrier(), None);
    assert_eq!(s.place_write().barrier, None);
}

#[test]
fn barrier_acks_must_come_in_order_with_the_right_count() {
    let mut s = Stream::new(100);
    let a = s.place_write();
    s.close_epoch(a.epoch);
    s.take_barrier();
    assert!(s.barrier_acked(a.epoch + 1, 1).is_err());
    assert_eq!(
        s.barrier_acked(a.epoch, 2),
        Err(EpochError::WrongCount {
            barrier: a.epoch,
            sent: 1,
            got: 2
        })
    );
    assert_eq!(s.barrier_acked(a.epoch, 1), Ok(false));
    assert!(s.barrier_acked(a.epoch, 1).is_err());
}

#[test]
fn too_many_open_epochs_let_the_current_one_grow() {
    let mut s = Stream::new(100);
    for _ in 0..MAX_UNACKED_EPOCHS + 5 {
        let w = s.place_write();
        s.close_epoch(w.epoch);
        s.take_barrier();
    }
    assert_eq!(s.unacked_epochs(), MAX_UNACKED_EPOCHS);
    let last = s.current.number.get();
    assert_eq!(s.barrier_acked(0, 1), Ok(true));
    assert_eq!(s.place_write().barrier, Some(last));
}

#[test]
fn the_peers_barrier_waits_for_its_writes() {
    let mut s = Stream::new(100);
    s.peer_write_started();
    s.peer_write_started();
    assert_eq!(s.peer_barrier(7, true), Ok(BarrierStep::Wait));
    assert_eq!(s.peer_write_finished(0), Ok(EpochStep::default()));
    assert!(s.peer_write_finished(0).unwrap().drained);
    assert_eq!(s.peer_epoch_flushed(), Some((7, 2)));
}

#[test]
fn the_peers_barrier_after_its_writes_is_answered_at_once() {
    let mut s = Stream::new(100);
    s.peer_write_started();
    assert_eq!(s.peer_write_finished(0), Ok(EpochStep::default()));
    assert_eq!(s.peer_barrier(7, true), Ok(BarrierStep::Flush));
    assert_eq!(s.peer_epoch_flushed(), Some((7, 1)));
}

/// A write of the next epoch, and its barrier that is not waited for.
fn epoch_of_one(s: &mut Stream, barrier: u32) -> u32 {
    let epoch = s.peer_write_started();
    assert_eq!(s.peer_barrier(barrier, false), Ok(BarrierStep::GoOn));
    epoch
}

#[test]
fn without_an_order_barriers_are_answered_in_turn_as_their_writes_are_done() {
    let mut s = Stream::new(100);
    let first = epoch_of_one(&mut s, 7);
    let second = epoch_of_one(&mut s, 8);
    assert_eq!(s.peer_epoch_done(), None);
    assert_eq!(s.peer_write_finished(second), Ok(EpochStep::default()));
    let step = s.peer_write_finished(first).unwrap();
    assert!(step.done && !step.drained);
    assert_eq!(s.peer_epoch_done(), Some((7, 1)));
    assert_eq!(s.peer_epoch_done(), Some((8, 1)));
    assert_eq!(s.peer_epoch_done(), None);
}

#[test]
fn without_an_order_an_empty_epoch_is_not_answered() {
    let mut s = Stream::new(100);
    let first = epoch_of_one(&mut s, 7);
    assert_eq!(s.peer_barrier(8, false), Ok(BarrierStep::GoOn));
    let third = epoch_of_one(&mut s, 9);
    s.peer_write_put_off(first).unwrap();
    assert!(s.peer_write_finished(third).unwrap().done);
    assert_eq!(s.peer_epoch_done(), Some((9, 1)));
    assert_eq!(s.peer_write_finished(first), Err(Invariant::Epoch));
}

#[test]
fn an_order_that_comes_waits_for_what_is_under_way_without() {
    let mut s = Stream::new(100);
    let first = epoch_of_one(&mut s, 7);
    let second = s.peer_write_started();
    assert!(!s.peer_write_finished(second).unwrap().drained);
    assert_eq!(s.peer_barrier(8, true), Ok(BarrierStep::Wait));
    let step = s.peer_write_finished(first).unwrap();
    assert!(step.done && step.drained);
    assert_eq!(s.peer_epoch_done(), Some((7, 1)));
    assert_eq!(s.peer_epoch_flushed(), Some((8, 1)));
}

#[test]
fn with_too_many_epochs_under_way_a_barrier_is_waited_for_all_the_same() {
    let mut s = Stream::new(100);
    let epochs: Vec<u32> = (0..MAX_OPEN_EPOCHS as u32)
        .map(|barrier| epoch_of_one(&mut s, barrier))
        .collect();
    let last = s.peer_write_started();
    assert_eq!(s.peer_barrier(99, false), Ok(BarrierStep::Wait));
    assert!(!s.peer_write_finished(last).unwrap().drained);
    let steps: Vec<_> = epochs
        .iter()
        .map(|&epoch| s.peer_write_finished(epoch).unwrap().drained)
        .collect();
    assert_eq!(steps.iter().filter(|drained| **drained).count(), 1);
    assert_eq!(steps.last(), Some(&true));
    let answers = core::iter::from_fn(|| s.peer_epoch_done());
    assert_eq!(answers.count(), MAX_OPEN_EPOCHS);
    assert_eq!(s.peer_epoch_flushed(), Some((99, 1)));
}

#[test]
fn two_barriers_at_once_are_an_error() {
    let mut s = Stream::new(100);
    s.peer_write_started();
    assert_eq!(s.peer_barrier(7, true), Ok(BarrierStep::Wait));
    assert_eq!(s.peer_barrier(8, true), Err(EpochError::BarrierInBarrier));
}

#[test]
fn a_retracted_write_is_not_counted() {
    let mut s = Stream::new(100);
    let a = s.place_write();
    s.place_write();
    s.retract_write(a.epoch).unwrap();
    s.close_epoch(a.epoch);
    s.take_barrier();
    assert_eq!(s.barrier_acked(a.epoch, 1), Ok(false));
}

#[test]
fn an_epoch_whose_only_write_is_retracted_needs_no_acknowledgement() {
    let mut s = Stream::new(100);
    let a = s.place_write();
    s.close_epoch(a.epoch);
    s.take_barrier();
    s.retract_write(a.epoch).unwrap();
    let b = s.place_write();
    s.close_epoch(b.epoch);
    s.take_barrier();
    assert_eq!(s.barrier_acked(b.epoch, 1), Ok(false));
}

#[test]
fn an_epoch_that_found_no_place_is_closed_when_there_is_one() {
    let mut s = Stream::new(100);
    let first = s.place_write().epoch;
    for _ in 0..MAX_UNACKED_EPOCHS {
        let epoch = s.current.number.get();
        s.close_epoch(epoch);
        s.place_write();
    }
    let last = s.current.number.get();
    s.close_epoch(last);
    assert_eq!(s.take_barrier(), None);
    assert_eq!(s.barrier_acked(first, 1), Ok(true));
    assert_eq!(s.take_barrier(), Some(last));
    assert_eq!(s.barrier_acked(first + 1, 1), Ok(false));
}

#[test]
fn a_barrier_is_still_owed_until_the_epoch_is_closed_and_its_barrier_taken() {
    let mut s = Stream::new(100);
    assert!(!s.is_open());
    let epoch = s.place_write().epoch;
    assert!(s.is_open());
    assert_eq!(s.take_barrier(), None);
    s.close_epoch(epoch);
    assert!(s.is_open());
    assert_eq!(s.take_barrier(), Some(epoch));
    assert!(!s.is_open());
}

#[test]
fn a_write_that_no_epoch_has_is_an_error() {
    let mut s = Stream::new(10);
    let epoch = s.place_write().epoch;
    assert_eq!(
        s.retract_write(epoch.wrapping_sub(1)),
        Err(Invariant::Epoch)
    );
    assert_eq!(s.retract_write(epoch), Ok(()));
    assert_eq!(s.retract_write(epoch), Err(Invariant::Epoch));
}

#[test]
fn a_write_of_the_peer_that_finishes_twice_is_an_error() {
    let mut s = Stream::new(10);
    s.peer_write_started();
    assert_eq!(s.peer_write_finished(0), Ok(EpochStep::default()));
    assert_eq!(s.peer_write_finished(0), Err(Invariant::Epoch));
}

#[test]
fn an_acknowledgement_before_its_barrier_is_unexpected() {
    let mut s = Stream::new(10);
    let epoch = s.place_write().epoch;
    s.close_epoch(epoch);
    let early = EpochError::UnexpectedBarrier { got: epoch };
    assert_eq!(s.barrier_acked(epoch, 1), Err(early));
    assert_eq!((s.take_barrier(), s.unacked_epochs()), (Some(epoch), 1));
    assert_eq!(s.barrier_acked(epoch, 1), Ok(false));
}
