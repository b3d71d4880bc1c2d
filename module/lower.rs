// SPDX-License-Identifier: GPL-2.0

//! The disk below a volume: where data goes, and where metadata is.
//!
//! Whoever waits for it loses patience after `disk-timeout`, or when the disk is given up by
//! force; what the device still has is waited for by [`Lower::is_idle`].
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    AtomicU64,
    Ordering, //
};

use kernel::prelude::*;

use crate::engine::fault::Fault;
use crate::engine::ids;
use crate::engine::meta::activity_log_block::BLOCK_BYTES;
use crate::engine::meta::bitmap::{
    Bitmap,
    PAGE_BYTES, //
};
use crate::engine::meta::geometry::Geometry;
use crate::engine::meta::superblock::{
    Superblock,
    SUPERBLOCK_BYTES, //
};
use crate::engine::options::DiskOptions;
use crate::engine::resource::LowerSizes;
use crate::engine::volume::DiscardLimits;
use crate::fault_injection;
use crate::request::SEGMENTS_MAX;
use crate::storage::KernelStorage;
use crate::sys::bdev::{
    BlockDevice,
    SECTOR_SIZE, //
};
use crate::sys::clock;
use crate::sys::lock::{
    Mutex,
    SpinLock, //
};
use crate::sys::meta_io::{
    MetaIo,
    MetaWatch,
    WriteFlags, //
};
use crate::sys::page::{
    PagePool,
    PageVec, //
};

/// Pages of the bitmap that are read or written at once.
const RUN_PAGES: usize = 32;

/// Pages for requests on a disk with `disk-timeout`: 8 MiB. What finds none works on the
/// application's memory, and has to wait for the disk.
const COPY_PAGES: usize = 2048;

/// An open lower disk with its metadata device.
pub struct Lower {
    /// The volume's minor number.
    minor: u32,
    /// Where the data is.
    pub data: BlockDevice,
    /// Where the metadata is; the same device for internal metadata.
    pub meta: BlockDevice,
    /// Most segments of one request (`max-bio-bvecs`).
    pub max_segments: u16,
    /// Where on it.
    geometry: SpinLock<Geometry>,
    io: Mutex<MetaIo>,
    flusher: Mutex<MetaIo>,
    /// Of both.
    watches: [MetaWatch; 2],
    /// Metadata writes are made durable one by one (`md-flushes`).
    flushes: AtomicBool,
    /// See `disk-timeout`; in milliseconds, 0: without end.
    timeout_ms: AtomicU32,
    /// The disk was given up by force: nobody waits for it any more.
    given_up: AtomicBool,
    /// When it was asked for metadata, or for a flush, the last time; in milliseconds.
    asked: AtomicU64,
    /// Memory of our own for requests, so that they need not wait for the disk.
    copies: SpinLock<Option<PagePool>>,
}

impl Lower {
    /// Prepares metadata I/O. May sleep.
    pub fn new(
        minor: u32,
        data: BlockDevice,
        meta: BlockDevice,
        geometry: Geometry,
        options: &DiskOptions,
    ) -> Result<Self> {
        let io = MetaIo::new(RUN_PAGES * PAGE_BYTES)?;
        let flusher = MetaIo::new(SECTOR_SIZE)?;
        let lower = Self {
            minor,
            data,
            meta,
            max_segments: match options.max_bio_bvecs {
                0 => SEGMENTS_MAX,
                most => u16::try_from(most).unwrap_or(SEGMENTS_MAX),
            },
            geometry: crate::spinlock!(geometry, c"tandem_geometry")?,
            watches: [io.watch(), flusher.watch()],
            io: crate::mutex!(io, c"tandem_metadata")?,
            flusher: crate::mutex!(flusher, c"tandem_flush")?,
            flushes: AtomicBool::new(true),
            timeout_ms: AtomicU32::new(0),
            given_up: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            copies: crate::spinlock!(None, c"tandem_copies")?,
        };
        lower.tune(options)?;
        Ok(lower)
    }

    /// What the data device says of its discards. Any context.
    pub fn discard_limits(&self) -> DiscardLimits {
        let limits = self.data.limits();
        DiscardLimits {
            most: limits.max_discard_sectors,
            granularity: limits.discard_granularity / ids::SECTOR_SIZE,
            alignment: limits.discard_alignment / ids::SECTOR_SIZE,
        }
    }

    /// Does what the options say from now on. May sleep.
    ///
    /// Errors: `ENOMEM` for the memory that `disk-timeout` needs: requests wait for the disk then.
    pub fn tune(&self, options: &DiskOptions) -> Result {
        self.flushes.store(options.md_flushes, Ordering::Relaxed);
        let timeout_ms = options.disk_timeout.saturating_mul(100);
        self.timeout_ms.store(timeout_ms, Ordering::Relaxed);
        if timeout_ms != 0 && self.copies.lock().is_none() {
            let pool = PagePool::new(COPY_PAGES)?;
            *self.copies.lock() = Some(pool);
        }
        Ok(())
    }

    /// Whether requests get memory of their own.
    pub fn is_watched(&self) -> bool {
        self.timeout_ms.load(Ordering::Relaxed) != 0
    }

    /// Memory of our own for a request. Any context.
    pub fn try_copy(&self, bytes: u32) -> Option<PageVec> {
        let pool = self.copies.lock().clone();
        pool?.try_take(bytes as usize)
    }

    /// Nobody waits for the disk any more (`true`), or somebody does again. Any context.
    pub fn give_up(&self, given_up: bool) {
        self.given_up.store(given_up, Ordering::Release);
    }

    /// Whether the device has answered all that it was asked for metadata. Any context.
    pub fn is_idle(&self) -> bool {
        !self.watches.iter().any(MetaWatch::is_busy)
    }

    /// Since when it has not answered what it was asked for metadata, or a flush. Any context.
    pub fn busy_since(&self) -> Option<ids::Instant> {
        (!self.is_idle()).then(|| ids::Instant(self.asked.load(Ordering::Relaxed)))
    }

    /// When to stop waiting for what begins now.
    fn patience(&self) -> impl FnMut() -> bool + '_ {
        let since = clock::monotonic_ms();
        self.asked.store(since, Ordering::Relaxed);
        move || {
            let timeout_ms = u64::from(self.timeout_ms.load(Ordering::Relaxed));
            let waited = clock::monotonic_ms().saturating_sub(since);
            self.given_up.load(Ordering::Acquire) || (timeout_ms != 0 && waited > timeout_ms)
        }
    }

    /// Makes the data device write its cache to the medium. May sleep.
    ///
    /// Errors: `EOPNOTSUPP` if the device can't; `ETIMEDOUT`, or `EBUSY` after that, if the device
    /// does not answer.
    pub fn flush(&self) -> Result {
        self.flusher.lock().flush(&self.data, self.patience())
    }

    /// The sizes of the devices, as of now. Any context.
    pub fn sizes(&self) -> LowerSizes {
        LowerSizes {
            data: self.data.capacity(),
            meta: self.meta.capacity(),
        }
    }

    /// Where the metadata is. Any context.
    pub fn geometry(&self) -> Geometry {
        *self.geometry.lock()
    }

    /// From here on the metadata is there.
    pub fn set_geometry(&self, geometry: Geometry) {
        *self.geometry.lock() = geometry;
    }

    /// Writes what `fill` leaves in the buffer: it says to which sector, and how many bytes;
    /// nothing if it says nothing.
    fn write(&self, fill: impl FnOnce(&mut [u8]) -> Option<(u64, usize)>) -> Result {
        let mut io = self.io.lock();
        let Some((sector, bytes)) = fill(io.buffer_mut()?) else {
            return Ok(());
        };
        if fault_injection::strikes(Fault::MetadataWrite, self.minor) {
            return Err(EIO);
        }
        let flushes = self.flushes.load(Ordering::Relaxed);
        if flushes && !self.meta.same_device(&self.data) {
            // What metadata says of the data must not be on disk before the data. (On one device
            // the write below flushes first.)
            self.flush()?;
        }
        let flags = WriteFlags {
            fua: flushes,
            preflush: flushes,
        };
        io.write(&self.meta, sector, bytes, flags, self.patience())
    }

    /// Writes the superblock; it is durable when this returns. May sleep.
    pub fn write_superblock(&self, superblock: &Superblock) -> Result {
        self.write_superblock_to(&self.geometry(), superblock)
    }

    /// As [`Lower::write_superblock`], to another place.
    pub fn write_superblock_to(&self, geometry: &Geometry, superblock: &Superblock) -> Result {
        self.write(|buffer| {
            superblock.emit(buffer.first_chunk_mut::<SUPERBLOCK_BYTES>()?);
            Some((geometry.superblock, SUPERBLOCK_BYTES))
        })
    }

    /// Writes a block of the activity log, which may be elsewhere; `fill` makes it and says which
    /// one. May sleep.
    pub fn write_log_to(
        &self,
        geometry: &Geometry,
        fill: impl FnOnce(&mut [u8; BLOCK_BYTES]) -> Option<u32>,
    ) -> Result {
        let mut placed = false;
        self.write(|buffer| {
            let block = fill(buffer.first_chunk_mut::<BLOCK_BYTES>()?)?;
            let sector = geometry.log_sector(block)?;
            placed = true;
            Some((sector, BLOCK_BYTES))
        })?;
        if placed {
            Ok(())
        } else {
            Err(EIO)
        }
    }

    /// Writes pages of the bitmap from `first` on, as long as `fill` has one to write, and the
    /// buffer room for it. Returns the first page behind them. May sleep.
    ///
    /// On an error nobody knows which of them were written.
    pub fn write_pages(
        &self,
        geometry: &Geometry,
        first: u64,
        mut fill: impl FnMut(u64, &mut [u8; PAGE_BYTES]) -> bool,
    ) -> Result<u64> {
        let sector = geometry.bitmap_page_sector(first).ok_or(EIO)?;
        let mut end = first;
        self.write(|buffer| {
            for image in buffer.chunks_exact_mut(PAGE_BYTES) {
                let image = image.first_chunk_mut::<PAGE_BYTES>()?;
                if geometry.bitmap_page_sector(end).is_none() || !fill(end, image) {
                    break;
                }
                end += 1;
            }
            let bytes = usize::try_from(end - first).ok()? * PAGE_BYTES;
            (bytes > 0).then_some((sector, bytes))
        })?;
        Ok(end)
    }

    /// Reads the whole bitmap; `answered` is called after each part. May sleep.
    pub fn read_bitmap(&self, bitmap: &mut Bitmap<KernelStorage>, answered: impl Fn()) -> Result {
        let geometry = self.geometry();
        let pages = bitmap.pages();
        let mut page = 0;
        let mut io = self.io.lock();
        while page < pages {
            let count = (pages - page).min(RUN_PAGES as u64) as usize;
            let sector = geometry.bitmap_page_sector(page).ok_or(EIO)?;
            if fault_injection::strikes(Fault::MetadataRead, self.minor) {
                return Err(EIO);
            }
            let images = io.read(&self.meta, sector, count * PAGE_BYTES, self.patience())?;
            for image in images.chunks_exact(PAGE_BYTES) {
                let image = image.try_into().map_err(|_| EIO)?;
                bitmap.put_page(page, image);
                page += 1;
            }
            answered();
        }
        Ok(())
    }
}
