// SPDX-License-Identifier: GPL-2.0

//! Small numbers with a meaning: sectors, bytes, tickets, time.
//!
//! One *sector* is always 512 bytes. One *block* is what one bit of the dirty bitmap stands for,
//! 4096 bytes.

use core::num::Wrapping;

/// Bytes of one sector.
pub const SECTOR_SIZE: u32 = 512;

/// Bytes that one bit of the dirty bitmap stands for.
pub const BLOCK_SIZE: u32 = 4096;

/// Sectors that one bit of the dirty bitmap stands for.
pub const BLOCK_SECTORS: u64 = 8;

/// Largest single request on the wire and in a slot, in bytes (`DRBD_MAX_BIO_SIZE`).
pub const MAX_REQUEST_BYTES: u32 = 1 << 20;

/// Largest single request without payload, in bytes (`DRBD_MAX_BATCH_BIO_SIZE`): discards.
pub const MAX_DISCARD_BYTES: u32 = 128 << 20;

/// Largest volume, in sectors: 1 EiB (`DRBD_MAX_SECTORS_FLEX`).
pub const MAX_SECTORS: u64 = 1 << 51;

/// `block_id` of resync requests (`ID_SYNCER`, `drivers/block/drbd/drbd_int.h`).
pub const ID_SYNCER: u64 = u64::MAX;

/// A moment, in milliseconds of a monotonic clock that the driver owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// Milliseconds from `earlier` to `self`; zero when `earlier` is the later one.
    pub fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `ms` milliseconds later.
    pub fn plus(self, ms: u64) -> Instant {
        Instant(self.0.saturating_add(ms))
    }
}

/// A range of a volume: first sector and length in bytes (a multiple of 512, or 0 for a flush).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// First sector.
    pub sector: u64,
    /// Length in bytes.
    pub bytes: u32,
}

impl Extent {
    /// Makes a range of `bytes` bytes from `sector`.
    pub fn new(sector: u64, bytes: u32) -> Self {
        Self { sector, bytes }
    }

    /// First sector behind the range.
    pub fn end(self) -> u64 {
        self.sector.saturating_add(self.sectors())
    }

    /// Its length in whole sectors.
    pub fn sectors(self) -> u64 {
        u64::from(self.bytes / SECTOR_SIZE)
    }

    /// Whether the two ranges share a sector.
    pub fn overlaps(self, other: Extent) -> bool {
        self.sector < other.end() && other.sector < self.end()
    }

    /// Whether the range is whole sectors, no larger than `max_bytes`, and ends within `capacity`
    /// sectors.
    pub fn fits(self, capacity: u64, max_bytes: u32) -> bool {
        self.bytes % SECTOR_SIZE == 0 && self.bytes <= max_bytes && self.end() <= capacity
    }
}

/// Names one application request of a volume for as long as its slot is in use.
///
/// The generation makes a late answer for a slot's former request recognisable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Position in the volume's table of requests.
    pub index: u32,
    /// How often the slot was in use before; never 0.
    pub generation: u32,
}

impl Ticket {
    /// The `block_id` that the peer sends back in its answer.
    pub fn block_id(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The inverse of [`Ticket::block_id`]. The result may name no live request.
    pub fn from_block_id(id: u64) -> Self {
        Self {
            // Truncation is the format: two halves of one word.
            index: (id & 0xffff_ffff) as u32,
            generation: (id >> 32) as u32,
        }
    }
}

/// Names one request of the peer (a write it sent us, or data it wants) in a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerTicket {
    /// Position in the volume's table of peer requests.
    pub index: u32,
}

/// A sequence number that wraps; `a.is_after(b)` holds for half the circle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence(pub Wrapping<u32>);

impl Sequence {
    /// The plain number, as it is on the wire.
    pub fn get(self) -> u32 {
        self.0 .0
    }

    /// The next number.
    pub fn next(self) -> Self {
        Self(self.0 + Wrapping(1))
    }

    /// Whether `self` comes later than `other`.
    pub fn is_after(self, other: Sequence) -> bool {
        let distance = (self.0 - other.0).0;
        distance != 0 && distance < 1 << 31
    }
}

impl From<u32> for Sequence {
    fn from(n: u32) -> Self {
        Self(Wrapping(n))
    }
}
