// SPDX-License-Identifier: GPL-2.0

//! The disk below a volume: where data goes, and where metadata is.
#![forbid(unsafe_code)]

use kernel::prelude::*;

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
use crate::storage::KernelStorage;
use crate::sys::bdev::{
    BlockDevice,
    MetaIo,
    WriteFlags, //
};
use crate::sys::lock::{
    Mutex,
    SpinLock, //
};

/// Pages of the bitmap that are read or written at once.
const RUN_PAGES: usize = 32;

/// An open lower disk with its metadata device.
pub struct Lower {
    /// Where the data is.
    pub data: BlockDevice,
    /// Where the metadata is; the same device for internal metadata.
    pub meta: BlockDevice,
    /// Where on it.
    geometry: SpinLock<Geometry>,
    io: Mutex<MetaIo>,
    /// Metadata writes are made durable one by one (`md-flushes`).
    flushes: bool,
    /// The data is flushed for the peer's barriers (`disk-flushes`).
    pub disk_flushes: bool,
}

impl Lower {
    /// Prepares metadata I/O. May sleep.
    pub fn new(
        data: BlockDevice,
        meta: BlockDevice,
        geometry: Geometry,
        options: &DiskOptions,
    ) -> Result<Self> {
        Ok(Self {
            data,
            meta,
            geometry: crate::spinlock!(geometry, c"tandem_geometry")?,
            io: crate::mutex!(MetaIo::new(RUN_PAGES * PAGE_BYTES)?, c"tandem_metadata")?,
            flushes: options.md_flushes,
            disk_flushes: options.disk_flushes,
        })
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
        let Some((sector, bytes)) = fill(io.buffer_mut()) else {
            return Ok(());
        };
        if self.flushes && !self.meta.same_device(&self.data) {
            // What metadata says of the data must not be on disk before the data. (On one device
            // the write below flushes first.)
            self.data.flush()?;
        }
        let flags = WriteFlags {
            fua: self.flushes,
            preflush: self.flushes,
        };
        io.write(&self.meta, sector, bytes, flags)
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

    /// Writes a block of the activity log. May sleep.
    pub fn write_log(&self, block: u32, image: &[u8; BLOCK_BYTES]) -> Result {
        let geometry = self.geometry();
        let mut placed = false;
        self.write(|buffer| {
            *buffer.first_chunk_mut::<BLOCK_BYTES>()? = *image;
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

    /// Writes a block of a log that is elsewhere, which `fill` makes; it says which one. May sleep.
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

    /// Reads the whole bitmap. May sleep.
    pub fn read_bitmap(&self, bitmap: &mut Bitmap<KernelStorage>) -> Result {
        let geometry = self.geometry();
        let pages = bitmap.pages();
        let mut page = 0;
        let mut io = self.io.lock();
        while page < pages {
            let count = (pages - page).min(RUN_PAGES as u64) as usize;
            let sector = geometry.bitmap_page_sector(page).ok_or(EIO)?;
            let images = io.read(&self.meta, sector, count * PAGE_BYTES)?;
            for image in images.chunks_exact(PAGE_BYTES) {
                let image = image.try_into().map_err(|_| EIO)?;
                bitmap.put_page(page, image);
                page += 1;
            }
        }
        Ok(())
    }
}
