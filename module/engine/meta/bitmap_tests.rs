// SPDX-License-Identifier: GPL-2.0

//! Tests of the dirty bitmap.

use super::*;
use proptest::prelude::*;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

struct Heap;

impl Storage for Heap {
    type Array<T: 'static> = Box<[T]>;
}

type Map = Bitmap<Heap>;

fn memory(sectors: u64, set: bool) -> (Box<[u64]>, Box<[u64]>) {
    let words = vec![Map::filling(set); Map::words_needed(sectors) as usize];
    let changed = vec![0; Map::changed_needed(sectors) as usize];
    (words.into(), changed.into())
}

fn bitmap(sectors: u64) -> Map {
    let (words, changed) = memory(sectors, false);
    Map::new(words, changed, sectors).unwrap()
}

fn extent(sector: u64, sectors: u32) -> Extent {
    Extent::new(sector, sectors * 512)
}

#[test]
fn sizes_round_up() {
    assert_eq!(bits_for(8), 1);
    assert_eq!(bits_for(9), 2);
    assert_eq!(pages_for(PAGE_BITS * 8), 1);
    assert_eq!(pages_for(PAGE_BITS * 8 + 1), 2);
    assert_eq!(Map::words_needed(1), 512);
    assert_eq!(Map::changed_needed(PAGE_BITS * 8 * 64 + 1), 2);
}

#[test]
fn too_little_memory_is_refused() {
    let (words, changed) = memory(8, false);
    assert!(Map::new(words, changed, PAGE_BITS * 8 + 8).is_err());
}

#[test]
fn out_of_sync_rounds_outwards() {
    let mut map = bitmap(8000);
    assert_eq!(map.set_out_of_sync(extent(7, 2)), 2);
    assert!(map.is_set(0) && map.is_set(1) && !map.is_set(2));
    assert_eq!(map.set_out_of_sync(extent(8, 8)), 0);
    assert_eq!(map.set_out_of_sync(extent(100, 0)), 0);
    assert_eq!(map.weight(), 2);
}

#[test]
fn in_sync_rounds_inwards() {
    let mut map = bitmap(8000);
    map.set_all();
    assert_eq!(map.set_in_sync(extent(7, 8)), 0);
    assert_eq!(map.set_in_sync(extent(7, 9)), 1);
    assert!(!map.is_set(1));
    assert_eq!(map.set_in_sync(extent(16, 15)), 1);
    assert_eq!(map.weight(), 998);
}

#[test]
fn the_short_last_block_can_become_in_sync() {
    let mut map = bitmap(21);
    map.set_all();
    assert_eq!(map.bits(), 3);
    assert_eq!(map.set_in_sync(extent(16, 4)), 0);
    assert_eq!(map.set_in_sync(extent(16, 5)), 1);
    assert_eq!(map.weight(), 2);
}

#[test]
fn extents_past_the_end_are_clipped() {
    let mut map = bitmap(16);
    assert_eq!(map.set_out_of_sync(extent(8, 100)), 1);
    assert_eq!(map.set_out_of_sync(extent(16, 100)), 0);
    assert_eq!(map.set_out_of_sync(extent(u64::MAX, 8)), 0);
    assert_eq!(map.set_in_sync(extent(u64::MAX - 2, 8)), 0);
    assert_eq!(map.set_in_sync(extent(0, 100)), 1);
    assert!(map.is_in_sync(extent(0, 100)));
}

#[test]
fn pages_remember_that_they_changed() {
    let mut map = bitmap(PAGE_BITS * 8 * 3);
    assert_eq!(map.next_changed_page(0), None);
    map.set_range(PAGE_BITS - 1, 2);
    assert!(map.is_page_changed(0) && map.is_page_changed(1) && !map.is_page_changed(2));
    let mut image = [0xffu8; PAGE_BYTES];
    assert!(map.take_page(0, &mut image));
    assert_eq!(image[PAGE_BYTES - 1], 0x80);
    assert_eq!(map.next_changed_page(0), Some(1));
    // A bit that is set already changes nothing.
    map.set_range(PAGE_BITS - 1, 1);
    assert!(!map.is_page_changed(0));
    map.mark_page(0);
    assert_eq!(map.next_changed_page(0), Some(0));
    map.mark_all_pages();
    assert_eq!(map.next_changed_page(2), Some(2));
    assert_eq!(map.next_changed_page(3), None);
    assert!(!map.take_page(3, &mut image));
}

#[test]
fn a_page_from_disk_replaces_bits_and_loses_those_past_the_end() {
    let mut map = bitmap(100 * 8);
    map.set_range(50, 10);
    let mut image = [0xffu8; PAGE_BYTES];
    image[0] = 0x01;
    assert!(map.put_page(0, &image));
    assert_eq!(map.weight(), 93);
    assert!(map.is_set(0) && !map.is_set(1) && map.is_set(99) && !map.is_set(100));
    assert_eq!(map.next_changed_page(0), None);
    assert!(!map.put_page(1, &image));
}

#[test]
fn growing_sets_or_clears_the_new_bits() {
    for set_new in [false, true] {
        let mut map = bitmap(10 * 8);
        map.set_range(3, 2);
        let mut image = [0; PAGE_BYTES];
        map.take_page(0, &mut image);
        let new = PAGE_BITS * 8 + 8;
        let (words, changed) = memory(new, set_new);
        assert!(map.resize(words, changed, new, set_new).is_ok());
        assert_eq!(
            map.weight(),
            if set_new { 2 + PAGE_BITS + 1 - 10 } else { 2 }
        );
        assert_eq!(map.is_page_changed(0), set_new);
        assert!(map.is_page_changed(1));
        assert!(map.is_set(3) && !map.is_set(9));
        assert_eq!(map.is_set(10), set_new);
    }
}

#[test]
fn shrinking_drops_the_bits_past_the_end() {
    let mut map = bitmap(PAGE_BITS * 8 * 2);
    map.set_all();
    let (words, changed) = memory(80, true);
    assert!(map.resize(words, changed, 80, true).is_ok());
    assert_eq!(map.weight(), 10);
    assert_eq!(map.next_changed_page(0), Some(0));
    assert_eq!(map.next_changed_page(1), None);
}

#[test]
fn a_bitmap_of_another_size_agrees_with_its_bits() {
    for old in [0, 3, 64, 70, PAGE_BITS, PAGE_BITS + 5] {
        for new in [1, 64, 67, 128, PAGE_BITS, PAGE_BITS + 1, 2 * PAGE_BITS] {
            for set_new in [false, true] {
                let mut map = bitmap(old * 8);
                (0..old).step_by(3).for_each(|bit| {
                    map.set_range(bit, 1);
                });
                let (words, changed) = memory(new * 8, set_new);
                assert!(map.resize(words, changed, new * 8, set_new).is_ok());
                let expected = |bit: u64| if bit < old { bit % 3 == 0 } else { set_new };
                assert!((0..new).all(|bit| map.is_set(bit) == expected(bit)));
                let weight = (0..new).filter(|&bit| expected(bit)).count() as u64;
                assert_eq!(map.weight(), weight, "{old} to {new}, {set_new}");
                map.set_all();
                assert_eq!((map.weight(), map.next_clear(0)), (new, None));
                map.clear_all();
                assert_eq!((map.weight(), map.next_set(0)), (0, None));
            }
        }
    }
}

#[test]
fn words_of_the_peer_are_merged() {
    let mut map = bitmap(70 * 8);
    map.set_range(0, 1);
    assert_eq!(map.merge_words(0, &[0xff; 16]), 69);
    assert_eq!(map.weight(), 70);
    let mut out = [0u8; 64];
    assert_eq!(map.get_words(0, &mut out), 16);
    assert_eq!(out[8], 0x3f);
    assert_eq!(map.get_words(1, &mut out), 8);
    assert_eq!(map.get_words(2, &mut out), 0);
    assert_eq!(map.merge_words(2, &[0xff; 8]), 0);
}

/// What the bitmap is compared with.
struct Model(Vec<bool>);

proptest! {
    #[test]
    fn operations_agree_with_a_plain_model(
        sectors in 1..16000u64,
        ops in proptest::collection::vec((0..4u8, 0..2200u64, 0..2200u64), 0..40),
    ) {
        let mut map = bitmap(sectors);
        let mut model = Model(vec![false; bits_for(sectors) as usize]);
        for (op, first, count) in ops {
            let set = op % 2 == 0;
            let end = (first + count).min(map.bits());
            let mut want = 0;
            for bit in first..end {
                want += u64::from(model.0[bit as usize] != set);
                model.0[bit as usize] = set;
            }
            let got = if set { map.set_range(first, count) } else { map.clear_range(first, count) };
            prop_assert_eq!(got, want);
            let from = count as usize;
            let find = |v| {
                let mut rest = model.0.iter().skip(from);
                rest.position(|&b| b == v).map(|n| (n + from) as u64)
            };
            prop_assert_eq!(map.next_set(count), find(true));
            prop_assert_eq!(map.next_clear(count), find(false));
            let part = (first..end).filter(|&b| model.0[b as usize]).count() as u64;
            prop_assert_eq!(map.weight_of(first, count), part);
        }
        prop_assert_eq!(map.weight(), model.0.iter().filter(|&&b| b).count() as u64);
        for (i, &set) in model.0.iter().enumerate() {
            prop_assert_eq!(map.is_set(i as u64), set);
        }
        let mut image = [0; PAGE_BYTES];
        map.take_page(0, &mut image);
        let mut copy = bitmap(sectors);
        copy.put_page(0, &image);
        prop_assert_eq!(copy.weight(), map.weight());
    }

    #[test]
    fn rounding_never_covers_too_little(
        sectors in 1..300u64, at in 0..300u64, len in 0..100u32,
    ) {
        let e = extent(at, len);
        let mut map = bitmap(sectors);
        map.set_out_of_sync(e);
        for sector in at..(at + u64::from(len)).min(sectors) {
            prop_assert!(map.is_set(sector / 8));
        }
        map.set_all();
        map.set_in_sync(e);
        for sector in (0..sectors).filter(|s| *s < at || *s >= at + u64::from(len)) {
            prop_assert!(map.is_set(sector / 8));
        }
    }
}
