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
use crate::storage::KernelStorage;
use crate::sys::bdev::{
    BlockDevice,
    MetaIo,
    WriteFlags, //
};
use crate::sys::lock::Mutex;

/// Pages of the bitmap that are read at once.
const READ_PAGES: usize = 32;

/// An open lower disk with its metadata device.
pub struct Lower {
    /// Where the data is.
    pub data: BlockDevice,
    /// Where the metadata is; the same device for internal metadata.
    pub meta: BlockDevice,
    /// Where on it.
    pub geometry: Geometry,
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
            geometry,
            io: crate::mutex!(MetaIo::new(READ_PAGES * PAGE_BYTES)?, c"tandem_metadata")?,
            flushes: options.md_flushes,
            disk_flushes: options.disk_flushes,
        })
    }

    /// Writes `bytes` bytes to `sector`, as `fill` leaves them; nothing if it returns false.
    fn write(
        &self,
        sector: Option<u64>,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]) -> bool,
    ) -> Result {
        let sector = sector.ok_or(EIO)?;
        let mut io = self.io.lock();
        if !fill(io.buffer_mut().get_mut(..bytes).ok_or(EINVAL)?) {
            return Ok(());
        }
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
        let at = Some(self.geometry.superblock);
        self.write(at, SUPERBLOCK_BYTES, |image| match image.try_into() {
            Ok(image) => {
                superblock.emit(image);
                true
            }
            Err(_) => false,
        })
    }

    /// Writes a block of the activity log. May sleep.
    pub fn write_log(&self, block: u32, image: &[u8; BLOCK_BYTES]) -> Result {
        self.write(self.geometry.log_sector(block), BLOCK_BYTES, |to| {
            to.copy_from_slice(image);
            true
        })
    }

    /// Writes a page of the bitmap, if `fill` has one to write. May sleep.
    pub fn write_page(
        &self,
        page: u64,
        fill: impl FnOnce(&mut [u8; PAGE_BYTES]) -> bool,
    ) -> Result {
        let at = self.geometry.bitmap_page_sector(page);
        self.write(at, PAGE_BYTES, |image| image.try_into().is_ok_and(fill))
    }

    /// Reads the whole bitmap. May sleep.
    pub fn read_bitmap(&self, bitmap: &mut Bitmap<KernelStorage>) -> Result {
        let pages = bitmap.pages();
        let mut page = 0;
        let mut io = self.io.lock();
        while page < pages {
            let count = (pages - page).min(READ_PAGES as u64) as usize;
            let sector = self.geometry.bitmap_page_sector(page).ok_or(EIO)?;
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
