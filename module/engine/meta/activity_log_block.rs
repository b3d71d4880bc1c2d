// SPDX-License-Identifier: GPL-2.0

//! Blocks of the on-disk activity log: their format, their order, and their replay.
//!
//! The log is a ring of blocks of 4096 bytes, each one transaction. All numbers are big-endian.
//!
//! ```text
//!    0 magic u32 0x69cb65a2     4 transaction number u32     8 crc32c of the block, this field 0
//!   12 type u16: 0 update, 0xffff initialized               14 number of updates u16, at most 64
//!   16 number of slots u16     18 first slot of the context u16        20 reserved, 16 bytes
//!   36 slots of the updates, 64 times u16; 0xffff: unused
//!  164 extents of the updates, 64 times u32; 0xffffffff: the slot is free now
//!  420 context: the extents of 919 slots in a row as they were before the updates, u32 each
//! ```
//! As every transaction tells a part of all slots, round robin, the ring always holds the whole
//! state, and the oldest blocks may be overwritten.
//!
//! Source: `drivers/block/drbd/drbd_actlog.c` (`struct al_transaction_on_disk`,
//! `al_tr_number_to_on_disk_sector`), `include/uapi/linux/drbd.h` (`DRBD_AL_MAGIC`),
//! `drbd_limits.h` (`DRBD_AL_EXTENTS_*`).

use crate::engine::bytes::{
    BytesError,
    Reader,
    Writer, //
};

/// Bytes of one block.
pub const BLOCK_BYTES: usize = 4096;

/// Most updates in one transaction.
pub const MAX_UPDATES: usize = 64;

/// Slots of context in one transaction.
pub const CONTEXT_SLOTS: u16 = 919;

/// Extent number of a free slot.
pub const FREE: u32 = u32::MAX;

/// Most slots that a log can have (slot numbers are 16 bits, and 0xffff means none).
pub const MAX_SLOTS: u16 = 0xfffe;

const MAGIC: u32 = 0x69cb_65a2;
const CRC_AT: usize = 8;
const UPDATE: u16 = 0;
const INITIALIZED: u16 = 0xffff;
const UNUSED_SLOT: u16 = 0xffff;

/// Continues a CRC-32C over bytes, without inversion before or after.
///
/// It is the kernel's `crc32c(seed, data, length)`; here a checksum starts with seed 0.
pub type Crc32c = fn(u32, &[u8]) -> u32;

/// The CRC of a block, with zeroes in place of the CRC.
fn checksum(block: &[u8; BLOCK_BYTES], crc: Crc32c) -> u32 {
    let (head, rest) = block.split_at(CRC_AT);
    let (_, rest) = rest.split_at(4);
    crc(crc(crc(0, head), &[0; 4]), rest)
}

/// The shape of the ring on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Number of stripes, at least 1.
    pub stripes: u32,
    /// Blocks of one stripe, at least 1.
    pub stripe_blocks: u32,
}

impl Ring {
    /// The log of 32 KiB that all old volumes have.
    pub const DEFAULT: Self = Self {
        stripes: 1,
        stripe_blocks: 8,
    };

    /// Number of blocks.
    pub const fn blocks(&self) -> u32 {
        self.stripes.saturating_mul(self.stripe_blocks)
    }

    /// The block, from the start of the log, that transaction `number` goes to.
    ///
    /// Transactions go to the stripes in turn.
    pub const fn block_of(&self, number: u32) -> u32 {
        let Some(t) = number.checked_rem(self.blocks()) else {
            return 0;
        };
        match (t.checked_rem(self.stripes), t.checked_div(self.stripes)) {
            (Some(stripe), Some(row)) => stripe
                .saturating_mul(self.stripe_blocks)
                .saturating_add(row),
            _ => 0,
        }
    }

    /// Most slots that a log of this shape can keep.
    ///
    /// One block may be torn, the others have to hold the whole context.
    pub const fn max_slots(&self) -> u16 {
        const SUFFICIENT: u32 = (MAX_SLOTS as u32).div_ceil(CONTEXT_SLOTS as u32);
        let blocks = self.blocks();
        if blocks > SUFFICIENT {
            MAX_SLOTS
        } else {
            // At most 71 blocks of 919 slots.
            (blocks.saturating_sub(1) as u16).saturating_mul(CONTEXT_SLOTS)
        }
    }
}

/// What an update block says, next to its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// Number of the transaction; wraps around.
    pub number: u32,
    /// Slots that change, with their new extents; at most `MAX_UPDATES`.
    pub updates: &'a [(u16, u32)],
    /// Number of slots of the log.
    pub slots: u16,
    /// First slot of the context.
    pub context_start: u16,
}

impl Transaction<'_> {
    /// Writes the block; `context(slot)` is the extent of a slot before the updates.
    ///
    /// Updates past `MAX_UPDATES` are not written: the caller must not pass more.
    pub fn emit(
        &self,
        block: &mut [u8; BLOCK_BYTES],
        context: impl Fn(u16) -> u32,
        crc: Crc32c,
    ) -> Result<(), BytesError> {
        if self.updates.len() > MAX_UPDATES {
            return Err(BytesError::NoRoom);
        }
        let count = u16::try_from(self.updates.len()).map_err(|_| BytesError::NoRoom)?;
        let mut w = Writer::new(block);
        for number in [MAGIC, self.number, 0] {
            w.u32(number)?;
        }
        for number in [UPDATE, count, self.slots, self.context_start] {
            w.u16(number)?;
        }
        w.zeros(16)?;
        for i in 0..MAX_UPDATES {
            w.u16(self.updates.get(i).map_or(UNUSED_SLOT, |update| update.0))?;
        }
        for i in 0..MAX_UPDATES {
            w.u32(self.updates.get(i).map_or(FREE, |update| update.1))?;
        }
        for i in 0..CONTEXT_SLOTS {
            let slot = self.context_start.saturating_add(i);
            w.u32(if slot < self.slots {
                context(slot)
            } else {
                FREE
            })?;
        }
        seal(block, crc);
        Ok(())
    }

    /// The first slot of the next transaction's context.
    pub const fn next_context_start(&self) -> u16 {
        let next = self.context_start.saturating_add(CONTEXT_SLOTS);
        if next >= self.slots {
            0
        } else {
            next
        }
    }
}

/// Puts the CRC into a block.
fn seal(block: &mut [u8; BLOCK_BYTES], crc: Crc32c) {
    let sum = checksum(block, crc).to_be_bytes();
    for (to, from) in block.iter_mut().skip(CRC_AT).zip(sum) {
        *to = from;
    }
}

/// Writes the block that a fresh log is filled with.
pub fn emit_initialized(block: &mut [u8; BLOCK_BYTES], crc: Crc32c) {
    block.fill(0);
    let mut w = Writer::new(block);
    // The block has room for its own header.
    let _ = w
        .u32(MAGIC)
        .and_then(|()| w.zeros(8))
        .and_then(|()| w.u16(INITIALIZED));
    seal(block, crc);
}

/// Why a block is not a valid transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// The magic number is wrong.
    BadMagic,
    /// The checksum is wrong: the block was torn, or never written.
    BadChecksum,
    /// The type is not known.
    BadType,
    /// More updates than there is room for, or context past the last slot.
    BadCount,
}

impl BlockError {
    /// Returns a short text for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadMagic => "activity log block without magic number",
            Self::BadChecksum => "activity log block with wrong checksum",
            Self::BadType => "activity log block of unknown type",
            Self::BadCount => "activity log block with impossible counts",
        }
    }
}

/// A valid block.
#[derive(Clone, Copy, Debug)]
pub enum Block<'a> {
    /// Not used since the log was made.
    Initialized,
    /// A transaction.
    Update(UpdateBlock<'a>),
}

/// A valid transaction block.
#[derive(Clone, Copy, Debug)]
pub struct UpdateBlock<'a> {
    /// Number of the transaction.
    pub number: u32,
    /// Number of slots of the log that wrote it.
    pub slots: u16,
    /// First slot of the context.
    pub context_start: u16,
    update_slots: &'a [u8],
    update_extents: &'a [u8],
    context: &'a [u8],
}

impl<'a> Block<'a> {
    /// Reads and checks a block.
    pub fn parse(block: &'a [u8; BLOCK_BYTES], crc: Crc32c) -> Result<Self, BlockError> {
        let short = |_| BlockError::BadCount;
        let mut r = Reader::new(block);
        if r.u32().map_err(short)? != MAGIC {
            return Err(BlockError::BadMagic);
        }
        let number = r.u32().map_err(short)?;
        if r.u32().map_err(short)? != checksum(block, crc) {
            return Err(BlockError::BadChecksum);
        }
        match r.u16().map_err(short)? {
            INITIALIZED => return Ok(Self::Initialized),
            UPDATE => {}
            _ => return Err(BlockError::BadType),
        }
        let updates = usize::from(r.u16().map_err(short)?);
        let slots = r.u16().map_err(short)?;
        let context_start = r.u16().map_err(short)?;
        if updates > MAX_UPDATES || slots > MAX_SLOTS || context_start > slots {
            return Err(BlockError::BadCount);
        }
        r.skip(16).map_err(short)?;
        let update_slots = r.take(MAX_UPDATES * 2).map_err(short)?;
        let update_extents = r.take(MAX_UPDATES * 4).map_err(short)?;
        Ok(Self::Update(UpdateBlock {
            number,
            slots,
            context_start,
            update_slots: update_slots.get(..updates.saturating_mul(2)).unwrap_or(&[]),
            update_extents: update_extents
                .get(..updates.saturating_mul(4))
                .unwrap_or(&[]),
            context: r.rest(),
        }))
    }
}

/// Reads big-endian 32-bit numbers.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes
        .chunks_exact(4)
        .filter_map(|b| b.first_chunk().copied())
        .map(u32::from_be_bytes)
}

impl<'a> UpdateBlock<'a> {
    /// The slots that the transaction changes, with their new extents.
    pub fn updates(&self) -> impl Iterator<Item = (u16, u32)> + 'a {
        let slots = self
            .update_slots
            .chunks_exact(2)
            .filter_map(|b| b.first_chunk().copied());
        slots
            .map(u16::from_be_bytes)
            .zip(numbers(self.update_extents))
    }

    /// The slots of the context, with their extents before the transaction.
    pub fn context(&self) -> impl Iterator<Item = (u16, u32)> + 'a {
        (self.context_start..self.slots).zip(numbers(self.context))
    }
}

/// Why a log can't be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// No block is valid: the log was never made.
    NothingValid,
    /// More is damaged than one torn write explains: what was active cannot be told.
    Damaged,
}

impl ScanError {
    /// Returns a short text for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NothingValid => "no valid activity log found; was the metadata created?",
            Self::Damaged => "activity log damaged: which parts were being written cannot be told",
        }
    }
}

/// Which blocks a replay has to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayPlan {
    /// Ring position of the oldest transaction.
    pub oldest: u32,
    /// Number of positions from the oldest to the newest, both included; 0: nothing to replay.
    pub count: u32,
    /// Number of the transaction to go on with.
    pub next_number: u32,
    /// Blocks that are not valid: one, if a crash tore the last write.
    pub damaged: u32,
}

impl ReplayPlan {
    /// The ring positions to replay, oldest first; `Ring::block_of` finds their blocks.
    pub fn positions(&self, ring: Ring) -> impl Iterator<Item = u32> {
        let blocks = u64::from(ring.blocks().max(1));
        let oldest = u64::from(self.oldest);
        let count = u64::from(self.count);
        (oldest..oldest.saturating_add(count))
            .filter_map(move |at| u32::try_from(at.checked_rem(blocks)?).ok())
    }
}

/// Looks at all blocks of a log and finds the oldest and the newest transaction.
///
/// `visit` takes the blocks in the order of their ring positions, 0 to `Ring::blocks` - 1.
///
/// A crash tears the block behind the newest transaction, if any. A block that is damaged
/// elsewhere, lost, or of another place was a transaction that counts: without it nobody knows what
/// was active. So from the oldest to the newest the numbers have to be without a gap.
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    ring: Ring,
    position: u32,
    valid: u32,
    /// The last block that is not valid.
    damaged: Option<u32>,
    /// Number of the transaction at position 0, and at the last position that was visited.
    ends: [Option<u32>; 2],
    /// Rows of transactions whose numbers have no gap.
    rows: u32,
    /// Ring position and number of the oldest and of the newest transaction.
    range: Option<[(u32, u32); 2]>,
}

/// Whether transaction number `a` is before `b`; numbers wrap around.
const fn is_before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 1 << 31
}

impl Scan {
    /// Starts before ring position 0.
    pub const fn new(ring: Ring) -> Self {
        Self {
            ring,
            position: 0,
            valid: 0,
            damaged: None,
            ends: [None; 2],
            rows: 0,
            range: None,
        }
    }

    /// Looks at the next block.
    pub fn visit(&mut self, block: &Result<Block<'_>, BlockError>) {
        let position = self.position;
        self.position = self.position.saturating_add(1);
        let [first, last] = self.ends;
        self.ends = [first, None];
        let Ok(block) = block else {
            self.damaged = Some(position);
            return;
        };
        self.valid = self.valid.saturating_add(1);
        let Block::Update(update) = block else {
            return;
        };
        let goes_on = last.is_some_and(|last| last.wrapping_add(1) == update.number);
        self.rows = self.rows.saturating_add(u32::from(!goes_on));
        let number = Some(update.number);
        self.ends = [if position == 0 { number } else { first }, number];
        let this = (position, update.number);
        self.range = Some(match self.range {
            None => [this, this],
            Some([oldest, newest]) => [
                if is_before(this.1, oldest.1) {
                    this
                } else {
                    oldest
                },
                if is_before(newest.1, this.1) {
                    this
                } else {
                    newest
                },
            ],
        });
    }

    /// Whether a transaction is missing among those that are there.
    fn has_gap(&self) -> bool {
        // Where the ring closes, the row goes on.
        let [first, last] = self.ends;
        let closes = first.is_some() && last.map(|last| last.wrapping_add(1)) == first;
        self.rows.saturating_sub(u32::from(closes)) > 1
    }

    /// Says what to replay, after all blocks were visited.
    pub fn finish(&self) -> Result<ReplayPlan, ScanError> {
        let blocks = self.ring.blocks();
        let damaged = blocks.saturating_sub(self.valid);
        if self.valid == 0 {
            return Err(ScanError::NothingValid);
        }
        // Without any transaction, only the very first one may have been torn.
        let next = self
            .range
            .map_or(0, |[_, newest]| newest.0.saturating_add(1));
        let next = next.checked_rem(blocks);
        let torn = damaged == 0 || damaged == 1 && self.damaged == next;
        if !torn || self.has_gap() {
            return Err(ScanError::Damaged);
        }
        let Some([oldest, newest]) = self.range else {
            return Ok(ReplayPlan {
                oldest: 0,
                count: 0,
                next_number: 0,
                damaged,
            });
        };
        let wrapped = if newest.0 < oldest.0 { blocks } else { 0 };
        Ok(ReplayPlan {
            oldest: oldest.0,
            count: newest
                .0
                .saturating_add(wrapped)
                .saturating_sub(oldest.0)
                .saturating_add(1),
            next_number: newest.1.wrapping_add(1),
            damaged,
        })
    }
}

/// Applies a transaction to the table of slots; `slots` holds extents, `FREE` to begin with.
///
/// Call it for all valid blocks of a plan, oldest first; skip damaged and initialized ones. What is
/// in the table at the end may have had writes in flight. Slots that the table does not have are
/// skipped and counted in the result: make it `MAX_SLOTS` long.
pub fn replay(block: &UpdateBlock<'_>, slots: &mut [u32]) -> usize {
    let mut skipped = 0_usize;
    for (slot, extent) in block.context().chain(block.updates()) {
        match slots.get_mut(usize::from(slot)) {
            Some(to) => *to = extent,
            None => skipped = skipped.saturating_add(1),
        }
    }
    skipped
}

#[cfg(test)]
#[path = "activity_log_block_tests.rs"]
pub(super) mod tests;
