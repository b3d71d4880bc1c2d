// SPDX-License-Identifier: GPL-2.0

//! Resync: which blocks to ask for next, how fast, and when it is over.
//!
//! The target asks (`P_RS_DATA_REQUEST`), the source answers, the target acknowledges what it has
//! written, and both clear the block's bit. Each side finds the end by itself, when no bit is
//! left.
//!
//! With `csums-alg` the target first reads what it has and sends the digest along
//! (`P_CSUM_RS_REQUEST`; [`digest`](super::digest)).

use crate::engine::broken::{
    Broken,
    Invariant, //
};
use crate::engine::ids::{
    Extent,
    Instant,
    PeerTicket,
    BLOCK_SECTORS,
    BLOCK_SIZE,
    ID_SYNCER,
    MAX_REQUEST_BYTES,
    SECTOR_SIZE, //
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
    PEER_ACTIVE, //
};
use super::policy::ResyncUse;
use super::remote::PeerRequestError;
use super::slot::{
    Operation,
    WAITING, //
};
use super::table::{
    Entry,
    FREE, //
};
use super::{
    Storage,
    Volume, //
};

/// How far a resync is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Blocks (4 KiB) that were out of sync at its start.
    pub total: u64,
    /// Blocks that could not be synced.
    pub failed: u64,
    /// When it began.
    pub started: Instant,
    /// Blocks that had equal digests; `None` if no digest was told.
    pub equal: Option<u64>,
}

/// The running resync of a volume.
#[derive(Debug, Default)]
pub(super) struct Resync {
    pub(super) progress: Progress,
    running: bool,
    /// As the target, tells the digests of what it has.
    pub(super) tells_digests: bool,
    /// Where the search for the next block goes on.
    cursor: u64,
    /// Sectors asked for and not written yet, for a former resync too: those of the slots.
    in_flight: u32,
    /// Requests of the target that were answered and not acknowledged.
    pub(super) sent: u32,
    /// Of those that were forgotten, so many may still be acknowledged, which says nothing.
    pub(super) late: u32,
}

impl Resync {
    /// No resync any more.
    pub(super) fn stop(&mut self) {
        self.running = false;
    }

    /// A slot of resync data that was asked for is freed.
    pub(super) fn landed(&mut self, extent: Extent, broken: &mut Broken) {
        let sectors = extent.bytes / SECTOR_SIZE;
        broken.decrease_by(sectors, &mut self.in_flight, Invariant::PeerCount);
    }

    /// Sectors asked for and not written yet.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// An answer is forgotten whose acknowledgement may come.
    pub(super) fn forget_one(&mut self) {
        self.late = self.late.saturating_add(1);
    }

    pub(super) fn failed(&mut self, extent: Extent) {
        self.progress.failed += u64::from(extent.bytes.div_ceil(BLOCK_SIZE));
    }
}

impl<S: Storage> Volume<S> {
    /// A resync begins; the policy already says on which side we are. With nothing out of sync
    /// it is over at once. `tells_digests`: the target asks with digests.
    pub fn start_resync(&mut self, now: Instant, tells_digests: bool, fx: &mut Effects) {
        self.pace.begin(now, self.out_of_sync());
        // Left from before the peer was ahead: they are asked for again.
        for index in 0..self.peers.len() {
            let kind = self.peers.get(index).map(|peer| peer.kind);
            let asked = matches!(
                kind,
                Some(PeerKind::ResyncDigest { .. } | PeerKind::ResyncWanted { .. })
            );
            if asked {
                self.give_up_one(index);
            }
        }
        self.resync = Resync {
            progress: Progress {
                total: self.out_of_sync(),
                failed: 0,
                started: now,
                equal: tells_digests.then_some(0),
            },
            running: true,
            tells_digests,
            in_flight: self.resync.in_flight,
            sent: self.resync.sent,
            late: self.resync.late,
            ..Resync::default()
        };
        self.check_resync_end(fx);
    }

    /// The resync is over or was given up. Acknowledgements that still come say nothing any more.
    pub fn stop_resync(&mut self, fx: &mut Effects) {
        self.resync.stop();
        for index in 0..self.peers.len() {
            self.give_up_one(index);
        }
        self.forgetting = true;
        self.resume(fx);
    }

    fn give_up_one(&mut self, index: u32) {
        let used = |peer: &&mut PeerSlot| peer.links().list() != FREE && !peer.forgotten;
        let Some(peer) = self.peers.get_mut(index).filter(used) else {
            return;
        };
        match peer.kind {
            PeerKind::ResyncDigest { .. }
            | PeerKind::ResyncWanted { .. }
            | PeerKind::ResyncWrite { .. } => {
                peer.forgotten = true;
                let extent = peer.extent;
                self.resync.landed(extent, &mut self.broken);
            }
            PeerKind::ResyncRead => {
                peer.forgotten = true;
                self.resync.forget_one();
            }
            PeerKind::ResyncCheck { .. } => peer.forgotten = true,
            _ => {}
        }
    }

    /// Forgets the resync data whose acknowledgement does not matter any more, as much as fits.
    /// That is so, too, when we have just pulled ahead of the target: it may clear bits whose
    /// blocks were written again since, and that it is told of only behind the data.
    pub(super) fn forget_sent(&mut self, fx: &mut Effects) {
        let mut next = self.peers.first(PEER_ACTIVE);
        while let Some(index) = next {
            next = self.peers.after(index);
            let peer = self.peers.get(index).copied();
            let Some(peer) = peer.filter(|p| matches!(p.kind, PeerKind::ResyncSent { .. })) else {
                continue;
            };
            if fx.room() < 2 {
                return;
            }
            self.tell_as_ahead(peer.extent, fx);
            self.resync.forget_one();
            self.free_peer(index, fx);
        }
        self.forgetting = false;
    }

    /// The target asks for a range: what was sent of it before it has thrown away, or has.
    pub(super) fn forget_asked_again(&mut self, extent: Extent, fx: &mut Effects) {
        let sent = |owner| match owner {
            Owner::Peer(index) => self
                .peers
                .get(index)
                .is_some_and(|peer| matches!(peer.kind, PeerKind::ResyncSent { .. })),
            Owner::Local(_) => false,
        };
        // One is all there can be of a target that asks for the same ranges again.
        if let Some(Owner::Peer(index)) = self.overlaps.find_owner(extent, sent) {
            self.resync.forget_one();
            self.free_peer(index, fx);
        }
    }

    /// Resync data is with the network: its place is kept until the target has it.
    pub(super) fn resync_sent(&mut self, index: u32, extent: Extent) {
        if let Some(peer) = self.peers.get_mut(index) {
            peer.kind = PeerKind::ResyncSent { stale: false };
        }
        self.resync.sent = self.resync.sent.saturating_add(1);
        self.broken
            .decrease(&mut self.counters.unanswered, Invariant::PeerCount);
        // Writes may pass it now.
        self.overlaps.remove(Owner::Peer(index));
        self.overlaps.insert(Owner::Peer(index), extent, u64::MAX);
    }

    /// The target may have thrown away what it was sent, and never acknowledge it. Such places must
    /// not fill the whole table: nothing more could be received, nor asked for again.
    pub(super) fn leave_room_beside_sent(&mut self, fx: &mut Effects) {
        if self.resync.sent < self.peers.len() {
            return;
        }
        if let Some(index) = self.peers.first(PEER_ACTIVE) {
            self.resync.forget_one();
            self.free_peer(index, fx);
        }
    }

    /// A range is being marked: what was sent of it before is old, and so is what its digest was.
    pub(super) fn outdate_sent(&mut self, extent: Extent) {
        if self.resync.sent == 0 && self.resync.progress.equal.is_none() {
            return;
        }
        self.outdate(extent, |kind| match kind {
            PeerKind::ResyncSent { stale }
            | PeerKind::ResyncCheck { stale }
            | PeerKind::ResyncDigest { stale }
            | PeerKind::ResyncWanted { stale, told: true } => Some(stale),
            _ => None,
        });
    }

    /// The peer told that a range changed: what came of it before is old, also when it is written.
    pub(super) fn outdate_written(&mut self, extent: Extent) {
        self.outdate(extent, |kind| match kind {
            PeerKind::ResyncWrite { stale } => Some(stale),
            _ => None,
        });
    }

    /// Sets what `stale` finds in the kinds of all requests of the peer in a range.
    fn outdate(&mut self, extent: Extent, stale: impl Fn(&mut PeerKind) -> Option<&mut bool>) {
        let peers = &mut self.peers;
        self.overlaps.find_owner(extent, |owner| {
            if let Owner::Peer(index) = owner {
                let peer = peers.get_mut(index);
                if let Some(stale) = peer.and_then(|peer| stale(&mut peer.kind)) {
                    *stale = true;
                }
            }
            false
        });
    }

    /// What was sent of a range, if that is known, and whether it is old meanwhile.
    fn take_sent(&mut self, extent: Extent, fx: &mut Effects) -> Option<bool> {
        let sent = |owner| match owner {
            Owner::Peer(index) => self.peers.get(index).is_some_and(|peer| {
                peer.extent == extent
                    && !peer.forgotten
                    && matches!(
                        peer.kind,
                        PeerKind::ResyncSent { .. } | PeerKind::ResyncRead
                    )
            }),
            Owner::Local(_) => false,
        };
        let Some(Owner::Peer(index)) = self.overlaps.find_owner(extent, sent) else {
            return None;
        };
        let peer = self.peers.get_mut(index)?;
        let PeerKind::ResyncSent { stale } = peer.kind else {
            // The acknowledgement overtook the sender's report; that will free the slot.
            peer.kind = PeerKind::Read;
            return Some(false);
        };
        self.free_peer(index, fx);
        Some(stale)
    }

    /// The running resync, or else the last one.
    pub fn last_resync(&self) -> Progress {
        self.resync.progress
    }

    /// The block that the search for what to ask for goes on with; 0 on the source.
    pub fn resync_cursor(&self) -> u64 {
        self.resync.cursor
    }

    /// How far the resync is; `None` when there is none.
    pub fn resync_progress(&self) -> Option<Progress> {
        self.resync.running.then_some(self.resync.progress)
    }

    /// Asks for more blocks, as many as pace, window and slots allow. Called after
    /// [`Volume::sync_tick`]; true when it should be called again at once.
    pub fn resync_more(&mut self, fx: &mut Effects) -> bool {
        if !self.resync.running || self.policy.resync != ResyncUse::Target {
            return false;
        }
        while fx.room() >= 4 {
            let blocks = u64::from(self.pace.allowed()) / BLOCK_SECTORS;
            if blocks == 0 || self.is_window_full() {
                return false;
            }
            let Some(extent) = self.next_dirty(blocks) else {
                return false;
            };
            if !self.ask_for(extent, fx) {
                return false;
            }
        }
        true
    }

    /// The next run of at most `most` dirty blocks behind the cursor. At the end the search starts
    /// over if blocks are left that nobody asked for.
    fn next_dirty(&mut self, most: u64) -> Option<Extent> {
        let disk = self.disk.as_ref()?;
        let max_blocks = u64::from(self.request_bytes() / BLOCK_SIZE).max(1);
        let Some(first) = disk.bitmap.next_set(self.resync.cursor) else {
            if self.resync.in_flight == 0 {
                self.resync.cursor = 0;
            }
            return None;
        };
        // Aligned to the largest size, so that the lower device sees whole stripes.
        let aligned = (first / max_blocks + 1) * max_blocks;
        let limit = aligned.min(first.saturating_add(most));
        let mut end = first + 1;
        while end < limit && disk.bitmap.is_set(end) {
            end += 1;
        }
        self.resync.cursor = end;
        let sector = first * BLOCK_SECTORS;
        let sectors = (end * BLOCK_SECTORS)
            .min(self.capacity)
            .checked_sub(sector)?;
        let bytes = u32::try_from(sectors).ok()?.checked_mul(SECTOR_SIZE)?;
        (bytes != 0).then_some(Extent::new(sector, bytes))
    }

    fn ask_for(&mut self, extent: Extent, fx: &mut Effects) -> bool {
        let kind = if self.resync.tells_digests {
            PeerKind::ResyncDigest { stale: false }
        } else {
            PeerKind::WANTED
        };
        let blocked = self.writes_resync_data(extent)
            || (kind != PeerKind::WANTED && self.awaits_given_up(extent));
        let Some(index) = (!blocked).then(|| self.peers.take()).flatten() else {
            self.resync.cursor = extent.sector / BLOCK_SECTORS;
            return false;
        };
        let thin = self.asks_thin(extent);
        if let Some(peer) = self.peers.get_mut(index) {
            let links = *peer.links();
            *peer = PeerSlot {
                links,
                kind,
                extent,
                thin,
                block_id: ID_SYNCER,
                operation: Operation::Write,
                ..PeerSlot::default()
            };
        }
        self.counters.unanswered += 1;
        // It blocks nobody: its place in the order comes with the data.
        self.overlaps.insert(Owner::Peer(index), extent, u64::MAX);
        self.peers.move_to(index, PEER_ACTIVE);
        let sectors = extent.bytes / SECTOR_SIZE;
        self.resync.in_flight = self.resync.in_flight.saturating_add(sectors);
        self.pace.asked(sectors);
        if thin {
            fx.push(VolumeEffect::QueueThinRequest(extent));
        } else if kind == PeerKind::WANTED {
            fx.push(VolumeEffect::QueueResyncRequest(extent));
        } else {
            self.read_for_digest(index, sectors, fx);
        }
        true
    }

    /// Whether data of before the present resync is still being written to a range. Asking for it
    /// again, the acknowledgement of the one could not be told from that of the other.
    fn writes_resync_data(&self, extent: Extent) -> bool {
        let writes = |owner| match owner {
            Owner::Peer(index) => self
                .peers
                .get(index)
                .is_some_and(|peer| matches!(peer.kind, PeerKind::ResyncWrite { .. })),
            Owner::Local(_) => false,
        };
        self.overlaps.find_owner(extent, writes).is_some()
    }

    /// The data of a resync request is on its way into memory; `None` when it was not asked for.
    /// Of two that ask for the same the one that was given up was asked, and is answered, first.
    pub(super) fn find_wanted(&self, extent: Extent) -> Option<u32> {
        let wanted = |owner, forgotten| match owner {
            Owner::Peer(index) => self.peers.get(index).is_some_and(|peer| {
                peer.extent == extent
                    && peer.forgotten == forgotten
                    && matches!(peer.kind, PeerKind::ResyncWanted { .. })
            }),
            Owner::Local(_) => false,
        };
        let find = |forgotten| {
            self.overlaps
                .find_owner(extent, |owner| wanted(owner, forgotten))
        };
        match find(true).or_else(|| find(false))? {
            Owner::Peer(index) => Some(index),
            Owner::Local(_) => None,
        }
    }

    /// Resync data was received completely. `Ok(None)`: it is out of date and to be thrown away.
    pub fn resync_data(
        &mut self,
        extent: Extent,
        fx: &mut Effects,
    ) -> Result<Option<PeerTicket>, PeerRequestError> {
        let index = self
            .find_wanted(extent)
            .ok_or(PeerRequestError::Unexpected)?;
        self.resync_came(index, extent, Operation::Write, fx)
    }

    /// What we asked for came.
    pub(super) fn resync_came(
        &mut self,
        index: u32,
        extent: Extent,
        operation: Operation,
        fx: &mut Effects,
    ) -> Result<Option<PeerTicket>, PeerRequestError> {
        // A write that has not even begun goes to both disks later, but arrived earlier: the data
        // would wait for it, and then cover it.
        let waiting = self.has_waiting_write(extent);
        let arrival = self.next_arrival();
        let peer = self
            .peers
            .get_mut(index)
            .ok_or(PeerRequestError::Unexpected)?;
        let outdated = matches!(peer.kind, PeerKind::ResyncWanted { stale: true, .. });
        let stale = waiting || peer.forgotten || outdated;
        peer.kind = PeerKind::ResyncWrite { stale: false };
        peer.operation = operation;
        peer.arrival = arrival;
        self.pace.came(extent.bytes / SECTOR_SIZE);
        self.counters.received = self
            .counters
            .received
            .wrapping_add(u64::from(extent.bytes / SECTOR_SIZE));
        self.overlaps.remove(Owner::Peer(index));
        if stale || self.disk.is_none() {
            // The bits stay set, the search will come by again.
            self.free_peer(index, fx);
            return Ok(None);
        }
        self.enter_peer(index, fx);
        Ok(Some(PeerTicket { index }))
    }

    fn has_waiting_write(&self, extent: Extent) -> bool {
        let waiting = |owner| match owner {
            Owner::Local(index) => self
                .slots
                .get(index)
                .is_some_and(|slot| slot.links().list() == WAITING),
            Owner::Peer(_) => false,
        };
        self.overlaps.find_owner(extent, waiting).is_some()
    }

    /// The source could not read what we asked for, or gave it up (`P_RS_CANCEL`).
    pub fn resync_refused(
        &mut self,
        extent: Extent,
        failed: bool,
        fx: &mut Effects,
    ) -> Result<(), PeerRequestError> {
        if self.verify_refused(extent, fx) {
            return Ok(());
        }
        let index = self
            .find_wanted(extent)
            .ok_or(PeerRequestError::Unexpected)?;
        let wanted = *self.peers.get(index).ok_or(PeerRequestError::Unexpected)?;
        if failed && !wanted.forgotten {
            self.resync.failed(extent);
        }
        if !wanted.forgotten {
            self.pace.came(extent.bytes / SECTOR_SIZE);
        }
        self.free_peer(index, fx);
        self.check_resync_end(fx);
        self.resume(fx);
        Ok(())
    }

    /// Resync data is on our disk.
    pub(super) fn finish_resync_write(&mut self, peer: PeerSlot, ok: bool, fx: &mut Effects) {
        if peer.forgotten {
            // Neither side takes it for in sync: the source may have written the range since.
            return;
        }
        if ok {
            if peer.kind == (PeerKind::ResyncWrite { stale: false }) {
                self.unmark(peer.extent);
            }
            self.ack(AckKind::ResyncWrite, peer, fx);
        } else {
            self.resync.failed(peer.extent);
            self.ack(AckKind::Negative, peer, fx);
        }
        self.check_resync_end(fx);
    }

    /// The target acknowledged resync data that we sent: written (`ok`) or not. What was not sent
    /// cannot be acknowledged.
    pub fn resync_acked(
        &mut self,
        extent: Extent,
        ok: bool,
        fx: &mut Effects,
    ) -> Result<(), PeerRequestError> {
        if extent.bytes == 0 || !extent.fits(self.capacity, MAX_REQUEST_BYTES) {
            return Err(PeerRequestError::OutOfRange);
        }
        // Once the resync was given up, the range may have been written and marked meanwhile.
        match self.take_sent(extent, fx) {
            Some(false) if ok => self.unmark(extent),
            Some(_) if !ok => self.resync.failed(extent),
            Some(_) => {}
            None => {
                let late = self.resync.late.checked_sub(1);
                self.resync.late = late.ok_or(PeerRequestError::Unexpected)?;
                // It may have cleared the bits behind what it was told meanwhile.
                self.tell_as_ahead(extent, fx);
            }
        }
        self.check_resync_end(fx);
        self.resume(fx);
        Ok(())
    }

    /// Our application writes a range: data that the peer sends for an earlier request is old.
    pub(super) fn outdate_resync_requests(&mut self, extent: Extent) {
        if self.resync.in_flight == 0 {
            return;
        }
        self.outdate(extent, |kind| match kind {
            PeerKind::ResyncDigest { stale } | PeerKind::ResyncWanted { stale, .. } => Some(stale),
            _ => None,
        });
    }

    /// Reports the end when every block is in sync or has failed. Once. (Where metadata could not
    /// be written the peer may not know of the start; the disk is about to be given up.)
    pub(super) fn check_resync_end(&mut self, fx: &mut Effects) {
        let left = self.out_of_sync();
        let open = self.policy.resync != ResyncUse::None && self.resync.running;
        if open && self.keeps_metadata() && left <= self.resync.progress.failed {
            self.resync.running = false;
            fx.push(VolumeEffect::Report(Report::ResyncFinished));
        }
    }

    /// Blocks that could not be synced in the last resync.
    pub fn resync_failed(&self) -> u64 {
        self.resync.progress.failed
    }
}
