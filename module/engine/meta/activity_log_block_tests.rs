// SPDX-License-Identifier: GPL-2.0

//! Tests of the activity log blocks.

use super::*;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

/// The kernel's CRC-32C: no inversion.
pub(crate) fn raw_crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

type Image = [u8; BLOCK_BYTES];

fn update(number: u32, updates: &[(u16, u32)], slots: &[u32], start: u16) -> Image {
    let mut block = [0xee; BLOCK_BYTES];
    let count = slots.len() as u16;
    Transaction {
        number,
        updates,
        slots: count,
        context_start: start,
    }
    .emit(&mut block, |slot| slots[usize::from(slot)], raw_crc32c)
    .unwrap();
    block
}

fn initialized() -> Image {
    let mut block = [0xee; BLOCK_BYTES];
    emit_initialized(&mut block, raw_crc32c);
    block
}

/// Scans and replays a log, given in the order of ring positions.
fn recover(ring: Ring, blocks: &[Image]) -> Result<(ReplayPlan, Vec<u32>), ScanError> {
    let mut scan = Scan::new(ring);
    for block in blocks {
        scan.visit(&Block::parse(block, raw_crc32c));
    }
    let plan = scan.finish()?;
    let mut slots = vec![FREE; usize::from(MAX_SLOTS)];
    for position in plan.positions(ring) {
        if let Ok(Block::Update(update)) = Block::parse(&blocks[position as usize], raw_crc32c) {
            assert_eq!(replay(&update, &mut slots), 0);
        }
    }
    Ok((plan, slots))
}

#[test]
fn a_block_is_laid_out_as_in_c() {
    let block = update(7, &[(1, 0x1234)], &[5, FREE, 6], 0);
    assert_eq!(block[..8], [0x69, 0xcb, 0x65, 0xa2, 0, 0, 0, 7]);
    assert_eq!(
        block[12..36],
        [0, 0, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(block[36..40], [0, 1, 0xff, 0xff]);
    assert_eq!(block[164..172], [0, 0, 0x12, 0x34, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(
        block[420..432],
        [0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 6]
    );
    assert!(block[432..].iter().all(|&b| b == 0xff));
    let mut zeroed = block;
    zeroed[8..12].fill(0);
    assert_eq!(block[8..12], raw_crc32c(0, &zeroed).to_be_bytes());
}

#[test]
fn drbdmeta_writes_the_same_initialized_block() {
    // drbdmeta 9.22: `create-md`.
    let head = [
        0x69, 0xcb, 0x65, 0xa2, 0, 0, 0, 0, 0x70, 0x9c, 0xc6, 0x51, 0xff, 0xff,
    ];
    let block = initialized();
    assert_eq!(block[..14], head);
    assert!(block[14..].iter().all(|&b| b == 0));
    assert!(matches!(
        Block::parse(&block, raw_crc32c),
        Ok(Block::Initialized)
    ));
}

#[test]
fn damage_is_found() {
    let good = update(1, &[(0, 1)], &[FREE; 8], 0);
    let error = |block: &Image| Block::parse(block, raw_crc32c).err();
    assert_eq!(error(&good), None);
    let mut torn = good;
    torn[4095] ^= 1;
    assert_eq!(error(&torn), Some(BlockError::BadChecksum));
    assert_eq!(error(&[0; BLOCK_BYTES]), Some(BlockError::BadMagic));
    let mut odd = good;
    odd[13] = 1;
    seal(&mut odd, raw_crc32c);
    assert_eq!(error(&odd), Some(BlockError::BadType));
    let mut many = good;
    many[15] = 65;
    seal(&mut many, raw_crc32c);
    assert_eq!(error(&many), Some(BlockError::BadCount));
}

#[test]
fn stripes_take_turns() {
    let ring = Ring {
        stripes: 4,
        stripe_blocks: 8,
    };
    let got: Vec<u32> = (0..6).map(|t| ring.block_of(t)).collect();
    assert_eq!(got, [0, 8, 16, 24, 1, 9]);
    assert_eq!(ring.block_of(32), 0);
    let mut all: Vec<u32> = (0..32).map(|t| ring.block_of(t)).collect();
    all.sort_unstable();
    assert_eq!(all, (0..32).collect::<Vec<_>>());
}

#[test]
fn the_log_size_limits_the_slots() {
    assert_eq!(Ring::DEFAULT.max_slots(), 7 * 919);
    assert_eq!(
        Ring {
            stripes: 1,
            stripe_blocks: 72
        }
        .max_slots(),
        71 * 919
    );
    assert_eq!(
        Ring {
            stripes: 1,
            stripe_blocks: 73
        }
        .max_slots(),
        MAX_SLOTS
    );
    assert_eq!(
        Ring {
            stripes: 0,
            stripe_blocks: 8
        }
        .max_slots(),
        0
    );
}

#[test]
fn a_fresh_log_has_nothing_to_replay() {
    let (plan, slots) = recover(Ring::DEFAULT, &[initialized(); 8]).unwrap();
    assert_eq!((plan.count, plan.damaged, plan.next_number), (0, 0, 0));
    assert!(slots.iter().all(|&e| e == FREE));
}

#[test]
fn a_torn_first_transaction_is_no_damage() {
    let mut blocks = [initialized(); 8];
    blocks[0][100] ^= 1;
    assert_eq!(recover(Ring::DEFAULT, &blocks).unwrap().0.count, 0);
    blocks.swap(0, 3);
    assert_eq!(
        recover(Ring::DEFAULT, &blocks).err(),
        Some(ScanError::Damaged)
    );
}

/// A ring whose newest transaction is the eleventh, at position 2.
fn full_ring() -> [Image; 8] {
    let newest_at_2 = [8, 9, 10, 3, 4, 5, 6, 7];
    newest_at_2.map(|number| update(number, &[(number as u16, number)], &[FREE; 16], 0))
}

#[test]
fn only_the_block_behind_the_newest_transaction_may_be_torn() {
    for position in 0..8 {
        let mut blocks = full_ring();
        blocks[position][100] ^= 1;
        let got = recover(Ring::DEFAULT, &blocks);
        match position {
            3 => assert_eq!(got.unwrap().0.damaged, 1),
            // Without the newest, the one before is; the torn one is behind it.
            2 => assert_eq!(got.unwrap().0.next_number, 10),
            _ => assert_eq!(got.err(), Some(ScanError::Damaged), "{position}"),
        }
    }
    let mut blocks = full_ring();
    blocks[3][100] ^= 1;
    blocks[4][100] ^= 1;
    let got = recover(Ring::DEFAULT, &blocks);
    assert_eq!(got.err(), Some(ScanError::Damaged));
}

#[test]
fn a_transaction_that_was_lost_or_came_elsewhere_is_damage() {
    let mut lost = full_ring();
    lost[1] = update(1, &[], &[FREE; 16], 0);
    let mut misdirected = full_ring();
    misdirected[6] = misdirected[2];
    for blocks in [lost, misdirected] {
        let got = recover(Ring::DEFAULT, &blocks);
        assert_eq!(got.err(), Some(ScanError::Damaged));
    }
}

#[test]
fn a_log_of_zeroes_is_refused() {
    let got = recover(Ring::DEFAULT, &[[0; BLOCK_BYTES]; 8]);
    assert_eq!(got.err(), Some(ScanError::NothingValid));
}

#[test]
fn a_damaged_slot_number_is_counted_not_used() {
    let block = update(0, &[(9, 1)], &[FREE; 2], 0);
    let Ok(Block::Update(update)) = Block::parse(&block, raw_crc32c) else {
        panic!("not an update");
    };
    let mut slots = [FREE; 2];
    assert_eq!(replay(&update, &mut slots), 1);
    assert_eq!(slots, [FREE; 2]);
}

proptest! {
    #[test]
    fn replay_finds_the_last_state(
        transactions in proptest::collection::vec(
            proptest::collection::vec((0..2000u16, 0..1_000_000u32), 0..MAX_UPDATES), 1..40),
        start_number: u32,
        stripes in 1..3u32,
        torn: bool,
    ) {
        let ring = Ring { stripes, stripe_blocks: 8 };
        let blocks = ring.blocks();
        let mut disk = vec![initialized(); blocks as usize];
        let mut slots = vec![FREE; 2000];
        // A log starts at block 0; so does the ring position of its first number.
        let first = start_number / blocks * blocks;
        let mut start = 0;
        for (i, updates) in transactions.iter().enumerate() {
            let number = first.wrapping_add(i as u32);
            let position = (number % blocks) as usize;
            // Where 2^32 is no multiple of the ring the positions jump; the C code has that, too.
            prop_assume!(first.checked_add(i as u32).is_some());
            disk[position] = update(number, updates, &slots, start);
            let t = Transaction { number, updates, slots: 2000, context_start: start };
            start = t.next_context_start();
            if torn && i + 1 == transactions.len() && i > 0 {
                disk[position][2000] ^= 0x10;
                break;
            }
            for &(slot, extent) in updates {
                slots[usize::from(slot)] = extent;
            }
        }
        let (plan, got) = recover(ring, &disk).unwrap();
        prop_assert!(plan.damaged <= 1);
        if torn && transactions.len() as u32 > blocks {
            // The torn block was the oldest one; its part of the context is told by the others.
            prop_assert_eq!(plan.count, blocks - 1);
        }
        prop_assert_eq!(&got[..2000], &slots[..]);
        prop_assert!(got[2000..].iter().all(|&e| e == FREE));
    }

    #[test]
    fn garbage_blocks_never_panic(seed: [u8; 32], sealed: bool) {
        let mut block = [0u8; BLOCK_BYTES];
        for (to, from) in block.iter_mut().zip(seed.iter().cycle()) {
            *to = *from;
        }
        block[..4].copy_from_slice(&MAGIC.to_be_bytes());
        if sealed {
            block[12] = 0;
            block[13] = 0;
            seal(&mut block, raw_crc32c);
        }
        if let Ok(Block::Update(update)) = Block::parse(&block, raw_crc32c) {
            let mut slots = [FREE; 100];
            replay(&update, &mut slots);
        }
    }

    #[test]
    fn a_transaction_survives(
        number: u32,
        updates in proptest::collection::vec((0..MAX_SLOTS, any::<u32>()), 0..=MAX_UPDATES),
        slots in proptest::collection::vec(any::<u32>(), 1..2500),
        start in 0..2500u16,
    ) {
        let start = start % slots.len() as u16;
        let block = update(number, &updates, &slots, start);
        let Ok(Block::Update(got)) = Block::parse(&block, raw_crc32c) else {
            panic!("refused");
        };
        prop_assert_eq!((got.number, got.context_start), (number, start));
        prop_assert_eq!(usize::from(got.slots), slots.len());
        prop_assert_eq!(got.updates().collect::<Vec<_>>(), updates);
        let context: Vec<_> = got.context().collect();
        prop_assert_eq!(context.len(), (slots.len() - usize::from(start)).min(919));
        for (slot, extent) in context {
            prop_assert_eq!(extent, slots[usize::from(slot)]);
        }
    }

    #[test]
    fn a_changed_bit_is_noticed(number: u32, at in 0..BLOCK_BYTES, bit in 0..8u32) {
        let mut block = update(number, &[(3, 7)], &[1, 2, 3, 4], 0);
        block[at] ^= 1 << bit;
        prop_assert!(Block::parse(&block, raw_crc32c).is_err());
    }

    #[test]
    fn a_write_torn_at_any_sector_is_noticed(old: u32, new: u32, sectors in 1..8usize) {
        prop_assume!(old != new);
        let mut block = update(old, &[(1, old)], &[1, 2], 0);
        let whole = update(new, &[(1, new)], &[3, 4], 0);
        block[..sectors * 512].copy_from_slice(&whole[..sectors * 512]);
        // The tail of so small a log is the same in all blocks.
        prop_assert_eq!(Block::parse(&block, raw_crc32c).is_ok(), block == whole);
    }

    #[test]
    fn any_mixture_of_blocks_gives_a_plan_inside_of_the_ring(
        blocks in proptest::collection::vec((0..4usize, any::<u32>()), 8..40),
        stripes in 1..4u32,
    ) {
        let ring = Ring { stripes, stripe_blocks: blocks.len() as u32 / stripes };
        let mut scan = Scan::new(ring);
        let mut valid = 0;
        for &(kind, number) in &blocks[..ring.blocks() as usize] {
            let image = match kind {
                0 => [0; BLOCK_BYTES],
                1 => initialized(),
                _ => update(number, &[(1, number)], &[FREE; 4], 0),
            };
            let block = Block::parse(&image, raw_crc32c);
            valid += u32::from(block.is_ok());
            scan.visit(&block);
        }
        if let Ok(plan) = scan.finish() {
            prop_assert!(plan.count <= ring.blocks());
            prop_assert_eq!(plan.damaged, ring.blocks() - valid);
            let positions: Vec<_> = plan.positions(ring).collect();
            prop_assert_eq!(positions.len() as u32, plan.count);
            prop_assert!(positions.iter().all(|&at| at < ring.blocks()));
        }
    }

    #[test]
    fn transactions_fill_the_ring_block_by_block(stripes in 1..9u32, blocks in 1..50u32) {
        let ring = Ring { stripes, stripe_blocks: blocks };
        let mut places: Vec<_> = (0..ring.blocks()).map(|number| ring.block_of(number)).collect();
        places.sort();
        prop_assert_eq!(places, (0..ring.blocks()).collect::<Vec<_>>());
    }
}
