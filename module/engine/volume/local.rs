// SPDX-License-Identifier: GPL-2.0

//! Application requests: from the bio that comes in to its completion.

use crate::engine::broken::Invariant;
use crate::engine::ids::{
    Extent,
    Ticket, //
};

use super::effect::{
    Effects,
    Report,
    VolumeEffect, //
};
use super::overlap::Owner;
use super::peer::WantedAck;
use super::policy::{
    Conflicts,
    LocalUse,
    MirrorUse, //
};
use super::slot::{
    Local,
    Mirror,
    Operation,
    Slot,
    WriteFlags,
    HELD,
    REFUSED,
    WAITING, //
};
use super::table::{
    List,
    ALONE, //
};
use super::{
    Storage,
    Volume, //
};

/// Why a request could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No slot is free: park the request and try it again after [`VolumeEffect::Room`].
    Full,
    /// There is no good copy of the data within reach, or the range is not in the volume.
    Io,
}

/// Effects that one request can cause when it is started, finished or released.
pub(super) const EFFECTS_PER_REQUEST: usize = 7;

impl<S: Storage> Volume<S> {
    /// A write, discard, write-zeroes or flush came. `extent` is at most [`Operation::most_bytes`]
    /// long; without length it is a flush, whatever else it was meant to be.
    pub fn write(
        &mut self,
        operation: Operation,
        extent: Extent,
        flags: WriteFlags,
        fx: &mut Effects,
    ) -> Result<Ticket, Refusal> {
        let operation = if extent.bytes == 0 {
            Operation::Flush
        } else {
            operation
        };
        self.check(operation, extent)?;
        let (index, ticket) = self.take_slot()?;
        let arrival = self.next_arrival();
        if let Some(slot) = self.slots.get_mut(index) {
            slot.operation = operation;
            slot.extent = extent;
            slot.flags = flags;
            slot.arrival = arrival;
        }
        self.overlaps.insert(Owner::Local(index), extent, arrival);
        if !self.try_start(index, fx) {
            self.slots.move_to(index, WAITING);
        }
        Ok(ticket)
    }

    pub(super) fn check(&self, operation: Operation, extent: Extent) -> Result<(), Refusal> {
        let served = self.policy.hold
            || self.policy.peer_readable
            || self.policy.mirror == MirrorUse::Send
            || self.policy.local != LocalUse::None;
        if served && extent.fits(self.capacity, operation.most_bytes()) {
            Ok(())
        } else {
            Err(Refusal::Io)
        }
    }

    pub(super) fn take_slot(&mut self) -> Result<(u32, Ticket), Refusal> {
        let index = self.slots.take().ok_or(Refusal::Full)?;
        let slot = self.slots.get(index).ok_or(Refusal::Full)?;
        Ok((index, slot.ticket(index)))
    }

    /// Starts a request unless something is in its way.
    pub(super) fn try_start(&mut self, index: u32, fx: &mut Effects) -> bool {
        let Some(&slot) = self.slots.get(index) else {
            return true;
        };
        if self.policy.hold || self.overlaps.earlier(slot.extent, slot.arrival) {
            return false;
        }
        if slot.operation == Operation::Read {
            self.start_read(index, slot, fx);
            return true;
        }
        if !self.enter_log(index, slot, fx) {
            return false;
        }
        self.start_write(index, fx);
        true
    }

    fn start_write(&mut self, index: u32, fx: &mut Effects) {
        self.slots.move_to(index, ALONE);
        let policy = self.policy;
        // Where it cannot be told that they differ, the disks must not differ.
        let has_disk = policy.local != LocalUse::None && !self.unsaved;
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let ticket = slot.ticket(index);
        let extent = slot.extent;
        let operation = slot.operation;
        if !policy.good_data {
            // A resync would overwrite it: nothing may be reported as written.
            slot.local = Local::Failed;
            return self.conclude(index, fx);
        }
        if has_disk {
            slot.submit_local();
        } else {
            slot.local = Local::None;
        }
        if operation == Operation::Flush {
            if has_disk {
                self.unflushed.flush_begins();
            }
            fx.push(VolumeEffect::FlushStream);
        } else if policy.mirror == MirrorUse::Send {
            if !has_disk {
                // A disk that is on its way out: the peer may not know that yet and not mark it.
                self.mark(extent);
            }
            self.look_for_congestion(fx);
            self.send_request(index, fx);
        } else {
            // The bits are set before the data can be on the disk.
            self.mark(extent);
            if policy.mirror == MirrorUse::MarkAndTell {
                fx.push(VolumeEffect::QueueOutOfSync(extent));
            }
        }
        self.outdate_resync_requests(extent);
        if has_disk {
            let sectors = u64::from(extent.bytes / 512);
            self.counters.written = self.counters.written.wrapping_add(sectors);
            self.counters.local_pending += 1;
            fx.push(VolumeEffect::SubmitLocal(ticket));
        } else {
            self.settle(index, fx);
        }
    }

    /// The lower device finished a request's local half.
    pub fn local_done(&mut self, ticket: Ticket, ok: bool, fx: &mut Effects) {
        let Some(slot) = self.find(ticket).filter(|s| s.local == Local::Submitted) else {
            return self.late_local_done(fx);
        };
        slot.local = if ok { Local::Done } else { Local::Failed };
        let slot = *slot;
        // A write of the peer may have waited just for this to be judged.
        self.retry |= self.policy.conflicts != Conflicts::None;
        self.broken
            .decrease(&mut self.counters.local_pending, Invariant::DiskCount);
        let reads = slot.operation == Operation::Read;
        if !ok {
            self.mark(slot.extent);
            fx.push(VolumeEffect::Report(Report::IoError { write: !reads }));
        }
        self.settle(ticket.index, fx);
        self.resume(fx);
    }

    /// Concludes a request when both halves are done, unless it has to wait.
    pub(super) fn settle(&mut self, index: u32, fx: &mut Effects) {
        let Some(&slot) = self.slots.get(index) else {
            return;
        };
        if slot.mirror == Mirror::PutOff && slot.local != Local::Submitted {
            return self.start_over(index);
        }
        if !slot.finished() {
            return;
        }
        if slot.is_only_under_way() && !self.keeps(slot) {
            return fx.push(VolumeEffect::CloseEpoch(slot.epoch));
        }
        if slot.operation == Operation::Read && self.read_elsewhere(index, slot, fx) {
            return;
        }
        let list = self.holds_back(slot).filter(|_| !slot.completed);
        match list {
            Some(list) => {
                self.slots.move_to(index, list);
                if list == REFUSED {
                    self.let_pass(index, slot);
                }
            }
            None => self.conclude(index, fx),
        }
    }

    /// Whether the own disk has what was written, and is good.
    fn keeps(&self, slot: Slot) -> bool {
        slot.local == Local::Done
            && self.policy.local == LocalUse::Full
            && !slot.former_disk
            && !self.unsaved
    }

    /// Where a request waits that is done and not to be reported yet.
    fn holds_back(&self, slot: Slot) -> Option<List> {
        let policy = self.policy;
        let refused = slot.mirror == Mirror::Refused;
        let lost = refused || slot.mirror == Mirror::Lost;
        let failed = slot.local == Local::Failed && !slot.succeeded();
        if policy.hold && (lost || failed) {
            return Some(HELD);
        }
        let explained = slot.peer_failures != self.peer_failures;
        if refused && slot.operation != Operation::Read && policy.peer_readable && !explained {
            return Some(REFUSED);
        }
        // The resource has not heard of the failure yet, and may find that I/O has to wait.
        let early = policy.keep_failed && !policy.abandon;
        (failed && early).then_some(HELD)
    }

    /// Reports a request whose halves are both done, and frees its slot when nothing can need it
    /// any more.
    fn conclude(&mut self, index: u32, fx: &mut Effects) {
        let Some(&slot) = self.slots.get(index) else {
            return;
        };
        if !slot.completed {
            self.complete(index, slot, fx);
        }
        // A write that the peer has is kept until the barrier behind it is acknowledged.
        let kept = slot.mirror == Mirror::Acked && slot.operation != Operation::Read;
        if !kept || slot.barrier_acked {
            self.release(index, fx);
        }
    }

    fn complete(&mut self, index: u32, slot: Slot, fx: &mut Effects) {
        let sent = matches!(slot.mirror, Mirror::Acked | Mirror::Superseded);
        if sent && slot.operation != Operation::Read {
            fx.push(VolumeEffect::CloseEpoch(slot.epoch));
        }
        let ok = match slot.operation {
            // Without a disk of its own, a flush has nothing to flush here; nor does it matter
            // any more what a disk has that fails, when the peer's has everything. What it came
            // after may be lost with a disk that is not there any more; one flush has to say so.
            Operation::Flush => {
                let flushed = slot.local != Local::Failed && !slot.former_disk;
                let ok = flushed || self.policy.peer_readable;
                !self.unflushed.tell_loss() && ok
            }
            Operation::Read => slot.succeeded(),
            // A disk that is not good, here or there, will be overwritten by a resync.
            _ => sent && self.policy.peer_readable || self.keeps(slot),
        };
        let writes = !matches!(slot.operation, Operation::Flush | Operation::Read);
        // What the peer has in its memory, or not even there, is not cleared there.
        let resent = slot.resent && slot.ack == WantedAck::Written;
        if ok && writes && slot.local == Local::Done && !slot.former_disk && !slot.flags.fua {
            self.unflushed.written();
        }
        let acked = slot.mirror == Mirror::Acked;
        if writes && acked && slot.on_both() && (slot.in_sync || resent) {
            // Now, and not when the slot is freed: a later write of the range may mark it again.
            self.unmark(slot.extent);
            self.check_resync_end(fx);
        }
        fx.push(VolumeEffect::Complete {
            ticket: slot.ticket(index),
            ok,
        });
        if let Some(slot) = self.slots.get_mut(index) {
            slot.completed = true;
        }
        self.overlaps.remove(Owner::Local(index));
        self.retry = true;
    }

    /// Frees a slot. What is not on both disks stays marked.
    pub(super) fn release(&mut self, index: u32, fx: &mut Effects) {
        let Some(&slot) = self.slots.get(index) else {
            return;
        };
        let writes = !matches!(slot.operation, Operation::Flush | Operation::Read);
        if writes && !slot.on_both() {
            self.mark(slot.extent);
        } else if writes && slot.resent && slot.barrier_acked {
            // With protocols A and B only this says that the peer's disk has it.
            self.unmark(slot.extent);
        }
        self.leave_log(slot.extent, slot.logged);
        self.lands(index);
        fx.push(VolumeEffect::Release(slot.ticket(index)));
        if !self.slots.put(index) {
            self.broken.raise(Invariant::Slot);
        }
        fx.push(VolumeEffect::Room);
        self.check_drained(fx);
    }

    /// Gives out held completions, as many as fit.
    pub(super) fn release_held(&mut self, fx: &mut Effects) {
        while let Some(index) = self.slots.first(HELD) {
            if self.policy.hold {
                break;
            }
            if fx.room() < EFFECTS_PER_REQUEST {
                return;
            }
            self.slots.move_to(index, ALONE);
            if !self.try_again(index, fx) {
                self.conclude(index, fx);
            }
        }
        while let Some(index) = self
            .slots
            .first(REFUSED)
            .filter(|_| !self.policy.peer_readable)
        {
            if fx.room() < EFFECTS_PER_REQUEST {
                return;
            }
            if self.policy.hold {
                self.slots.move_to(index, HELD);
                continue;
            }
            self.slots.move_to(index, ALONE);
            self.conclude(index, fx);
        }
        self.releasing = false;
    }

    /// A request that lost its peer while I/O was held: if there is a peer again, or a disk, what
    /// is reported as done has to be there.
    fn try_again(&mut self, index: u32, fx: &mut Effects) -> bool {
        let policy = self.policy;
        let Some(slot) = self.slots.get_mut(index) else {
            return false;
        };
        let nowhere = slot.local != Local::Done && slot.logged == 0;
        // A write of the peer may have gone before it meanwhile (`let_pass`).
        let passed = slot.mirror == Mirror::Refused && policy.conflicts != Conflicts::None;
        match slot.operation {
            Operation::Flush if slot.local != Local::Failed => false,
            Operation::Flush
            | Operation::Read
            | Operation::Write
            | Operation::Discard
            | Operation::Zeroes { .. }
                if nowhere && policy.good_data =>
            {
                // From the beginning: it has reached nothing yet.
                slot.local = Local::None;
                slot.mirror = Mirror::None;
                self.slots.move_to(index, WAITING);
                self.retry = true;
                true
            }
            Operation::Flush | Operation::Read => false,
            _ if passed => false,
            _ if policy.mirror == MirrorUse::Send => {
                slot.resent = true;
                self.send_request(index, fx);
                self.retry = true;
                true
            }
            _ => false,
        }
    }

    /// Looks at the waiting requests again, in order of arrival.
    pub(super) fn retry_waiting(&mut self, fx: &mut Effects) {
        self.retry = false;
        let mut next = self.slots.first(WAITING);
        while let Some(index) = next {
            if fx.room() < EFFECTS_PER_REQUEST {
                self.retry = true;
                return;
            }
            next = self.slots.after(index);
            // A request that still has to wait keeps its place.
            self.try_start(index, fx);
        }
        self.retry_waiting_peers(fx);
    }
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
