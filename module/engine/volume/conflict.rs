// SPDX-License-Identifier: GPL-2.0

//! Two Primaries that write to the same blocks at the same time.
//!
//! Each node writes to its own disk and sends the write to the other at once, so two overlapping
//! writes that cross would reach both disks in different orders. Exactly one node *decides*. It
//! finds a write of the peer that overlaps one of its own which the peer has not acknowledged: its
//! own comes later. If its own covers the peer's, nothing of that would be left, and the peer is
//! told that its write is *superseded*; else the peer has to *retry* it. The other node lets a
//! write of the decider wait until that one has said what becomes of its own, which is on its disk
//! first: so both disks see the two in one order.
//!
//! Acknowledgements and data go over different sockets. A write that was sent because an
//! acknowledgement was sent before it must not be taken for a concurrent one when it overtakes
//! that: all of these packets of one volume are numbered, and the decider takes a write only when
//! it has seen all that were sent before.
//!
//! Source of formats and of the verdicts: `drivers/block/drbd/drbd_receiver.c` of Linux 7.3
//! (`handle_write_conflicts`, `wait_for_and_update_peer_seq`). On purpose, here a write that the
//! peer has acknowledged already is no concurrent one, though it is not on the own disk yet; a
//! verdict is told when the own disk has what supersedes, so that nobody reads what is older; and
//! a write that was superseded by something that did not come is written again.

use crate::engine::ids::{
    Extent,
    Sequence,
    Ticket, //
};

use super::effect::{
    AckKind,
    Effects,
    VolumeEffect, //
};
use super::overlap::Owner;
use super::peer::{
    PeerKind,
    PeerSlot,
    PEER_ACTIVE,
    PEER_WAITING, //
};
use super::policy::Conflicts;
use super::remote::PeerRequestError;
use super::slot::{
    Local,
    Mirror,
    Operation,
    Slot,
    WAITING, //
};
use super::table::{
    Entry,
    ALONE, //
};
use super::{
    Storage,
    Volume, //
};

/// Whether `outer` covers all of `inner`.
fn covers(outer: Extent, inner: Extent) -> bool {
    outer.sector <= inner.sector && inner.end() <= outer.end()
}

impl<S: Storage> Volume<S> {
    /// The number of the next packet that the peer's decider has to see in its turn: a write, or an
    /// acknowledgement.
    pub(super) fn number_packet(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// A new connection counts from the beginning.
    pub(super) fn forget_numbers(&mut self) {
        self.sequence = 0;
        self.heard = Sequence::default();
        self.early = false;
    }

    /// An acknowledgement with this number came from the peer.
    pub fn peer_numbered(&mut self, number: u32, fx: &mut Effects) {
        let number = Sequence::from(number);
        if number.is_after(self.heard) {
            self.heard = number;
            if core::mem::take(&mut self.early) {
                fx.push(VolumeEffect::Room);
            }
        }
    }

    /// A write with this number came.
    ///
    /// # Errors
    ///
    /// Something that was sent before it is still on the other socket.
    pub(super) fn take_turn(&mut self, number: u32) -> Result<(), PeerRequestError> {
        let before = Sequence::from(number.wrapping_sub(1));
        if self.policy.conflicts == Conflicts::Decides && before.is_after(self.heard) {
            self.early = true;
            return Err(PeerRequestError::Early);
        }
        let number = Sequence::from(number);
        if number.is_after(self.heard) {
            self.heard = number;
        }
        Ok(())
    }

    /// Whether a write waits whose turn has not come.
    pub fn is_early(&self) -> bool {
        self.early
    }

    /// A request of the peer cannot be taken: it is answered, in the order of numbers.
    pub fn refuse_peer(&mut self, kind: AckKind, extent: Extent, block_id: u64, fx: &mut Effects) {
        let sequence = self.number_packet();
        fx.push(VolumeEffect::Ack {
            kind,
            extent,
            block_id,
            sequence,
        });
    }

    /// A write of the peer goes before our own ones, and before what is to be read for its resync,
    /// that have not begun: these may wait for something that only comes when the peer goes on.
    pub(super) fn go_before_waiting(&mut self, peer: &PeerSlot) {
        let write = matches!(peer.kind, PeerKind::Write { .. });
        if self.policy.conflicts == Conflicts::None || !write {
            return;
        }
        let mut next = self.peers.first(PEER_WAITING);
        while let Some(index) = next {
            next = self.peers.after(index);
            let reads = |other: &PeerSlot| {
                matches!(
                    other.kind,
                    PeerKind::ResyncRead | PeerKind::ResyncCheck { .. }
                ) && other.extent.overlaps(peer.extent)
            };
            if self.peers.get(index).is_some_and(reads) {
                self.read_later(index);
            }
        }
        let mut next = self.slots.first(WAITING);
        while let Some(index) = next {
            next = self.slots.after(index);
            let meets = |slot: &Slot| {
                slot.operation != Operation::Read && slot.extent.overlaps(peer.extent)
            };
            if self.slots.get(index).is_some_and(meets) {
                self.come_later(index);
            }
        }
    }

    /// Whether a request of the peer would find a slot, or could be given one.
    pub fn has_or_makes_peer_room(&self) -> bool {
        let sent = self.policy.conflicts != Conflicts::None && self.resync.sent != 0;
        self.has_peer_room() || sent
    }

    /// The table is full. A write of the peer, this one or one behind this request, may be what the
    /// target of our resync waits for before it looks at what it was sent, so that has to give a
    /// place away: not to be taken before what the driver keeps there is gone, so the request has
    /// to be tried again.
    pub(super) fn make_room_beside_sent(&mut self, fx: &mut Effects) {
        if !self.has_or_makes_peer_room() {
            return;
        }
        let mut next = self.peers.first(PEER_ACTIVE);
        while let Some(index) = next {
            next = self.peers.after(index);
            let sent = |peer: &PeerSlot| matches!(peer.kind, PeerKind::ResyncSent { .. });
            if self.peers.get(index).is_some_and(sent) {
                self.resync.forget_one();
                return self.free_peer(index, fx);
            }
        }
    }

    /// A write that the peer refused is on our disk, marked, and waits for the peer's word about
    /// its disk. That word may be behind a write of the peer which must not wait for ours, then.
    pub(super) fn let_pass(&mut self, index: u32, slot: Slot) {
        if self.policy.conflicts != Conflicts::None && slot.local == Local::Done {
            self.overlaps.remove(Owner::Local(index));
            self.retry = true;
        }
    }

    /// What is to be read for a resync gives way to all that are there now. The peer throws it away
    /// where it has written since it asked.
    fn read_later(&mut self, index: u32) {
        let arrival = self.next_arrival();
        let Some(peer) = self.peers.get_mut(index) else {
            return;
        };
        peer.arrival = arrival;
        let extent = peer.extent;
        self.overlaps.remove(Owner::Peer(index));
        self.overlaps.insert(Owner::Peer(index), extent, arrival);
    }

    /// A request that has not begun gives way to all that are there now.
    fn come_later(&mut self, index: u32) {
        let arrival = self.next_arrival();
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.arrival = arrival;
        let extent = slot.extent;
        self.overlaps.remove(Owner::Local(index));
        self.overlaps.insert(Owner::Local(index), extent, arrival);
    }

    /// A write of the peer waits for earlier requests. If one of them is a write of ours that the
    /// peer has not acknowledged, it would wait for ours, too: decides which one goes first, and
    /// tells the peer as soon as our disk has it.
    pub(super) fn judge(&mut self, index: u32, peer: &PeerSlot, fx: &mut Effects) {
        let write = matches!(peer.kind, PeerKind::Write { .. });
        if self.policy.conflicts != Conflicts::Decides || !write || peer.orphan {
            return;
        }
        let (mut concurrent, mut covered, mut under_way) = (false, false, false);
        let slots = &self.slots;
        self.overlaps.find_owner(peer.extent, |owner| {
            let Owner::Local(other) = owner else {
                return false;
            };
            let Some(own) = slots.get(other) else {
                return false;
            };
            if own.arrival < peer.arrival {
                under_way |= own.local == Local::Submitted;
                if own.mirror.is_unanswered() {
                    concurrent = true;
                    covered |= covers(own.extent, peer.extent);
                }
            }
            false
        });
        if !concurrent || under_way {
            return;
        }
        let kind = if covered {
            AckKind::Superseded
        } else {
            AckKind::Retry
        };
        self.ack(kind, *peer, fx);
        fx.push(VolumeEffect::PeerWritePutOff { epoch: peer.epoch });
        self.free_peer(index, fx);
    }

    /// The peer decided that our write does not reach its disk: its own comes later, and covers it
    /// (`superseded`), or it has to be written again behind that.
    pub fn peer_put_off(
        &mut self,
        ticket: Ticket,
        superseded: bool,
        fx: &mut Effects,
    ) -> Result<(), PeerRequestError> {
        let allowed = self.policy.conflicts == Conflicts::PeerDecides;
        let slot = self
            .find(ticket)
            .filter(|slot| allowed && !matches!(slot.operation, Operation::Read | Operation::Flush))
            .ok_or(PeerRequestError::Unexpected)?;
        let sent = slot.mirror == Mirror::Sent;
        if !sent && slot.mirror != Mirror::Sending {
            return Err(PeerRequestError::Unexpected);
        }
        // It is settled when the sender has finished.
        slot.mirror = Mirror::SettledPutOff { superseded };
        let epoch = slot.epoch;
        self.answered_one();
        fx.push(VolumeEffect::PutOff(epoch));
        if sent {
            self.put_off(ticket.index, superseded, fx);
        }
        self.resume(fx);
        Ok(())
    }

    /// The sender has finished with a write that was put off.
    pub(super) fn put_off(&mut self, index: u32, superseded: bool, fx: &mut Effects) {
        self.slots.move_to(index, ALONE);
        let Some(&slot) = self.slots.get(index) else {
            return;
        };
        let peers = &self.peers;
        let covers_ours = |owner| {
            let Owner::Peer(other) = owner else {
                return false;
            };
            peers.get(other).is_some_and(|peer| {
                matches!(peer.kind, PeerKind::Write { .. })
                    && peer.links().list() == PEER_WAITING
                    && peer.arrival > slot.arrival
                    && covers(peer.extent, slot.extent)
            })
        };
        // What superseded ours may still be on its way to us, or it came and went before ours
        // began. Then the peer has to take ours, or to say so again; what waited here for ours
        // goes on meanwhile, as the rest of what the peer sent may be behind that.
        let done = superseded && self.overlaps.find_owner(slot.extent, covers_ours).is_some();
        if let Some(slot) = self.slots.get_mut(index) {
            slot.mirror = if done {
                Mirror::Superseded
            } else {
                Mirror::PutOff
            };
        }
        self.settle(index, fx);
    }

    /// A write that was put off, and that our disk is done with, begins anew behind the peer's. It
    /// keeps its extents in the activity log: our disk has what the peer lacks.
    pub(super) fn start_over(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.local = Local::None;
            slot.mirror = Mirror::None;
        }
        self.slots.move_to(index, WAITING);
        self.come_later(index);
        self.retry = true;
    }
}

#[cfg(test)]
#[path = "conflict_tests.rs"]
mod tests;
