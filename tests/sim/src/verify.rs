// SPDX-License-Identifier: GPL-2.0

//! Online verify: the driver's part of it, and what it has to find.
//!
//! A disk can be changed behind the back of its node: a sector rots. A verify has to find exactly
//! what rotted: what it tells to differ did differ, and what differed when it began and was not
//! overwritten since is marked on both nodes when it is through.

use tandem_engine::engine::ids::{Extent, PeerTicket, BLOCK_SECTORS, ID_SYNCER};
use tandem_engine::engine::resource::{Admin, Token};
use tandem_engine::engine::state::ConnState;
use tandem_engine::engine::volume::{Answer, Effects, PeerView, VerifyRange, VerifySide};
use tandem_engine::engine::wire::data::{BlockRequest, ID_IN_SYNC, ID_OUT_OF_SYNC};
use tandem_engine::engine::wire::Command;

use crate::digest::words_of;
use crate::event::What;
use crate::node::{Item, RxWait};
use crate::packet::Packet;
use crate::receive::Trouble;
use crate::story::NAMES;
use crate::world::World;

/// What a sector holds that has rotted.
pub const ROT: u32 = u32::MAX;

/// What is in no sector: the digest of what could not be read.
const UNREADABLE: u32 = 0;

/// Bytes of the "digest" of a block: the contents of its sectors.
const DIGEST_BYTES: usize = 4 * BLOCK_SECTORS as usize;

/// What the running verify has to find.
#[derive(Clone, Default)]
pub struct Watch {
    source: usize,
    session: u64,
    /// How often a node had been muted or heard again when it began.
    mutings: u64,
    /// Which verify it is.
    round: u64,
    /// Rotten sectors of its range.
    sectors: Vec<u64>,
    /// Blocks that differed at the comparison, of all verifies.
    pub found: u64,
    /// Verifies that came to their end.
    pub finished: u64,
}

impl Watch {
    /// The running verify has to find nothing any more.
    pub(crate) fn give_up(&mut self) {
        self.sectors.clear();
    }
}

impl Watch {
    /// The peer has no disk any more to compare a range with.
    pub(crate) fn refused(&mut self, extent: Extent) {
        self.sectors
            .retain(|s| !(extent.sector..extent.end()).contains(s));
    }
}

impl World {
    /// A sector of a node's disk loses its content.
    pub fn rot(&mut self, n: usize, sector: u64) {
        self.tell(n, || format!("sector {sector} ROTS"));
        let disk = &mut self.nodes[n].vol.disk;
        disk.cached[sector as usize] = ROT;
        disk.durable[sector as usize] = ROT;
        self.oracle.verify.sectors.retain(|&s| s != sector);
    }

    /// Begins a verify, or says where the running one stops.
    pub fn verify(&mut self, n: usize, start: Option<u64>, stop: u64) -> Token {
        let range = VerifyRange { start, stop };
        self.admin(
            n,
            Admin::Verify {
                volume: self.volume,
                range,
            },
        )
    }

    fn session(&self, n: usize) -> u64 {
        self.nodes[n].conn.as_ref().map_or(0, |conn| conn.id)
    }

    /// Whether a sector is rotten on one disk only.
    fn differs(&self, sector: u64) -> bool {
        let [a, b] = [0, 1].map(|n: usize| self.nodes[n].vol.disk.cached[sector as usize]);
        a != b && (a == ROT || b == ROT)
    }

    pub(crate) fn start_verify(&mut self, n: usize, side: VerifySide, range: VerifyRange) {
        let now = self.clock(n);
        let node = &mut self.nodes[n];
        node.vol.verify_finished = false;
        let first = node.vol.engine.start_verify(side, range, now);
        if side == VerifySide::Source {
            let end = range.stop.min(node.vol.disk.sectors());
            let mut sectors: Vec<u64> = (first..end).filter(|&s| self.differs(s)).collect();
            sectors.retain(|&s| s / BLOCK_SECTORS * BLOCK_SECTORS < range.stop);
            self.oracle.verify.source = n;
            self.oracle.verify.session = self.session(n);
            self.oracle.verify.mutings = self.mutings;
            self.oracle.verify.round += 1;
            self.oracle.verify.sectors = sectors;
        }
        self.kick_resync(n);
    }

    /// Asks for as many digests as may be.
    pub(crate) fn verify_on(&mut self, n: usize) {
        loop {
            let mut fx = Effects::new();
            let more = self.nodes[n].vol.engine.verify_more(&mut fx);
            self.finish(n, fx);
            if !more {
                return;
            }
        }
    }

    pub(crate) fn stop_verify_at(&mut self, n: usize, sector: u64) {
        if self.oracle.verify.source == n {
            // Whether a later stop was heard before the end is a race.
            self.oracle.verify.sectors.retain(|&s| s < sector);
        }
        let mut fx = Effects::new();
        self.nodes[n].vol.engine.stop_verify_at(sector, &mut fx);
        self.finish(n, fx);
    }

    pub(crate) fn stop_verify(&mut self, n: usize) {
        let mut fx = Effects::new();
        self.nodes[n].vol.engine.stop_verify(&mut fx);
        self.finish(n, fx);
    }

    /// The engine says that a verify is through.
    pub(crate) fn verify_finished(&mut self, n: usize) {
        self.nodes[n].vol.verify_finished = true;
        self.kick_worker(n);
        let verifies = self.nodes[n].state().conn == ConnState::VerifyS;
        let id = self.session(n);
        if self.oracle.verify.source == n && self.oracle.verify.session == id && verifies {
            self.oracle.verify.finished += 1;
            self.check_found(n);
            // The last outcome arrives before that.
            let delay = (self.last_arrival[n][1] + 1).saturating_sub(self.now);
            self.after(1 - n, delay, What::VerifyTold(self.oracle.verify.round));
        }
    }

    /// The target of a verify has heard all outcomes.
    pub(crate) fn verify_told(&mut self, n: usize, round: u64) {
        let heard = self.oracle.verify.session > self.cut_conn
            && self.muted == [false; 2]
            && self.mutings == self.oracle.verify.mutings;
        // If another has begun, nobody knows any more what this one should have found.
        if heard && self.oracle.verify.round == round {
            self.check_found(n);
        }
    }

    /// What differed when the verify began, and still does, is marked.
    fn check_found(&mut self, n: usize) {
        if [0, 1].map(|n| self.session(n)) != [self.oracle.verify.session; 2] {
            // A crash changes what is on a disk, too.
            return;
        }
        let Some(bitmap) = self.nodes[n].vol.engine.bitmap() else {
            return;
        };
        let marked = |&&sector: &&u64| bitmap.is_set(sector / BLOCK_SECTORS);
        let differing = |&&sector: &&u64| self.differs(sector);
        let mut missed = self.oracle.verify.sectors.iter().filter(differing);
        if let Some(sector) = missed.find(|sector| !marked(sector)) {
            let name = NAMES[n];
            let text = format!("a verify has not found sector {sector}: {name} does not know");
            self.fail(text);
        }
    }

    /// The peer verifies a block: it is told what is in it.
    pub(crate) fn send_digest(&mut self, n: usize, view: PeerView, data: &[u32]) {
        let mut digest = [0; DIGEST_BYTES];
        if view.answer == (Answer::Digest { failed: false }) {
            for (to, from) in digest.chunks_mut(4).zip(data) {
                to.copy_from_slice(&from.to_le_bytes());
            }
        }
        let answer = BlockRequest {
            sector: view.extent.sector,
            block_id: ID_SYNCER,
            size: view.extent.bytes,
        };
        let command = Command::OvReply;
        let packet = Packet::new(self.version(n), command, vec![], |o| {
            let len = answer.emit(command, o)?;
            o[len..len + DIGEST_BYTES].copy_from_slice(&digest);
            Ok(len + DIGEST_BYTES)
        });
        self.transmit(n, false, packet);
    }

    pub(crate) fn receive_digest(&mut self, n: usize, body: &[u8]) -> Result<RxWait, Trouble> {
        let (head, digest) = body
            .split_at_checked(BlockRequest::LEN)
            .ok_or(Trouble::Protocol("digest".into()))?;
        let answer = BlockRequest::parse(Command::OvReply, head)?;
        let extent = Extent::new(answer.sector, answer.size);
        let mut fx = Effects::new();
        let taken = self.nodes[n].vol.engine.verify_answered(extent, &mut fx);
        if let Ok(Some(ticket)) = taken {
            self.nodes[n].vol.told[ticket.index as usize] = words_of(digest);
        }
        self.finish(n, fx);
        taken.map_err(|e| Trouble::Protocol(format!("digest of {extent:?}: {e:?}")))?;
        Ok(RxWait::Nothing)
    }

    /// The own copy of a block that is verified was read.
    pub(crate) fn compare(&mut self, n: usize, ticket: PeerTicket, view: PeerView, own: &[u32]) {
        let told = self.nodes[n].vol.told[ticket.index as usize].clone();
        let readable = view.answer == (Answer::Compare { failed: false });
        let equal = readable && told[..own.len()] == *own;
        // What a verify finds that was given up, perhaps with the disk, says nothing.
        // A write that failed may have left anything.
        let sound = self.nodes.iter().all(|node| !node.vol.suspect);
        let matters = readable
            && sound
            && told.iter().any(|&content| content != UNREADABLE)
            && self.nodes[n].vol.engine.verify_progress().is_some();
        let mut fx = Effects::new();
        let settled = self.nodes[n]
            .vol
            .engine
            .verify_compared(ticket, equal, &mut fx);
        if settled && !equal {
            self.oracle.verify.found += 1;
            let mut pairs = own.iter().zip(&told);
            let alarm = pairs.any(|(own, told)| own != told && *own != ROT && *told != ROT);
            if matters && alarm {
                let name = NAMES[n];
                let text = format!(
                    "{name}: a verify tells {}+{} to differ: {own:?}, the peer's {told:?}",
                    view.extent.sector,
                    own.len()
                );
                self.fail(text);
            }
        }
        self.finish(n, fx);
    }

    /// Asks for a digest, or for resync data.
    pub(crate) fn queue_request(&mut self, n: usize, command: Command, extent: Extent) {
        let request = BlockRequest {
            sector: extent.sector,
            block_id: ID_SYNCER,
            size: extent.bytes,
        };
        let packet = Packet::new(self.version(n), command, vec![], |o| {
            request.emit(command, o)
        });
        self.queue(n, Item::Packet(packet));
    }
}

/// How the outcome of a comparison is told.
pub(crate) fn outcome_id(equal: bool) -> u64 {
    match equal {
        true => ID_IN_SYNC,
        false => ID_OUT_OF_SYNC,
    }
}
