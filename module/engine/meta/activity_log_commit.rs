// SPDX-License-Identifier: GPL-2.0

//! How the activity log's changes get to the disk.

use crate::engine::storage::Storage;

use super::activity_log::{
    ActivityLog,
    LogSlot,
    SlotState,
    NIL, //
};
use super::activity_log_block::{
    Crc32c,
    Ring,
    Transaction,
    BLOCK_BYTES,
    CONTEXT_SLOTS,
    FREE,
    MAX_UPDATES, //
};

/// `ActivityLog::commit` found no room in the block for what a transaction may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// A transaction that was started: what to do before and where to write it.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// Block of the log that the transaction goes to, from the start of the log.
    pub block: u32,
    evicted: [u32; MAX_UPDATES],
    evicted_len: usize,
}

impl Commit {
    /// The extents that leave the log: their bitmap pages must be on disk before the block.
    pub fn evicted(&self) -> &[u32] {
        self.evicted.get(..self.evicted_len).unwrap_or(&[])
    }
}

impl<S: Storage> ActivityLog<S> {
    /// Starts a transaction with the collected slots, and writes it to `block`; slots that are
    /// given up take what room is left.
    ///
    /// `None` if there is nothing for it, or a transaction is on its way. Then: bring the bitmap
    /// pages of the evicted extents to disk, write the block, and call `committed` or `failed`.
    ///
    /// # Errors
    ///
    /// The block has no room, which cannot be: the log is of no use any more.
    pub fn commit(
        &mut self,
        block: &mut [u8; BLOCK_BYTES],
        crc: Crc32c,
    ) -> Result<Option<Commit>, NoRoom> {
        if self.committing || self.uncommitted() == 0 {
            return Ok(None);
        }
        let mut commit = Commit {
            block: self.ring.block_of(self.number),
            evicted: [FREE; MAX_UPDATES],
            evicted_len: 0,
        };
        let mut updates = [(0, FREE); MAX_UPDATES];
        let mut count = 0_usize;
        for update in &mut updates {
            let index = match self.collected.first {
                NIL => self.leaving.first,
                index => index,
            };
            let Some(&LogSlot {
                on_disk, extent, ..
            }) = self.slot(index)
            else {
                break;
            };
            // Slots are at most `MAX_SLOTS`.
            *update = (u16::try_from(index).map_err(|_| NoRoom)?, extent);
            count = count.saturating_add(1);
            if on_disk != FREE {
                if let Some(evicted) = commit.evicted.get_mut(commit.evicted_len) {
                    *evicted = on_disk;
                    commit.evicted_len = commit.evicted_len.saturating_add(1);
                }
            }
            self.unlink(index);
            self.push(SlotState::Written, index);
        }
        self.emit(block, updates.get(..count).ok_or(NoRoom)?, crc)?;
        self.committing = true;
        Ok(Some(commit))
    }

    /// Writes a transaction block with the present context.
    fn emit(
        &self,
        block: &mut [u8; BLOCK_BYTES],
        updates: &[(u16, u32)],
        crc: Crc32c,
    ) -> Result<(), NoRoom> {
        let transaction = Transaction {
            number: self.number,
            updates,
            slots: self.slot_count(),
            context_start: self.context_start,
        };
        let context = |slot: u16| self.slot(u32::from(slot)).map_or(FREE, |slot| slot.on_disk);
        transaction.emit(block, context, crc).map_err(|_| NoRoom)
    }

    /// Writes a transaction without changes to `block`, and steps on; returns where it goes.
    ///
    /// That many times as the ring has blocks, it fills a ring that moved with the present
    /// state. `None` while a transaction is on its way.
    ///
    /// Errors: as `commit`.
    pub fn refresh(
        &mut self,
        block: &mut [u8; BLOCK_BYTES],
        crc: Crc32c,
    ) -> Result<Option<u32>, NoRoom> {
        if self.committing {
            return Ok(None);
        }
        self.emit(block, &[], crc)?;
        let at = self.ring.block_of(self.number);
        self.step();
        Ok(Some(at))
    }

    /// Lets the log go on in a ring of another shape.
    pub fn set_ring(&mut self, ring: Ring) {
        if ring.blocks() > 0 {
            self.ring = ring;
        }
    }

    /// Steps to the next transaction.
    fn step(&mut self) {
        self.number = self.number.wrapping_add(1);
        let next = self.context_start.saturating_add(CONTEXT_SLOTS);
        self.context_start = if next >= self.slot_count() { 0 } else { next };
    }

    /// The transaction is on disk: its extents are active.
    pub fn committed(&mut self) {
        if !self.committing {
            return;
        }
        self.committing = false;
        self.step();
        self.settle(SlotState::Written);
    }

    /// The transaction could not be written: its extents are collected for the next attempt.
    ///
    /// What is on disk is not known; the next attempt writes the same block.
    pub fn failed(&mut self) {
        self.committing = false;
        while self.written.first != NIL {
            let index = self.written.first;
            self.unlink(index);
            let leaves = self.slot(index).is_some_and(|slot| slot.extent == FREE);
            let state = match leaves {
                true => SlotState::Leaving,
                false => SlotState::Collected,
            };
            self.push(state, index);
        }
    }

    /// Makes all collected extents active without a transaction, as with `al-updates no`.
    ///
    /// Does nothing while a transaction is on its way.
    pub fn commit_unlogged(&mut self) {
        if !self.committing {
            self.settle(SlotState::Collected);
            self.settle(SlotState::Leaving);
        }
    }

    /// Settles all slots on the list of `state`.
    fn settle(&mut self, state: SlotState) {
        loop {
            let index = self.list(state).first;
            if index == NIL {
                break;
            }
            self.unlink(index);
            let Some(slot) = self.slot_mut(index) else {
                break;
            };
            slot.on_disk = slot.extent;
            slot.state = SlotState::Settled;
            if slot.refs == 0 {
                self.rest(index);
            }
        }
    }
}
