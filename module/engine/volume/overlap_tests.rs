// SPDX-License-Identifier: GPL-2.0

//! Tests of the table of ranges in flight.

use super::*;

const MIB: u32 = 1 << 20;

fn table() -> Overlaps<Vec<OverlapNode>, Vec<u32>> {
    Overlaps::new(vec![OverlapNode::default(); 16], vec![0; 4], 4)
}

#[test]
fn an_earlier_overlapping_range_is_found() {
    let mut t = table();
    t.insert(Owner::Local(0), Extent::new(8, 4096), 1);
    assert!(t.earlier(Extent::new(15, 512), 2));
    assert!(!t.earlier(Extent::new(16, 512), 2));
    assert!(!t.earlier(Extent::new(15, 512), 1));
}

#[test]
fn a_range_over_the_border_of_regions_is_found_from_both_sides() {
    let mut t = table();
    t.insert(Owner::Peer(1), Extent::new(2040, 8192), 1);
    assert!(t.earlier(Extent::new(2041, 512), 2));
    assert!(t.earlier(Extent::new(2050, 512), 2));
    t.remove(Owner::Peer(1));
    assert!(!t.earlier(Extent::new(2041, 512), 2));
    assert!(!t.earlier(Extent::new(2050, 512), 2));
}

#[test]
fn a_large_range_is_found_in_its_middle_and_finds_small_ones() {
    let mut t = table();
    t.insert(Owner::Peer(0), Extent::new(0, 128 * MIB), 1);
    assert!(t.earlier(Extent::new(100_000, 512), 2));
    assert!(!t.earlier(Extent::new(128 * 2048, 512), 2));
    t.remove(Owner::Peer(0));
    assert!(!t.earlier(Extent::new(100_000, 512), 2));
    t.insert(Owner::Local(3), Extent::new(100_000, 512), 3);
    assert!(t.earlier(Extent::new(0, 128 * MIB), 4));
}

#[test]
fn removing_one_leaves_the_others_of_its_bucket() {
    let mut t = table();
    for slot in 0..3 {
        t.insert(
            Owner::Local(slot),
            Extent::new(u64::from(slot) * 8, 4096),
            1,
        );
    }
    t.remove(Owner::Local(1));
    assert!(t.earlier(Extent::new(0, 512), 2));
    assert!(!t.earlier(Extent::new(8, 512), 2));
    assert!(t.earlier(Extent::new(16, 512), 2));
}

#[test]
fn what_is_less_than_a_sector_overlaps_nothing() {
    let mut overlaps = table();
    let part = Extent::new(0, 100);
    overlaps.insert(Owner::Local(0), Extent::new(0, 4096), 1);
    assert_eq!(overlaps.find_owner(part, |_| true), None);
    overlaps.insert(Owner::Peer(0), part, 2);
    overlaps.remove(Owner::Peer(0));
    assert!(!overlaps.earlier(part, 9));
}
