// SPDX-License-Identifier: GPL-2.0

//! What a monitor is shown of single requests: those that are the oldest of their kind, and how far
//! they have come. Words and bits are those of `drivers/block/drbd/drbd_debugfs.c` and
//! `drbd_req.h` of Linux 7.3.

use core::fmt;

use crate::engine::ids::{
    Extent,
    Instant, //
};

use super::peer::{
    PeerKind,
    PeerSlot,
    WantedAck,
    PEER_ACTIVE,
    PEER_WAITING, //
};
use super::slot::{
    Local,
    Mirror,
    Operation,
    Outcome,
    Slot,
    HELD, //
};
use super::table::{
    Entry,
    FREE, //
};
use super::{
    Storage,
    Volume, //
};

/// How far a request has come: bits of `enum drbd_req_state_bits`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestBits(pub u32);

impl RequestBits {
    /// The local disk has it.
    pub const LOCAL_PENDING: u32 = 1;
    /// The local disk has answered.
    pub const LOCAL_COMPLETED: u32 = 1 << 1;
    /// It said yes.
    pub const LOCAL_OK: u32 = 1 << 2;
    /// The peer has to answer.
    pub const NET_PENDING: u32 = 1 << 4;
    /// It is in the send queue.
    pub const NET_QUEUED: u32 = 1 << 5;
    /// It was sent.
    pub const NET_SENT: u32 = 1 << 6;
    /// The network is done with it, the barrier behind it included.
    pub const NET_DONE: u32 = 1 << 7;
    /// The peer said yes.
    pub const NET_OK: u32 = 1 << 8;
    /// The peer said that the range is in sync.
    pub const NET_SIS: u32 = 1 << 9;
    /// It writes.
    pub const WRITE: u32 = 1 << 10;
    /// It discards.
    pub const UNMAP: u32 = 1 << 12;
    /// It zeroes.
    pub const ZEROES: u32 = 1 << 13;
    /// It has references to the activity log.
    pub const IN_ACT_LOG: u32 = 1 << 14;
    /// A conflict of two Primaries put it off.
    pub const POSTPONED: u32 = 1 << 16;
    /// It is done, and that is not reported yet.
    pub const COMPLETION_SUSP: u32 = 1 << 17;
    /// Protocol B.
    pub const EXP_RECEIVE_ACK: u32 = 1 << 18;
    /// Protocol C.
    pub const EXP_WRITE_ACK: u32 = 1 << 19;
    /// The barrier behind it has to be acknowledged.
    pub const EXP_BARR_ACK: u32 = 1 << 20;

    /// Whether one of `bits` is set.
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    fn of(slot: &Slot) -> Self {
        let local = match slot.local {
            Local::None => 0,
            Local::Submitted => Self::LOCAL_PENDING,
            Local::Done => Self::LOCAL_COMPLETED | Self::LOCAL_OK,
            Local::Failed => Self::LOCAL_COMPLETED,
        };
        let net = match slot.mirror {
            Mirror::None => 0,
            Mirror::Queued | Mirror::Sending => Self::NET_PENDING | Self::NET_QUEUED,
            Mirror::Sent => Self::NET_PENDING | Self::NET_SENT,
            Mirror::Acked | Mirror::Superseded | Mirror::Settled(Outcome::Acked) => {
                Self::NET_SENT | Self::NET_OK
            }
            Mirror::Refused | Mirror::Lost | Mirror::Settled(_) => Self::NET_SENT | Self::NET_DONE,
            Mirror::PutOff | Mirror::SettledPutOff { .. } => Self::NET_SENT | Self::POSTPONED,
        };
        let operation = match slot.operation {
            Operation::Read => 0,
            Operation::Write | Operation::Flush => Self::WRITE,
            Operation::Discard => Self::WRITE | Self::UNMAP,
            Operation::Zeroes { unmap: false } => Self::WRITE | Self::ZEROES,
            Operation::Zeroes { unmap: true } => Self::WRITE | Self::ZEROES | Self::UNMAP,
        };
        let mirrored = slot.mirror != Mirror::None;
        let expected = match (mirrored, slot.ack) {
            (true, WantedAck::Received) => Self::EXP_RECEIVE_ACK,
            (true, WantedAck::Written) => Self::EXP_WRITE_ACK,
            _ => 0,
        };
        let mut bits = local | net | operation | expected;
        for (set, bit) in [
            (slot.barrier_acked, Self::NET_DONE),
            (slot.in_sync, Self::NET_SIS),
            (slot.logged != 0, Self::IN_ACT_LOG),
            (slot.links.list() == HELD, Self::COMPLETION_SUSP),
            (mirrored && operation != 0, Self::EXP_BARR_ACK),
        ] {
            if set {
                bits |= bit;
            }
        }
        Self(bits)
    }
}

/// The words of the bits that are set, behind a space; `-` if there are none.
fn write_words(f: &mut fmt::Formatter<'_>, bits: u32, words: &[(u32, &str)]) -> fmt::Result {
    let mut separator = ' ';
    for (bit, word) in words {
        if bits & bit != 0 {
            write!(f, "{separator}{word}")?;
            separator = '|';
        }
    }
    if separator == ' ' {
        f.write_str(" -")?;
    }
    Ok(())
}

/// What the local half is doing, by bit.
const LOCAL_WORDS: &[(u32, &str)] = &[
    (RequestBits::LOCAL_PENDING, "pending"),
    (RequestBits::LOCAL_COMPLETED, "completed"),
    (RequestBits::LOCAL_OK, "ok"),
];

/// What was done before that; the next word begins a list of its own.
const LOG_WORDS: &[(u32, &str)] = &[
    (RequestBits::IN_ACT_LOG, "in-AL"),
    (RequestBits::POSTPONED, "postponed"),
    (RequestBits::COMPLETION_SUSP, "suspended"),
];

/// What the mirror half is doing, by bit.
const NET_WORDS: &[(u32, &str)] = &[
    (RequestBits::NET_PENDING, "pending"),
    (RequestBits::NET_QUEUED, "queued"),
    (RequestBits::NET_SENT, "sent"),
    (RequestBits::NET_DONE, "done"),
    (RequestBits::NET_SIS, "sis"),
    (RequestBits::NET_OK, "ok"),
];

/// What is expected of the peer.
const EXPECTED_WORDS: &[(u32, &str)] = &[
    (RequestBits::EXP_RECEIVE_ACK, "B"),
    (RequestBits::EXP_WRITE_ACK, "C"),
    (RequestBits::EXP_BARR_ACK, "barr"),
];

impl fmt::Display for RequestBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local:")?;
        if self.has(LOG_WORDS.iter().fold(0, |all, (bit, _)| all | bit)) {
            write_words(f, self.0, LOG_WORDS)?;
        }
        write_words(f, self.0, LOCAL_WORDS)?;
        f.write_str("\tnet:")?;
        write_words(f, self.0, NET_WORDS)?;
        f.write_str(" :")?;
        write_words(f, self.0, EXPECTED_WORDS)
    }
}

/// A request of the application, as a monitor is shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestView {
    /// Its slot, for what the driver keeps by slot.
    pub index: u32,
    /// Its place in the order of arrival.
    pub arrival: u64,
    /// The range.
    pub extent: Extent,
    /// The epoch it was sent in.
    pub epoch: u32,
    /// How far it has come.
    pub bits: RequestBits,
    /// When it was sent.
    pub sent_at: Option<Instant>,
    /// It was reported as done.
    pub completed: bool,
}

impl RequestView {
    fn of(slot: &Slot, index: u32) -> Self {
        let bits = RequestBits::of(slot);
        Self {
            index,
            arrival: slot.arrival,
            extent: slot.extent,
            epoch: slot.epoch,
            bits,
            sent_at: bits.has(RequestBits::NET_SENT).then_some(slot.sent_at),
            completed: slot.completed,
        }
    }

    /// Whether the peer is told of it.
    fn is_mirrored(&self) -> bool {
        self.bits.has(
            RequestBits::NET_PENDING
                | RequestBits::NET_SENT
                | RequestBits::NET_DONE
                | RequestBits::NET_OK,
        )
    }
}

/// What the oldest request is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// A write (or a read, if not `writes`) that the application waits for.
    Awaited {
        /// See above.
        writes: bool,
    },
    /// A write (or a read, if not `writes`) that the disk has.
    AtDisk {
        /// See above.
        writes: bool,
    },
    /// Reported as done, but not forgotten.
    Completed,
    /// Not sent yet.
    Unsent,
    /// The peer has to answer.
    Unanswered,
    /// The network is not done with it.
    NotDone,
}

impl Aspect {
    fn is_of(self, request: &RequestView) -> bool {
        let bits = request.bits;
        let of_kind = |writes| bits.has(RequestBits::WRITE) == writes;
        let mirrored = request.is_mirrored();
        match self {
            Aspect::Awaited { writes } => !request.completed && of_kind(writes),
            Aspect::AtDisk { writes } => bits.has(RequestBits::LOCAL_PENDING) && of_kind(writes),
            Aspect::Completed => request.completed,
            Aspect::Unsent => mirrored && !bits.has(RequestBits::NET_SENT),
            Aspect::Unanswered => mirrored && bits.has(RequestBits::NET_PENDING),
            Aspect::NotDone => mirrored && !bits.has(RequestBits::NET_DONE),
        }
    }
}

/// What a request of the peer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerGroup {
    /// Its application writes.
    Writes,
    /// It reads, for whatever.
    Reads,
    /// Resync data is written.
    Resync,
}

impl PeerGroup {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Writes, Self::Reads, Self::Resync];

    fn of(kind: PeerKind) -> Option<Self> {
        match kind {
            PeerKind::Write { .. } => Some(Self::Writes),
            PeerKind::ResyncWrite { .. } => Some(Self::Resync),
            kind if kind.reads() => Some(Self::Reads),
            _ => None,
        }
    }
}

/// A request of the peer, as a monitor is shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRequestView {
    /// The range.
    pub extent: Extent,
    /// What it is for.
    pub group: PeerGroup,
    /// The disk has it.
    pub submitted: bool,
    /// Bits of [`PEER_WORDS`].
    words: u32,
}

/// What is told of a request of the peer, by bit.
const PEER_WORDS: &[(u32, &str)] = &[
    (1, "submitted"),
    (1 << 1, "preparing"),
    (1 << 2, "application"),
    (1 << 3, "internal"),
    (1 << 4, "in-AL"),
    (1 << 5, "C"),
    (1 << 6, "set-in-sync"),
    (1 << 7, "trim"),
    (1 << 8, "zero-out"),
];

impl PeerRequestView {
    fn of(slot: &PeerSlot, group: PeerGroup, submitted: bool) -> Self {
        let application = matches!(slot.kind, PeerKind::Write { .. } | PeerKind::Read);
        let (ack, in_sync) = match slot.kind {
            PeerKind::Write {
                ack,
                may_set_in_sync,
            } => (ack, may_set_in_sync),
            _ => (WantedAck::None, false),
        };
        // As in `PEER_WORDS`.
        let told = [
            submitted,
            !submitted,
            application,
            !application,
            slot.logged != 0,
            ack == WantedAck::Written,
            in_sync,
            slot.operation == Operation::Discard,
            matches!(slot.operation, Operation::Zeroes { .. }),
        ];
        let bits = told.iter().zip(PEER_WORDS).filter(|(told, _)| **told);
        Self {
            extent: slot.extent,
            group,
            submitted,
            words: bits.fold(0, |words, (_, (bit, _))| words | bit),
        }
    }
}

impl fmt::Display for PeerRequestView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_words(f, self.words, PEER_WORDS)
    }
}

impl<S: Storage> Volume<S> {
    /// The oldest request of the application that is of that aspect. Reads that went straight to
    /// the disk are not known here. Looks at all slots.
    pub fn oldest_request(&self, aspect: Aspect) -> Option<RequestView> {
        let taken = (0..self.slots.len()).filter_map(|index| {
            let slot = self.slots.get(index)?;
            (slot.links.list() != FREE).then(|| RequestView::of(slot, index))
        });
        taken
            .filter(|request| aspect.is_of(request))
            .min_by_key(|request| request.arrival)
    }

    /// The oldest request of the peer of that group which the disk has (`submitted`) or has not
    /// yet. Looks at all slots.
    pub fn oldest_of_peer(&self, group: PeerGroup, submitted: bool) -> Option<PeerRequestView> {
        let list = if submitted { PEER_ACTIVE } else { PEER_WAITING };
        let of_group = (0..self.peers.len()).filter_map(|index| {
            let peer = self.peers.get(index)?;
            let fits = peer.links().list() == list && PeerGroup::of(peer.kind) == Some(group);
            fits.then_some(*peer)
        });
        let oldest = of_group.min_by_key(|peer| peer.arrival)?;
        Some(PeerRequestView::of(&oldest, group, submitted))
    }
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
