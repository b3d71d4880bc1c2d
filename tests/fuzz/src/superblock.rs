// SPDX-License-Identifier: GPL-2.0

//! The superblock of the metadata, as it is read when a disk is attached.
//!
//! Input: one byte layout, a 64-bit size of the device, then the superblock.

use tandem_engine::meta::{
    activity_log_block::Ring,
    geometry::{Geometry, Layout, INDEXED_SECTORS},
    superblock::{Superblock, SUPERBLOCK_BYTES},
};

use crate::{input::Input, Target};

pub(crate) const TARGET: Target = Target {
    name: "superblock",
    run,
    seeds,
};

fn run(bytes: &[u8]) {
    let mut input = Input(bytes);
    let index = i32::from(input.u8() as i8);
    let sectors = input.u64();
    let image: [u8; SUPERBLOCK_BYTES] = input.array();
    let Ok(superblock) = Superblock::decode(&image) else {
        return;
    };
    let mut out = [0xee; SUPERBLOCK_BYTES];
    superblock.emit(&mut out);
    assert_eq!(Superblock::decode(&out), Ok(superblock));
    let Some(layout) = Layout::from_index(index) else {
        return;
    };
    let start = match layout {
        Layout::Indexed(index) => u64::from(INDEXED_SECTORS) * u64::from(index),
        _ => 0,
    };
    // And on the smallest device that may do, and on one that is a sector too small.
    let end = start + u64::from(superblock.md_size);
    for sectors in [sectors, end, end.saturating_sub(1)] {
        let geometry = superblock.geometry(layout, sectors);
        if let Ok(geometry) = &geometry {
            check(geometry, sectors);
        }
        let usable = superblock.clean && geometry.is_ok();
        let parsed = Superblock::parse(&image, layout, sectors);
        assert_eq!(parsed.is_ok(), usable);
    }
}

/// All that the driver reads and writes of the metadata lies on the device, and apart.
fn check(geometry: &Geometry, sectors: u64) {
    let blocks = geometry.ring.blocks();
    assert!(blocks >= 8);
    let log = geometry.log_sector(0).expect("a log");
    let log_end = geometry.log_sector(blocks - 1).expect("its last block") + 8;
    let superblock = geometry.superblock;
    assert!(superblock + 8 <= sectors && log_end <= sectors && log < log_end);
    assert!(log >= superblock + 8 || log_end <= superblock);
    assert_eq!(geometry.log_sector(blocks), None);
    let pages = geometry.bitmap_sectors() / 8;
    if let (Some(first), Some(last)) = (
        geometry.bitmap_page_sector(0),
        pages
            .checked_sub(1)
            .and_then(|page| geometry.bitmap_page_sector(page)),
    ) {
        assert!(first <= last && last + 8 <= sectors);
        assert!(first >= log_end || last + 8 <= log);
        assert!(first >= superblock + 8 || last + 8 <= superblock);
    }
    let data = geometry.max_data_sectors(sectors);
    if geometry.layout == Layout::Internal {
        assert!(data <= geometry.first_sector().expect("it was checked"));
    }
    assert!(data.div_ceil(8) <= geometry.bitmap_bits() || geometry.layout == Layout::Internal);
}

/// Fresh and running metadata of all layouts.
fn seeds() -> Vec<Vec<u8>> {
    let ring = Ring {
        stripes: 3,
        stripe_blocks: 40,
    };
    let mut seeds = Vec::new();
    for (index, sectors, ring) in [
        (-1_i8, 1 << 17, Ring::DEFAULT),
        (-3, 1 << 31, ring),
        (-2, 1 << 14, Ring::DEFAULT),
        (1, 1 << 20, Ring::DEFAULT),
    ] {
        let layout = Layout::from_index(index.into()).expect("a layout");
        let geometry = Geometry::new(layout, sectors, ring).expect("it is large enough");
        for clean in [true, false] {
            let superblock = Superblock {
                clean,
                last_size: 1 << 12,
                ..Superblock::created(&geometry, 7)
            };
            let mut image = [0; SUPERBLOCK_BYTES];
            superblock.emit(&mut image);
            // The rest is zero.
            let seed = [&[index as u8], &sectors.to_le_bytes()[..], &image[..96]].concat();
            seeds.push(seed);
        }
    }
    seeds
}
