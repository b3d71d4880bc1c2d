// SPDX-License-Identifier: GPL-2.0

//! More or fewer slots for the activity log (`al-extents`), while it is in use.
//!
//! Slots keep their numbers, as the log on disk names them by these. More slots need more memory,
//! nothing else. Of fewer slots, those past the limit leave when nobody refers to them any more:
//! their extents are told to the disk as free, in transactions like any others. Their memory stays.

use crate::engine::storage::Storage;

use super::activity_log::{
    ActivityLog,
    LogSlot,
    SlotState,
    NIL, //
};
use super::activity_log_block::FREE;

/// Memory for the slots of a log and for their hash table.
pub type LogMemory<S> = (
    <S as Storage>::Array<LogSlot>,
    <S as Storage>::Array<u32>, //
);

impl<S: Storage> ActivityLog<S> {
    /// Number of slots that may be in use (`al-extents`).
    pub fn limit(&self) -> u16 {
        self.limit
    }

    /// Sets the number of slots, at least 1. It is cut to what there is memory for.
    pub fn set_limit(&mut self, limit: u16) {
        let old = u32::from(self.limit);
        self.limit = limit.clamp(1, self.slot_count().max(1));
        let new = u32::from(self.limit);
        for index in new.min(old)..new.max(old) {
            let Some(slot) = self.slot(index) else {
                break;
            };
            // Others come to rest when nobody refers to them, or when the disk has heard of them.
            if slot.state == SlotState::Settled && slot.refs == 0 {
                if index < old {
                    self.unlink(index);
                }
                self.rest(index);
            }
        }
    }

    /// Takes memory for more slots, empty ones; returns the former. For fewer it changes nothing,
    /// and returns what it was given.
    pub fn grow(&mut self, (mut slots, mut heads): LogMemory<S>) -> LogMemory<S> {
        if slots.len() < self.slots.len() || heads.is_empty() {
            return (slots, heads);
        }
        slots.fill(LogSlot::default());
        heads.fill(NIL);
        for (new, old) in slots.iter_mut().zip(self.slots.iter()) {
            *new = *old;
        }
        let former = (
            core::mem::replace(&mut self.slots, slots),
            core::mem::replace(&mut self.heads, heads),
        );
        for index in 0..u32::from(self.slot_count()) {
            self.hash_again(index);
        }
        former
    }

    /// Puts a slot into a hash table that is new.
    fn hash_again(&mut self, index: u32) {
        let Some(extent) = self.slot(index).map(|slot| slot.extent) else {
            return;
        };
        let head = self.head(extent);
        let first = self.heads.get_mut(head).filter(|_| extent != FREE);
        let chain = first.map_or(NIL, |first| core::mem::replace(first, index));
        if let Some(slot) = self.slot_mut(index) {
            slot.chain = chain;
        }
    }

    /// A settled slot, on no list, has no references any more: it waits for another extent, or it
    /// leaves.
    pub(super) fn rest(&mut self, index: u32) {
        if index < u32::from(self.limit) {
            return self.push(SlotState::Settled, index);
        }
        if self.slot(index).is_none_or(|slot| slot.on_disk == FREE) {
            return;
        }
        self.unhash(index);
        if let Some(slot) = self.slot_mut(index) {
            slot.extent = FREE;
            slot.chain = NIL;
        }
        self.push(SlotState::Leaving, index);
    }
}

#[cfg(test)]
#[path = "activity_log_size_tests.rs"]
mod tests;
