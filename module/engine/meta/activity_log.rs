// SPDX-License-Identifier: GPL-2.0

//! The activity log: which extents of 4 MiB may have writes in flight.
//!
//! A write may go to disk only while its extents are in the log *on disk*; after a crash just
//! those are taken as out of sync. A slot of the log is in one of these states:
//!
//! - *settled*: disk and memory agree. With references it is in use; without, it waits, least
//!   recently used first, to be given to another extent.
//! - *collected*: given to a new extent, to be told to the disk in the next transaction.
//! - *leaving*: of no use any more, as there shall be fewer slots; the disk has to hear of it.
//! - *written*: in the transaction that is on its way to the disk.
//!
//! A transaction takes the collected slots to disk, at most 64, while further ones are collected
//! for the next. A slot is given away only when nobody refers to it, so the old extent leaves the
//! log; the bits of that extent must be on disk first, hence `Commit::evicted`.
//!
//! Transactions are in `activity_log_commit`, the number of slots in `activity_log_size`.
//!
//! Source: `drivers/block/drbd/drbd_actlog.c`, `lib/lru_cache.c` (rules), `drbd_int.h`
//! (`AL_EXTENT_SHIFT`).

use super::activity_log_block::{
    Ring,
    FREE,
    MAX_SLOTS,
    MAX_UPDATES, //
};
use crate::engine::storage::Storage;

/// Sectors of one extent (4 MiB).
pub const EXTENT_SECTORS: u64 = 8192;

/// Bits of the dirty bitmap for one extent.
pub const EXTENT_BITS: u64 = 1024;

/// Returns the extent that a sector lies in; `None` past 16 PiB, which no device reaches.
pub fn extent_of(sector: u64) -> Option<u32> {
    u32::try_from(sector / EXTENT_SECTORS)
        .ok()
        .filter(|&extent| extent != FREE)
}

/// No slot.
pub(super) const NIL: u32 = u32::MAX;

/// What a slot is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum SlotState {
    #[default]
    Settled,
    Collected,
    Leaving,
    Written,
}

/// One slot of the log.
#[derive(Clone, Copy, Debug)]
pub struct LogSlot {
    /// The extent on disk.
    pub(super) on_disk: u32,
    /// The extent that it is given to; the same if settled.
    pub(super) extent: u32,
    /// How many requests refer to it.
    pub(super) refs: u32,
    pub(super) state: SlotState,
    /// Neighbours on the list of its state.
    pub(super) prev: u32,
    pub(super) next: u32,
    /// Next slot of the same hash chain.
    pub(super) chain: u32,
}

impl Default for LogSlot {
    fn default() -> Self {
        Self {
            on_disk: FREE,
            extent: FREE,
            refs: 0,
            state: SlotState::Settled,
            prev: NIL,
            next: NIL,
            chain: NIL,
        }
    }
}

/// A doubly linked list of slots, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) first: u32,
    last: u32,
    pub(super) len: u32,
}

impl List {
    const EMPTY: Self = Self {
        first: NIL,
        last: NIL,
        len: 0,
    };
}

/// The answer to `ActivityLog::begin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Referenced, and on disk: go ahead.
    Active,
    /// Referenced, but not on disk yet: wait until `is_active` after a commit.
    NeedsCommit,
    /// Not referenced: the next transaction is full. Try again after a commit was started.
    TransactionFull,
    /// Not referenced: all slots are in use. Try again after an `end`.
    NoSlot,
}

/// `ActivityLog::end` without a `begin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotReferenced;

/// The activity log of one volume.
pub struct ActivityLog<S: Storage> {
    pub(super) slots: S::Array<LogSlot>,
    pub(super) heads: S::Array<u32>,
    pub(super) ring: Ring,
    /// Slots from this one on are not given to extents any more.
    pub(super) limit: u16,
    /// Settled slots without references, of those below the limit.
    idle: List,
    pub(super) collected: List,
    pub(super) leaving: List,
    pub(super) written: List,
    used: u32,
    pub(super) committing: bool,
    pub(super) number: u32,
    pub(super) context_start: u16,
}

impl<S: Storage> ActivityLog<S> {
    /// Makes an empty log of `slots.len()` slots, to go on with transaction `number`.
    ///
    /// At most `MAX_SLOTS` slots are used; the caller keeps to `Ring::max_slots` too. `heads` is a
    /// hash table, best about as long as `slots`. `None` if one of them is empty.
    pub fn new(
        mut slots: S::Array<LogSlot>,
        mut heads: S::Array<u32>,
        ring: Ring,
        number: u32,
    ) -> Option<Self> {
        if slots.is_empty() || heads.is_empty() || ring.blocks() == 0 {
            return None;
        }
        slots.fill(LogSlot::default());
        heads.fill(NIL);
        let mut log = Self {
            slots,
            heads,
            ring,
            limit: MAX_SLOTS,
            idle: List::EMPTY,
            collected: List::EMPTY,
            leaving: List::EMPTY,
            written: List::EMPTY,
            used: 0,
            committing: false,
            number,
            context_start: 0,
        };
        log.limit = log.slot_count();
        for slot in 0..u32::from(log.limit) {
            log.push(SlotState::Settled, slot);
        }
        Some(log)
    }

    /// Gives back the memory.
    pub fn into_memory(self) -> (S::Array<LogSlot>, S::Array<u32>) {
        (self.slots, self.heads)
    }

    /// Number of slots that there are, those of no use any more included.
    pub fn slot_count(&self) -> u16 {
        u16::try_from(self.slots.len())
            .unwrap_or(MAX_SLOTS)
            .min(MAX_SLOTS)
    }

    /// Number of slots with references.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// Number of slots that wait for a transaction to be started.
    pub fn collected(&self) -> u32 {
        self.collected.len
    }

    /// Number of slots that the disk has to hear of in the next transactions.
    pub fn uncommitted(&self) -> u32 {
        self.collected.len.saturating_add(self.leaving.len)
    }

    /// Whether there are slots whose extents the disk has to give up.
    pub fn is_leaving(&self) -> bool {
        self.leaving.len != 0
    }

    /// Whether a transaction is on its way to the disk.
    pub fn is_committing(&self) -> bool {
        self.committing
    }

    /// Number of the next transaction.
    pub fn next_number(&self) -> u32 {
        self.number
    }

    /// The shape of the log on disk.
    pub fn ring(&self) -> Ring {
        self.ring
    }

    pub(super) fn slot(&self, index: u32) -> Option<&LogSlot> {
        self.slots.get(usize::try_from(index).ok()?)
    }

    pub(super) fn slot_mut(&mut self, index: u32) -> Option<&mut LogSlot> {
        self.slots.get_mut(usize::try_from(index).ok()?)
    }

    /// The list for slots in `state`.
    pub(super) fn list(&mut self, state: SlotState) -> &mut List {
        match state {
            SlotState::Settled => &mut self.idle,
            SlotState::Collected => &mut self.collected,
            SlotState::Leaving => &mut self.leaving,
            SlotState::Written => &mut self.written,
        }
    }

    /// Appends a slot to the list of `state`.
    pub(super) fn push(&mut self, state: SlotState, index: u32) {
        let list = self.list(state);
        let last = core::mem::replace(&mut list.last, index);
        list.len = list.len.saturating_add(1);
        if last == NIL {
            list.first = index;
        }
        if let Some(slot) = self.slot_mut(last) {
            slot.next = index;
        }
        if let Some(slot) = self.slot_mut(index) {
            slot.state = state;
            slot.prev = last;
            slot.next = NIL;
        }
    }

    /// Takes a slot off the list of its state.
    pub(super) fn unlink(&mut self, index: u32) {
        let Some(&LogSlot {
            state, prev, next, ..
        }) = self.slot(index)
        else {
            return;
        };
        match self.slot_mut(prev) {
            Some(slot) => slot.next = next,
            None => self.list(state).first = next,
        }
        match self.slot_mut(next) {
            Some(slot) => slot.prev = prev,
            None => self.list(state).last = prev,
        }
        let list = self.list(state);
        list.len = list.len.saturating_sub(1);
    }

    /// The place in the hash table for an extent.
    pub(super) fn head(&self, extent: u32) -> usize {
        // Neighbouring extents go to neighbouring places.
        let extent = usize::try_from(extent).unwrap_or(0);
        extent.checked_rem(self.heads.len()).unwrap_or(0)
    }

    fn find(&self, extent: u32) -> Option<u32> {
        let mut index = *self.heads.get(self.head(extent))?;
        loop {
            let slot = self.slot(index)?;
            if slot.extent == extent {
                return Some(index);
            }
            index = slot.chain;
        }
    }

    /// Takes a slot off the hash chain of its extent.
    pub(super) fn unhash(&mut self, index: u32) {
        let Some(&LogSlot { extent, chain, .. }) = self.slot(index) else {
            return;
        };
        let head = self.head(extent);
        let Some(first) = self.heads.get_mut(head) else {
            return;
        };
        if *first == index {
            *first = chain;
            return;
        }
        let mut before = *first;
        while let Some(slot) = self.slot_mut(before) {
            if slot.chain == index {
                slot.chain = chain;
                return;
            }
            before = slot.chain;
        }
    }

    /// Gives a slot to an extent.
    fn assign(&mut self, index: u32, extent: u32) {
        self.unhash(index);
        let head = self.head(extent);
        let Some(chain) = self
            .heads
            .get_mut(head)
            .map(|first| core::mem::replace(first, index))
        else {
            return;
        };
        if let Some(slot) = self.slot_mut(index) {
            slot.extent = extent;
            slot.chain = chain;
            slot.refs = 1;
        }
    }

    /// Whether an extent is in the log on disk and in use here.
    pub fn is_active(&self, extent: u32) -> bool {
        self.find(extent)
            .and_then(|index| self.slot(index))
            .is_some_and(|slot| slot.refs > 0 && slot.state == SlotState::Settled)
    }

    /// Takes a reference to an extent if that needs no transaction.
    pub fn begin_if_active(&mut self, extent: u32) -> bool {
        match self.find(extent) {
            Some(index)
                if self
                    .slot(index)
                    .is_some_and(|s| s.state == SlotState::Settled) =>
            {
                self.refer(index);
                true
            }
            _ => false,
        }
    }

    /// Adds a reference to a slot that is given to its extent already.
    fn refer(&mut self, index: u32) {
        let Some(slot) = self.slot_mut(index) else {
            return;
        };
        slot.refs = slot.refs.saturating_add(1);
        if slot.refs == 1 {
            // Collected and written slots stay on their lists, whatever their references.
            let settled = slot.state == SlotState::Settled;
            self.used = self.used.saturating_add(1);
            if settled {
                self.unlink(index);
            }
        }
    }

    /// Takes a reference to an extent, to be given back by `end` unless the answer says otherwise.
    pub fn begin(&mut self, extent: u32) -> Begin {
        if extent == FREE {
            return Begin::NoSlot;
        }
        if let Some(index) = self.find(extent) {
            self.refer(index);
            return match self.slot(index).map(|slot| slot.state) {
                Some(SlotState::Settled) => Begin::Active,
                _ => Begin::NeedsCommit,
            };
        }
        let oldest = self.idle.first;
        if oldest == NIL {
            return Begin::NoSlot;
        }
        if self.collected.len >= MAX_UPDATES as u32 {
            return Begin::TransactionFull;
        }
        self.unlink(oldest);
        self.assign(oldest, extent);
        self.used = self.used.saturating_add(1);
        self.push(SlotState::Collected, oldest);
        Begin::NeedsCommit
    }

    /// Gives back a reference; returns whether it was the last one of the extent.
    ///
    /// Then a slot may have become free for somebody who was told `Begin::NoSlot`.
    pub fn end(&mut self, extent: u32) -> Result<bool, NotReferenced> {
        let index = self.find(extent).ok_or(NotReferenced)?;
        let slot = self.slot_mut(index).ok_or(NotReferenced)?;
        slot.refs = slot.refs.checked_sub(1).ok_or(NotReferenced)?;
        if slot.refs > 0 {
            return Ok(false);
        }
        let settled = slot.state == SlotState::Settled;
        self.used = self.used.saturating_sub(1);
        if settled {
            self.rest(index);
        }
        Ok(true)
    }

    /// Forgets all extents nobody refers to, in memory only.
    ///
    /// The next transactions tell the disk, as context. For use where the bitmap was just
    /// written as a whole.
    pub fn forget_idle(&mut self) {
        let mut index = self.idle.first;
        while let Some(&LogSlot { next, .. }) = self.slot(index) {
            self.unhash(index);
            if let Some(slot) = self.slot_mut(index) {
                slot.extent = FREE;
                slot.on_disk = FREE;
                slot.chain = NIL;
            }
            index = next;
        }
    }

    /// The extents that are in the log now, with their references, for debugging.
    pub fn extents(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let slots = self.slots.iter().filter(|slot| slot.extent != FREE);
        slots.map(|slot| (slot.extent, slot.refs))
    }
}

#[cfg(test)]
#[path = "activity_log_tests.rs"]
pub(super) mod tests;
