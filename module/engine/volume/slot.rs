// SPDX-License-Identifier: GPL-2.0

//! The slot of one application request: what was asked, and how far its two halves have come.
//!
//! Life of a write: it *waits* (for an overlapping request, for the activity log, or because I/O
//! is held), then it is *active*: its local half and its mirror half run independently. When both
//! are done it is *completed* (reported to the application). A slot whose write went to the peer
//! lives on until the peer acknowledged the barrier behind it, because until then a crash of the
//! peer could lose it.

use crate::engine::ids::{
    Extent,
    Instant,
    Ticket,
    MAX_DISCARD_BYTES,
    MAX_REQUEST_BYTES, //
};

use super::peer::WantedAck;
use super::table::{
    Entry,
    Links,
    List, //
};

/// Not started: waiting in order of arrival.
pub(super) const WAITING: List = List(1);

/// In the send queue.
pub(super) const QUEUED: List = List(2);

/// Sent, in order of sending, until the barrier behind it is acknowledged.
pub(super) const SENT: List = List(3);

/// Done, but its completion is held back.
pub(super) const HELD: List = List(4);

/// A read that was sent to the peer.
pub(super) const READS: List = List(5);

/// Refused by a peer whose disk is called good: what it says of its disk next decides, so that
/// nothing is reported as done that only a generation of its own would keep. (Unless that was said
/// before the refusal came, on the other socket.)
pub(super) const REFUSED: List = List(6);

/// How a request has to be treated besides its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteFlags {
    /// The data has to be on stable storage before completion (`REQ_FUA`).
    pub fua: bool,
    /// Everything completed before has to be on stable storage first (`REQ_PREFLUSH`).
    pub preflush: bool,
    /// Somebody waits for it (`REQ_SYNC`).
    pub sync: bool,
}

/// What a request does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Operation {
    /// Writes its payload.
    #[default]
    Write,
    /// Discards the range; later reads may return anything (`REQ_OP_DISCARD`).
    Discard,
    /// Zeroes the range; `unmap` allows to give the space back (`REQ_OP_WRITE_ZEROES`).
    Zeroes {
        /// The space may be unmapped.
        unmap: bool,
    },
    /// An empty flush.
    Flush,
    /// A read that could not be passed straight to the local disk.
    Read,
}

impl Operation {
    /// Whether a payload goes over the wire with it.
    pub fn has_payload(self) -> bool {
        self == Operation::Write
    }

    /// The largest single request, in bytes.
    pub fn most_bytes(self) -> u32 {
        match self {
            Operation::Discard | Operation::Zeroes { .. } => MAX_DISCARD_BYTES,
            Operation::Write | Operation::Flush | Operation::Read => MAX_REQUEST_BYTES,
        }
    }
}

/// How far the local half has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Local {
    /// There is none.
    #[default]
    None,
    /// Given to the lower device.
    Submitted,
    /// The lower device reported success.
    Done,
    /// The lower device reported an error.
    Failed,
}

/// How far the mirror half has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mirror {
    /// There is none: the range was marked out of sync instead.
    #[default]
    None,
    /// In the send queue.
    Queued,
    /// The sender is copying the payload: it must not be given back.
    Sending,
    /// Sent, not acknowledged.
    Sent,
    /// The peer has it (as the protocol demands), the barrier behind it is not acknowledged.
    Acked,
    /// The peer answered, or the connection was lost, while the sender was still copying the
    /// payload; that takes effect when it has finished.
    Settled(Outcome),
    /// The peer put it off while the sender was still copying the payload, or just now.
    SettledPutOff {
        /// As the peer said.
        superseded: bool,
    },
    /// It begins anew as soon as the local disk is done with it.
    PutOff,
    /// The peer has a later write instead, which is going to overwrite it here too.
    Superseded,
    /// The peer refused it.
    Refused,
    /// The peer may not have it: the connection was lost.
    Lost,
}

/// What came of the mirror half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The peer has it.
    Acked,
    /// The peer refused it.
    Refused,
    /// The connection was lost.
    Lost,
}

impl From<Outcome> for Mirror {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Acked => Mirror::Acked,
            Outcome::Refused => Mirror::Refused,
            Outcome::Lost => Mirror::Lost,
        }
    }
}

impl Mirror {
    /// Whether the peer has neither taken nor refused it yet.
    pub(super) fn is_unanswered(self) -> bool {
        matches!(self, Mirror::Queued | Mirror::Sending | Mirror::Sent)
    }

    /// Whether nothing more is expected before the request may be completed.
    fn finished(self) -> bool {
        matches!(
            self,
            Mirror::None | Mirror::Acked | Mirror::Superseded | Mirror::Refused | Mirror::Lost
        )
    }
}

/// One application request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    pub(super) links: Links,
    pub(super) operation: Operation,
    pub(super) flags: WriteFlags,
    pub(super) extent: Extent,
    /// Position in the order of arrival: of two overlapping requests the earlier goes first.
    pub(super) arrival: u64,
    pub(super) local: Local,
    pub(super) mirror: Mirror,
    /// The epoch it was sent in; valid from `Mirror::Sending` on.
    pub(super) epoch: u32,
    /// What ends its mirror half; valid from `Mirror::Sending` on.
    pub(super) ack: WantedAck,
    /// The peer's disk has to have it, but the peer says only of the barrier that it has.
    pub(super) by_barrier: bool,
    /// The peer said that it cleared its bits for the range (`P_RS_WRITE_ACK`).
    pub(super) in_sync: bool,
    /// It was marked when the connection was lost, and sent again on the next one.
    pub(super) resent: bool,
    /// How many of its extents it holds a reference to in the activity log (0, 1 or 2).
    pub(super) logged: u8,
    /// The barrier behind it was acknowledged.
    pub(super) barrier_acked: bool,
    /// The disk of its local half was given up since: what the present one has of it is unknown.
    pub(super) former_disk: bool,
    /// A read that the peer shall serve although our disk could.
    pub(super) balanced: bool,
    /// Its local half works on memory of its own: it may be completed without it.
    pub(super) copied: bool,
    /// When the disk was first seen to have its local half; 0: not yet.
    pub(super) at_disk: Instant,
    /// How often the peer's disk had ceased to be good when it was queued.
    pub(super) peer_failures: u32,
    /// It was reported to the application.
    pub(super) completed: bool,
    /// It counts as on its way to the peer.
    pub(super) in_flight: bool,
    /// When the mirror half was sent, for `ko-count`.
    pub(super) sent_at: Instant,
}

impl Entry for Slot {
    fn links(&self) -> &Links {
        &self.links
    }

    fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }
}

impl Slot {
    /// The ticket of this slot, which is the one at `index`.
    pub(super) fn ticket(&self, index: u32) -> Ticket {
        Ticket {
            index,
            generation: self.links.generation(),
        }
    }

    /// The lower device gets the local half.
    pub(super) fn submit_local(&mut self) {
        self.local = Local::Submitted;
        self.copied = false;
        // What a flush came after was on the former disk.
        self.former_disk &= self.operation == Operation::Flush;
        self.at_disk = Instant::default();
    }

    /// Whether the present disk was not asked yet.
    pub(super) fn may_try_local(&self) -> bool {
        self.local == Local::None || self.local == Local::Failed && self.former_disk
    }

    /// Whether both halves are done, so that the request may be completed.
    pub(super) fn finished(&self) -> bool {
        self.local != Local::Submitted && self.mirror.finished()
    }

    /// Whether it was only sent, or is only in the peer's memory (protocols A and B): that is
    /// enough where the own disk has it, else the acknowledgement of the barrier behind it is.
    pub(super) fn is_only_under_way(&self) -> bool {
        let writes = !matches!(self.operation, Operation::Flush | Operation::Read);
        let unsure = self.ack != WantedAck::Written && !self.barrier_acked;
        writes && unsure && self.mirror == Mirror::Acked && !self.completed
    }

    /// Whether the data is where it should be: on the local disk or at the peer.
    pub(super) fn succeeded(&self) -> bool {
        let there = matches!(self.mirror, Mirror::Acked | Mirror::Superseded);
        self.local == Local::Done || there
    }

    /// Whether the local disk and the peer both have it, or what overwrites it on both.
    pub(super) fn on_both(&self) -> bool {
        let there = matches!(self.mirror, Mirror::Acked | Mirror::Superseded);
        self.local == Local::Done && there && !self.former_disk
    }
}
