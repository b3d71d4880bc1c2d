// SPDX-License-Identifier: GPL-2.0

//! How requests pass the activity log, and how the log gets to disk.
//!
//! A write needs its extents in the log on disk before it may be submitted. Requests that find
//! theirs there go on at once; the others wait, and one transaction serves all that came
//! meanwhile.

use crate::engine::broken::Invariant;
use crate::engine::ids::{
    Extent,
    SECTOR_SIZE, //
};
use crate::engine::meta::activity_log::{
    extent_of,
    Begin,
    NotReferenced,
    EXTENT_BITS, //
};
use crate::engine::meta::activity_log_block::{
    Crc32c,
    Ring,
    BLOCK_BYTES,
    MAX_UPDATES, //
};
use crate::engine::meta::activity_log_commit::NoRoom;
use crate::engine::meta::activity_log_size::LogMemory;
use crate::engine::meta::activity_log_view::LogSlotView;
use crate::engine::meta::bitmap::{
    Bitmap,
    PAGE_BYTES, //
};

use super::effect::{
    Effects,
    VolumeEffect, //
};
use super::peer::{
    PeerKind,
    PeerSlot, //
};
use super::slot::{
    Slot,
    WAITING, //
};
use super::{
    DiskTables,
    Storage,
    Volume, //
};

/// A transaction to bring to disk: first the pages, then the block, each durable before the next.
#[derive(Clone, Copy, Debug)]
pub struct LogWrite {
    /// Position of the block in the log, in blocks of 4 KiB.
    pub block: u32,
    pages: [u64; MAX_UPDATES],
    page_count: usize,
}

impl LogWrite {
    /// Pages of the bitmap that have to be on disk before the block.
    pub fn pages(&self) -> &[u64] {
        self.pages.get(..self.page_count).unwrap_or(&[])
    }
}

/// How the log was used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogUse {
    /// References to extents that were in the log on disk.
    pub hits: u64,
    /// References to extents that were not.
    pub misses: u64,
    /// Wishes that had to wait: all slots were in use.
    pub starving: u64,
    /// Wishes that had to wait: the next transaction was full.
    pub locked: u64,
    /// Extents that gave their slots to others.
    pub changed: u64,
}

impl LogUse {
    fn count(&mut self, begin: Begin) {
        let count = match begin {
            Begin::Active => &mut self.hits,
            Begin::NeedsCommit => &mut self.misses,
            Begin::TransactionFull => &mut self.locked,
            Begin::NoSlot => &mut self.starving,
        };
        *count = count.wrapping_add(1);
    }
}

/// How the log is used, as a monitor shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogView {
    /// Slots with references.
    pub used: u32,
    /// Slots that there are.
    pub slots: u16,
    /// What came so far.
    pub usage: LogUse,
}

/// First and last extent of the log that a range touches.
fn extents(extent: Extent) -> Option<(u32, u32)> {
    let first = extent_of(extent.sector)?;
    let last = extent_of(extent.end().saturating_sub(1).max(extent.sector))?;
    Some((first, last))
}

impl<S: Storage> Volume<S> {
    /// Takes references to a write's extents. True when all are in the log on disk; else the
    /// request has to wait, and keeps what it has.
    pub(super) fn enter_log(&mut self, index: u32, slot: Slot, fx: &mut Effects) -> bool {
        if !self.policy.log {
            return true;
        }
        let (ready, held) = self.enter_extents(slot.extent, slot.logged, fx);
        if let Some(slot) = self.slots.get_mut(index) {
            slot.logged = held;
        }
        ready
    }

    /// The same for a write of the peer.
    pub(super) fn enter_peer_log(&mut self, index: u32, peer: PeerSlot, fx: &mut Effects) -> bool {
        if !self.policy.peer_log || !matches!(peer.kind, PeerKind::Write { .. }) {
            return true;
        }
        let (ready, held) = self.enter_extents(peer.extent, peer.logged, fx);
        if let Some(peer) = self.peers.get_mut(index) {
            peer.logged = held;
        }
        ready
    }

    /// Takes references to the extents of a range, of which `held` are held already. Returns
    /// whether all are in the log on disk, and how many are held now.
    fn enter_extents(&mut self, range: Extent, held: u8, fx: &mut Effects) -> (bool, u8) {
        let Some(disk) = self.disk.as_mut().filter(|_| range.bytes != 0) else {
            return (true, held);
        };
        let Some((first, last)) = extents(range) else {
            return (true, held);
        };
        let mut held = held;
        let mut blocked = false;
        for extent in (first..=last).skip(usize::from(held)) {
            let begin = disk.log.begin(extent);
            self.log_use.count(begin);
            match begin {
                Begin::Active | Begin::NeedsCommit => held += 1,
                Begin::TransactionFull | Begin::NoSlot => {
                    blocked = true;
                    break;
                }
            }
        }
        if blocked {
            // Nobody may wait for a slot while holding another: that could go in a circle.
            for extent in (first..=last).take(usize::from(held)) {
                if disk.log.end(extent).is_err() {
                    self.broken.raise(Invariant::LogReference);
                }
            }
            held = 0;
        }
        let ready = !blocked && (first..=last).all(|extent| disk.log.is_active(extent));
        // Asked for once: a request that only waits must cost no effect, or a step with many
        // waiting requests would never come to its end.
        if !ready && disk.log.collected() != 0 && !disk.log.is_committing() && !self.log_asked {
            self.log_asked = true;
            fx.push(VolumeEffect::WriteLog);
        }
        (ready, held)
    }

    /// Gives the references back that a request holds to the extents of its range.
    pub(super) fn leave_log(&mut self, range: Extent, held: u8) {
        let (Some(disk), Some((first, last))) = (&mut self.disk, extents(range)) else {
            return;
        };
        for extent in (first..=last).take(usize::from(held)) {
            match disk.log.end(extent) {
                Ok(last) => self.retry |= last,
                Err(NotReferenced) => {
                    self.broken.raise(Invariant::LogReference);
                }
            }
        }
    }

    /// How the log is used; `None` without a disk.
    pub fn log_use(&self) -> Option<LogView> {
        self.disk.as_ref().map(|disk| LogView {
            used: disk.log.used(),
            slots: disk.log.limit(),
            usage: self.log_use,
        })
    }

    /// A slot of the log; `None` behind the last one, and without a disk.
    pub fn log_slot(&self, index: u16) -> Option<LogSlotView> {
        self.disk.as_ref()?.log.look_at(index)
    }

    /// Requests of the application that wait while the log gets to disk.
    pub fn waiting_for_log(&self) -> u32 {
        let mut count = 0;
        let mut next = self.slots.first(WAITING).filter(|_| self.waits_for_log());
        while let Some(index) = next {
            count += 1;
            next = self.slots.after(index);
        }
        count
    }

    /// Whether somebody waits for the log to get to disk.
    pub(super) fn waits_for_log(&self) -> bool {
        let waits = |disk: &DiskTables<S>| disk.log.collected() != 0 || disk.log.is_committing();
        self.disk.as_ref().is_some_and(waits)
    }

    /// Begins a transaction with everything that waits for one; `None` when there is nothing, or
    /// one is on its way. `block` receives what has to be written.
    pub fn log_prepare(&mut self, block: &mut [u8; BLOCK_BYTES], crc: Crc32c) -> Option<LogWrite> {
        self.log_asked = false;
        let disk = self.disk.as_mut().filter(|_| !self.unsaved)?;
        let commit = match disk.log.commit(block, crc) {
            Ok(commit) => commit?,
            Err(NoRoom) => {
                self.broken.raise(Invariant::MetadataRoom);
                return None;
            }
        };
        let mut write = LogWrite {
            block: commit.block,
            pages: [0; MAX_UPDATES],
            page_count: 0,
        };
        for &extent in commit.evicted() {
            self.log_use.changed = self.log_use.changed.wrapping_add(1);
            let page = Bitmap::<S>::page_of(u64::from(extent) * EXTENT_BITS);
            if disk.bitmap.is_page_changed(page) && !write.pages().contains(&page) {
                if let Some(place) = write.pages.get_mut(write.page_count) {
                    *place = page;
                    write.page_count += 1;
                }
            }
        }
        self.counters.log_writes = self.counters.log_writes.wrapping_add(1);
        Some(write)
    }

    /// The log shall have `slots` slots (`al-extents`), for which `memory` is there if they are
    /// more than before; returns memory that is not needed any more.
    pub fn resize_log(
        &mut self,
        slots: u16,
        memory: Option<LogMemory<S>>,
        fx: &mut Effects,
    ) -> Option<LogMemory<S>> {
        let disk = self.disk.as_mut()?;
        let former = memory.map(|memory| disk.log.grow(memory));
        disk.log.set_limit(slots);
        // Who waited for a slot may have one now.
        self.retry = true;
        self.resume(fx);
        former
    }

    /// Asks for a transaction if the disk has to hear of slots that nobody waits for.
    pub(super) fn ask_for_leaving(&mut self, fx: &mut Effects) {
        let due = |disk: &DiskTables<S>| disk.log.is_leaving() && !disk.log.is_committing();
        if !self.log_asked && !self.unsaved && self.disk.as_ref().is_some_and(due) {
            self.log_asked = true;
            fx.push(VolumeEffect::WriteLog);
        }
    }

    /// The metadata is going to move, to a log of shape `ring`: every page has to be written.
    pub fn metadata_moves(&mut self, ring: Ring) {
        if let Some(disk) = &mut self.disk {
            disk.log.set_ring(ring);
            disk.bitmap.mark_all_pages();
        }
    }

    /// One of the blocks that fill a log that moved; `block` receives it. Returns its position in
    /// the log, in blocks of 4 KiB. `None` if there is no log, or a transaction is on its way.
    pub fn log_refresh(&mut self, block: &mut [u8; BLOCK_BYTES], crc: Crc32c) -> Option<u32> {
        match self.disk.as_mut()?.log.refresh(block, crc) {
            Ok(position) => position,
            Err(NoRoom) => {
                self.broken.raise(Invariant::MetadataRoom);
                None
            }
        }
    }

    /// The transaction is on disk (`ok`), or could not be written: then the disk has to go.
    pub fn log_committed(&mut self, ok: bool, fx: &mut Effects) {
        if let Some(disk) = &mut self.disk {
            if ok {
                disk.log.committed();
            } else {
                disk.log.failed();
            }
        }
        self.unsaved |= !ok;
        self.retry = ok;
        self.resume(fx);
    }

    /// The image of a changed page of the bitmap, to be written; false when it did not change.
    pub fn take_bitmap_page(&mut self, page: u64, image: &mut [u8; PAGE_BYTES]) -> bool {
        let disk = self.disk.as_mut().filter(|_| !self.unsaved);
        let taken = disk.is_some_and(|disk| disk.bitmap.take_page(page, image));
        if taken {
            self.pace.causes((PAGE_BYTES / SECTOR_SIZE as usize) as u64);
            self.counters.bitmap_writes = self.counters.bitmap_writes.wrapping_add(1);
        }
        taken
    }

    /// The first changed page at or behind `from`.
    pub fn next_changed_page(&self, from: u64) -> Option<u64> {
        let disk = self.disk.as_ref().filter(|_| !self.unsaved)?;
        disk.bitmap.next_changed_page(from)
    }

    /// A write of the disk's metadata failed. Until another disk comes nothing more of it may be
    /// written, as it might rely on what failed; what is written to the disk does not count, and
    /// nothing is read from it: a promotion, say, may not be on it.
    pub fn metadata_failed(&mut self) {
        self.unsaved = true;
    }

    /// Whether the disk's metadata may be written, and told of.
    pub fn keeps_metadata(&self) -> bool {
        !self.unsaved
    }
}
