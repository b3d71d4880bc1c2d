// SPDX-License-Identifier: GPL-2.0

//! Stories of disks that damage, lose or misdirect what is written to their metadata.

mod pair;

use pair::{primary_pair, rest};
use sim::disk::{crc32c, Disk};
use tandem_engine::engine::meta::activity_log_block::{Block, BLOCK_BYTES};

/// A disk whose node lost its power as Primary, in the middle of writes all over it.
fn left_behind(seed: u64) -> Disk {
    let mut world = primary_pair(seed);
    for i in 0..40 {
        world.write(0, (i * 7 % 6) * 8192 + i * 8, 8);
        let until = world.now + 4;
        world.run_until(until);
    }
    if seed % 2 == 0 {
        rest(&mut world);
    }
    world.crash(0);
    world.nodes[0].vol.disk.clone()
}

/// Position of the newest transaction.
fn newest(disk: &mut Disk) -> usize {
    let number = |block: &[u8; BLOCK_BYTES]| match Block::parse(block, crc32c) {
        Ok(Block::Update(update)) => Some(update.number),
        _ => None,
    };
    let blocks = disk.log_blocks();
    let numbers = blocks.iter().map(number).enumerate();
    let newest = numbers.max_by_key(|&(_, number)| number);
    newest.expect("a log has blocks").0
}

/// Damages a log in some way. What is read then has to be all that was active, or nothing at all.
/// (A newest transaction that is damaged looks as if it had been torn.) True if it was refused.
fn refused(disk: &Disk, damage: impl FnOnce(&mut Disk)) -> bool {
    let active = disk.read_log().expect("a log after a crash is well");
    let mut disk = disk.clone();
    damage(&mut disk);
    match disk.read_log() {
        Ok(read) => {
            for extent in active {
                assert!(read.contains(&extent), "extent {extent} was active");
            }
            false
        }
        Err(_) => true,
    }
}

#[test]
fn a_log_with_a_rotten_sector_is_refused_or_says_all() {
    let mut refusals = 0;
    for seed in 0..20 {
        let mut disk = left_behind(seed);
        let newest = newest(&mut disk);
        for block in (0..8).filter(|&block| block != newest) {
            for sector in 0..8 {
                refusals += u32::from(refused(&disk, |disk| {
                    disk.log_blocks()[block][sector * 512 + 17] ^= 0x40;
                }));
            }
        }
    }
    assert!(refusals > 500, "{refusals}");
}

#[test]
fn a_log_with_a_misdirected_or_lost_block_is_refused_or_says_all() {
    let mut refusals = 0;
    for seed in 0..20 {
        let mut disk = left_behind(seed);
        let newest = newest(&mut disk);
        for to in (0..8).filter(|&to| to != newest) {
            for from in 0..8 {
                refusals += u32::from(refused(&disk, |disk| {
                    let blocks = disk.log_blocks();
                    blocks[to] = blocks[from];
                }));
            }
        }
    }
    assert!(refusals > 500, "{refusals}");
}
