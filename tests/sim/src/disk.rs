// SPDX-License-Identifier: GPL-2.0

//! A simulated disk: data with a volatile cache, and metadata.
//!
//! The content of a sector is one number, the name of the write that put it there. A write is
//! *in flight*, then *cached* when it completed, then *durable* after a flush. A crash keeps, of
//! each sector, the durable content or any that was written since.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tandem_engine::engine::ids::Extent;
use tandem_engine::engine::meta::activity_log_block::{
    emit_initialized, replay, Block, Ring, Scan, ScanError, BLOCK_BYTES, FREE,
};
use tandem_engine::engine::meta::bitmap::{Bitmap, PAGE_BYTES};
use tandem_engine::engine::meta::geometry::{Geometry, Layout};
use tandem_engine::engine::meta::superblock::{Flags, Superblock, SUPERBLOCK_BYTES};

use crate::rng::Rng;
use crate::Heap;

/// Shape of the activity log.
pub const RING: Ring = Ring::DEFAULT;

/// Sectors of the device with the metadata.
pub const META_SECTORS: u64 = 1 << 20;

/// Blocks of 4 KiB of metadata.
const LOG_BLOCKS: usize = 8;

/// The kernel's `crc32c(seed, data)`, which does not invert.
pub fn crc32c(seed: u32, data: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, data)
}

/// What a flush makes durable: that many writes since the disk was made.
#[derive(Clone, Copy, Debug)]
pub struct Flush(u64);

fn copy(sectors: &mut [u32], extent: Extent, data: &[u32]) {
    sectors[extent.sector as usize..extent.end() as usize].copy_from_slice(data);
}

/// A disk of one node. It survives crashes.
#[derive(Clone)]
pub struct Disk {
    /// What reads return, by sector.
    pub cached: Vec<u32>,
    /// What is on stable storage.
    pub durable: Vec<u32>,
    /// Completed writes that no flush has made durable, oldest first.
    volatile: VecDeque<(Extent, Vec<u32>)>,
    /// How many writes are durable.
    flushed: u64,
    /// Writes in flight, by the number of the operation.
    in_flight: BTreeMap<u64, (Extent, Vec<u32>)>,
    /// Those that are durable when they complete (FUA).
    forced: BTreeSet<u64>,
    superblock: [u8; SUPERBLOCK_BYTES],
    log: Vec<[u8; BLOCK_BYTES]>,
    /// What the log says, until it is written again.
    logged: std::cell::RefCell<Option<Vec<u32>>>,
    pages: Vec<[u8; PAGE_BYTES]>,
    /// The size that it shows; there may be more.
    shown: u64,
}

/// Where the metadata is: on a device of its own with room for any size.
pub fn geometry() -> Geometry {
    Geometry::new(Layout::FlexibleExternal, META_SECTORS, RING).expect("geometry")
}

impl Disk {
    /// A disk of `sectors` sectors with freshly created metadata, filled with `content`.
    pub fn new(sectors: u64, content: u32, device_uuid: u64) -> Self {
        let superblock = Superblock::created(&geometry(), device_uuid);
        let mut image = [0; SUPERBLOCK_BYTES];
        superblock.emit(&mut image);
        let mut block = [0; BLOCK_BYTES];
        emit_initialized(&mut block, crc32c);
        let pages = sectors.div_ceil(8).div_ceil(8 * 4096) as usize;
        Self {
            cached: vec![content; sectors as usize],
            durable: vec![content; sectors as usize],
            volatile: VecDeque::new(),
            flushed: 0,
            in_flight: BTreeMap::new(),
            forced: BTreeSet::new(),
            superblock: image,
            log: vec![block; LOG_BLOCKS],
            logged: std::cell::RefCell::default(),
            pages: vec![[0; PAGE_BYTES]; pages],
            shown: sectors,
        }
    }

    /// Size in sectors, as it shows.
    pub fn sectors(&self) -> u64 {
        self.shown
    }

    /// Shows another size, up to the one that it was made with.
    pub fn show(&mut self, sectors: u64) {
        assert!(sectors <= self.cached.len() as u64, "it has no more");
        self.shown = sectors;
    }

    /// The superblock, as it is on disk.
    pub fn superblock(&self) -> Superblock {
        Superblock::decode(&self.superblock).expect("superblock")
    }

    /// Replaces the superblock.
    pub fn put_superblock(&mut self, superblock: &Superblock) {
        superblock.emit(&mut self.superblock);
    }

    /// What is in a range.
    pub fn read(&self, extent: Extent) -> Vec<u32> {
        self.cached[extent.sector as usize..extent.end() as usize].to_vec()
    }

    /// A write was given to the disk. False if it overlaps another one in flight.
    pub fn submit(&mut self, op: u64, extent: Extent, data: Vec<u32>) -> bool {
        let overlap = self
            .in_flight
            .values()
            .any(|(other, _)| other.overlaps(extent));
        self.in_flight.insert(op, (extent, data));
        !overlap
    }

    /// A write in flight shall be on stable storage when it completes.
    pub fn force(&mut self, op: u64) {
        self.forced.insert(op);
    }

    /// A write completed; its range.
    pub fn complete(&mut self, op: u64) -> Option<Extent> {
        let (extent, data) = self.in_flight.remove(&op)?;
        copy(&mut self.cached, extent, &data);
        if self.forced.remove(&op) {
            copy(&mut self.durable, extent, &data);
            // What is older there comes too late to matter.
            for (older, content) in &mut self.volatile {
                for (sector, content) in (older.sector..older.end()).zip(content) {
                    let at = sector.checked_sub(extent.sector);
                    if let Some(&newer) = at.and_then(|at| data.get(at as usize)) {
                        *content = newer;
                    }
                }
            }
            return Some(extent);
        }
        self.volatile.push_back((extent, data));
        Some(extent)
    }

    /// A write failed; some of its sectors may have been written.
    pub fn fail(&mut self, op: u64, rng: &mut Rng) {
        let Some((extent, data)) = self.in_flight.remove(&op) else {
            return;
        };
        self.forced.remove(&op);
        for (sector, content) in (extent.sector..extent.end()).zip(data) {
            if rng.chance(50) {
                self.cached[sector as usize] = content;
                let one = Extent::new(sector, 512);
                self.volatile.push_back((one, vec![content]));
            }
        }
    }

    /// What the writes in flight put into a sector.
    pub fn under_way(&self, sector: u64) -> Option<u32> {
        let content = |(extent, data): &(Extent, Vec<u32>)| {
            let at = sector.checked_sub(extent.sector)?;
            data.get(at as usize).copied()
        };
        self.in_flight.values().filter_map(content).max()
    }

    /// What a flush that is submitted now will have made durable when it completes.
    pub fn begin_flush(&self) -> Flush {
        Flush(self.flushed + self.volatile.len() as u64)
    }

    /// A flush completed. Another one may have done it, and more, before.
    pub fn end_flush(&mut self, flush: Flush) {
        while self.flushed < flush.0 {
            let Some((extent, data)) = self.volatile.pop_front() else {
                return;
            };
            copy(&mut self.durable, extent, &data);
            self.flushed += 1;
        }
    }

    /// Power is lost: of what was not flushed, anything may have reached the platter.
    pub fn crash(&mut self, rng: &mut Rng) {
        let mut contents: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        let volatile = core::mem::take(&mut self.volatile);
        let in_flight = core::mem::take(&mut self.in_flight);
        self.forced.clear();
        for (extent, data) in volatile.into_iter().chain(in_flight.into_values()) {
            for (sector, content) in (extent.sector..extent.end()).zip(data) {
                contents.entry(sector).or_default().push(content);
            }
        }
        for (sector, contents) in contents {
            let n = rng.below(contents.len() as u64 + 1) as usize;
            if let Some(&content) = contents.get(n) {
                self.durable[sector as usize] = content;
            }
        }
        self.cached.clone_from(&self.durable);
    }

    /// Writes a metadata block; `torn`: power fails in the middle.
    pub fn write_meta(&mut self, write: &MetaWrite, torn: Option<&mut Rng>) {
        if matches!(write, MetaWrite::Log(..)) {
            self.logged.take();
        }
        let (to, from): (&mut [u8], &[u8]) = match write {
            // All that matters is in one sector, which no disk tears.
            MetaWrite::Superblock(image) => (&mut self.superblock, &image[..]),
            MetaWrite::Log(block, image) => (&mut self.log[*block as usize], &image[..]),
            MetaWrite::Page(page, image) => (&mut self.pages[*page as usize], &image[..]),
        };
        let whole = matches!(write, MetaWrite::Superblock(_));
        match torn {
            None => to.copy_from_slice(from),
            Some(rng) if whole => {
                if rng.chance(50) {
                    to.copy_from_slice(from);
                }
            }
            Some(rng) => {
                for (to, from) in to.chunks_mut(512).zip(from.chunks(512)) {
                    if rng.chance(50) {
                        to.copy_from_slice(from);
                    }
                }
            }
        }
    }

    /// The bitmap on disk.
    pub fn bitmap(&self) -> Bitmap<Heap> {
        let sectors = self.superblock().last_size;
        let words = vec![0; Bitmap::<Heap>::words_needed(sectors) as usize];
        let changed = vec![0; Bitmap::<Heap>::changed_needed(sectors) as usize];
        let mut bitmap = Bitmap::new(words, changed, sectors).unwrap_or_else(|_| unreachable!());
        for (n, page) in self.pages.iter().enumerate() {
            bitmap.put_page(n as u64, page);
        }
        bitmap
    }

    /// The extents in the activity log on disk.
    pub fn log_extents(&self) -> Vec<u32> {
        if let Some(logged) = &*self.logged.borrow() {
            return logged.clone();
        }
        let logged = self.read_log().expect("log");
        self.logged.replace(Some(logged.clone()));
        logged
    }

    /// Reads the activity log as `apply-al` does.
    ///
    /// # Errors
    ///
    /// It is damaged.
    pub fn read_log(&self) -> Result<Vec<u32>, ScanError> {
        let mut scan = Scan::new(RING);
        for position in 0..RING.blocks() {
            scan.visit(&Block::parse(
                &self.log[RING.block_of(position) as usize],
                crc32c,
            ));
        }
        let plan = scan.finish()?;
        let mut slots = vec![FREE; 256];
        for position in plan.positions(RING) {
            if let Ok(Block::Update(update)) =
                Block::parse(&self.log[RING.block_of(position) as usize], crc32c)
            {
                replay(&update, &mut slots);
            }
        }
        slots.retain(|&extent| extent != FREE);
        Ok(slots)
    }

    /// The blocks of the activity log, for those who damage them.
    pub fn log_blocks(&mut self) -> &mut [[u8; BLOCK_BYTES]] {
        self.logged.take();
        &mut self.log
    }

    /// What `drbdmeta apply-al` does before an attach.
    pub fn apply_log(&mut self) {
        let mut superblock = self.superblock();
        let was_primary =
            superblock.flags.has(Flags::PRIMARY) || superblock.flags.has(Flags::CRASHED_PRIMARY);
        if was_primary {
            let mut bitmap = self.bitmap();
            for extent in self.log_extents() {
                bitmap.set_range(u64::from(extent) * 1024, 1024);
            }
            let mut page = bitmap.next_changed_page(0);
            while let Some(n) = page {
                let mut image = [0; PAGE_BYTES];
                bitmap.take_page(n, &mut image);
                self.pages[n as usize] = image;
                page = bitmap.next_changed_page(n + 1);
            }
        }
        self.logged.take();
        for block in &mut self.log {
            emit_initialized(block, crc32c);
        }
        superblock.clean = true;
        superblock.flags.put(Flags::AL_CLEAN, true);
        self.put_superblock(&superblock);
    }
}

/// A write to the metadata.
#[derive(Clone)]
pub enum MetaWrite {
    /// The superblock.
    Superblock(Box<[u8; SUPERBLOCK_BYTES]>),
    /// A block of the activity log.
    Log(u32, Box<[u8; BLOCK_BYTES]>),
    /// A page of the bitmap.
    Page(u64, Box<[u8; PAGE_BYTES]>),
}

impl MetaWrite {
    /// What it is, for the story.
    pub fn describe(&self) -> String {
        match self {
            MetaWrite::Superblock(_) => "superblock".into(),
            MetaWrite::Log(block, image) => match Block::parse(image, crc32c) {
                Ok(Block::Update(update)) => {
                    let extents: Vec<String> = update
                        .updates()
                        .map(|(slot, extent)| format!("{slot}={extent}"))
                        .collect();
                    format!("log block {block}, slots {}", extents.join(" "))
                }
                _ => format!("log block {block}"),
            },
            MetaWrite::Page(page, _) => format!("bitmap page {page}"),
        }
    }
}
