// SPDX-License-Identifier: GPL-2.0

//! Power cuts at every write of a move: whoever attaches then finds one superblock, and marks at
//! least what was marked or in the log.

use super::super::activity_log::{
    ActivityLog,
    Begin,
    LogSlot,
    EXTENT_BITS, //
};
use super::super::activity_log_block::{
    replay,
    tests::raw_crc32c,
    Block,
    Ring,
    Scan,
    BLOCK_BYTES,
    FREE, //
};
use super::super::bitmap::{
    Bitmap,
    PAGE_BYTES, //
};
use super::super::geometry::Layout;
use super::*;
use crate::engine::storage::Storage;
use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

struct Heap;

impl Storage for Heap {
    type Array<T: 'static> = Vec<T>;
}

/// Size of the device before: 1 GiB.
const OLD: u64 = 2 << 20;

/// Blocks that are out of sync, and an extent that is in the log.
const MARKED: [u64; 3] = [0, 40_000, 200_000];
const ACTIVE: u32 = 100;

/// The blocks of a device by their sectors, as they are on the medium.
type Medium = BTreeMap<u64, Vec<u8>>;

struct Node {
    geometry: Geometry,
    superblock: Superblock,
    bitmap: Bitmap<Heap>,
    log: ActivityLog<Heap>,
}

/// What was written since the last flush, and a picture of the medium after each write.
struct Writes {
    medium: Medium,
    pictures: Vec<Medium>,
}

impl Writes {
    fn write(&mut self, sector: u64, block: &[u8]) {
        self.medium.insert(sector, block.to_vec());
        self.pictures.push(self.medium.clone());
    }
}

fn bitmap(sectors: u64) -> Bitmap<Heap> {
    let words = vec![0; Bitmap::<Heap>::words_needed(sectors) as usize];
    let changed = vec![0; Bitmap::<Heap>::changed_needed(sectors) as usize];
    Bitmap::new(words, changed, sectors).unwrap_or_else(|_| panic!("memory"))
}

fn write_superblock(out: &mut Writes, geometry: &Geometry, superblock: &Superblock) {
    let mut image = [0; 4096];
    superblock.emit(&mut image);
    out.write(geometry.superblock, &image);
}

fn write_bitmap(out: &mut Writes, node: &mut Node, to: &Geometry) {
    while let Some(page) = node.bitmap.next_changed_page(0) {
        let mut image = [0; PAGE_BYTES];
        node.bitmap.take_page(page, &mut image);
        out.write(to.bitmap_page_sector(page).unwrap(), &image);
    }
}

fn write_log(out: &mut Writes, node: &mut Node, to: &Geometry) {
    for _ in 0..to.ring.blocks() {
        let mut image = [0; BLOCK_BYTES];
        let block = node.log.refresh(&mut image, raw_crc32c).unwrap().unwrap();
        out.write(to.log_sector(block).unwrap(), &image);
    }
}

/// A node whose metadata is on its medium, with marks, and an extent in the log.
fn node(layout: Layout, md_sectors: u64) -> (Node, Writes) {
    let geometry = Geometry::new(layout, md_sectors, Ring::DEFAULT).unwrap();
    let sectors = geometry.max_data_sectors(OLD);
    let mut superblock = Superblock::created(&geometry, 7);
    superblock.clean = false;
    superblock.last_size = sectors;
    superblock.peer_max_bio_size = 4096;
    superblock.flags = Flags::CONSISTENT
        .with(Flags::WAS_UP_TO_DATE)
        .with(Flags::PRIMARY);
    let slots = vec![LogSlot::default(); 67];
    let mut node = Node {
        geometry,
        superblock,
        bitmap: bitmap(sectors),
        log: ActivityLog::new(slots, vec![0; 64], geometry.ring, 0).unwrap(),
    };
    for block in MARKED {
        node.bitmap.set_range(block, 1);
    }
    let mut out = Writes {
        medium: Medium::new(),
        pictures: Vec::new(),
    };
    node.bitmap.mark_all_pages();
    write_bitmap(&mut out, &mut node, &geometry);
    assert_eq!(node.log.begin(ACTIVE), Begin::NeedsCommit);
    let mut image = [0; BLOCK_BYTES];
    let commit = node.log.commit(&mut image, raw_crc32c).unwrap().unwrap();
    node.log.committed();
    write_log(&mut out, &mut node, &geometry);
    assert_eq!(commit.block, 0);
    write_superblock(&mut out, &geometry, &superblock);
    out.pictures.clear();
    // Marked since in memory alone: the log has its extent.
    node.bitmap.set_range(u64::from(ACTIVE) * EXTENT_BITS, 1);
    (node, out)
}

/// Moves as a driver does.
fn go(node: &mut Node, out: &mut Writes, to: Geometry, sectors: u64) {
    let relocation = Relocation {
        from: node.geometry,
        to,
    };
    assert!(relocation.is_needed());
    let words = vec![u64::MAX; Bitmap::<Heap>::words_needed(sectors) as usize];
    let changed = vec![0; Bitmap::<Heap>::changed_needed(sectors) as usize];
    let resized = node.bitmap.resize(words, changed, sectors, true);
    assert!(resized.is_ok());
    node.superblock.last_size = sectors;
    node.superblock.set_geometry(&to);
    node.log.set_ring(to.ring);
    node.bitmap.mark_all_pages();
    for step in relocation.steps() {
        match step {
            MoveStep::Doubt => write_superblock(out, &to, &node.superblock.in_doubt()),
            MoveStep::Bitmap => write_bitmap(out, node, &to),
            MoveStep::Log => write_log(out, node, &to),
            MoveStep::Superblock => write_superblock(out, &to, &node.superblock),
        }
    }
    node.geometry = to;
}

/// The bits that count after `apply-al` and an attach; `None` if there is no superblock.
fn come_up(medium: &Medium, layout: Layout, md_sectors: u64) -> Option<(Superblock, Bitmap<Heap>)> {
    let at = layout.superblock(md_sectors)?;
    let image: &[u8; 4096] = medium.get(&at)?.as_slice().try_into().unwrap();
    let superblock = Superblock::decode(image).ok()?;
    let geometry = superblock.geometry(layout, md_sectors).ok()?;
    let mut bits = bitmap(superblock.last_size);
    for page in 0..bits.pages() {
        let sector = geometry.bitmap_page_sector(page).unwrap();
        if let Some(image) = medium.get(&sector) {
            bits.put_page(page, image.as_slice().try_into().unwrap());
        }
    }
    if superblock.flags.has(Flags::FULL_SYNC) {
        assert!(superblock.flags.has(Flags::AL_DISABLED));
        bits.set_all();
        return Some((superblock, bits));
    }
    let ring = geometry.ring;
    let block = |position: u32| {
        let sector = geometry.log_sector(ring.block_of(position)).unwrap();
        let image: &[u8; BLOCK_BYTES] = medium[&sector].as_slice().try_into().unwrap();
        Block::parse(image, raw_crc32c)
    };
    let mut scan = Scan::new(ring);
    (0..ring.blocks()).for_each(|position| scan.visit(&block(position)));
    let mut slots = vec![FREE; 67];
    for position in scan.finish().unwrap().positions(ring) {
        if let Ok(Block::Update(update)) = block(position) {
            replay(&update, &mut slots);
        }
    }
    for extent in slots.into_iter().filter(|&extent| extent != FREE) {
        bits.set_range(u64::from(extent) * EXTENT_BITS, EXTENT_BITS);
    }
    Some((superblock, bits))
}

fn demand_marks(bits: &Bitmap<Heap>) {
    for block in MARKED.into_iter().chain([u64::from(ACTIVE) * EXTENT_BITS]) {
        assert!(bits.is_set(block), "block {block} is forgotten");
    }
}

/// Grows the device by `more` sectors and looks at each picture; returns how many of them had to
/// take all blocks as out of sync, and how many there were.
fn grow(more: u64) -> (usize, usize) {
    let (mut node, mut out) = node(Layout::Internal, OLD);
    let before = node.superblock;
    let data_end = node.geometry.first_sector().unwrap();
    let to = Geometry::new(Layout::Internal, OLD + more, Ring::DEFAULT).unwrap();
    let sectors = to.max_data_sectors(OLD + more);
    go(&mut node, &mut out, to, sectors);
    let mut full = 0;
    for medium in &out.pictures {
        assert!(
            medium.keys().all(|&sector| sector >= data_end),
            "data is overwritten"
        );
        match come_up(medium, Layout::Internal, OLD + more) {
            Some((superblock, bits)) => {
                demand_marks(&bits);
                assert_eq!(superblock.last_size, sectors);
                let new = sectors > before.last_size;
                assert!(
                    !new || bits.is_set(bits.bits() - 1),
                    "what is new was never the same"
                );
                full += usize::from(bits.weight() == bits.bits());
            }
            None => {
                // The new place does not count yet: the old one is whole.
                let (superblock, bits) = come_up(medium, Layout::Internal, OLD).unwrap();
                demand_marks(&bits);
                assert_eq!(superblock, before);
            }
        }
    }
    let (last, bits) = come_up(&out.medium, Layout::Internal, OLD + more).unwrap();
    assert_eq!(last, node.superblock);
    assert!(bits.weight() < bits.bits());
    (full, out.pictures.len())
}

#[test]
fn a_power_cut_while_internal_metadata_moves_away_costs_nothing() {
    for more in [144, 1 << 20, OLD, 9 * OLD] {
        assert_eq!(grow(more).0, 0, "{more} sectors more");
    }
}

#[test]
fn a_power_cut_while_internal_metadata_moves_over_itself_costs_a_full_resync_at_most() {
    for more in [8, 16, 64, 72, 128] {
        let (full, all) = grow(more);
        assert_eq!(full, all - 1, "{more} sectors more");
    }
}

#[test]
fn a_power_cut_while_the_log_gets_another_shape_costs_a_full_resync_at_most() {
    let ring = Ring {
        stripes: 4,
        stripe_blocks: 16,
    };
    for (layout, md_sectors) in [(Layout::Internal, OLD), (Layout::FlexibleExternal, 1 << 16)] {
        let (mut node, mut out) = node(layout, md_sectors);
        let to = Geometry::new(layout, md_sectors, ring).unwrap();
        let sectors = to.max_data_sectors(OLD).min(node.superblock.last_size);
        go(&mut node, &mut out, to, sectors);
        for medium in &out.pictures {
            let (superblock, bits) = come_up(medium, layout, md_sectors).unwrap();
            demand_marks(&bits);
            assert_eq!(superblock.ring, ring);
        }
        let (last, bits) = come_up(&out.medium, layout, md_sectors).unwrap();
        assert_eq!(last, node.superblock);
        assert_eq!(bits.weight(), MARKED.len() as u64 + EXTENT_BITS);
    }
}

#[test]
fn a_device_of_metadata_that_grows_moves_nothing() {
    let small = Geometry::new(Layout::FlexibleExternal, 1 << 16, Ring::DEFAULT).unwrap();
    let large = Geometry::new(Layout::FlexibleExternal, 1 << 17, Ring::DEFAULT).unwrap();
    let relocation = Relocation {
        from: small,
        to: large,
    };
    assert!(!relocation.is_needed());
    assert!(large.max_data_sectors(1 << 40) > small.max_data_sectors(1 << 40));
}
