// SPDX-License-Identifier: GPL-2.0

//! Reads: which copy serves them, and what becomes of them when it fails.

use crate::engine::ids::{
    Extent,
    Ticket, //
};
use crate::engine::options::ReadBalancing;

use super::effect::{
    Effects,
    Report,
    VolumeEffect, //
};
use super::policy::{
    LocalUse,
    MirrorUse, //
};
use super::slot::{
    Local,
    Mirror,
    Operation,
    Slot,
    WAITING, //
};
use super::table::ALONE;
use super::{
    Refusal,
    Storage,
    Volume, //
};

/// How a read is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadRoute {
    /// From the local disk, without a slot.
    Local,
    /// Through a slot: from the peer, or later, or from a disk that is watched.
    Slot(Ticket),
}

/// Bytes of the smallest stripe (`32K-striping`), as a power of two; each following method has
/// stripes of twice the size.
const SMALLEST_STRIPE: u32 = 15;

/// Whether a stripe belongs to the peer. `stripe` is the size of a stripe, as a power of two.
fn is_peers_stripe(extent: Extent, stripe: u32) -> bool {
    const SECTOR: u32 = 9;
    extent.sector >> stripe.saturating_sub(SECTOR) & 1 == 1
}

impl<S: Storage> Volume<S> {
    /// Decides where a read goes.
    pub fn read(&mut self, extent: Extent, fx: &mut Effects) -> Result<ReadRoute, Refusal> {
        self.check(Operation::Read, extent)?;
        let policy = self.policy;
        let here = self.is_good_here(extent);
        let there = policy.peer_readable;
        if policy.hold || !here {
            if !there && !policy.hold {
                return Err(Refusal::Io);
            }
            return self.read_slot(extent, Local::None, false, fx);
        }
        if there && self.prefers_peer(extent) {
            return self.read_slot(extent, Local::None, true, fx);
        }
        let sectors = u64::from(extent.bytes / 512);
        self.counters.read = self.counters.read.wrapping_add(sectors);
        if policy.watches_reads() {
            return self.read_slot(extent, Local::None, false, fx);
        }
        Ok(ReadRoute::Local)
    }

    /// The local disk failed a read that was routed to it.
    pub fn read_failed(&mut self, extent: Extent, fx: &mut Effects) -> Result<Ticket, Refusal> {
        self.mark(extent);
        fx.push(VolumeEffect::Report(Report::IoError { write: false }));
        let policy = self.policy;
        if !policy.peer_readable && !policy.hold && !policy.keep_failed {
            return Err(Refusal::Io);
        }
        match self.read_slot(extent, Local::Failed, false, fx)? {
            ReadRoute::Slot(ticket) => Ok(ticket),
            ReadRoute::Local => Err(Refusal::Io),
        }
    }

    fn read_slot(
        &mut self,
        extent: Extent,
        local: Local,
        balanced: bool,
        fx: &mut Effects,
    ) -> Result<ReadRoute, Refusal> {
        let (index, ticket) = self.take_slot()?;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.operation = Operation::Read;
            slot.extent = extent;
            slot.local = local;
            slot.balanced = balanced;
        }
        if !self.try_start(index, fx) {
            self.slots.move_to(index, WAITING);
        }
        Ok(ReadRoute::Slot(ticket))
    }

    /// Whether our disk has good data of a range.
    fn is_good_here(&self, extent: Extent) -> bool {
        match self.policy.local {
            _ if self.unsaved => false,
            LocalUse::Full => true,
            LocalUse::WriteMostly => self
                .disk
                .as_ref()
                .is_some_and(|disk| disk.bitmap.is_in_sync(extent)),
            LocalUse::WriteOnly | LocalUse::None => false,
        }
    }

    /// Whether the peer shall serve a read although our disk could (`read-balancing`). The peer
    /// has good data, too.
    fn prefers_peer(&mut self, extent: Extent) -> bool {
        // While writes are not mirrored, the peer's data ages.
        if self.policy.local != LocalUse::Full || self.policy.mirror != MirrorUse::Send {
            return false;
        }
        let stripe = |nth: u32| is_peers_stripe(extent, SMALLEST_STRIPE + nth);
        match self.policy.balancing {
            // Nothing tells of congestion any more; the C module of Linux 7.3 reads here as well.
            ReadBalancing::PreferLocal | ReadBalancing::WhenCongestedRemote => false,
            ReadBalancing::PreferRemote => true,
            ReadBalancing::RoundRobin => {
                self.peers_turn = !self.peers_turn;
                !self.peers_turn
            }
            ReadBalancing::LeastPending => self.counters.local_pending > self.counters.peer_pending,
            ReadBalancing::Striping32K => stripe(0),
            ReadBalancing::Striping64K => stripe(1),
            ReadBalancing::Striping128K => stripe(2),
            ReadBalancing::Striping256K => stripe(3),
            ReadBalancing::Striping512K => stripe(4),
            ReadBalancing::Striping1M => stripe(5),
        }
    }

    /// Starts a read at one of the copies that it has not tried.
    pub(super) fn start_read(&mut self, index: u32, slot: Slot, fx: &mut Effects) {
        self.slots.move_to(index, ALONE);
        let here = slot.may_try_local() && self.is_good_here(slot.extent);
        let there = slot.mirror == Mirror::None && self.policy.peer_readable;
        let ticket = slot.ticket(index);
        if there && (slot.balanced || !here) {
            self.send_request(index, fx);
        } else if here {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.submit_local();
            }
            self.counters.local_pending += 1;
            fx.push(VolumeEffect::SubmitLocal(ticket));
        } else {
            self.settle(index, fx);
        }
    }

    /// One copy could not serve a read; true if another one is asked.
    pub(super) fn read_elsewhere(&mut self, index: u32, slot: Slot, fx: &mut Effects) -> bool {
        let here = slot.may_try_local() && self.is_good_here(slot.extent);
        let there = slot.mirror == Mirror::None && self.policy.peer_readable;
        if slot.succeeded() || !(here || there) {
            return false;
        }
        if self.policy.hold {
            self.slots.move_to(index, WAITING);
        } else {
            self.start_read(index, slot, fx);
        }
        true
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
