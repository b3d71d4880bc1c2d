// SPDX-License-Identifier: GPL-2.0

//! What is on its way to the peer: the queues of the two sockets, and the order of writes.
//!
//! Anybody may queue, in any context; nothing here sleeps or allocates. Two threads of the session
//! drain the queues (`send/`).
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicBool,
    Ordering, //
};

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::broken::Invariant;
use crate::engine::ids::{
    Extent,
    PeerTicket,
    Ticket, //
};
use crate::engine::resource::Outgoing;
use crate::engine::stream::{
    BarrierStep,
    EpochError,
    EpochStep,
    Placed, //
};
use crate::engine::volume::AckKind;
use crate::outbox::{
    Item,
    Next,
    Outbox, //
};
use crate::recorder::Recorder;
use crate::resource::MAX_VOLUMES;
use crate::ring::Ring;
use crate::sys::lock::SpinLock;
use crate::sys::short_list::ShortList;
use crate::sys::signal::{
    Signal,
    WaitQueue, //
};

/// Items that may wait for the meta socket.
const META_ITEMS: usize = 32768;

/// So many answers are sent by the sender of the meta socket even while the receiver gathers them.
const GATHERED_MOST: usize = 64;

/// How long the sender sleeps when nothing wakes it, in milliseconds.
const IDLE_MS: u32 = 1000;

/// How long a barrier waits for a write that it could travel with, in milliseconds. Until it is
/// acknowledged the peer's disk may have the epoch in its cache only, and its writes keep their
/// slots; both last much longer on a busy network.
const BARRIER_LINGER_MS: u32 = 5;

/// Something to put on the meta socket.
#[derive(Clone, Copy)]
pub enum MetaItem {
    /// An acknowledgement.
    Ack {
        /// The volume's number.
        volume: u16,
        /// Which one.
        kind: AckKind,
        /// The range.
        extent: Extent,
        /// The peer's name for the request.
        block_id: u64,
        /// Its number.
        sequence: u32,
    },
    /// The peer's epoch is on stable storage.
    BarrierAck {
        /// Its number.
        barrier: u32,
        /// Its writes.
        writes: u32,
    },
    /// A sign of life is wanted.
    Ping,
    /// A sign of life.
    PingAck,
}

/// The queues of one connection. They outlive each single session.
pub struct Link {
    outbox: SpinLock<Outbox>,
    meta: SpinLock<Ring<MetaItem>>,
    /// Held while answers to barriers that were not waited for are taken and queued. Never taken
    /// inside of another lock of the link.
    answering: SpinLock<()>,
    /// The volumes, by number.
    devices: SpinLock<KVec<Arc<Device>>>,
    /// Wakes the sender of the data socket.
    pub data_wake: Signal,
    /// Wakes the sender of the meta socket.
    pub meta_wake: Signal,
    /// Woken when the peer's epoch has drained.
    pub epoch_wake: WaitQueue,
    epoch_drained: AtomicBool,
    /// The receiver of the data socket will send what answers are queued, without being woken.
    gathering: AtomicBool,
    overflow: AtomicBool,
}

impl Link {
    /// Makes empty queues for the resource of that name. May sleep.
    pub fn new(recorder: &Arc<Recorder>, name: &str) -> Result<Self> {
        Ok(Self {
            outbox: crate::spinlock!(Outbox::new(recorder.stream(name, 2048))?, c"tandem_outbox")?,
            meta: crate::spinlock!(Ring::new(META_ITEMS)?, c"tandem_meta_queue")?,
            answering: crate::spinlock!((), c"tandem_answering")?,
            devices: crate::spinlock!(
                KVec::with_capacity(MAX_VOLUMES, GFP_KERNEL)?,
                c"tandem_devices"
            )?,
            data_wake: Signal::new()?,
            meta_wake: Signal::new()?,
            epoch_wake: WaitQueue::new()?,
            epoch_drained: AtomicBool::new(false),
            gathering: AtomicBool::new(false),
            overflow: AtomicBool::new(false),
        })
    }

    /// Makes a volume known; false when there are too many.
    pub fn add_device(&self, device: Arc<Device>) -> bool {
        let mut devices = self.devices.lock();
        devices.push_within_capacity(device).is_ok()
    }

    /// Forgets a volume.
    pub fn remove_device(&self, number: u16) -> Option<Arc<Device>> {
        let mut devices = self.devices.lock();
        let at = devices.iter().position(|d| d.number == number)?;
        devices.remove(at).ok()
    }

    /// The volume of that number. Any context.
    pub fn device(&self, number: u16) -> Option<Arc<Device>> {
        let devices = self.devices.lock();
        devices.iter().find(|d| d.number == number).cloned()
    }

    /// The volume at that position. Any context.
    pub fn device_at(&self, position: usize) -> Option<Arc<Device>> {
        self.devices.lock().get(position).cloned()
    }

    /// All volumes, one after the other. No lock is held in between; what is added or taken away
    /// meanwhile may be met or not. Any context.
    pub fn devices(&self) -> impl Iterator<Item = Arc<Device>> + '_ {
        (0..).map_while(|position| self.device_at(position))
    }

    /// Empties the queue of the data socket. `dropped` is called for each item, without locks; of
    /// writes the volume knows by itself that they were not sent.
    pub fn drop_items(&self, mut dropped: impl FnMut(Item)) {
        while let Some((next, _)) = self.next() {
            if let Next::Item(item) = next {
                dropped(item);
            }
        }
    }

    /// Forgets what belongs to the former connection: a new one starts. The queue of the data
    /// socket was emptied.
    pub fn reset(&self, max_epoch_size: u32) {
        let mut outbox = self.outbox.lock();
        while outbox.packets.pop().is_some() {}
        outbox.stream.reset(max_epoch_size);
        drop(outbox);
        while self.meta.lock().pop().is_some() {}
        self.epoch_drained.store(false, Ordering::Release);
        self.gather(false);
        self.overflow.store(false, Ordering::Release);
    }

    /// Changes how many writes an epoch may have, from the next one on. Any context.
    pub fn set_max_epoch_size(&self, writes: u32) {
        self.outbox.lock().stream.set_max_epoch_size(writes);
    }

    /// Whether something could not be queued: the connection has to be given up.
    pub fn has_overflowed(&self) -> bool {
        self.overflow.load(Ordering::Acquire)
    }

    fn queue(&self, item: Item) {
        if !self.outbox.lock().push(item) {
            self.overflow.store(true, Ordering::Release);
        }
        self.data_wake.raise();
    }

    /// Queues a write in the order of the stream.
    pub fn queue_write(&self, volume: u16, ticket: Ticket) {
        if !self.outbox.lock().push_write(volume, ticket) {
            self.overflow.store(true, Ordering::Release);
        }
        self.data_wake.raise();
    }

    /// A place in the stream for a write that its submitter sends by itself; `None` if something
    /// is queued, which has to go first. Whoever calls this holds the data socket's lock.
    pub fn place_at_once(&self) -> Option<Placed> {
        let mut outbox = self.outbox.lock();
        if !outbox.is_empty() {
            return None;
        }
        let placed = outbox.stream.place_write();
        let dozed = core::mem::take(&mut outbox.dozing);
        drop(outbox);
        if dozed {
            // It sees to the barrier.
            self.data_wake.raise();
        }
        Some(placed)
    }

    /// A write that was queued is not sent after all.
    ///
    /// Errors: its epoch does not have it.
    pub fn retract_write(&self, epoch: u32) -> Result<(), Invariant> {
        self.outbox.lock().stream.retract_write(epoch)
    }

    /// The peer put a write of that epoch off.
    ///
    /// Errors: the epoch does not have it.
    pub fn put_off(&self, epoch: u32) -> Result<(), Invariant> {
        self.outbox.lock().stream.put_off(epoch)
    }

    /// Queues a read for the peer.
    pub fn queue_read(&self, volume: u16, ticket: Ticket) {
        self.queue(Item::Read { volume, ticket });
    }

    /// Queues a range to be marked.
    pub fn queue_out_of_sync(&self, volume: u16, extent: Extent) {
        self.queue(Item::OutOfSync { volume, extent });
    }

    /// Queues a request for resync data.
    pub fn queue_resync_request(&self, volume: u16, extent: Extent) {
        self.queue(Item::ResyncRequest { volume, extent });
    }

    /// Queues a range to be asked for, which may be answered as all zeroes.
    pub fn queue_thin_request(&self, volume: u16, extent: Extent) {
        self.queue(Item::ThinRequest { volume, extent });
    }

    /// Queues a block to be verified.
    pub fn queue_verify_request(&self, volume: u16, extent: Extent) {
        self.queue(Item::VerifyRequest { volume, extent });
    }

    /// Lets the sender look for the digests that the options name.
    pub fn queue_digests(&self) {
        self.queue(Item::Digests);
    }

    /// Queues data that the peer wanted.
    pub fn queue_reply(&self, volume: u16, ticket: PeerTicket) {
        self.queue(Item::Reply { volume, ticket });
    }

    /// Queues the whole bitmap.
    pub fn queue_bitmap(&self, volume: u16) {
        self.queue(Item::Bitmap { volume });
    }

    /// Queues a rare packet.
    pub fn queue_packet(&self, volume: u16, packet: Outgoing) {
        let mut outbox = self.outbox.lock();
        let fits = outbox.packets.push((volume, packet)) && outbox.push(Item::Packet);
        drop(outbox);
        if !fits {
            self.overflow.store(true, Ordering::Release);
        }
        self.data_wake.raise();
    }

    /// What comes next for the data socket, and whether more is queued behind it.
    pub fn next(&self) -> Option<(Next, bool)> {
        self.outbox.lock().next()
    }

    /// How long the sender may sleep when nothing is queued, in milliseconds.
    pub fn patience_ms(&self) -> u32 {
        let mut outbox = self.outbox.lock();
        outbox.dozing = !outbox.stream.is_open();
        if outbox.dozing {
            IDLE_MS
        } else {
            BARRIER_LINGER_MS
        }
    }

    /// Nothing was queued for a while: queues the barrier that is due.
    pub fn queue_due_barrier(&self) {
        if !self.outbox.lock().queue_barrier() {
            self.overflow.store(true, Ordering::Release);
        }
    }

    /// The rare packet that an [`Item::Packet`] stands for.
    pub fn next_packet(&self) -> Option<(u16, Outgoing)> {
        self.outbox.lock().packets.pop()
    }

    /// A write of this epoch is about to be completed. The barrier goes out before the next write,
    /// or when none came for a while: it need not travel alone.
    pub fn close_epoch(&self, epoch: u32) {
        self.outbox.lock().stream.close_epoch(epoch);
    }

    /// Everything that was queued belongs to an earlier epoch than everything that will be, and
    /// shall be on the peer's stable storage soon.
    pub fn flush_stream(&self) {
        self.outbox.lock().stream.flush();
        self.queue_due_barrier();
        self.data_wake.raise();
    }

    /// The peer says that an epoch is on its stable storage.
    pub fn barrier_acked(&self, barrier: u32, writes: u32) -> Result<(), EpochError> {
        let due = self.outbox.lock().stream.barrier_acked(barrier, writes)?;
        if due {
            self.data_wake.raise();
        }
        Ok(())
    }

    /// Epochs that the peer has not acknowledged yet.
    pub fn unacked_epochs(&self) -> usize {
        self.outbox.lock().stream.unacked_epochs()
    }

    /// A write of the peer was received. Returns the number of its epoch.
    pub fn peer_write_started(&self) -> u32 {
        self.outbox.lock().stream.peer_write_started()
    }

    /// A write of that epoch of the peer is finished.
    ///
    /// Errors: none was under way.
    pub fn peer_write_finished(&self, epoch: u32) -> Result<(), Invariant> {
        let step = self.outbox.lock().stream.peer_write_finished(epoch)?;
        self.go_on_with_epochs(step);
        Ok(())
    }

    /// A write of that epoch of the peer was put off: it does not count.
    ///
    /// Errors: none was under way.
    pub fn peer_write_put_off(&self, epoch: u32) -> Result<(), Invariant> {
        let step = self.outbox.lock().stream.peer_write_put_off(epoch)?;
        self.go_on_with_epochs(step);
        Ok(())
    }

    fn go_on_with_epochs(&self, step: EpochStep) {
        if step.done {
            self.answer_done_epochs();
        }
        if step.drained {
            self.epoch_drained.store(true, Ordering::Release);
            self.epoch_wake.wake_all();
        }
    }

    /// Acknowledges the epochs of the peer that are done and were not waited for.
    fn answer_done_epochs(&self) {
        // Whoever takes an answer also queues it before the next one is taken.
        let _in_order = self.answering.lock();
        loop {
            let done = self.outbox.lock().stream.peer_epoch_done();
            let Some((barrier, writes)) = done else {
                break;
            };
            self.queue_answer(MetaItem::BarrierAck { barrier, writes });
        }
    }

    /// A barrier of the peer came; `waits`: what is behind it has to wait for what is before it.
    pub fn peer_barrier(&self, number: u32, waits: bool) -> Result<BarrierStep, EpochError> {
        let step = self.outbox.lock().stream.peer_barrier(number, waits)?;
        if step == BarrierStep::GoOn {
            self.answer_done_epochs();
        }
        Ok(step)
    }

    /// Whether the epoch before the waiting barrier has drained since.
    pub fn take_drained(&self) -> bool {
        self.epoch_drained.swap(false, Ordering::AcqRel)
    }

    /// The disks were flushed for the waiting barrier: acknowledges it.
    pub fn peer_epoch_flushed(&self) {
        self.answer_done_epochs();
        let acked = self.outbox.lock().stream.peer_epoch_flushed();
        if let Some((barrier, writes)) = acked {
            self.queue_answer(MetaItem::BarrierAck { barrier, writes });
        }
    }

    /// Queues something for the meta socket that shall be sent at once.
    pub fn queue_meta(&self, item: MetaItem) {
        self.push_meta(item);
        self.meta_wake.raise();
    }

    /// Queues an answer to a packet of the peer. While the receiver gathers, it sends them.
    pub fn queue_answer(&self, item: MetaItem) {
        let queued = self.push_meta(item);
        // Looked at after the lock was dropped: whoever stops gathering looks at the queue after
        // that, so one of us two sees to it.
        if queued >= GATHERED_MOST || !self.gathering.load(Ordering::Acquire) {
            self.meta_wake.raise();
        }
    }

    fn push_meta(&self, item: MetaItem) -> usize {
        let mut meta = self.meta.lock();
        if !meta.push(item) {
            self.overflow.store(true, Ordering::Release);
        }
        meta.len()
    }

    /// Whether the receiver of the data socket gathers answers. Whoever switches it off has to
    /// send what is queued then.
    pub fn gather(&self, on: bool) {
        self.gathering.store(on, Ordering::Release);
    }

    /// Fills `to` with the next items for the meta socket; whether there are no more.
    pub fn take_meta<const N: usize>(&self, to: &mut ShortList<MetaItem, N>) -> bool {
        let mut meta = self.meta.lock();
        while !to.is_full() {
            let Some(item) = meta.pop() else {
                return true;
            };
            // There is a place, as the list was not full.
            let _ = to.push(item);
        }
        meta.is_empty()
    }
}
