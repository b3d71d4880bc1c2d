// SPDX-License-Identifier: GPL-2.0

//! Tests of the cutting of discards.

use super::*;
use PartAction::{
    Discard,
    Zero, //
};

const PLAIN: DiscardLimits = DiscardLimits {
    most: 8192,
    granularity: 8,
    alignment: 0,
};

fn sectors(sector: u64, sectors: u32) -> Extent {
    Extent::new(sector, sectors * SECTOR_SIZE)
}

fn parts(
    limits: DiscardLimits,
    operation: Operation,
    extent: Extent,
) -> Vec<(u64, u64, PartAction)> {
    limits
        .parts(operation, extent)
        .map(|part| (part.extent.sector, part.extent.sectors(), part.action))
        .collect()
}

fn discard(limits: DiscardLimits, sector: u64, count: u32) -> Vec<(u64, u64, PartAction)> {
    parts(limits, Operation::Discard, sectors(sector, count))
}

const ZERO: PartAction = Zero { unmap: true };

#[test]
fn whole_units_are_discarded_and_edges_are_zeroed() {
    assert_eq!(discard(PLAIN, 16, 32), [(16, 32, Discard)]);
    assert_eq!(
        discard(PLAIN, 13, 32),
        [(13, 3, ZERO), (16, 24, Discard), (40, 5, ZERO)]
    );
    assert_eq!(discard(PLAIN, 16, 9), [(16, 8, Discard), (24, 1, ZERO)]);
    assert_eq!(discard(PLAIN, 15, 9), [(15, 1, ZERO), (16, 8, Discard)]);
}

#[test]
fn what_holds_no_whole_unit_is_zeroed() {
    assert_eq!(discard(PLAIN, 16, 7), [(16, 7, ZERO)]);
    assert_eq!(discard(PLAIN, 12, 11), [(12, 11, ZERO)]);
}

#[test]
fn units_may_begin_behind_the_start_of_the_device() {
    let shifted = DiscardLimits {
        alignment: 5,
        ..PLAIN
    };
    assert_eq!(discard(shifted, 5, 16), [(5, 16, Discard)]);
    assert_eq!(
        discard(shifted, 0, 16),
        [(0, 5, ZERO), (5, 8, Discard), (13, 3, ZERO)]
    );
    assert_eq!(discard(shifted, 0, 4), [(0, 4, ZERO)]);
    // What the device says of its alignment may be more than a unit.
    let far = DiscardLimits {
        alignment: 13,
        ..PLAIN
    };
    assert_eq!(discard(far, 5, 8), [(5, 8, Discard)]);
}

#[test]
fn a_discard_is_no_larger_than_the_device_takes() {
    let small = DiscardLimits { most: 20, ..PLAIN };
    // 20 sectors are not whole units: 16 are.
    assert_eq!(
        discard(small, 0, 40),
        [(0, 16, Discard), (16, 16, Discard), (32, 8, Discard)]
    );
    let smaller_than_a_unit = DiscardLimits { most: 7, ..PLAIN };
    assert_eq!(discard(smaller_than_a_unit, 0, 40), [(0, 40, ZERO)]);
}

#[test]
fn a_device_without_discards_zeroes() {
    let none = DiscardLimits::default();
    assert_eq!(discard(none, 0, 40), [(0, 40, ZERO)]);
    let unknown_unit = DiscardLimits { most: 100, ..none };
    assert_eq!(discard(unknown_unit, 3, 40), [(3, 40, Discard)]);
}

#[test]
fn zeroes_are_written_in_one_piece_as_they_were_asked_for() {
    for unmap in [false, true] {
        let operation = Operation::Zeroes { unmap };
        let found = parts(PLAIN, operation, sectors(3, 40));
        assert_eq!(found, [(3, 40, Zero { unmap })]);
    }
}

#[test]
fn other_operations_have_no_parts() {
    for operation in [Operation::Write, Operation::Read, Operation::Flush] {
        assert_eq!(parts(PLAIN, operation, sectors(0, 8)), []);
    }
}

#[test]
fn parts_cover_the_range_and_discards_are_whole_units() {
    for granularity in [0, 1, 3, 8, 24] {
        for alignment in [0, 1, 7, 30] {
            for most in [0, 5, 8, 100] {
                let limits = DiscardLimits {
                    most,
                    granularity,
                    alignment,
                };
                for start in 0..60 {
                    for count in 1..60 {
                        check_cover(limits, start, count);
                    }
                }
            }
        }
    }
}

fn check_cover(limits: DiscardLimits, start: u64, count: u32) {
    let unit = u64::from(limits.granularity.max(1));
    let offset = u64::from(limits.alignment) % unit;
    let mut at = start;
    for (sector, sectors, action) in discard(limits, start, count) {
        assert_eq!(sector, at, "{limits:?} {start}+{count}");
        assert!(sectors != 0);
        at += sectors;
        if action == Discard {
            assert!(sector >= offset && (sector - offset) % unit == 0);
            assert!(sectors % unit == 0 && sectors <= u64::from(limits.most));
        }
    }
    assert_eq!(at, start + u64::from(count));
}

#[test]
fn a_whole_piece_is_known() {
    assert!(PLAIN.takes_whole(sectors(8, 64)));
    assert!(!PLAIN.takes_whole(sectors(8, 65)));
    assert!(!PLAIN.takes_whole(sectors(8, 8200)));
    assert!(!DiscardLimits::default().takes_whole(sectors(8, 64)));
}
