// SPDX-License-Identifier: GPL-2.0

//! Online verify: both nodes' copies are compared block by block while the application goes on.
//!
//! The node that began it (VerifyS) asks for the digest of a block (`P_OV_REQUEST`), the other one
//! (VerifyT) reads the block and answers (`P_OV_REPLY`), the first reads its own copy, compares,
//! and tells the outcome (`P_OV_RESULT`). Both mark what differs; nothing is repaired.
//!
//! A difference must be one of the disks, not one of time:
//!
//! - A block is asked for when no request on it is under way here, and our application's writes to
//!   it wait from then on until it is compared: the peer's copy is read on behalf of the request
//!   that they would overtake.
//! - The peer answers in the order of its own writes, so those that it sent before its answer are
//!   in the digest. The comparison waits for them and for no later ones; they in turn never wait
//!   for a block that the peer has still to answer for, as the peer may be waiting for them.
//! - What differs is read once more before it counts.

use crate::engine::broken::{
    Broken,
    Invariant, //
};
use crate::engine::ids::{
    Extent,
    Instant,
    PeerTicket,
    BLOCK_SECTORS,
    ID_SYNCER,
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
    PEER_ACTIVE,
    PEER_WAITING, //
};
use super::remote::PeerRequestError;
use super::slot::Operation;
use super::table::Entry;
use super::{
    Storage,
    Volume, //
};

/// Our part in a verify.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifySide {
    /// We ask and compare (VerifyS).
    #[default]
    Source,
    /// We answer (VerifyT).
    Target,
}

/// What to verify, in sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyRange {
    /// Where to begin; `None`: where the last verify stopped.
    pub start: Option<u64>,
    /// Where to stop; the end of the volume if that comes first.
    pub stop: u64,
}

impl Default for VerifyRange {
    fn default() -> Self {
        Self {
            start: None,
            stop: u64::MAX,
        }
    }
}

/// How far a verify is, in blocks of 4 KiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyProgress {
    /// Blocks from its start to the end of the volume.
    pub total: u64,
    /// Blocks that are left of these.
    pub left: u64,
    /// Blocks that differ.
    pub different: u64,
    /// When it began.
    pub started: Instant,
    /// Where it stops, in sectors. The target does not know it; 0 there: the source has stopped.
    pub stop: u64,
}

/// The verify of a volume: the running one, or the last.
#[derive(Debug, Default)]
pub(super) struct Verify {
    running: bool,
    side: VerifySide,
    progress: VerifyProgress,
    /// The next sector to ask for.
    cursor: u64,
    /// Whether the first block was asked for, here or by the peer.
    begun: bool,
    /// Where the next verify begins if nothing else is said, in sectors.
    resume_at: u64,
    /// Blocks that were asked for here and are not settled.
    open: u32,
    /// Answers that were given and whose outcome the peer did not tell yet.
    results_due: u32,
    /// The blocks that were last found to differ.
    gathered: Gathered,
}

/// Neighbouring blocks that differ, told as one range, in sectors.
///
/// Outcomes come in any order, as a block that seems to differ is read once more: an equal block
/// says nothing about those before it.
#[derive(Clone, Copy, Debug, Default)]
struct Gathered {
    start: u64,
    sectors: u64,
}

impl Gathered {
    fn new(extent: Extent) -> Self {
        Self {
            start: extent.sector,
            sectors: extent.sectors(),
        }
    }

    fn end(self) -> u64 {
        self.start + self.sectors
    }

    /// Takes a neighbour in; false if it is none.
    fn join(&mut self, extent: Extent) -> bool {
        let before = extent.end() == self.start;
        let behind = extent.sector == self.end();
        if self.sectors == 0 || !(before || behind) {
            return false;
        }
        self.start = self.start.min(extent.sector);
        self.sectors += extent.sectors();
        true
    }
}

impl Verify {
    /// Whether somebody may wait for a block that is being verified.
    pub(super) fn has_open(&self) -> bool {
        self.open != 0
    }

    /// Blocks that were asked for here and are not settled.
    pub(super) fn open(&self) -> u32 {
        self.open
    }

    /// Whether one is going on.
    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// One block less that is being verified.
    pub(super) fn settled(&mut self, broken: &mut Broken) {
        broken.decrease(&mut self.open, Invariant::PeerCount);
    }

    /// The connection is gone: no answer and no outcome comes any more.
    pub(super) fn lose_connection(&mut self) {
        self.running = false;
        self.results_due = 0;
    }

    /// An answer is about to be sent.
    fn answered(&mut self) {
        self.results_due = self.results_due.saturating_add(1);
    }
}

impl<S: Storage> Volume<S> {
    fn blocks(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.bitmap.bits())
    }

    /// A verify begins. As the source, returns the first sector.
    pub fn start_verify(&mut self, side: VerifySide, range: VerifyRange, now: Instant) -> u64 {
        let blocks = self.blocks();
        let wanted = range.start.unwrap_or(self.verify.resume_at) / BLOCK_SECTORS;
        let first = match side {
            VerifySide::Source => wanted.min(blocks.saturating_sub(1)),
            // The first request tells.
            VerifySide::Target => 0,
        };
        let left = blocks.saturating_sub(first);
        self.pace.begin(now, left);
        self.verify = Verify {
            running: true,
            side,
            progress: VerifyProgress {
                total: left,
                left,
                different: 0,
                started: now,
                stop: match side {
                    VerifySide::Source => range.stop,
                    VerifySide::Target => u64::MAX,
                },
            },
            cursor: first.saturating_mul(BLOCK_SECTORS),
            open: self.verify.open,
            results_due: self.verify.results_due,
            ..Verify::default()
        };
        self.verify.cursor
    }

    /// Sets where the running verify stops, in sectors. For the target that is 0 when the source
    /// has stopped, which may overtake its last outcomes: the end waits for these.
    pub fn stop_verify_at(&mut self, sector: u64, fx: &mut Effects) {
        self.verify.progress.stop = sector;
        self.end_verify_if_due(fx);
    }

    /// The verify is over, or given up. Returns the sector that it reached, unless that is the end
    /// of the volume; the next one begins there.
    pub fn stop_verify(&mut self, fx: &mut Effects) -> Option<u64> {
        self.verify.running = false;
        self.tell_differences(fx);
        // It may be given up while outcomes are on their way.
        let due = u64::from(self.verify.results_due);
        let left = self.verify.progress.left.saturating_sub(due);
        let reached = self.blocks().saturating_sub(left) * BLOCK_SECTORS;
        let stopped = left != 0;
        self.verify.resume_at = if stopped { reached } else { 0 };
        stopped.then_some(reached)
    }

    /// As many sectors as those from the begin of the volume to where the verify would be if its
    /// blocks were settled in order.
    fn verify_reached(&self) -> u64 {
        let left = self.verify.progress.left;
        self.blocks().saturating_sub(left) * BLOCK_SECTORS
    }

    /// How far the verify is; `None` when there is none.
    pub fn verify_progress(&self) -> Option<VerifyProgress> {
        self.verify.running.then_some(self.verify.progress)
    }

    /// The running verify, or else the last one.
    pub fn last_verify(&self) -> VerifyProgress {
        self.verify.progress
    }

    /// Asks for more digests, as many as pace, window and slots allow. Called after
    /// [`Volume::sync_tick`]; true when it should be called again at once.
    pub fn verify_more(&mut self, fx: &mut Effects) -> bool {
        if !self.verify.running || self.verify.side != VerifySide::Source {
            return false;
        }
        while fx.room() >= 4 {
            let paced = u64::from(self.pace.allowed()) < BLOCK_SECTORS;
            if paced || self.is_window_full() {
                return false;
            }
            let Some(extent) = self.next_unverified() else {
                return false;
            };
            if !self.ask_for_digest(extent, fx) {
                return false;
            }
        }
        true
    }

    fn next_unverified(&self) -> Option<Extent> {
        let verify = &self.verify;
        let sector = verify.cursor;
        // One block at least, so that there is an outcome to end with.
        let stop = verify.begun && sector >= verify.progress.stop;
        let left = self.capacity.checked_sub(sector).filter(|&left| left != 0);
        let sectors = left.filter(|_| !stop)?.min(BLOCK_SECTORS);
        Some(Extent::new(sector, sectors as u32 * SECTOR_SIZE))
    }

    fn ask_for_digest(&mut self, extent: Extent, fx: &mut Effects) -> bool {
        let Some(index) = self.peers.take() else {
            return false;
        };
        let arrival = self.next_arrival();
        if let Some(peer) = self.peers.get_mut(index) {
            let links = *peer.links();
            *peer = PeerSlot {
                links,
                kind: PeerKind::VerifyWanted,
                extent,
                arrival,
                block_id: ID_SYNCER,
                operation: Operation::Read,
                ..PeerSlot::default()
            };
        }
        self.verify.begun = true;
        self.verify.cursor = extent.sector.saturating_add(BLOCK_SECTORS);
        self.verify.open += 1;
        // The last one may be shorter.
        self.pace.asked(BLOCK_SECTORS as u32);
        self.counters.unanswered += 1;
        self.enter_peer(index, fx);
        true
    }

    /// Whether a request of the peer, or one on its behalf, has to wait for another one.
    pub(super) fn is_blocked(&self, index: u32, peer: &PeerSlot) -> bool {
        if !self.verify.has_open() {
            return self.overlaps.earlier(peer.extent, peer.arrival);
        }
        let comparing = matches!(peer.kind, PeerKind::VerifyRead { .. });
        let before = |owner| match owner {
            // A comparison waited for those before it was asked for.
            Owner::Local(other) => self
                .slots
                .get(other)
                .is_some_and(|other| !comparing && other.arrival < peer.arrival),
            Owner::Peer(other) if other == index => false,
            Owner::Peer(other) => self
                .peers
                .get(other)
                .is_some_and(|other| other.goes_before(peer)),
        };
        self.overlaps.find_owner(peer.extent, before).is_some()
    }

    /// The digest of the peer's copy came. `Ok(None)`: there is nothing to compare it with.
    pub fn verify_answered(
        &mut self,
        extent: Extent,
        fx: &mut Effects,
    ) -> Result<Option<PeerTicket>, PeerRequestError> {
        let wanted = |owner| match owner {
            Owner::Peer(index) => self.peers.get(index).is_some_and(|peer| {
                peer.extent == extent
                    && peer.kind == PeerKind::VerifyWanted
                    && peer.links().list() == PEER_ACTIVE
            }),
            Owner::Local(_) => false,
        };
        let found = self.overlaps.find_owner(extent, wanted);
        let Some(Owner::Peer(index)) = found else {
            return Err(PeerRequestError::Unexpected);
        };
        self.pace.came(BLOCK_SECTORS as u32);
        let since = self.next_arrival();
        let Some(peer) = self.peers.get_mut(index) else {
            return Err(PeerRequestError::Unexpected);
        };
        peer.kind = PeerKind::VerifyRead {
            since,
            again: false,
            failed: false,
        };
        let peer = *peer;
        if self.disk.is_none() {
            // The peer still counts outcomes.
            self.ack(AckKind::VerifyEqual, peer, fx);
            self.free_peer(index, fx);
            return Ok(None);
        }
        self.peers.move_to(index, PEER_WAITING);
        self.try_start_peer(index, fx);
        Ok(Some(PeerTicket { index }))
    }

    /// The peer cannot read a block that we want to verify.
    pub(super) fn verify_refused(&mut self, extent: Extent, fx: &mut Effects) -> bool {
        let wanted = |owner| match owner {
            Owner::Peer(index) => self
                .peers
                .get(index)
                .is_some_and(|peer| peer.extent == extent && peer.kind == PeerKind::VerifyWanted),
            Owner::Local(_) => false,
        };
        let Some(Owner::Peer(index)) = self.overlaps.find_owner(extent, wanted) else {
            return false;
        };
        self.pace.came(BLOCK_SECTORS as u32);
        self.free_peer(index, fx);
        self.verified_one(fx);
        self.resume(fx);
        true
    }

    /// Our own copy was read and compared. False: the block is to be read again, its payload is
    /// needed again.
    pub fn verify_compared(&mut self, ticket: PeerTicket, equal: bool, fx: &mut Effects) -> bool {
        let slot = self
            .peers
            .get_mut(ticket.index)
            .filter(|slot| slot.is_at_disk());
        let Some(slot) = slot else {
            self.raise(Invariant::PeerRequest, fx);
            return true;
        };
        let PeerKind::VerifyRead { again, failed, .. } = &mut slot.kind else {
            self.raise(Invariant::PeerRequest, fx);
            return true;
        };
        let retry = !equal && !*again && !*failed && !slot.orphan;
        *again = true;
        let peer = *slot;
        if retry {
            self.pace.causes(u64::from(peer.extent.bytes / SECTOR_SIZE));
            self.submit_peer(ticket.index, fx);
            return false;
        }
        if !peer.orphan {
            let kind = if equal {
                AckKind::VerifyEqual
            } else {
                AckKind::VerifyDifferent
            };
            self.ack(kind, peer, fx);
            self.take_outcome(peer.extent, equal, fx);
        }
        self.free_peer(ticket.index, fx);
        self.resume(fx);
        true
    }

    /// A block that is verified was read, or not.
    pub(super) fn verify_was_read(&mut self, ticket: PeerTicket, ok: bool) {
        let slot = self.peers.get_mut(ticket.index);
        match slot.map(|slot| &mut slot.kind) {
            Some(PeerKind::VerifyRead { failed, .. }) => *failed = !ok,
            Some(PeerKind::VerifyAnswer { failed }) => {
                *failed = !ok;
                // Counted now: the outcome may come before the sender says that it has sent.
                self.verify.answered();
            }
            _ => {}
        }
    }

    /// The peer asks for a digest, for its verify: the first one tells where it begins.
    pub(super) fn note_verify_request(&mut self, extent: Extent) {
        let verify = &mut self.verify;
        if verify.running && verify.side == VerifySide::Target && !verify.begun {
            verify.begun = true;
            let first = extent.sector / BLOCK_SECTORS;
            let left = verify.progress.total.saturating_sub(first);
            verify.progress.total = left;
            verify.progress.left = left;
        }
    }

    /// The peer has compared a block that we gave it the digest of.
    pub fn verify_result(
        &mut self,
        extent: Extent,
        equal: bool,
        fx: &mut Effects,
    ) -> Result<(), PeerRequestError> {
        if !extent.fits(self.capacity, u32::MAX) {
            return Err(PeerRequestError::OutOfRange);
        }
        let due = self.verify.results_due.checked_sub(1);
        self.verify.results_due = due.ok_or(PeerRequestError::Unexpected)?;
        self.take_outcome(extent, equal, fx);
        Ok(())
    }

    /// Marks and gathers what differs.
    fn take_outcome(&mut self, extent: Extent, equal: bool, fx: &mut Effects) {
        if equal {
            if self.has_left_gathered(extent) {
                self.tell_differences(fx);
            }
        } else {
            self.mark(extent);
            self.verify.progress.different += extent.sectors().div_ceil(BLOCK_SECTORS);
            if !self.verify.gathered.join(extent) {
                self.tell_differences(fx);
                self.verify.gathered = Gathered::new(extent);
            }
        }
        if !self.verify.running {
            // No later outcome or end will tell it.
            self.tell_differences(fx);
        }
        self.verified_one(fx);
    }

    /// Whether the range that differs is complete, when another block turns out to be equal.
    fn has_left_gathered(&self, equal: Extent) -> bool {
        let range = self.verify.gathered;
        if range.sectors == 0 {
            return false;
        }
        if self.verify.side == VerifySide::Target {
            // How far the source is beyond its oldest open block at most, as a rule.
            let window = 2 * u64::from(self.pace.limits().in_flight);
            return equal.sector >= range.end().saturating_add(window);
        }
        let block = BLOCK_SECTORS as u32 * SECTOR_SIZE;
        let before = range.start.checked_sub(BLOCK_SECTORS);
        let open = |sector| {
            let verified = |owner| match owner {
                Owner::Peer(index) => {
                    let peer = self.peers.get(index);
                    peer.is_some_and(|peer| peer.kind.is_verified())
                }
                Owner::Local(_) => false,
            };
            let neighbour = Extent::new(sector, block);
            self.overlaps.find_owner(neighbour, verified).is_some()
        };
        let unasked = self.verify.cursor <= range.end();
        !unasked && !before.is_some_and(open) && !open(range.end())
    }

    /// One block less to verify; the last one ends it.
    fn verified_one(&mut self, fx: &mut Effects) {
        let left = &mut self.verify.progress.left;
        *left = left.saturating_sub(1);
        self.end_verify_if_due(fx);
    }

    /// Ends a verify that is through, or that has settled all that it asked for before its stop
    /// sector. Answers come in any order: the last block may be settled before others.
    fn end_verify_if_due(&mut self, fx: &mut Effects) {
        let verify = &self.verify;
        let stopped = match verify.side {
            VerifySide::Source => {
                verify.begun
                    && verify.cursor >= verify.progress.stop
                    // Outcomes of a verify that was given up count, too.
                    && verify.cursor <= self.verify_reached()
            }
            VerifySide::Target => verify.progress.stop == 0 && verify.results_due == 0,
        };
        if verify.running && (verify.progress.left == 0 || stopped) {
            self.verify.running = false;
            self.tell_differences(fx);
            fx.push(VolumeEffect::Report(Report::VerifyFinished));
        }
    }

    fn tell_differences(&mut self, fx: &mut Effects) {
        let Gathered { start, sectors } = core::mem::take(&mut self.verify.gathered);
        if sectors != 0 {
            fx.push(VolumeEffect::Report(Report::Different { start, sectors }));
        }
    }
}

impl PeerSlot {
    /// Whether this one has to be finished before `later` starts; they overlap.
    fn goes_before(&self, later: &PeerSlot) -> bool {
        let place = |slot: &PeerSlot| match slot.kind {
            PeerKind::VerifyRead { since, .. } => since,
            _ => slot.arrival,
        };
        match self.kind {
            // The peer may wait for `later` before it answers.
            PeerKind::VerifyWanted => false,
            kind => kind.blocks_others() && place(self) < place(later),
        }
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
