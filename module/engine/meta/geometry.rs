// SPDX-License-Identifier: GPL-2.0

//! Where the parts of the metadata are, for each of the layouts of version 08.
//!
//! ```text
//! external:  | superblock, 4 KiB | activity log | bitmap |
//! internal:  | data ... | bitmap | activity log | superblock, 4 KiB | up to 7 unused sectors |
//! ```
//! Offsets on disk count in sectors of 512 bytes from the superblock; those of internal metadata
//! are negative. Every part starts at a multiple of 4 KiB.
//!
//! Source: `drivers/block/drbd/drbd_int.h` (`drbd_md_ss`, `drbd_md_first_sector`,
//! `drbd_get_max_capacity`, limits), `drbd_nl.c` (`drbd_md_set_sector_offsets`), `drbd_main.c`
//! (`check_offsets_and_sizes`), `include/uapi/linux/drbd.h` (`DRBD_MD_INDEX_*`).

use super::activity_log_block::Ring;
use crate::engine::ids::MAX_SECTORS;

/// Sectors of a block of 4 KiB: of the superblock, of a log block, of a bitmap page.
pub const BLOCK_SECTORS: u64 = 8;

/// Sectors of one index of indexed metadata (128 MiB).
pub const INDEXED_SECTORS: u32 = 128 << 11;

/// Sectors that one sector of bitmap stands for (16 MiB).
const SECTORS_PER_BITMAP_SECTOR: u64 = 1 << 15;

/// Largest device with flexible metadata, in sectors. The offsets' 32 bits end earlier.
const MAX_FLEXIBLE: u64 = MAX_SECTORS;

/// Largest device with indexed metadata, in sectors (just below 4 TiB).
const MAX_INDEXED: u64 = (INDEXED_SECTORS as u64 - 64 - 8) * SECTORS_PER_BITMAP_SECTOR;

/// Where the metadata is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// At the end of the device that holds the data.
    Internal,
    /// On a device of its own, all of it.
    FlexibleExternal,
    /// On a device of its own, 128 MiB per index.
    Indexed(u32),
}

impl Layout {
    /// Reads the index of the configuration (`meta-disk`): -1 and -3 internal, -2 flexible.
    pub fn from_index(index: i32) -> Option<Self> {
        match index {
            -1 | -3 => Some(Self::Internal),
            -2 => Some(Self::FlexibleExternal),
            _ => u32::try_from(index).ok().map(Self::Indexed),
        }
    }

    /// Sector of the superblock on a metadata device of `md_sectors` sectors.
    ///
    /// `None` if the device is too small for a superblock there.
    pub fn superblock(&self, md_sectors: u64) -> Option<u64> {
        let at = match *self {
            Self::Internal => (md_sectors & !7).checked_sub(BLOCK_SECTORS)?,
            Self::FlexibleExternal => 0,
            Self::Indexed(index) => u64::from(INDEXED_SECTORS).checked_mul(u64::from(index))?,
        };
        (at.checked_add(BLOCK_SECTORS)? <= md_sectors).then_some(at)
    }

    /// Smallest metadata device that is accepted, in sectors.
    pub fn min_md_sectors(&self) -> u64 {
        match *self {
            Self::Internal | Self::FlexibleExternal => 2 << 10,
            Self::Indexed(index) => {
                u64::from(INDEXED_SECTORS).saturating_mul(u64::from(index).saturating_add(1))
            }
        }
    }
}

/// Where the parts of the metadata are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The layout.
    pub layout: Layout,
    /// Sector of the superblock on the metadata device.
    pub superblock: u64,
    /// Sectors of all metadata.
    pub md_size: u32,
    /// Sectors from the superblock to the activity log.
    pub al_offset: i32,
    /// Sectors from the superblock to the bitmap.
    pub bm_offset: i32,
    /// Shape of the activity log.
    pub ring: Ring,
}

/// Why the parts of the metadata can't be where the superblock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// The log's shape makes it smaller than 32 KiB or larger than 16 GiB.
    LogShape,
    /// The log is not where the layout puts it.
    LogOffset,
    /// The log has not the size that its shape says.
    LogSize,
    /// The bitmap is not where the layout puts it, or not at a multiple of 4 KiB.
    BitmapOffset,
    /// The bitmap is too small for the last size of the device.
    BitmapSize,
    /// Indexed metadata has another shape than it always had.
    NotIndexed,
    /// The metadata reaches beyond its device.
    DeviceTooSmall,
}

impl GeometryError {
    /// Returns a short text for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LogShape => "impossible activity log stripes",
            Self::LogOffset => "activity log is not where the metadata layout puts it",
            Self::LogSize => "activity log size does not fit its stripes",
            Self::BitmapOffset => "bitmap is not where the metadata layout puts it",
            Self::BitmapSize => "bitmap too small for the last size of the device",
            Self::NotIndexed => "indexed metadata with other offsets than it always has",
            Self::DeviceTooSmall => "metadata reaches beyond the end of its device",
        }
    }
}

/// Sectors of a log.
fn log_sectors(ring: Ring) -> i64 {
    i64::from(ring.stripes)
        .saturating_mul(i64::from(ring.stripe_blocks))
        .saturating_mul(8)
}

/// Checks the shape of a log as it is on disk; both numbers 0 mean the old fixed size.
pub fn check_ring(stripes: u32, stripe_blocks: u32) -> Result<Ring, GeometryError> {
    if stripes == 0 && stripe_blocks == 0 {
        return Ok(Ring::DEFAULT);
    }
    let ring = Ring {
        stripes,
        stripe_blocks,
    };
    let blocks = u64::from(stripes).saturating_mul(u64::from(stripe_blocks));
    if (8..=4 << 20).contains(&blocks) {
        Ok(ring)
    } else {
        Err(GeometryError::LogShape)
    }
}

impl Geometry {
    /// Lays out metadata on a device of `md_sectors` sectors, with a log of shape `ring`.
    ///
    /// For internal metadata that is the device that holds the data.
    pub fn new(layout: Layout, md_sectors: u64, ring: Ring) -> Result<Self, GeometryError> {
        let small = GeometryError::DeviceTooSmall;
        let ring = check_ring(ring.stripes, ring.stripe_blocks)?;
        let superblock = layout.superblock(md_sectors).ok_or(small)?;
        let log = log_sectors(ring);
        let block = 8_i64;
        let bitmap_after = block.saturating_add(log);
        let (md_size, al_offset, bm_offset) = match layout {
            Layout::Indexed(_) => (i64::from(INDEXED_SECTORS), block, bitmap_after),
            Layout::FlexibleExternal => {
                let size = i64::try_from(md_sectors).map_err(|_| small)?;
                (size, block, bitmap_after)
            }
            Layout::Internal => {
                // Slightly more than needed: it covers the metadata, too.
                let bitmap = md_sectors
                    .div_ceil(SECTORS_PER_BITMAP_SECTOR)
                    .next_multiple_of(8);
                let bitmap = i64::try_from(bitmap).map_err(|_| small)?;
                let size = bitmap_after.saturating_add(bitmap);
                (size, log.saturating_neg(), block.saturating_sub(size))
            }
        };
        let geometry = Self {
            layout,
            superblock,
            md_size: u32::try_from(md_size).map_err(|_| GeometryError::BitmapOffset)?,
            al_offset: i32::try_from(al_offset).map_err(|_| GeometryError::LogOffset)?,
            bm_offset: i32::try_from(bm_offset).map_err(|_| GeometryError::BitmapOffset)?,
            ring,
        };
        geometry.check(md_sectors, 0)?;
        Ok(geometry)
    }

    /// Sectors of the log and of the bitmap, by the offsets.
    fn parts(&self) -> Result<(i64, i64), GeometryError> {
        let (al, bm) = (i64::from(self.al_offset), i64::from(self.bm_offset));
        let internal = self.layout == Layout::Internal;
        if internal != (al < 0) || !internal && al != 8 {
            return Err(GeometryError::LogOffset);
        }
        if internal {
            if bm > al {
                return Err(GeometryError::BitmapOffset);
            }
            return Ok((al.saturating_neg(), al.saturating_sub(bm)));
        }
        if bm < al.saturating_add(log_sectors(self.ring)) {
            return Err(GeometryError::BitmapOffset);
        }
        let bitmap = i64::from(self.md_size).saturating_sub(bm);
        Ok((bm.saturating_sub(al), bitmap))
    }

    /// Checks that all parts have their place on a metadata device of `md_sectors` sectors.
    ///
    /// `last_size` is the size that the two nodes last agreed on, in sectors.
    pub fn check(&self, md_sectors: u64, last_size: u64) -> Result<(), GeometryError> {
        let (log, bitmap) = self.parts()?;
        if matches!(self.layout, Layout::Indexed(_))
            && (self.md_size != INDEXED_SECTORS || self.bm_offset != 72)
        {
            return Err(GeometryError::NotIndexed);
        }
        let size = u64::from(self.md_size);
        let room = md_sectors
            .checked_sub(size)
            .ok_or(GeometryError::DeviceTooSmall)?;
        let first = self.first_sector().ok_or(GeometryError::DeviceTooSmall)?;
        if room < first {
            return Err(GeometryError::DeviceTooSmall);
        }
        if log % 8 != 0 || log < 64 || log != log_sectors(self.ring) {
            return Err(GeometryError::LogSize);
        }
        if self.bm_offset % 8 != 0 {
            return Err(GeometryError::BitmapOffset);
        }
        // Rounded down, as it always was: the last page is there anyway.
        let needed = last_size.saturating_add(7) / 8 / 8 / 512;
        match u64::try_from(bitmap) {
            Ok(bitmap) if bitmap >= needed => Ok(()),
            _ => Err(GeometryError::BitmapSize),
        }
    }

    /// First sector of the metadata. Data of internal layouts ends there.
    pub fn first_sector(&self) -> Option<u64> {
        match self.layout {
            Layout::Internal => self
                .superblock
                .checked_add_signed(i64::from(self.bm_offset)),
            _ => Some(self.superblock),
        }
    }

    /// Sector of block `block` of the activity log.
    pub fn log_sector(&self, block: u32) -> Option<u64> {
        let start = self
            .superblock
            .checked_add_signed(i64::from(self.al_offset))?;
        let offset = u64::from(block).saturating_mul(BLOCK_SECTORS);
        (block < self.ring.blocks()).then(|| start.saturating_add(offset))
    }

    /// Sectors that the bitmap may take.
    pub fn bitmap_sectors(&self) -> u64 {
        self.parts()
            .ok()
            .and_then(|(_, bitmap)| u64::try_from(bitmap).ok())
            .unwrap_or(0)
    }

    /// Sector of page `page` of the bitmap; `None` past the room for the bitmap.
    pub fn bitmap_page_sector(&self, page: u64) -> Option<u64> {
        let start = self
            .superblock
            .checked_add_signed(i64::from(self.bm_offset))?;
        let offset = page.checked_mul(BLOCK_SECTORS)?;
        (offset < self.bitmap_sectors()).then(|| start.saturating_add(offset))
    }

    /// Bits that the bitmap has room for.
    pub fn bitmap_bits(&self) -> u64 {
        self.bitmap_sectors().saturating_mul(512 * 8)
    }

    /// Most sectors of data with this metadata, on a data device of `data_sectors` sectors.
    pub fn max_data_sectors(&self, data_sectors: u64) -> u64 {
        if data_sectors == 0 {
            return 0;
        }
        let bitmap = self
            .bitmap_sectors()
            .saturating_mul(SECTORS_PER_BITMAP_SECTOR);
        match self.layout {
            Layout::Internal => self.first_sector().unwrap_or(0).min(MAX_FLEXIBLE),
            Layout::FlexibleExternal => data_sectors.min(MAX_FLEXIBLE).min(bitmap),
            Layout::Indexed(_) => data_sectors.min(MAX_INDEXED),
        }
    }
}
