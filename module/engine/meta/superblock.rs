// SPDX-License-Identifier: GPL-2.0

//! The superblock of metadata version 08.
//!
//! 4096 bytes, big-endian:
//! ```text
//!  0 last agreed size u64, sectors   8 UUIDs, 4 times u64: current, bitmap, history, older one
//! 40 device UUID u64   48 reserved u64   56 flags u32   60 magic u32
//! 64 sectors of all metadata u32   68 activity log offset i32   72 activity log slots u32
//! 76 bitmap offset i32   80 bytes per bit u32 (4096)   84 peer's largest bio u32 (bytes)
//! 88 activity log stripes u32   92 blocks of 4 KiB per stripe u32   96 zero
//! ```
//! The magic number is 0x8374026b while the log is clean; a running node, and a crashed one,
//! leaves 0x8374026c: then the log has to be applied before the next attach.
//!
//! Source: `drivers/block/drbd/drbd_main.c` (`struct meta_data_on_disk`, `drbd_md_write`,
//! `drbd_md_read`), `include/uapi/linux/drbd.h` (`MDF_*`, magics); values of fresh metadata:
//! drbd-utils, `drbdmeta create-md`.

use super::activity_log_block::Ring;
use super::geometry::{
    check_ring,
    Geometry,
    GeometryError,
    Layout, //
};
use crate::engine::bytes::{
    BytesError,
    Reader,
    Writer, //
};
use crate::engine::uuid::Uuids;

/// Bytes of a superblock.
pub const SUPERBLOCK_BYTES: usize = 4096;

const MAGIC_07: u32 = 0x8374_026a;
const MAGIC_08: u32 = 0x8374_026b;
const MAGIC_84_UNCLEAN: u32 = 0x8374_026c;

/// Bytes that one bit stands for; no other value was ever in use.
const BYTES_PER_BIT: u32 = 4096;

/// Smallest "largest bio" that is believed, in bytes (`DRBD_MAX_BIO_SIZE_SAFE`).
const SAFE_BIO_SIZE: u32 = 4096;

/// Slots that `create-md` writes; replaced on the first attach.
const CREATED_SLOTS: u32 = 257;

/// Flags of the superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// The data is consistent.
    pub const CONSISTENT: Self = Self(1 << 0);
    /// The node is Primary.
    pub const PRIMARY: Self = Self(1 << 1);
    /// The node is connected.
    pub const CONNECTED: Self = Self(1 << 2);
    /// All blocks are out of sync; the bitmap on disk does not say so yet.
    pub const FULL_SYNC: Self = Self(1 << 3);
    /// The data was up to date.
    pub const WAS_UP_TO_DATE: Self = Self(1 << 4);
    /// The peer's data is outdated.
    pub const PEER_OUTDATED: Self = Self(1 << 5);
    /// The node was Primary when it crashed.
    pub const CRASHED_PRIMARY: Self = Self(1 << 6);
    /// The activity log was applied.
    pub const AL_CLEAN: Self = Self(1 << 7);
    /// The activity log is not kept up to date: after a crash all blocks are out of sync.
    pub const AL_DISABLED: Self = Self(1 << 8);

    /// Returns whether all flags of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the flags that `other` has not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Sets or clears the flags of `other`; returns whether anything changed.
    pub fn put(&mut self, other: Self, on: bool) -> bool {
        let new = if on {
            self.with(other)
        } else {
            self.without(other)
        };
        core::mem::replace(self, new) != new
    }
}

/// Why metadata can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuperblockError {
    /// There is no superblock.
    NotFound,
    /// The superblock is of DRBD 0.7.
    TooOld,
    /// The activity log was not applied after the last run.
    Unclean,
    /// A bit stands for another number of bytes than 4096.
    BytesPerBit,
    /// The parts of the metadata can't be where the superblock says.
    Geometry(GeometryError),
}

impl SuperblockError {
    /// Returns a short text for logs and users.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "no metadata found",
            Self::TooOld => "metadata of DRBD 0.7 found",
            Self::Unclean => "metadata is unclean: its activity log was not applied",
            Self::BytesPerBit => "bitmap with another granularity than 4 KiB",
            Self::Geometry(error) => error.as_str(),
        }
    }

    /// Returns what the user can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::NotFound => "create it (drbdadm create-md), or check meta-disk in the config",
            Self::TooOld => "convert it (drbdadm create-md)",
            Self::Unclean => "apply it first (drbdadm apply-al)",
            Self::BytesPerBit => "the metadata was made by a newer DRBD; create it anew",
            Self::Geometry(GeometryError::DeviceTooSmall) => {
                "the device shrank, or another meta-disk index is configured"
            }
            Self::Geometry(_) => "restore it (drbdmeta restore-md), or create it anew",
        }
    }

    /// Returns DRBD's return code: `ERR_MD_UNCLEAN` or `ERR_MD_INVALID`.
    pub const fn ret_code(self) -> i32 {
        match self {
            Self::Unclean => 165,
            _ => 119,
        }
    }
}

/// The contents of a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The activity log was applied, and nothing was written since (magic number).
    pub clean: bool,
    /// Size that the two nodes last agreed on, in sectors; 0 if never.
    pub last_size: u64,
    /// Generation UUIDs.
    pub uuids: Uuids,
    /// Names the device, for `drbdmeta`.
    pub device_uuid: u64,
    /// Flags.
    pub flags: Flags,
    /// Sectors of all metadata.
    pub md_size: u32,
    /// Sectors from the superblock to the activity log; negative for internal metadata.
    pub al_offset: i32,
    /// Slots of the activity log.
    pub al_slots: u32,
    /// Sectors from the superblock to the bitmap; negative for internal metadata.
    pub bm_offset: i32,
    /// Largest bio that the peer took, in bytes; at least 4096.
    pub peer_max_bio_size: u32,
    /// Shape of the activity log.
    pub ring: Ring,
}

/// Reads a signed offset.
fn signed(r: &mut Reader<'_>) -> Result<i32, BytesError> {
    r.array().map(i32::from_be_bytes)
}

impl Superblock {
    /// The superblock of fresh metadata, as `create-md` writes it. `device_uuid` is random.
    ///
    /// The log has to be filled with initialized blocks, and the bitmap with zeroes.
    pub const fn created(geometry: &Geometry, device_uuid: u64) -> Self {
        Self {
            clean: true,
            last_size: 0,
            uuids: Uuids::CREATED,
            device_uuid,
            flags: Flags::AL_CLEAN,
            md_size: geometry.md_size,
            al_offset: geometry.al_offset,
            al_slots: CREATED_SLOTS,
            bm_offset: geometry.bm_offset,
            peer_max_bio_size: 0,
            ring: geometry.ring,
        }
    }

    /// Reads a superblock, clean or not. Checks only what it can't be read without.
    pub fn decode(image: &[u8; SUPERBLOCK_BYTES]) -> Result<Self, SuperblockError> {
        // The image is long enough for all of it.
        Self::read(image).map_err(|_| SuperblockError::NotFound)?
    }

    fn read(image: &[u8]) -> Result<Result<Self, SuperblockError>, BytesError> {
        let mut r = Reader::new(image);
        let last_size = r.u64()?;
        let uuids = Uuids {
            current: r.u64()?,
            bitmap: r.u64()?,
            history: [r.u64()?, r.u64()?],
        };
        let device_uuid = r.u64()?;
        r.skip(8)?;
        let flags = Flags(r.u32()?);
        let clean = match r.u32()? {
            MAGIC_08 => flags.has(Flags::AL_CLEAN),
            MAGIC_84_UNCLEAN => false,
            MAGIC_07 => return Ok(Err(SuperblockError::TooOld)),
            _ => return Ok(Err(SuperblockError::NotFound)),
        };
        let (md_size, al_offset, al_slots) = (r.u32()?, signed(&mut r)?, r.u32()?);
        let bm_offset = signed(&mut r)?;
        let bytes_per_bit = r.u32()?;
        let peer_max_bio_size = r.u32()?.max(SAFE_BIO_SIZE);
        let ring = match check_ring(r.u32()?, r.u32()?) {
            Ok(ring) => ring,
            Err(error) => return Ok(Err(SuperblockError::Geometry(error))),
        };
        if bytes_per_bit != BYTES_PER_BIT {
            return Ok(Err(SuperblockError::BytesPerBit));
        }
        Ok(Ok(Self {
            clean,
            last_size,
            uuids,
            device_uuid,
            flags,
            md_size,
            al_offset,
            al_slots,
            bm_offset,
            peer_max_bio_size,
            ring,
        }))
    }

    /// Reads a superblock for an attach: it must be clean, and fit its place.
    ///
    /// The metadata device has `md_sectors` sectors; `image` comes from `Layout::superblock`.
    pub fn parse(
        image: &[u8; SUPERBLOCK_BYTES],
        layout: Layout,
        md_sectors: u64,
    ) -> Result<(Self, Geometry), SuperblockError> {
        let superblock = Self::decode(image)?;
        if !superblock.clean {
            return Err(SuperblockError::Unclean);
        }
        let geometry = superblock.geometry(layout, md_sectors)?;
        Ok((superblock, geometry))
    }

    /// Where the parts of the metadata are, checked against the device.
    pub fn geometry(&self, layout: Layout, md_sectors: u64) -> Result<Geometry, SuperblockError> {
        let at = layout
            .superblock(md_sectors)
            .ok_or(SuperblockError::Geometry(GeometryError::DeviceTooSmall))?;
        let geometry = Geometry {
            layout,
            superblock: at,
            md_size: self.md_size,
            al_offset: self.al_offset,
            bm_offset: self.bm_offset,
            ring: self.ring,
        };
        geometry
            .check(md_sectors, self.last_size)
            .map_err(SuperblockError::Geometry)?;
        Ok(geometry)
    }

    /// Writes the superblock. While the volume runs, `clean` must be `false`.
    pub fn emit(&self, image: &mut [u8; SUPERBLOCK_BYTES]) {
        image.fill(0);
        // The image is long enough for all of it.
        let _ = self.write(&mut Writer::new(image));
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), BytesError> {
        let [history, older] = self.uuids.history;
        let long = [
            self.last_size,
            self.uuids.current,
            self.uuids.bitmap,
            history,
            older,
            self.device_uuid,
            0,
        ];
        for number in long {
            w.u64(number)?;
        }
        w.u32(self.flags.0)?;
        w.u32(if self.clean {
            MAGIC_08
        } else {
            MAGIC_84_UNCLEAN
        })?;
        w.u32(self.md_size)?;
        w.bytes(&self.al_offset.to_be_bytes())?;
        w.u32(self.al_slots)?;
        w.bytes(&self.bm_offset.to_be_bytes())?;
        for number in [
            BYTES_PER_BIT,
            self.peer_max_bio_size,
            self.ring.stripes,
            self.ring.stripe_blocks,
        ] {
            w.u32(number)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "superblock_tests.rs"]
mod tests;
