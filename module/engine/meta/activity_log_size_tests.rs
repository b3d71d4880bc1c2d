// SPDX-License-Identifier: GPL-2.0

//! Tests of logs that get more or fewer slots while they are in use. That no active extent gets
//! lost by it is part of the property in `activity_log_tests`.

use super::super::activity_log::{
    tests::{
        commit,
        log,
        Log, //
    },
    Begin, //
};
use super::*;
use std::vec;
use std::vec::Vec;

/// Makes extents active, or tries to.
fn begin(log: &mut Log, extents: &[u32]) -> Vec<Begin> {
    extents.iter().map(|&extent| log.begin(extent)).collect()
}

fn memory(slots: usize) -> LogMemory<super::super::activity_log::tests::Heap> {
    (
        vec![LogSlot::default(); slots].into(),
        vec![0; slots].into(),
    )
}

#[test]
fn a_log_that_grows_keeps_its_extents_and_takes_more() {
    let mut log = log(2);
    begin(&mut log, &[1, 2]);
    commit(&mut log);
    assert_eq!(log.begin(3), Begin::NoSlot);
    log.grow(memory(4));
    // The memory is there, the slots are not in use yet.
    assert_eq!(log.begin(3), Begin::NoSlot);
    log.set_limit(4);
    assert!(log.is_active(1) && log.is_active(2));
    let begun = begin(&mut log, &[3, 4, 5]);
    assert_eq!(
        begun,
        [Begin::NeedsCommit, Begin::NeedsCommit, Begin::NoSlot]
    );
    assert_eq!(commit(&mut log), []);
    assert_eq!(log.used(), 4);
}

#[test]
fn a_log_that_shrinks_tells_the_disk_which_extents_left() {
    let mut log = log(4);
    begin(&mut log, &[1, 2, 3, 4]);
    commit(&mut log);
    for extent in [3, 1] {
        log.end(extent).unwrap();
    }
    log.set_limit(2);
    // One of those past the limit is at rest, the other one is in use.
    assert_eq!(log.uncommitted(), 1);
    assert_eq!(commit(&mut log), [3]);
    assert!(log.is_active(4));
    log.end(4).unwrap();
    assert_eq!(commit(&mut log), [4]);
    assert_eq!(log.uncommitted(), 0);
    assert!(log.begin_if_active(1));
    assert_eq!(log.begin(3), Begin::NoSlot);
}

#[test]
fn an_extent_that_leaves_can_come_back_to_another_slot() {
    let mut log = log(3);
    begin(&mut log, &[1, 2, 3]);
    commit(&mut log);
    for extent in [1, 3] {
        log.end(extent).unwrap();
    }
    log.set_limit(2);
    assert_eq!(log.begin(3), Begin::NeedsCommit);
    // Slot 0 had extent 1, and slot 2 has extent 3 until then.
    assert_eq!(commit(&mut log), [1, 3]);
    assert!(log.is_active(3));
    assert_eq!(log.uncommitted(), 0);
}

#[test]
fn who_leaves_waits_for_those_that_come() {
    let mut log = log(100);
    let all: Vec<u32> = (0..64).collect();
    begin(&mut log, &all);
    commit(&mut log);
    for extent in 0..64 {
        log.end(extent).unwrap();
    }
    log.set_limit(10);
    begin(&mut log, &[70]);
    assert_eq!(commit(&mut log).len(), 55);
    assert!(log.is_active(70));
    assert_eq!(log.uncommitted(), 0);
}

#[test]
fn a_failed_transaction_with_slots_that_leave_is_tried_again() {
    let mut log = log(2);
    begin(&mut log, &[1, 2]);
    commit(&mut log);
    log.end(2).unwrap();
    log.set_limit(1);
    let mut block = [0; super::super::activity_log_block::BLOCK_BYTES];
    let crc = super::super::activity_log_block::tests::raw_crc32c;
    assert!(log.commit(&mut block, crc).unwrap().is_some());
    log.failed();
    assert_eq!(log.uncommitted(), 1);
    assert_eq!(commit(&mut log), [2]);
}

#[test]
fn the_limit_is_what_there_is_memory_for_and_never_none() {
    let mut log = log(3);
    log.set_limit(9);
    assert_eq!(log.limit(), 3);
    log.set_limit(0);
    assert_eq!(log.limit(), 1);
    // Less memory than before is given back.
    assert_eq!(log.grow(memory(2)).0.len(), 2);
}
