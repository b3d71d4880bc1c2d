// SPDX-License-Identifier: GPL-2.0

//! Tests of the activity log in memory, and of what a crash leaves of it.

use super::super::activity_log_block::{
    emit_initialized,
    replay,
    tests::raw_crc32c,
    Block,
    Scan,
    BLOCK_BYTES,
    CONTEXT_SLOTS, //
};
use super::*;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

pub(crate) struct Heap;

impl Storage for Heap {
    type Array<T: 'static> = Box<[T]>;
}

pub(crate) type Log = ActivityLog<Heap>;

pub(crate) fn log(slots: usize) -> Log {
    let memory = vec![LogSlot::default(); slots].into();
    Log::new(memory, vec![0; slots / 2 + 1].into(), Ring::DEFAULT, 0).unwrap()
}

/// Commits what is collected; returns the evicted extents.
pub(crate) fn commit(log: &mut Log) -> Vec<u32> {
    let mut block = [0; BLOCK_BYTES];
    let commit = log.commit(&mut block, raw_crc32c).unwrap().unwrap();
    log.committed();
    commit.evicted().to_vec()
}

#[test]
fn a_new_extent_needs_a_commit_and_then_none() {
    let mut log = log(7);
    assert_eq!(log.begin(5), Begin::NeedsCommit);
    assert!(!log.is_active(5) && !log.begin_if_active(5));
    assert_eq!(log.begin(5), Begin::NeedsCommit);
    assert_eq!(commit(&mut log), []);
    assert!(log.is_active(5));
    assert_eq!(log.begin(5), Begin::Active);
    assert!(log.begin_if_active(5));
    assert_eq!(log.used(), 1);
    for last in [false, false, false, true] {
        assert_eq!(log.end(5), Ok(last));
    }
    assert_eq!(log.end(5), Err(NotReferenced));
    assert!(log.begin_if_active(5));
}

#[test]
fn the_least_recently_used_extent_is_evicted() {
    let mut log = log(3);
    for extent in [1, 2, 3] {
        assert_eq!(log.begin(extent), Begin::NeedsCommit);
    }
    commit(&mut log);
    for extent in [2, 1, 3] {
        log.end(extent).unwrap();
    }
    assert_eq!(log.begin(4), Begin::NeedsCommit);
    assert_eq!(commit(&mut log), [2]);
    assert!(log.begin_if_active(1) && log.begin_if_active(3) && !log.begin_if_active(2));
    assert_eq!(log.begin(5), Begin::NoSlot);
    assert_eq!(log.end(4), Ok(true));
    assert_eq!(log.begin(5), Begin::NeedsCommit);
    assert_eq!(commit(&mut log), [4]);
}

#[test]
fn a_transaction_takes_64_changes() {
    let mut log = log(100);
    for extent in 0..64 {
        assert_eq!(log.begin(extent), Begin::NeedsCommit);
    }
    assert_eq!(log.begin(64), Begin::TransactionFull);
    let mut block = [0; BLOCK_BYTES];
    assert!(log.commit(&mut block, raw_crc32c).unwrap().is_some());
    // The next transaction is collected while this one is on its way.
    assert_eq!(log.begin(64), Begin::NeedsCommit);
    assert!(log.commit(&mut block, raw_crc32c).unwrap().is_none());
    log.committed();
    assert!(log.is_active(63) && !log.is_active(64));
    assert_eq!(log.collected(), 1);
    commit(&mut log);
    assert!(log.is_active(64));
    assert_eq!(log.next_number(), 2);
}

#[test]
fn an_extent_nobody_waits_for_any_more_is_committed_all_the_same() {
    let mut log = log(2);
    assert_eq!(log.begin(1), Begin::NeedsCommit);
    assert_eq!(log.end(1), Ok(true));
    commit(&mut log);
    assert!(!log.is_active(1));
    assert_eq!(log.begin(1), Begin::Active);
}

#[test]
fn a_failed_transaction_is_tried_again_with_the_same_number() {
    let mut log = log(4);
    log.begin(1);
    let mut block = [0; BLOCK_BYTES];
    assert_eq!(
        log.commit(&mut block, raw_crc32c).unwrap().map(|c| c.block),
        Some(0)
    );
    log.failed();
    assert!(!log.is_active(1));
    assert_eq!(
        log.commit(&mut block, raw_crc32c).unwrap().map(|c| c.block),
        Some(0)
    );
    log.committed();
    assert!(log.is_active(1));
    assert_eq!(log.next_number(), 1);
}

#[test]
fn without_updates_extents_become_active_at_once() {
    let mut log = log(4);
    log.begin(1);
    log.commit_unlogged();
    assert!(log.is_active(1));
    assert_eq!(log.next_number(), 0);
}

#[test]
fn forgotten_extents_need_a_commit_again() {
    let mut log = log(4);
    log.begin(1);
    log.begin(2);
    commit(&mut log);
    log.end(1).unwrap();
    log.forget_idle();
    assert_eq!(log.extents().collect::<Vec<_>>(), [(2, 1)]);
    assert_eq!(log.begin(1), Begin::NeedsCommit);
    assert_eq!(commit(&mut log), []);
}

#[test]
fn the_context_goes_round_all_slots() {
    let slots = usize::from(CONTEXT_SLOTS) * 2 + 10;
    let mut log = log(slots);
    let mut starts = Vec::new();
    for _ in 0..4 {
        let mut block = [0; BLOCK_BYTES];
        log.refresh(&mut block, raw_crc32c).unwrap().unwrap();
        let Ok(Block::Update(update)) = Block::parse(&block, raw_crc32c) else {
            panic!("not an update");
        };
        starts.push(update.context_start);
    }
    assert_eq!(starts, [0, CONTEXT_SLOTS, 2 * CONTEXT_SLOTS, 0]);
}

#[test]
fn impossible_memory_and_extents_are_refused() {
    let none: Box<[LogSlot]> = Box::new([]);
    assert!(Log::new(none, vec![0].into(), Ring::DEFAULT, 0).is_none());
    assert_eq!(log(3).begin(FREE), Begin::NoSlot);
    assert_eq!(extent_of(8191), Some(0));
    assert_eq!(extent_of(8192), Some(1));
    assert_eq!(extent_of(u64::MAX), None);
}

/// The extents that a crash now would leave as possibly changed.
fn after_crash(disk: &[[u8; BLOCK_BYTES]]) -> BTreeSet<u32> {
    let mut scan = Scan::new(Ring::DEFAULT);
    for block in disk {
        scan.visit(&Block::parse(block, raw_crc32c));
    }
    let plan = scan.finish().unwrap();
    let mut slots = vec![FREE; 16];
    for position in plan.positions(Ring::DEFAULT) {
        if let Ok(Block::Update(update)) = Block::parse(&disk[position as usize], raw_crc32c) {
            replay(&update, &mut slots);
        }
    }
    slots.into_iter().filter(|&extent| extent != FREE).collect()
}

proptest! {
    // Every step looks at the whole log, as after a crash.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_active_extent_survives_a_crash(
        slots in 1..12usize,
        ops in proptest::collection::vec((0..10u8, 0..20u32), 1..80),
    ) {
        let mut log = log(slots);
        let mut fresh = [0; BLOCK_BYTES];
        emit_initialized(&mut fresh, raw_crc32c);
        let mut disk = vec![fresh; 8];
        let mut refs: BTreeMap<u32, u32> = BTreeMap::new();
        let mut on_way = None;
        for (op, extent) in ops {
            match op {
                0..=2 => match log.begin(extent) {
                    Begin::Active | Begin::NeedsCommit => *refs.entry(extent).or_default() += 1,
                    Begin::TransactionFull => prop_assert!(false),
                    Begin::NoSlot => prop_assert!(!refs.contains_key(&extent)),
                },
                3..=4 => {
                    let known = refs.get(&extent).copied().unwrap_or(0);
                    let want = if known == 0 { Err(NotReferenced) } else { Ok(known == 1) };
                    prop_assert_eq!(log.end(extent), want);
                    if known > 1 {
                        refs.insert(extent, known - 1);
                    } else {
                        refs.remove(&extent);
                    }
                }
                5 => {
                    let mut block = [0; BLOCK_BYTES];
                    if let Some(commit) = log.commit(&mut block, raw_crc32c).unwrap() {
                        on_way = Some((commit.block as usize, block));
                        // The write may be torn at any time from here on.
                        let mut torn = disk.clone();
                        torn[commit.block as usize] = [0x55; BLOCK_BYTES];
                        let left = after_crash(&torn);
                        for (&extent, _) in refs.iter().filter(|(&e, _)| log.is_active(e)) {
                            prop_assert!(left.contains(&extent));
                        }
                    }
                }
                6 => if let Some((at, block)) = on_way.take() {
                    disk[at] = block;
                    log.committed();
                },
                7 => log.set_limit(extent as u16),
                8 => {
                    let more = vec![LogSlot::default(); 16 - extent as usize / 2].into();
                    log.grow((more, vec![0; 5].into()));
                }
                _ => if on_way.take().is_some() {
                    log.failed();
                },
            }
            prop_assert_eq!(log.used() as usize, refs.len());
            let left = after_crash(&disk);
            for (&extent, _) in refs.iter().filter(|(&e, _)| log.is_active(e)) {
                prop_assert!(left.contains(&extent));
            }
        }
    }
}
