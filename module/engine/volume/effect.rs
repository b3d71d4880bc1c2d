// SPDX-License-Identifier: GPL-2.0

//! What a volume asks its driver to do.

use core::fmt;

use super::congestion::Limit;
use crate::engine::broken::Invariant;
use crate::engine::ids::{
    Extent,
    PeerTicket,
    Ticket, //
};

/// One thing to do for a volume. The driver carries effects out in order, after it dropped the
/// volume's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeEffect {
    /// Submit the request to the lower device; answer with `local_done`.
    SubmitLocal(Ticket),
    /// Place the write on the connection's stream and queue it; the sender calls `send_begin`
    /// and `send_done`.
    QueueWrite(Ticket),
    /// Queue a `P_DATA_REQUEST` for the request.
    QueueRead(Ticket),
    /// Queue a `P_OUT_OF_SYNC` for the range.
    QueueOutOfSync(Extent),
    /// Queue a `P_RS_DATA_REQUEST` for the range.
    QueueResyncRequest(Extent),
    /// Queue a `P_RS_THIN_REQ` for the range.
    QueueThinRequest(Extent),
    /// Queue a `P_OV_REQUEST` for the range.
    QueueVerifyRequest(Extent),
    /// Tell the stream that a write of this epoch is about to be completed.
    CloseEpoch(u32),
    /// An empty flush was started: tell the stream.
    FlushStream,
    /// Report the request to the application.
    Complete {
        /// The request.
        ticket: Ticket,
        /// Whether it succeeded; else it is an I/O error.
        ok: bool,
    },
    /// The request's slot is free: forget what belongs to it. Comes after `Complete`.
    Release(Ticket),
    /// Somebody waits for the activity log: run `log_prepare` in a context that may sleep.
    WriteLog,
    /// A slot became free: requests that found none may be tried again.
    Room,
    /// Submit the peer's request to the lower device; answer with `peer_io_done`.
    SubmitPeer(PeerTicket),
    /// Queue what was read for the peer, or to be compared with its digest; the sender calls
    /// `peer_reply_sent`, or `verify_compared`.
    QueueReply(PeerTicket),
    /// Queue an acknowledgement on the meta socket.
    Ack {
        /// Which one.
        kind: AckKind,
        /// The range.
        extent: Extent,
        /// The peer's own name for the request.
        block_id: u64,
        /// Its number; acknowledgements of a volume are queued in this order.
        sequence: u32,
    },
    /// One write of this epoch of the peer is done: tell the stream.
    PeerWriteFinished {
        /// As the stream numbered it.
        epoch: u32,
    },
    /// One write of this epoch of the peer is put off: tell the stream.
    PeerWritePutOff {
        /// As the stream numbered it.
        epoch: u32,
    },
    /// Our own write of this epoch was put off by the peer: tell the stream.
    PutOff(u32),
    /// The peer request's slot is free: forget what belongs to it.
    ReleasePeer(PeerTicket),
    /// Tell the resource.
    Report(Report),
}

/// Acknowledgements that a volume gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckKind {
    /// `P_WRITE_ACK`.
    Write,
    /// `P_RECV_ACK`: in memory.
    Received,
    /// `P_RS_WRITE_ACK`: written, and no longer out of sync.
    ResyncWrite,
    /// `P_RS_IS_IN_SYNC`: the digest that came with the request is that of our copy, too.
    ResyncEqual,
    /// `P_SUPERSEDED`: a later write of ours covers it.
    Superseded,
    /// `P_RETRY_WRITE` (before version 100 `P_SUPERSEDED`): it comes behind a write of ours, once
    /// more.
    Retry,
    /// `P_NEG_ACK`: the write failed.
    Negative,
    /// `P_NEG_DREPLY`: the read failed.
    NegativeRead,
    /// `P_NEG_RS_DREPLY`: the resync read failed.
    NegativeResyncRead,
    /// `P_RS_CANCEL`: not now, ask again in the next resync.
    ResyncCancelled,
    /// `P_OV_RESULT`: both copies are equal.
    VerifyEqual,
    /// `P_OV_RESULT`: the copies differ.
    VerifyDifferent,
}

/// What the resource has to know; it decides what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The last block of a resync is in sync (or failed).
    ResyncFinished,
    /// The last block of a verify was compared.
    VerifyFinished,
    /// Both copies of this range differ.
    Different {
        /// First sector.
        start: u64,
        /// Sectors.
        sectors: u64,
    },
    /// The lower device reported an error.
    IoError {
        /// For a write; else for a read.
        write: bool,
    },
    /// The lower device leaves something unanswered for longer than `disk-timeout`.
    DiskTimeout,
    /// The peer could not write what we sent.
    PeerWriteFailed,
    /// So much is on its way to the peer that it is too slow (`Policy::congestion`).
    Congested(Limit),
    /// Nothing is on its way any more to a peer that was too slow.
    Relieved,
    /// A request came before it was known that the peer takes none so large, or none of that kind:
    /// it waits for the end of the connection.
    TooLarge,
    /// The requests that somebody waits for are gone (`Policy::drain`).
    Drained,
    /// Something that must never be was: the resource decides what to give up.
    Broken(Invariant),
}

/// Most effects that one step can yield, the place for [`Invariant::Effects`] included; see
/// [`Effects`].
pub const MAX_EFFECTS: usize = 16;

/// The bounded list of effects of one step.
///
/// A step that has more to do stops when [`Effects::room`] is used up and goes on when the driver
/// calls `resume`. What a step does without looking at the room is bounded: one request to start
/// or to settle (`EFFECTS_PER_REQUEST`, 7), or one of the peer to answer (6), and one more before
/// it; after that, `resume` looks.
pub struct Effects {
    list: [Option<VolumeEffect>; MAX_EFFECTS],
    len: usize,
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Default for Effects {
    fn default() -> Self {
        Self::new()
    }
}

impl Effects {
    /// An empty list.
    pub const fn new() -> Self {
        Self {
            list: [None; MAX_EFFECTS],
            len: 0,
        }
    }

    /// Adds an effect. When the list is full the effect is lost and the list ends with
    /// [`Invariant::Effects`], for which a place is kept.
    pub(super) fn push(&mut self, effect: VolumeEffect) {
        let full = self.room() == 0;
        let effect = if full {
            VolumeEffect::Report(Report::Broken(Invariant::Effects))
        } else {
            effect
        };
        if let Some(place) = self.list.get_mut(self.len) {
            *place = Some(effect);
            self.len += usize::from(!full);
        }
    }

    /// How many more effects fit.
    pub(super) fn room(&self) -> usize {
        (MAX_EFFECTS - 1).saturating_sub(self.len)
    }

    /// Takes the effects out, in order. Those that are not asked for are gone, too.
    pub fn take(&mut self) -> Taken<'_> {
        self.len = 0;
        Taken {
            list: self.list.iter_mut(),
        }
    }

    /// Looks at the effects, in order.
    ///
    /// A slot that an effect names as completed or released may be taken for another request as
    /// soon as the volume's lock is dropped: what the driver keeps by slot it has to take out
    /// before that.
    pub fn iter(&self) -> impl Iterator<Item = &VolumeEffect> {
        self.list.iter().map_while(Option::as_ref)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The effects of one step on their way out.
pub struct Taken<'a> {
    list: core::slice::IterMut<'a, Option<VolumeEffect>>,
}

impl Iterator for Taken<'_> {
    type Item = VolumeEffect;

    fn next(&mut self) -> Option<VolumeEffect> {
        self.list.next().and_then(Option::take)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for _ in self.by_ref() {}
    }
}

#[cfg(test)]
#[path = "effect_tests.rs"]
mod tests;
