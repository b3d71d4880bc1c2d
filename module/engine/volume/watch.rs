// SPDX-License-Identifier: GPL-2.0

//! A lower device that does not answer.
//!
//! With `disk-timeout` the driver gives the lower device memory of its own wherever it can, and
//! says so ([`Volume::local_starts`]). When the disk is given up by force, such requests go on
//! without it: what the device still does to that memory harms nobody. Requests on the
//! application's own memory wait for the device, however long that takes, and the disk is not
//! released before the last answer.

use crate::engine::broken::Invariant;
use crate::engine::ids::{
    Instant,
    Ticket, //
};

use super::effect::{
    Effects,
    Report,
    VolumeEffect, //
};
use super::local::EFFECTS_PER_REQUEST;
use super::slot::{
    Local,
    Operation, //
};
use super::{
    Storage,
    Volume, //
};

/// Whether a request is overdue that the disk has since `since`; begins to count if it is new.
fn is_overdue(since: &mut Instant, now: Instant, limit_ms: u64) -> bool {
    if *since == Instant::default() {
        // Seen for the first time: it may be a little older, never younger.
        *since = now;
    }
    now.since(*since) > limit_ms
}

impl<S: Storage> Volume<S> {
    /// The driver is about to give a request to the lower device; `copied`: on memory of its own,
    /// or without any. False if the disk was given up meanwhile: then it does not, and reports a
    /// failure.
    pub fn local_starts(&mut self, ticket: Ticket, copied: bool) -> bool {
        if self.policy.abandon {
            return false;
        }
        if let Some(slot) = self.find(ticket) {
            slot.copied = copied;
        }
        true
    }

    /// Whether a request still waits for the local disk.
    pub fn is_at_disk(&self, ticket: Ticket) -> bool {
        let slot = self.slots.get(ticket.index);
        slot.is_some_and(|slot| {
            slot.ticket(ticket.index) == ticket && slot.local == Local::Submitted
        })
    }

    /// Time has passed: reports the disk if it has something for longer than `disk-timeout`.
    pub fn watch_disk(&mut self, now: Instant, fx: &mut Effects) {
        let limit_ms = u64::from(self.policy.disk_timeout_ms);
        if limit_ms == 0 || self.policy.abandon {
            return;
        }
        let mut overdue = false;
        for index in 0..self.slots.len() {
            let slot = self.slots.get_mut(index);
            if let Some(slot) = slot.filter(|slot| slot.local == Local::Submitted) {
                overdue |= is_overdue(&mut slot.at_disk, now, limit_ms);
            }
        }
        for index in 0..self.peers.len() {
            let peer = self.peers.get_mut(index);
            if let Some(peer) = peer.filter(|peer| peer.is_at_disk()) {
                overdue |= is_overdue(&mut peer.at_disk, now, limit_ms);
            }
        }
        if overdue {
            fx.push(VolumeEffect::Report(Report::DiskTimeout));
        }
    }

    /// Goes on without the disk that was given up, as far as fits.
    pub(super) fn abandon_disk(&mut self, fx: &mut Effects) {
        for index in 0..self.slots.len() {
            let slot = self.slots.get_mut(index);
            let Some(slot) = slot.filter(|slot| slot.local == Local::Submitted && slot.copied)
            else {
                continue;
            };
            if fx.room() < EFFECTS_PER_REQUEST {
                return;
            }
            slot.local = Local::Failed;
            let (extent, operation) = (slot.extent, slot.operation);
            self.adrift += 1;
            if operation != Operation::Read {
                // The disk may have the old data, the new one, or get the new one some day.
                self.mark(extent);
            }
            self.settle(index, fx);
        }
        self.abandoning = false;
    }

    /// The lower device answers for a request that went on without it.
    pub(super) fn late_local_done(&mut self, fx: &mut Effects) {
        let Some(left) = self.adrift.checked_sub(1) else {
            return self.raise(Invariant::Request, fx);
        };
        self.adrift = left;
        self.broken
            .decrease(&mut self.counters.local_pending, Invariant::DiskCount);
        self.resume(fx);
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
