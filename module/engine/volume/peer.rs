// SPDX-License-Identifier: GPL-2.0

//! The slot of one request of the peer: a write it sent, data it wants, or data we asked it for.

use crate::engine::fault::Fault;
use crate::engine::ids::{
    Extent,
    Instant, //
};

use super::slot::{
    Operation,
    WriteFlags, //
};
use super::table::{
    Entry,
    Links,
    List, //
};

/// Received, but an earlier overlapping request has to finish first.
pub(super) const PEER_WAITING: List = List(1);

/// In progress, or expected from the peer.
pub(super) const PEER_ACTIVE: List = List(2);

/// Which acknowledgement the peer wants for a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WantedAck {
    /// None: the barrier's is enough (protocol A).
    #[default]
    None,
    /// As soon as it is received (protocol B).
    Received,
    /// When it is on our disk (protocol C).
    Written,
}

/// Where a write of the peer stands among the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WritePlace {
    /// The epoch that the stream gave it.
    pub epoch: u32,
    /// Its number (`seq_num`).
    pub sequence: u32,
}

/// What the slot is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PeerKind {
    /// A write of the peer's application.
    Write {
        ack: WantedAck,
        /// The peer allows to take the range as in sync afterwards (`DP_MAY_SET_IN_SYNC`).
        may_set_in_sync: bool,
    },
    /// Resync data shall be asked for with the digest of what we have, which is being read.
    /// `stale`: as below.
    ResyncDigest { stale: bool },
    /// Resync data was asked for and did not come yet. `stale`: the range was written meanwhile,
    /// so the answer is old: data that comes must be thrown away. `told`: the source knows our
    /// digest and may answer that both copies are equal.
    ResyncWanted { stale: bool, told: bool },
    /// Resync data came and goes to our disk. `stale`: the range was marked meanwhile.
    ResyncWrite { stale: bool },
    /// The peer wants resync data.
    ResyncRead,
    /// The peer wants resync data unless ours has the digest that it told. `stale`: the range was
    /// marked meanwhile.
    ResyncCheck { stale: bool },
    /// We verify a block: the peer is to be asked for its digest, or was.
    VerifyWanted,
    /// The digest came, our own copy is read and compared. `since`: when it came, in the order of
    /// arrival. `again`: the copies differed once. `failed`: it could not be read.
    VerifyRead {
        since: u64,
        again: bool,
        failed: bool,
    },
    /// The peer verifies a block and wants our digest. `failed`: it could not be read.
    VerifyAnswer { failed: bool },
    /// Resync data was sent and is not acknowledged. `stale`: the range was marked since, so the
    /// acknowledgement says nothing of it.
    ResyncSent { stale: bool },
    /// The peer's application reads through us.
    #[default]
    Read,
}

impl PeerKind {
    /// Resync data is asked for as usual.
    pub(super) const WANTED: Self = Self::ResyncWanted {
        stale: false,
        told: false,
    };

    /// Whether later overlapping requests have to wait for it.
    pub(super) fn blocks_others(self) -> bool {
        !matches!(
            self,
            PeerKind::ResyncDigest { .. }
                | PeerKind::ResyncWanted { .. }
                | PeerKind::ResyncSent { .. }
                | PeerKind::Read
        )
    }

    /// Whether it is a block that we verify.
    pub(super) fn is_verified(self) -> bool {
        matches!(self, PeerKind::VerifyWanted | PeerKind::VerifyRead { .. })
    }

    /// Whether it reads the disk.
    pub(super) fn reads(self) -> bool {
        match self {
            PeerKind::Read
            | PeerKind::ResyncRead
            | PeerKind::ResyncCheck { .. }
            | PeerKind::ResyncDigest { .. }
            | PeerKind::VerifyRead { .. }
            | PeerKind::VerifyAnswer { .. } => true,
            PeerKind::Write { .. }
            | PeerKind::ResyncWanted { .. }
            | PeerKind::ResyncSent { .. }
            | PeerKind::ResyncWrite { .. }
            | PeerKind::VerifyWanted => false,
        }
    }

    /// What is to be done with what was read.
    pub(super) fn answer(self) -> Answer {
        match self {
            PeerKind::Read => Answer::Data,
            PeerKind::ResyncRead => Answer::ResyncData,
            PeerKind::ResyncCheck { .. } => Answer::Check,
            PeerKind::ResyncDigest { .. } => Answer::Request,
            PeerKind::VerifyRead { failed, .. } => Answer::Compare { failed },
            PeerKind::VerifyAnswer { failed } => Answer::Digest { failed },
            PeerKind::Write { .. }
            | PeerKind::ResyncWanted { .. }
            | PeerKind::ResyncSent { .. }
            | PeerKind::ResyncWrite { .. }
            | PeerKind::VerifyWanted => Answer::None,
        }
    }
}

/// What is to be done with what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: it is written.
    None,
    /// It is sent (`P_DATA_REPLY`).
    Data,
    /// It is sent (`P_RS_DATA_REPLY`).
    ResyncData,
    /// The same, but if it is all zeroes only that is told (`P_RS_DEALLOCATED`).
    ThinData,
    /// Its digest is compared with the peer's; answer with `resync_checked`. What differs is then
    /// sent as [`Answer::ResyncData`].
    Check,
    /// Resync data is asked for with its digest (`P_CSUM_RS_REQUEST`), once `digest_made` agrees;
    /// without memory for the digest, `digest_left_out`.
    Request,
    /// Its digest is sent (`P_OV_REPLY`); one of zeroes if it could not be read (`failed`).
    Digest {
        /// See above.
        failed: bool,
    },
    /// Its digest is compared with the peer's; answer with `verify_compared`. What could not be
    /// read (`failed`) differs.
    Compare {
        /// See above.
        failed: bool,
    },
}

/// What the driver needs to know of a peer request to submit or answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// The range.
    pub extent: Extent,
    /// What to do.
    pub operation: Operation,
    /// How.
    pub flags: WriteFlags,
    /// The peer's own name for it.
    pub block_id: u64,
    /// What is to be done when it was read.
    pub answer: Answer,
    /// It is part of a resync or verify; else the peer's application wants it.
    pub resync: bool,
}

impl PeerView {
    /// Which of the faults that can be had on demand concerns it.
    pub fn fault(&self) -> Fault {
        match (self.operation == Operation::Read, self.resync) {
            (true, true) => Fault::ResyncRead,
            (true, false) => Fault::DataRead,
            (false, true) => Fault::ResyncWrite,
            (false, false) => Fault::DataWrite,
        }
    }
}

/// One request of the peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerSlot {
    pub(super) links: Links,
    pub(super) kind: PeerKind,
    pub(super) extent: Extent,
    pub(super) operation: Operation,
    pub(super) flags: WriteFlags,
    pub(super) block_id: u64,
    /// Of a write: the epoch that the stream gave it.
    pub(super) epoch: u32,
    pub(super) arrival: u64,
    /// How many of its extents it holds a reference to in the activity log (0, 1 or 2).
    pub(super) logged: u8,
    /// When the disk was first seen to have it; 0: not yet.
    pub(super) at_disk: Instant,
    /// The connection is gone: finish the I/O, answer nobody.
    pub(super) orphan: bool,
    /// The resync data may be told to be all zeroes.
    pub(super) thin: bool,
    /// The resync that it is part of was given up: it says nothing of what is in sync.
    pub(super) forgotten: bool,
}

impl PeerSlot {
    /// What is to be done with what was read.
    pub(super) fn answer(&self) -> Answer {
        match self.kind.answer() {
            Answer::ResyncData if self.thin => Answer::ThinData,
            answer => answer,
        }
    }

    /// Whether its I/O may be at the disk.
    pub(super) fn is_at_disk(&self) -> bool {
        let submitted = self.kind.reads()
            || matches!(
                self.kind,
                PeerKind::Write { .. } | PeerKind::ResyncWrite { .. }
            );
        submitted && self.links.list() == PEER_ACTIVE
    }
}

impl Entry for PeerSlot {
    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}
