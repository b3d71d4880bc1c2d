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

use super::broken::Invariant;
use super::ids::Sequence;

/// How many closed epochs may wait for their acknowledgement. With more, the current epoch just
/// grows: fewer barriers, never a lost one.
pub const MAX_UNACKED_EPOCHS: usize = 64;

/// How many of the peer's epochs may be under way at our disks at once, with a write order that
/// does not wait (`none`). With more, a barrier is waited for as with `drain`.
pub const MAX_OPEN_EPOCHS: usize = 16;

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
    /// The peer put a write of it off: it may never acknowledge the rest (the C module does not),
    /// but later epochs.
    put_off: bool,
}

impl Epoch {
    fn retract(&mut self) -> Result<(), Invariant> {
        self.writes = self.writes.checked_sub(1).ok_or(Invariant::Epoch)?;
        Ok(())
    }
}

/// The epochs of one connection, in both directions.
///
/// # Invariants
///
/// `unacked[..unacked_len]` are closed epochs with writes, oldest first. The barriers of all were
/// queued, but for that of the last one while `barrier_due`.
#[derive(Debug)]
pub struct Stream {
    current: Epoch,
    unacked: [Epoch; MAX_UNACKED_EPOCHS],
    unacked_len: usize,
    /// The barrier of the youngest one of them was not queued yet.
    barrier_due: bool,
    max_epoch_size: u32,
    /// The current epoch was to be closed while there was no place for another one.
    overdue: bool,
    peer: PeerEpochs,
}

/// An epoch that the peer is sending us, or has sent.
#[derive(Clone, Copy, Debug, Default)]
struct PeerEpoch {
    /// Our own number of it.
    number: Sequence,
    /// Writes received in it.
    size: u32,
    /// Those of them that our disk has not finished.
    active: u32,
    /// The barrier behind it.
    barrier: u32,
}

impl PeerEpoch {
    fn finish_one(&mut self, counts: bool) -> Result<(), Invariant> {
        self.active = self.active.checked_sub(1).ok_or(Invariant::Epoch)?;
        if !counts {
            self.size = self.size.saturating_sub(1);
        }
        Ok(())
    }
}

/// The peer's epochs.
#[derive(Debug)]
struct PeerEpochs {
    /// The one that is being received.
    current: PeerEpoch,
    /// Its barrier came, and nothing is received until that is answered.
    waits: bool,
    /// Those before it whose barriers came and are not answered, oldest first.
    open: [PeerEpoch; MAX_OPEN_EPOCHS],
    open_len: usize,
}

impl Default for PeerEpochs {
    fn default() -> Self {
        Self {
            current: PeerEpoch::default(),
            waits: false,
            open: [PeerEpoch::default(); MAX_OPEN_EPOCHS],
            open_len: 0,
        }
    }
}

impl PeerEpochs {
    fn open(&self) -> &[PeerEpoch] {
        self.open.get(..self.open_len).unwrap_or(&[])
    }

    fn is_drained(&self) -> bool {
        self.current.active == 0 && self.open().iter().all(|epoch| epoch.active == 0)
    }

    /// Begins the next epoch; returns the one before it.
    fn begin(&mut self) -> PeerEpoch {
        let next = PeerEpoch {
            number: self.current.number.next(),
            ..PeerEpoch::default()
        };
        core::mem::replace(&mut self.current, next)
    }

    fn find(&mut self, number: u32) -> Option<&mut PeerEpoch> {
        if self.current.number.get() == number {
            return Some(&mut self.current);
        }
        let open = self.open.get_mut(..self.open_len)?;
        open.iter_mut().find(|epoch| epoch.number.get() == number)
    }
}

/// What a barrier of the peer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierStep {
    /// Flush the disks at once, then call [`Stream::peer_epoch_flushed`].
    Flush,
    /// The same when a later [`EpochStep`] says that it is drained. Nothing later may be received
    /// until then.
    Wait,
    /// Go on. Answers are to be had from [`Stream::peer_epoch_done`], now or later.
    GoOn,
}

/// What the end of a write of the peer leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpochStep {
    /// The answer to a waiting barrier is due: flush the disks, then call
    /// [`Stream::peer_epoch_flushed`].
    pub drained: bool,
    /// There are answers to be had from [`Stream::peer_epoch_done`].
    pub done: bool,
}

impl Stream {
    /// Starts with empty epochs. `max_epoch_size` is the option of that name (writes).
    pub fn new(max_epoch_size: u32) -> Self {
        Self {
            current: Epoch::default(),
            unacked: [Epoch::default(); MAX_UNACKED_EPOCHS],
            unacked_len: 0,
            barrier_due: false,
            max_epoch_size: max_epoch_size.max(1),
            overdue: false,
            peer: PeerEpochs::default(),
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

    /// Changes the option of that name, from the next write on.
    pub fn set_max_epoch_size(&mut self, writes: u32) {
        self.max_epoch_size = writes.max(1);
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
    ///
    /// # Errors
    ///
    /// The epoch has no such write.
    pub fn retract_write(&mut self, epoch: u32) -> Result<(), Invariant> {
        let matches = |e: &Epoch| e.number.get() == epoch;
        if matches(&self.current) {
            return self.current.retract();
        }
        let at = self.unacked().iter().position(matches);
        self.retract_unacked(at.ok_or(Invariant::Epoch)?)
    }

    /// The peer put a write off that was sent in `epoch`: it counts it no more. The barrier behind
    /// it is sent all the same, as the peer has begun an epoch with it.
    ///
    /// # Errors
    ///
    /// The epoch has no such write.
    pub fn put_off(&mut self, epoch: u32) -> Result<(), Invariant> {
        let matches = |e: &Epoch| e.number.get() == epoch;
        if matches(&self.current) {
            self.current.put_off = true;
            self.current.retract()?;
            // What is sent from here on shall not wait with it.
            self.close_current();
            return Ok(());
        }
        let at = self.unacked().iter().position(matches);
        let at = at.ok_or(Invariant::Epoch)?;
        if let Some(epoch) = self.unacked.get_mut(at) {
            epoch.put_off = true;
        }
        if self.barrier_due && at + 1 == self.unacked_len {
            let epoch = self.unacked.get_mut(at).ok_or(Invariant::Epoch)?;
            return epoch.retract();
        }
        self.retract_unacked(at)
    }

    fn unacked(&self) -> &[Epoch] {
        self.unacked.get(..self.unacked_len).unwrap_or(&[])
    }

    /// The barrier may be in the queue already. The peer does not acknowledge an epoch without
    /// writes, so an empty one is not waited for.
    fn retract_unacked(&mut self, at: usize) -> Result<(), Invariant> {
        let epoch = self.unacked.get_mut(at).ok_or(Invariant::Epoch)?;
        epoch.retract()?;
        if epoch.writes == 0 {
            let last = at + 1 == self.unacked_len;
            self.barrier_due &= !last;
            self.unacked.copy_within(at + 1.., at);
            self.unacked_len -= 1;
            self.close_overdue();
        }
        Ok(())
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
        if !core::mem::take(&mut self.barrier_due) {
            return None;
        }
        let epoch = *self.unacked().last()?;
        if epoch.writes == 0 {
            // It is not acknowledged.
            self.unacked_len -= 1;
            self.close_overdue();
        }
        Some(epoch.number.get())
    }

    /// There is a place again for an epoch that found none.
    fn close_overdue(&mut self) {
        if self.overdue {
            self.close_current();
        }
    }

    fn close_current(&mut self) {
        let place = self.unacked.get_mut(self.unacked_len);
        let has_writes = self.current.writes != 0 || self.current.put_off;
        let place = place.filter(|_| !self.barrier_due && has_writes);
        let Some(place) = place else {
            self.overdue = has_writes;
            return;
        };
        self.overdue = false;
        *place = self.current;
        self.unacked_len += 1;
        self.barrier_due = true;
        self.current = Epoch {
            number: self.current.number.next(),
            ..Epoch::default()
        };
    }

    /// The peer reports that the epoch before barrier `number`, of `writes` writes, is stable.
    /// Returns true when a barrier is due now that had no place before.
    pub fn barrier_acked(&mut self, number: u32, writes: u32) -> Result<bool, EpochError> {
        let sent = self.unacked.get(..self.unacked_epochs()).unwrap_or(&[]);
        let unexpected = EpochError::UnexpectedBarrier { got: number };
        // What is on stable storage with this epoch is so with those before it, too.
        let at = sent
            .iter()
            .position(|e| e.number.get() == number || !e.put_off);
        let at = at.ok_or(unexpected)?;
        let oldest = match sent.get(at) {
            Some(epoch) if epoch.number.get() == number => *epoch,
            _ => return Err(unexpected),
        };
        if oldest.writes != writes {
            return Err(EpochError::WrongCount {
                barrier: number,
                sent: oldest.writes,
                got: writes,
            });
        }
        self.unacked.copy_within(at + 1.., 0);
        self.unacked_len -= at + 1;
        let due = self.overdue;
        self.close_overdue();
        Ok(due)
    }

    /// A write of the peer was received and will be submitted. Returns our number of its epoch.
    pub fn peer_write_started(&mut self) -> u32 {
        let epoch = &mut self.peer.current;
        epoch.size = epoch.size.saturating_add(1);
        epoch.active = epoch.active.saturating_add(1);
        epoch.number.get()
    }

    /// A write of that epoch of the peer is on our disk (or failed, or was answered without the
    /// disk).
    ///
    /// # Errors
    ///
    /// No write of that epoch was under way.
    pub fn peer_write_finished(&mut self, epoch: u32) -> Result<EpochStep, Invariant> {
        self.finish_peer_write(epoch, true)
    }

    /// A write of the peer was put off: as [`Stream::peer_write_finished`], but it does not count.
    ///
    /// # Errors
    ///
    /// No write of that epoch was under way.
    pub fn peer_write_put_off(&mut self, epoch: u32) -> Result<EpochStep, Invariant> {
        self.finish_peer_write(epoch, false)
    }

    fn finish_peer_write(&mut self, epoch: u32, counts: bool) -> Result<EpochStep, Invariant> {
        let found = self.peer.find(epoch).ok_or(Invariant::Epoch)?;
        found.finish_one(counts)?;
        Ok(EpochStep {
            drained: self.peer.waits && self.peer.is_drained(),
            done: self.is_peer_epoch_done(),
        })
    }

    /// The peer's `P_BARRIER` came; `waits`: what comes behind it shall not be at the disks beside
    /// what came before it.
    ///
    /// # Errors
    ///
    /// The former one is still being waited for.
    pub fn peer_barrier(&mut self, number: u32, waits: bool) -> Result<BarrierStep, EpochError> {
        let peer = &mut self.peer;
        if peer.waits {
            return Err(EpochError::BarrierInBarrier);
        }
        peer.current.barrier = number;
        let place = peer.open.get_mut(peer.open_len).filter(|_| !waits);
        if let Some(place) = place {
            *place = peer.current;
            peer.open_len += 1;
            peer.begin();
            return Ok(BarrierStep::GoOn);
        }
        peer.waits = true;
        Ok(if peer.is_drained() {
            BarrierStep::Flush
        } else {
            BarrierStep::Wait
        })
    }

    /// The disks were flushed for the waiting barrier. Returns its number and how many writes it
    /// covers: the content of the `P_BARRIER_ACK`. An epoch without writes is not acknowledged.
    /// What [`Stream::peer_epoch_done`] has comes before it.
    pub fn peer_epoch_flushed(&mut self) -> Option<(u32, u32)> {
        if !core::mem::take(&mut self.peer.waits) {
            return None;
        }
        let PeerEpoch { barrier, size, .. } = self.peer.begin();
        (size != 0).then_some((barrier, size))
    }

    fn is_peer_epoch_done(&self) -> bool {
        self.peer.open().first().is_some_and(|e| e.active == 0)
    }

    /// The next answer to a barrier that was not waited for, as of [`Stream::peer_epoch_flushed`].
    /// Answers go out in the order in which they come from here.
    pub fn peer_epoch_done(&mut self) -> Option<(u32, u32)> {
        while self.is_peer_epoch_done() {
            let PeerEpoch { barrier, size, .. } = *self.peer.open().first()?;
            self.peer.open.copy_within(1.., 0);
            self.peer.open_len -= 1;
            if size != 0 {
                return Some((barrier, size));
            }
        }
        None
    }

    /// Whether a barrier has to be sent sooner or later though nothing new comes.
    pub fn is_open(&self) -> bool {
        self.barrier_due || self.current.writes > 0 || self.current.put_off
    }

    /// How many epochs wait for their acknowledgement.
    pub fn unacked_epochs(&self) -> usize {
        self.unacked_len.saturating_sub(self.barrier_due.into())
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
