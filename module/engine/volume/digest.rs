// SPDX-License-Identifier: GPL-2.0

//! Resync with digests (`csums-alg`): data that both nodes have already is not sent.
//!
//! The target reads what it has of a range and tells the digest with its request
//! (`P_CSUM_RS_REQUEST`). The source reads its copy and compares: it answers that both are equal
//! (`P_RS_IS_IN_SYNC`), and both clear the bits, or sends the data as in every resync.
//!
//! Unlike data, the answer "equal" comes on the meta socket, in no order with what the data socket
//! carries. It says nothing of a range that was written here or marked since the digest was made;
//! and where the answer to a request that was given up is still to come, no second one is made.

use crate::engine::broken::Invariant;
use crate::engine::ids::{
    Extent,
    PeerTicket,
    BLOCK_SIZE,
    SECTOR_SIZE, //
};

use super::effect::{
    AckKind,
    Effects,
    VolumeEffect, //
};
use super::overlap::Owner;
use super::peer::PeerKind;
use super::remote::PeerRequestError;
use super::resync::Resync;
use super::slot::Operation;
use super::{
    Storage,
    Volume, //
};

impl Resync {
    /// The target tells digests.
    pub(super) fn is_told_digests(&mut self) {
        self.progress.equal.get_or_insert(0);
    }

    fn found_equal(&mut self, extent: Extent) {
        let blocks = u64::from(extent.bytes.div_ceil(BLOCK_SIZE));
        let equal = self.progress.equal.unwrap_or(0);
        self.progress.equal = Some(equal.saturating_add(blocks));
    }
}

impl<S: Storage> Volume<S> {
    /// Whether an answer is to come, in this range, to a request of a resync that was given up.
    pub(super) fn awaits_given_up(&self, extent: Extent) -> bool {
        let given_up = |owner| match owner {
            Owner::Peer(index) => self.peers.get(index).is_some_and(|peer| {
                peer.forgotten && matches!(peer.kind, PeerKind::ResyncWanted { .. })
            }),
            Owner::Local(_) => false,
        };
        self.overlaps.find_owner(extent, given_up).is_some()
    }

    /// What we have of a range is read. Nobody has to wait for that: who writes meanwhile makes
    /// the answer stale.
    pub(super) fn read_for_digest(&mut self, index: u32, sectors: u32, fx: &mut Effects) {
        self.counters.read = self.counters.read.wrapping_add(sectors.into());
        self.pace.causes(sectors.into());
        if let Some(peer) = self.peers.get_mut(index) {
            peer.operation = Operation::Read;
        }
        self.submit_peer(index, fx);
    }

    /// The digest of what we have is there: whether to send the request. It has to be sent at once,
    /// as the answer is expected from now on.
    pub fn digest_made(&mut self, ticket: PeerTicket, fx: &mut Effects) -> bool {
        self.digest_done(ticket, true, fx)
    }

    /// There is no memory to read what we have: the data is asked for without a digest.
    pub fn digest_unread(&mut self, ticket: PeerTicket, fx: &mut Effects) {
        self.broken
            .decrease(&mut self.counters.local_pending, Invariant::DiskCount);
        self.digest_left_out(ticket, fx);
    }

    /// What we have was not read well, or has no digest: the data is asked for without one.
    pub fn digest_left_out(&mut self, ticket: PeerTicket, fx: &mut Effects) {
        if let Some(extent) = self.peers.get(ticket.index).map(|peer| peer.extent) {
            if self.digest_done(ticket, false, fx) {
                fx.push(VolumeEffect::QueueResyncRequest(extent));
            }
        }
    }

    /// True if the resync still wants the data.
    fn digest_done(&mut self, ticket: PeerTicket, told: bool, fx: &mut Effects) -> bool {
        let slot = self.peers.get_mut(ticket.index);
        let Some(slot) = slot.filter(|slot| slot.is_at_disk()) else {
            self.raise(Invariant::PeerRequest, fx);
            return false;
        };
        let PeerKind::ResyncDigest { stale } = slot.kind else {
            self.raise(Invariant::PeerRequest, fx);
            return false;
        };
        if slot.orphan || slot.forgotten {
            self.free_peer(ticket.index, fx);
            self.resume(fx);
            return false;
        }
        slot.kind = PeerKind::ResyncWanted { stale, told };
        slot.operation = Operation::Write;
        true
    }

    /// The source says that its copy has the digest that we told.
    pub fn resync_equal(
        &mut self,
        extent: Extent,
        fx: &mut Effects,
    ) -> Result<(), PeerRequestError> {
        let unexpected = PeerRequestError::Unexpected;
        let index = self.find_wanted(extent).ok_or(unexpected)?;
        let wanted = *self.peers.get(index).ok_or(unexpected)?;
        let PeerKind::ResyncWanted { stale, told: true } = wanted.kind else {
            return Err(unexpected);
        };
        if !wanted.forgotten {
            self.pace.came(extent.bytes / SECTOR_SIZE);
        }
        if !wanted.forgotten && !stale {
            self.unmark(extent);
            self.resync.found_equal(extent);
        }
        self.free_peer(index, fx);
        self.check_resync_end(fx);
        self.resume(fx);
        Ok(())
    }

    /// Our copy was compared with the digest that the target told. True: the copies differ, and
    /// ours is to be sent.
    pub fn resync_checked(&mut self, ticket: PeerTicket, equal: bool, fx: &mut Effects) -> bool {
        let slot = self.peers.get_mut(ticket.index);
        let Some(slot) = slot.filter(|slot| slot.is_at_disk()) else {
            self.raise(Invariant::PeerRequest, fx);
            return false;
        };
        let PeerKind::ResyncCheck { stale } = slot.kind else {
            self.raise(Invariant::PeerRequest, fx);
            return false;
        };
        if !equal && !slot.orphan {
            slot.kind = PeerKind::ResyncRead;
            return true;
        }
        let peer = *slot;
        if !peer.orphan {
            if !peer.forgotten && !stale {
                self.unmark(peer.extent);
                self.resync.found_equal(peer.extent);
            }
            self.ack(AckKind::ResyncEqual, peer, fx);
        }
        self.free_peer(ticket.index, fx);
        self.check_resync_end(fx);
        self.resume(fx);
        false
    }
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
