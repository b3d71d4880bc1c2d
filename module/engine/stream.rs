// SPDX-License-Identifier: GPL-2.0

//! The order of writes on one connection: epochs, barriers and their acknowledgements.
//!
//! Writes that may be reordered by the peer's disk form an *epoch*. As soon as one write of the
//! current epoch is reported as done to whoever issued it, later writes may depend on it, so the
//! epoch is closed: a `P_BARRIER` goes out before the next write. The peer answers with
//! `P_BARRIER_ACK` when everything before the barrier is on stable storage; only then may the
//! writes of that epoch be forgotten here.
//!
//! A [`Stream`] has a lock of its own in the driver, taken inside a volume's lock or alone, never
//! around one. All functions are short and run in any context.

use super::ids::Sequence;

/// How many closed epochs may wait for their acknowledgement. With more, the current epoch just
/// grows: fewer barriers, never a lost one.
pub const MAX_UNACKED_EPOCHS: usize = 64;

/// The peer broke the rules of epochs; the connection has to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochError {
    /// A `P_BARRIER_ACK` came for an epoch that is not the oldest unacknowledged one.
    UnexpectedBarrier {
        /// The barrier number that came.
        got: u32,
    },
    /// A `P_BARRIER_ACK` counts another number of writes than were sent.
    WrongCount {
        /// The barrier number.
        barrier: u32,
        /// Writes that were sent in that epoch.
        sent: u32,
        /// Writes that the peer counted.
        got: u32,
    },
    /// A second `P_BARRIER` came while the first was still being answered.
    BarrierInBarrier,
}

/// What has to be put into the send queue for one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// A barrier with this number has to be queued before the write.
    pub barrier: Option<u32>,
    /// The epoch that the write belongs to.
    pub epoch: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Epoch {
    number: Sequence,
    writes: u32,
}

/// The epochs of one connection, in both directions.
///
/// # Invariants
///
/// `unacked[..unacked_len]` are closed epochs whose barrier was queued, oldest first.
#[derive(Debug)]
pub struct Stream {
    current: Epoch,
    /// A closed epoch with writes whose barrier was not queued yet.
    closed: Option<Epoch>,
    unacked: [Epoch; MAX_UNACKED_EPOCHS],
    unacked_len: usize,
    max_epoch_size: u32,
    /// The current epoch was to be closed while there was no place for another one.
    overdue: bool,
    peer: PeerEpoch,
}

/// The epoch that the peer is sending us.
#[derive(Debug, Default)]
struct PeerEpoch {
    /// Writes received in it.
    size: u32,
    /// Those of them that our disk has not finished.
    active: u32,
    /// The barrier that has to be answered when nothing is active any more.
    barrier: Option<u32>,
}

impl Stream {
    /// Starts with empty epochs. `max_epoch_size` is the option of that name (writes).
    pub fn new(max_epoch_size: u32) -> Self {
        Self {
            current: Epoch::default(),
            closed: None,
            unacked: [Epoch::default(); MAX_UNACKED_EPOCHS],
            unacked_len: 0,
            max_epoch_size: max_epoch_size.max(1),
            overdue: false,
            peer: PeerEpoch::default(),
        }
    }

    /// Forgets everything: a new connection starts.
    ///
    /// The epoch number goes on, so that a write that was given its place on the former
    /// connection can never be taken for one of this connection.
    pub fn reset(&mut self, max_epoch_size: u32) {
        let number = self.current.number.next();
        *self = Self::new(max_epoch_size);
        self.current.number = number;
    }

    /// Gives a write its place. The caller queues the barrier, if any, and then the write, before
    /// anybody else can call this.
    pub fn place_write(&mut self) -> Placed {
        if self.current.writes >= self.max_epoch_size {
            self.close_current();
        }
        let barrier = self.take_barrier();
        self.current.writes = self.current.writes.saturating_add(1);
        Placed {
            barrier,
            epoch: self.current.number.get(),
        }
    }

    /// A write that was given its place will not be sent after all: its request is gone.
    pub fn retract_write(&mut self, epoch: u32) {
        let matches = |e: &Epoch| e.number.get() == epoch;
        if matches(&self.current) {
            self.current.writes = self.current.writes.saturating_sub(1);
        } else if let Some(closed) = self.closed.as_mut().filter(|e| matches(e)) {
            closed.writes = closed.writes.saturating_sub(1);
            if closed.writes == 0 {
                self.closed = None;
            }
        } else if let Some(at) = self.unacked().iter().position(matches) {
            self.retract_unacked(at);
        }
    }

    fn unacked(&self) -> &[Epoch] {
        self.unacked.get(..self.unacked_len).unwrap_or(&[])
    }

    /// The barrier is in the queue already. The peer does not acknowledge an epoch without
    /// writes, so an empty one is not waited for.
    fn retract_unacked(&mut self, at: usize) {
        let Some(epoch) = self.unacked.get_mut(at) else {
            return;
        };
        epoch.writes = epoch.writes.saturating_sub(1);
        if epoch.writes == 0 {
            self.unacked.copy_within(at + 1.., at);
            self.unacked_len -= 1;
        }
    }

    /// A write of `epoch` is about to be reported as done (or a flush came): later writes must
    /// not be mixed with it. Call this *before* the report.
    pub fn close_epoch(&mut self, epoch: u32) {
        if self.current.number.get() == epoch {
            self.close_current();
        }
    }

    /// An empty flush came: everything sent so far must reach the peer's stable storage before
    /// anything later.
    pub fn flush(&mut self) {
        self.close_current();
    }

    /// Whether closing the current epoch is possible and a barrier is due when nothing else has
    /// to be sent. Returns its number once.
    pub fn take_barrier(&mut self) -> Option<u32> {
        let epoch = self.closed.take()?;
        if let Some(place) = self.unacked.get_mut(self.unacked_len) {
            *place = epoch;
            self.unacked_len += 1;
        }
        Some(epoch.number.get())
    }

    fn close_current(&mut self) {
        let room = self.unacked_len < MAX_UNACKED_EPOCHS;
        if self.current.writes == 0 || self.closed.is_some() || !room {
            self.overdue = self.current.writes != 0;
            return;
        }
        self.overdue = false;
        self.closed = Some(self.current);
        self.current = Epoch {
            number: self.current.number.next(),
            writes: 0,
        };
    }

    /// The peer reports that the epoch before barrier `number`, of `writes` writes, is stable.
    /// Returns true when a barrier is due now that had no place before.
    pub fn barrier_acked(&mut self, number: u32, writes: u32) -> Result<bool, EpochError> {
        let oldest = match self.unacked.first() {
            Some(epoch) if self.unacked_len > 0 && epoch.number.get() == number => *epoch,
            _ => return Err(EpochError::UnexpectedBarrier { got: number }),
        };
        if oldest.writes != writes {
            return Err(EpochError::WrongCount {
                barrier: number,
                sent: oldest.writes,
                got: writes,
            });
        }
        self.unacked.copy_within(1.., 0);
        self.unacked_len -= 1;
        let due = self.overdue;
        if due {
            self.close_current();
        }
        Ok(due)
    }

    /// A write of the peer was received and will be submitted.
    pub fn peer_write_started(&mut self) {
        self.peer.size = self.peer.size.saturating_add(1);
        self.peer.active = self.peer.active.saturating_add(1);
    }

    /// A write of the peer is on our disk (or failed, or was answered without the disk).
    ///
    /// Returns true when the answer to a waiting barrier is due: flush the disks, then call
    /// [`Stream::peer_epoch_flushed`].
    pub fn peer_write_finished(&mut self) -> bool {
        self.peer.active = self.peer.active.saturating_sub(1);
        self.peer.active == 0 && self.peer.barrier.is_some()
    }

    /// The peer's `P_BARRIER` came. Returns true when the disks can be flushed at once; else
    /// [`Stream::peer_write_finished`] tells when. Nothing later may be received until then.
    pub fn peer_barrier(&mut self, number: u32) -> Result<bool, EpochError> {
        if self.peer.barrier.is_some() {
            return Err(EpochError::BarrierInBarrier);
        }
        self.peer.barrier = Some(number);
        Ok(self.peer.active == 0)
    }

    /// The disks were flushed for the waiting barrier. Returns its number and how many writes it
    /// covers: the content of the `P_BARRIER_ACK`. An epoch without writes is not acknowledged.
    pub fn peer_epoch_flushed(&mut self) -> Option<(u32, u32)> {
        let number = self.peer.barrier.take()?;
        let size = core::mem::take(&mut self.peer.size);
        (size != 0).then_some((number, size))
    }

    /// Whether a barrier has to be sent sooner or later though nothing new comes.
    pub fn is_open(&self) -> bool {
        self.closed.is_some() || self.current.writes > 0
    }

    /// How many epochs wait for their acknowledgement.
    pub fn unacked_epochs(&self) -> usize {
        self.unacked_len
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
