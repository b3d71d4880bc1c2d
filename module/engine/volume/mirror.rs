// SPDX-License-Identifier: GPL-2.0

//! The mirror half of application requests.

use crate::engine::broken::Invariant;
use crate::engine::ids::{
    Extent,
    Instant,
    Sequence,
    Ticket, //
};

use super::effect::{
    Effects,
    Report,
    VolumeEffect, //
};
use super::local::EFFECTS_PER_REQUEST;
use super::peer::WantedAck;
use super::policy::{
    LocalUse,
    ResyncUse, //
};
use super::remote::PeerRequestError;
use super::slot::{
    Mirror,
    Operation,
    Outcome,
    Slot,
    WriteFlags,
    QUEUED,
    READS,
    SENT, //
};
use super::table::ALONE;
use super::{
    Storage,
    Volume, //
};

/// What the sender needs to know of a request to put it on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendView {
    /// The range.
    pub extent: Extent,
    /// What it does.
    pub operation: Operation,
    /// How it has to be treated.
    pub flags: WriteFlags,
    /// The number that orders the writes of one volume (`seq_num`).
    pub sequence: u32,
    /// The acknowledgement that is asked for (`DP_SEND_WRITE_ACK`, `DP_SEND_RECEIVE_ACK`).
    pub ack: WantedAck,
    /// The peer may clear its bits for the range (`DP_MAY_SET_IN_SYNC`).
    pub may_set_in_sync: bool,
}

impl<S: Storage> Volume<S> {
    /// A request was put into the send queue.
    pub(super) fn queue(&mut self, index: u32) {
        let failures = self.peer_failures;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.mirror = Mirror::Queued;
            slot.peer_failures = failures;
        }
        self.slots.move_to(index, QUEUED);
        self.counters.peer_pending += 1;
    }

    /// A request shall go to the peer. What that does not take waits for the end of the connection.
    pub(super) fn send_request(&mut self, index: u32, fx: &mut Effects) {
        let Some(&slot) = self.slots.get(index) else {
            return;
        };
        let taken = self.policy.takes.allow(slot.operation, slot.extent.bytes);
        self.queue(index);
        let ticket = slot.ticket(index);
        fx.push(match slot.operation {
            _ if !taken => VolumeEffect::Report(Report::TooLarge),
            Operation::Read => VolumeEffect::QueueRead(ticket),
            _ => VolumeEffect::QueueWrite(ticket),
        });
    }

    /// The sender takes a request out of its queue and starts to send it, in `epoch` if it is a
    /// write. Returns `None` when there is nothing to send any more.
    pub fn send_begin(&mut self, ticket: Ticket, epoch: u32, now: Instant) -> Option<SendView> {
        let ack = match self.policy.local {
            LocalUse::Full => self.policy.ack,
            // The peer's disk is the only one that keeps it.
            _ => WantedAck::Written,
        };
        let by_barrier = ack != self.policy.ack && !self.policy.tells_ack;
        // Who does not tell that it has written cannot tell that it has cleared them either.
        let tells = ack == WantedAck::Written && !by_barrier;
        let may_set_in_sync = self.policy.resync == ResyncUse::Source && tells;
        let slot = self.find(ticket)?;
        if slot.mirror != Mirror::Queued {
            return None;
        }
        slot.mirror = Mirror::Sending;
        slot.epoch = epoch;
        slot.ack = ack;
        slot.by_barrier = by_barrier && slot.operation != Operation::Read;
        slot.sent_at = now;
        let mut view = SendView {
            extent: slot.extent,
            operation: slot.operation,
            flags: slot.flags,
            sequence: 0,
            ack,
            may_set_in_sync,
        };
        if view.operation != Operation::Read {
            view.sequence = self.number_packet();
            let sectors = u64::from(view.extent.bytes / 512);
            self.counters.sent = self.counters.sent.wrapping_add(sectors);
            self.takes_off(ticket.index);
        }
        let reads = view.operation == Operation::Read;
        self.slots
            .move_to(ticket.index, if reads { READS } else { SENT });
        Some(view)
    }

    /// The sender does not touch the request's payload any more.
    ///
    /// That sending failed is no matter here: the connection's loss is reported on its own.
    pub fn send_done(&mut self, ticket: Ticket, fx: &mut Effects) {
        let Some(slot) = self.find(ticket) else {
            return self.raise(Invariant::Request, fx);
        };
        match slot.mirror {
            Mirror::Sending if slot.ack == WantedAck::None && slot.operation != Operation::Read => {
                slot.mirror = Mirror::Acked;
                self.answered_one();
                self.settle(ticket.index, fx);
                self.resume(fx);
            }
            Mirror::Sending => {
                slot.mirror = Mirror::Sent;
                if slot.by_barrier {
                    fx.push(VolumeEffect::CloseEpoch(slot.epoch));
                }
            }
            Mirror::Settled(outcome) => {
                slot.mirror = outcome.into();
                self.settle(ticket.index, fx);
                self.resume(fx);
            }
            Mirror::SettledPutOff { superseded } => {
                self.put_off(ticket.index, superseded, fx);
                self.resume(fx);
            }
            _ => self.raise(Invariant::Request, fx),
        }
    }

    /// The peer has answered, or will not any more.
    pub(super) fn answered_one(&mut self) {
        self.broken
            .decrease(&mut self.counters.peer_pending, Invariant::PeerCount);
    }

    /// The peer acknowledged a write, or sent the data of a read (`ok`), or refused.
    ///
    /// `in_sync`: it also cleared its bits for the range. An answer to nothing is an error of the
    /// peer.
    pub fn peer_answered(
        &mut self,
        ticket: Ticket,
        ok: bool,
        in_sync: bool,
        fx: &mut Effects,
    ) -> Result<(), PeerRequestError> {
        let slot = self.find(ticket).ok_or(PeerRequestError::Unexpected)?;
        if slot.by_barrier && ok && slot.mirror.is_unanswered() {
            // In its memory is not enough.
            return Ok(());
        }
        // The answer can overtake the sender's report that it has finished sending. A refusal can
        // come after the write was done by being sent or received (protocols A and B).
        let late = matches!(slot.mirror, Mirror::Acked | Mirror::Settled(Outcome::Acked)) && !ok;
        if !late && !matches!(slot.mirror, Mirror::Sending | Mirror::Sent) {
            return Err(PeerRequestError::Unexpected);
        }
        slot.in_sync = in_sync;
        let extent = slot.extent;
        let read = slot.operation == Operation::Read;
        let outcome = match ok {
            true => Outcome::Acked,
            false => Outcome::Refused,
        };
        slot.mirror = match slot.mirror {
            Mirror::Sending | Mirror::Settled(_) => Mirror::Settled(outcome),
            _ => outcome.into(),
        };
        if !late {
            self.answered_one();
        }
        if !ok && !read {
            self.mark(extent);
            fx.push(VolumeEffect::Report(Report::PeerWriteFailed));
        }
        if read {
            self.slots.move_to(ticket.index, ALONE);
        }
        self.settle(ticket.index, fx);
        self.resume(fx);
        Ok(())
    }

    /// The extent of a read that was sent to the peer, so that its reply can be received.
    pub fn remote_read(&mut self, ticket: Ticket) -> Option<Extent> {
        let slot = self.find(ticket)?;
        let open = matches!(slot.mirror, Mirror::Sending | Mirror::Sent);
        (open && slot.operation == Operation::Read).then_some(slot.extent)
    }

    /// The peer has everything up to and including `epoch` on stable storage. Frees what waited
    /// for that, as much as fits: call it again (with `resume` in between) until it returns true.
    pub fn barrier_acked(&mut self, epoch: u32, fx: &mut Effects) -> bool {
        let limit = Sequence::from(epoch);
        while let Some(index) = self.slots.first(SENT) {
            let behind = |slot: &Slot| Sequence::from(slot.epoch).is_after(limit);
            if self.slots.get(index).is_none_or(behind) {
                break;
            }
            if fx.room() < EFFECTS_PER_REQUEST {
                return false;
            }
            self.slots.move_to(index, ALONE);
            self.lands(index);
            self.barrier_acked_one(index, fx);
        }
        self.resume(fx);
        true
    }

    fn barrier_acked_one(&mut self, index: u32, fx: &mut Effects) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.barrier_acked = true;
        if slot.mirror == Mirror::Sent {
            // Protocol A and B: the barrier's acknowledgement is the last word.
            slot.mirror = Mirror::Acked;
            self.answered_one();
        }
        // Completes it if that is due (protocols A and B), and frees the slot if nothing else
        // is outstanding.
        self.settle(index, fx);
    }

    /// The connection is gone, nothing more will be sent or received on it. What the peer may not
    /// have is marked, and the peer's own requests are finished without an answer.
    pub fn connection_lost(&mut self, fx: &mut Effects) {
        self.losing = true;
        self.resync.stop();
        self.resync.late = 0;
        self.verify.lose_connection();
        self.forget_numbers();
        self.resume(fx);
    }

    /// Fails the mirror half of requests, as many as fit.
    pub(super) fn lose_requests(&mut self, fx: &mut Effects) {
        for list in [QUEUED, SENT, READS] {
            while let Some(index) = self.slots.first(list) {
                if fx.room() < EFFECTS_PER_REQUEST {
                    return;
                }
                self.slots.move_to(index, ALONE);
                self.lands(index);
                self.lose_one(index, fx);
            }
        }
        if self.lose_peers(fx) {
            self.losing = false;
            self.retry = true;
        }
    }

    fn lose_one(&mut self, index: u32, fx: &mut Effects) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let pending = matches!(slot.mirror, Mirror::Queued | Mirror::Sending | Mirror::Sent);
        slot.mirror = match slot.mirror {
            Mirror::Settled(_) | Mirror::SettledPutOff { .. } | Mirror::Sending => {
                Mirror::Settled(Outcome::Lost)
            }
            _ => Mirror::Lost,
        };
        slot.in_sync = false;
        let extent = slot.extent;
        if slot.operation != Operation::Read {
            self.mark(extent);
        }
        if pending {
            self.answered_one();
        }
        self.settle(index, fx);
    }
}
