// SPDX-License-Identifier: GPL-2.0

//! The requests of the peer: from the packet that comes in to the answer.

use crate::engine::broken::Invariant;
use crate::engine::ids::{
    Extent,
    Instant,
    PeerTicket, //
};

use super::effect::{
    AckKind,
    Effects,
    Report,
    VolumeEffect, //
};
use super::overlap::Owner;
use super::peer::{
    PeerKind,
    PeerSlot,
    PeerView,
    WantedAck,
    WritePlace,
    PEER_ACTIVE,
    PEER_WAITING, //
};
use super::policy::{
    LocalUse,
    MirrorUse,
    ResyncUse, //
};
use super::slot::{
    Operation,
    WriteFlags, //
};
use super::table::{
    Entry,
    FREE, //
};
use super::{
    Storage,
    Volume, //
};

/// Why a request of the peer was refused. Everything but [`PeerRequestError::Full`],
/// [`PeerRequestError::Later`], [`PeerRequestError::Early`] and [`PeerRequestError::NoDisk`] means
/// that the peer misbehaves: drop the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRequestError {
    /// No slot is free: wait and try again.
    Full,
    /// The application's I/O goes first: try again after some time.
    Later,
    /// What was sent before it has not come yet, on the other socket: try again when it has, or
    /// after [`VolumeEffect::Room`]. After `ping-timeout`, drop the connection.
    Early,
    /// There is no local disk to serve it.
    NoDisk,
    /// The range is not in the volume, or too long, or not whole sectors.
    OutOfRange,
    /// An answer to something that was not asked.
    Unexpected,
    /// Not before both nodes have agreed on whose data is right, or not now.
    State,
}

/// Why the peer wants to know what is on our disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFor {
    /// Its application reads.
    Application,
    /// Its resync.
    Resync,
    /// Its resync, and zeroes need not be sent.
    ResyncThin,
    /// Its resync, unless our copy has the digest that it told.
    ResyncCheck,
    /// Its verify: it wants the digest.
    Verify,
}

/// Effects that the start of one request of the peer can cause: it may be put off instead.
const EFFECTS_PER_START: usize = 4;

impl<S: Storage> Volume<S> {
    /// Forgets the peer's requests. Its writes, and what is at the disk, are finished without an
    /// answer.
    pub(super) fn lose_peers(&mut self, fx: &mut Effects) -> bool {
        let mut next = self.peers.first(PEER_WAITING);
        while let Some(index) = next {
            next = self.peers.after(index);
            let Some(peer) = self.peers.get_mut(index) else {
                break;
            };
            if matches!(peer.kind, PeerKind::Write { .. }) {
                // It may have been acknowledged: with protocol B memory is enough.
                peer.orphan = true;
                continue;
            }
            if fx.room() < 2 {
                return false;
            }
            self.free_peer(index, fx);
        }
        let mut next = self.peers.first(PEER_ACTIVE);
        while let Some(index) = next {
            next = self.peers.after(index);
            let Some(peer) = self.peers.get_mut(index) else {
                break;
            };
            if matches!(
                peer.kind,
                PeerKind::ResyncWanted { .. }
                    | PeerKind::ResyncSent { .. }
                    | PeerKind::VerifyWanted
            ) {
                if fx.room() < 2 {
                    return false;
                }
                self.free_peer(index, fx);
            } else {
                peer.orphan = true;
            }
        }
        true
    }

    /// A write of the peer was received completely.
    ///
    /// Effects tell when to submit it. The range is checked here; the driver must have received
    /// no more than [`Operation::most_bytes`].
    #[expect(clippy::too_many_arguments)]
    pub fn peer_write(
        &mut self,
        operation: Operation,
        extent: Extent,
        flags: WriteFlags,
        block_id: u64,
        ack: WantedAck,
        may_set_in_sync: bool,
        place: WritePlace,
        fx: &mut Effects,
    ) -> Result<PeerTicket, PeerRequestError> {
        if self.policy.meeting {
            return Err(PeerRequestError::State);
        }
        self.take_turn(place.sequence)?;
        let kind = PeerKind::Write {
            ack,
            may_set_in_sync,
        };
        let sectors = u64::from(extent.bytes / 512);
        let ticket = self.add_peer(
            PeerSlot {
                kind,
                extent,
                operation,
                flags: flags.on(operation),
                block_id,
                epoch: place.epoch,
                ..PeerSlot::default()
            },
            fx,
        )?;
        self.counters.received = self.counters.received.wrapping_add(sectors);
        if self.policy.only_disk {
            // Now: when it may start, the peer may be gone, and nobody knows that it lacks this.
            self.mark(extent);
        }
        Ok(ticket)
    }

    /// The peer wants data, or the digest of it.
    pub fn peer_read(
        &mut self,
        extent: Extent,
        block_id: u64,
        purpose: ReadFor,
        fx: &mut Effects,
    ) -> Result<PeerTicket, PeerRequestError> {
        if self.policy.meeting {
            return Err(PeerRequestError::State);
        }
        if extent.bytes == 0 || !extent.fits(self.capacity, Operation::Read.most_bytes()) {
            return Err(PeerRequestError::OutOfRange);
        }
        if self.policy.local != LocalUse::Full {
            return Err(PeerRequestError::NoDisk);
        }
        // A peer that writes would wait, too, with all it sends; and once our part is over, nobody
        // tells any more when it is enough.
        let running = self.resync_progress().is_some() || self.verify.is_running();
        let patient = running && purpose != ReadFor::Application && !self.policy.peer_writes;
        if patient && self.pace.gives_way() {
            return Err(PeerRequestError::Later);
        }
        if matches!(
            purpose,
            ReadFor::Resync | ReadFor::ResyncThin | ReadFor::ResyncCheck
        ) {
            self.forget_asked_again(extent, fx);
        }
        let kind = match purpose {
            ReadFor::Application => PeerKind::Read,
            ReadFor::Resync | ReadFor::ResyncThin => PeerKind::ResyncRead,
            ReadFor::ResyncCheck => PeerKind::ResyncCheck { stale: false },
            ReadFor::Verify => PeerKind::VerifyAnswer { failed: false },
        };
        let ticket = self.add_peer(
            PeerSlot {
                kind,
                extent,
                operation: Operation::Read,
                block_id,
                thin: purpose == ReadFor::ResyncThin,
                ..PeerSlot::default()
            },
            fx,
        )?;
        if purpose == ReadFor::ResyncCheck {
            self.resync.is_told_digests();
        }
        if purpose == ReadFor::Verify {
            self.note_verify_request(extent);
        }
        Ok(ticket)
    }

    /// The peer changed a range without sending it (`P_OUT_OF_SYNC`).
    pub fn peer_marked(&mut self, extent: Extent) -> Result<(), PeerRequestError> {
        if self.policy.meeting {
            return Err(PeerRequestError::State);
        }
        if extent.bytes == 0 || !extent.fits(self.capacity, u32::MAX) {
            return Err(PeerRequestError::OutOfRange);
        }
        self.mark(extent);
        self.outdate_written(extent);
        Ok(())
    }

    fn add_peer(
        &mut self,
        new: PeerSlot,
        fx: &mut Effects,
    ) -> Result<PeerTicket, PeerRequestError> {
        if self.disk.is_none() || self.policy.local == LocalUse::None {
            return Err(PeerRequestError::NoDisk);
        }
        let empty = new.extent.bytes == 0 && !new.flags.preflush;
        if empty || !new.extent.fits(self.capacity, new.operation.most_bytes()) {
            return Err(PeerRequestError::OutOfRange);
        }
        let Some(index) = self.peers.take() else {
            self.make_room_beside_sent(fx);
            return Err(PeerRequestError::Full);
        };
        let arrival = self.next_arrival();
        if let Some(peer) = self.peers.get_mut(index) {
            let links = *peer.links();
            *peer = PeerSlot {
                arrival,
                links,
                ..new
            };
        }
        self.counters.unanswered += 1;
        if let PeerKind::Write {
            ack: WantedAck::Received,
            ..
        } = new.kind
        {
            self.ack(AckKind::Received, new, fx);
        }
        self.enter_peer(index, fx);
        Ok(PeerTicket { index })
    }

    /// Enters a peer request in the order of arrival and starts it if it can.
    pub(super) fn enter_peer(&mut self, index: u32, fx: &mut Effects) {
        let Some(&peer) = self.peers.get(index) else {
            return;
        };
        if peer.kind.blocks_others() {
            self.overlaps
                .insert(Owner::Peer(index), peer.extent, peer.arrival);
        }
        self.go_before_waiting(&peer);
        self.peers.move_to(index, PEER_WAITING);
        self.try_start_peer(index, fx);
    }

    pub(super) fn try_start_peer(&mut self, index: u32, fx: &mut Effects) {
        let Some(&peer) = self.peers.get(index) else {
            return;
        };
        if self.is_blocked(index, &peer) {
            return self.judge(index, &peer, fx);
        }
        if peer.kind == PeerKind::VerifyWanted {
            self.peers.move_to(index, PEER_ACTIVE);
            fx.push(VolumeEffect::QueueVerifyRequest(peer.extent));
            return;
        }
        if self.policy.local == LocalUse::None && matches!(peer.kind, PeerKind::Write { .. }) {
            return self.refuse_waiting(index, peer, fx);
        }
        if !self.enter_peer_log(index, peer, fx) {
            return;
        }
        self.peers.move_to(index, PEER_ACTIVE);
        let sectors = u64::from(peer.extent.bytes / 512);
        if !matches!(peer.kind, PeerKind::Write { .. } | PeerKind::Read) {
            self.pace.causes(sectors);
        }
        match peer.kind {
            PeerKind::Write { .. } | PeerKind::ResyncWrite { .. } => {
                if self.policy.only_disk {
                    self.mark(peer.extent);
                }
                self.counters.written = self.counters.written.wrapping_add(sectors);
            }
            _ => self.counters.read = self.counters.read.wrapping_add(sectors),
        }
        self.submit_peer(index, fx);
    }

    /// The disk was lost while a write of the peer waited: nobody would know that it has it.
    fn refuse_waiting(&mut self, index: u32, peer: PeerSlot, fx: &mut Effects) {
        match peer.kind {
            PeerKind::Write {
                ack,
                may_set_in_sync,
            } if !peer.orphan => self.finish_peer_write(peer, ack, may_set_in_sync, false, fx),
            _ => self.mark(peer.extent),
        }
        self.free_peer(index, fx);
    }

    /// The lower device gets a request of the peer.
    pub(super) fn submit_peer(&mut self, index: u32, fx: &mut Effects) {
        if let Some(peer) = self.peers.get_mut(index) {
            peer.at_disk = Instant::default();
        }
        self.counters.local_pending += 1;
        fx.push(VolumeEffect::SubmitPeer(PeerTicket { index }));
    }

    pub(super) fn retry_waiting_peers(&mut self, fx: &mut Effects) {
        let mut next = self.peers.first(PEER_WAITING);
        while let Some(index) = next {
            if fx.room() < EFFECTS_PER_START {
                self.retry = true;
                return;
            }
            next = self.peers.after(index);
            self.try_start_peer(index, fx);
        }
    }

    /// What the driver has to submit, or to answer, for a peer request.
    pub fn peer_view(&self, ticket: PeerTicket) -> Option<PeerView> {
        self.peer(ticket).map(|peer| PeerView {
            extent: peer.extent,
            operation: self.at_disk(peer.operation),
            flags: peer.flags,
            block_id: peer.block_id,
            answer: peer.answer(),
            resync: !matches!(peer.kind, PeerKind::Write { .. } | PeerKind::Read),
        })
    }

    fn peer(&self, ticket: PeerTicket) -> Option<PeerSlot> {
        self.peers
            .get(ticket.index)
            .filter(|peer| peer.links().list() != FREE)
            .copied()
    }

    /// The lower device finished a request of the peer.
    pub fn peer_io_done(&mut self, ticket: PeerTicket, ok: bool, fx: &mut Effects) {
        let Some(peer) = self.peer(ticket).filter(PeerSlot::is_at_disk) else {
            return self.raise(Invariant::PeerRequest, fx);
        };
        self.broken
            .decrease(&mut self.counters.local_pending, Invariant::DiskCount);
        let reads = peer.kind.reads();
        let ok = ok && (reads || !self.unsaved);
        if !ok {
            fx.push(VolumeEffect::Report(Report::IoError { write: !reads }));
        }
        if peer.orphan {
            if !reads && !ok {
                self.mark(peer.extent);
            }
            self.free_peer(ticket.index, fx);
            self.resume(fx);
            return;
        }
        match peer.kind {
            PeerKind::Write {
                ack,
                may_set_in_sync,
            } => self.finish_peer_write(peer, ack, may_set_in_sync, ok, fx),
            PeerKind::ResyncWrite { .. } => self.finish_resync_write(peer, ok, fx),
            PeerKind::VerifyRead { .. } | PeerKind::VerifyAnswer { .. } => {
                self.verify_was_read(ticket, ok);
                fx.push(VolumeEffect::QueueReply(ticket));
                return;
            }
            PeerKind::ResyncDigest { .. } if !ok && !peer.forgotten => {
                return self.digest_left_out(ticket, fx);
            }
            PeerKind::ResyncDigest { .. } if peer.forgotten => {}
            PeerKind::ResyncRead | PeerKind::ResyncCheck { .. } if self.is_ahead() => {
                self.ack(AckKind::ResyncCancelled, peer, fx);
            }
            PeerKind::ResyncDigest { .. }
            | PeerKind::ResyncCheck { .. }
            | PeerKind::ResyncRead
            | PeerKind::Read
                if ok =>
            {
                // The sender frees it when the data is in the send buffer: until then no write
                // of ours may overtake a resync read.
                fx.push(VolumeEffect::QueueReply(ticket));
                return;
            }
            PeerKind::ResyncSent { .. }
            | PeerKind::ResyncWanted { .. }
            | PeerKind::ResyncDigest { .. }
            | PeerKind::VerifyWanted => {}
            PeerKind::ResyncRead | PeerKind::ResyncCheck { .. } => {
                self.ack(AckKind::NegativeResyncRead, peer, fx);
                if !peer.forgotten {
                    self.resync.failed(peer.extent);
                }
            }
            PeerKind::Read => self.ack(AckKind::NegativeRead, peer, fx),
        }
        self.free_peer(ticket.index, fx);
        self.resume(fx);
    }

    fn finish_peer_write(
        &mut self,
        peer: PeerSlot,
        wanted: WantedAck,
        may_set_in_sync: bool,
        ok: bool,
        fx: &mut Effects,
    ) {
        // Bits are cleared on both nodes, or on none.
        let told = wanted == WantedAck::Written;
        let in_sync = may_set_in_sync && told && self.policy.resync == ResyncUse::Target;
        if ok && in_sync {
            self.unmark(peer.extent);
        } else if !ok {
            self.mark(peer.extent);
        }
        let kind = match (ok, in_sync) {
            (false, _) => AckKind::Negative,
            (true, true) => AckKind::ResyncWrite,
            (true, false) => AckKind::Write,
        };
        if wanted == WantedAck::Written || !ok {
            self.ack(kind, peer, fx);
        }
        fx.push(VolumeEffect::PeerWriteFinished { epoch: peer.epoch });
        if in_sync {
            self.check_resync_end(fx);
        }
    }

    pub(super) fn ack(&mut self, kind: AckKind, peer: PeerSlot, fx: &mut Effects) {
        self.refuse_peer(kind, peer.extent, peer.block_id, fx);
    }

    /// The data of a peer's read was handed to the network in its order (or never will be).
    pub fn peer_reply_sent(&mut self, ticket: PeerTicket, fx: &mut Effects) {
        match self.peer(ticket) {
            Some(peer) if peer.kind.reads() => {
                // A resync read whose acknowledgement overtook this is a `Read` by now.
                if matches!(peer.kind, PeerKind::ResyncRead | PeerKind::Read) {
                    let sectors = u64::from(peer.extent.bytes / 512);
                    self.counters.sent = self.counters.sent.wrapping_add(sectors);
                }
                // Once our part of the resync is over, the target may throw it away.
                let awaited = peer.kind == PeerKind::ResyncRead
                    && self.resync_progress().is_some()
                    && self.policy.mirror == MirrorUse::Send
                    && !peer.orphan
                    && !peer.forgotten;
                if awaited {
                    self.resync_sent(ticket.index, peer.extent);
                    self.leave_room_beside_sent(fx);
                    self.retry = true;
                } else {
                    if peer.kind == PeerKind::ResyncRead && !peer.orphan {
                        self.tell_as_ahead(peer.extent, fx);
                        self.resync.forget_one();
                    }
                    self.free_peer(ticket.index, fx);
                }
                self.resume(fx);
            }
            _ => self.raise(Invariant::PeerRequest, fx),
        }
    }

    pub(super) fn free_peer(&mut self, index: u32, fx: &mut Effects) {
        self.overlaps.remove(Owner::Peer(index));
        if let Some(&peer) = self.peers.get(index) {
            self.leave_log(peer.extent, peer.logged);
            let broken = &mut self.broken;
            if peer.kind.is_verified() {
                self.verify.settled(broken);
            }
            let asked_for = matches!(
                peer.kind,
                PeerKind::ResyncDigest { .. }
                    | PeerKind::ResyncWanted { .. }
                    | PeerKind::ResyncWrite { .. }
            );
            if asked_for && !peer.forgotten {
                self.resync.landed(peer.extent, broken);
            }
            let count = match peer.kind {
                PeerKind::ResyncSent { .. } => &mut self.resync.sent,
                _ => &mut self.counters.unanswered,
            };
            broken.decrease(count, Invariant::PeerCount);
        }
        if !self.peers.put(index) {
            self.broken.raise(Invariant::Slot);
        }
        self.retry = true;
        fx.push(VolumeEffect::ReleasePeer(PeerTicket { index }));
        self.check_drained(fx);
    }
}
