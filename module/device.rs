// SPDX-License-Identifier: GPL-2.0

//! One device: the block device above, the volume's engine in between, the lower disk below.
//!
//! A device carries out what its volume decides. Which thread does what:
//!
//! - The submitter of a bio feeds it to the engine and carries the effects out.
//! - The end of I/O comes in interrupts: it feeds the engine too, but leaves what may sleep to the
//!   volume's own thread (`volume_thread.rs`).
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    Ordering, //
};

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::control::disk::DiskPaths;
use crate::desk::Desk;
use crate::discard::Discards;
use crate::disk::{
    Attaching,
    Release, //
};
use crate::driver::Driver;
use crate::engine::broken::Invariant;
use crate::engine::ids::{
    Instant,
    PeerTicket,
    Ticket, //
};
use crate::engine::meta::activity_log_block::BLOCK_BYTES;
use crate::engine::resource::{
    Dependency,
    VolumeRecord, //
};
use crate::engine::volume::{
    Effects,
    OverlapNode,
    PeerSlot,
    Slot,
    Tables,
    VolumeEffect, //
};
use crate::inspect::OfVolume;
use crate::link::{
    Link,
    MetaItem, //
};
use crate::lower::Lower;
use crate::parcels::Parcels;
use crate::reports::Reports;
use crate::resource::Resource;
use crate::ring::Ring;
use crate::storage::array;
use crate::sys::clock;
use crate::sys::disk::Disk;
use crate::sys::lock::{
    Mutex,
    SpinLock, //
};
use crate::sys::signal::{
    Signal,
    WaitQueue, //
};
use crate::sys::thread::Thread;

/// Application requests that may be in progress on one device.
pub const REQUEST_SLOTS: usize = 2048;

/// Requests of the peer that may be in progress on one device.
pub const PEER_SLOTS: usize = 2048;

/// Work that end-of-I/O leaves to the volume's thread.
#[derive(Clone, Copy)]
pub enum Deferred {
    /// Submit the local half of a request.
    Local(Ticket),
    /// Submit a request of the peer.
    Peer(PeerTicket),
}

/// Who carries effects out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    /// A thread of ours, or of an administrator.
    Thread,
    /// Who submits a request. May sleep, but not for the peer.
    Submitter,
    /// The resource, deep in the stack of whoever that is.
    Resource,
    /// The end of I/O. Must not sleep.
    Interrupt,
}

impl Context {
    /// Whether I/O is left to the volume's thread: the way through the block layer may sleep, and
    /// takes much of the stack.
    fn leaves_io(self) -> bool {
        matches!(self, Self::Resource | Self::Interrupt)
    }
}

/// One device.
pub struct Device {
    /// Minor number of the block device.
    pub minor: u32,
    /// Number of the volume in its resource.
    pub number: u16,
    /// The resource that it belongs to.
    pub resource: Arc<Resource>,
    /// What decides, and what is kept for it; taken by interrupts too.
    pub volume: SpinLock<Desk>,
    /// The disk that will be in use when the engine says so.
    pub attaching: Mutex<Option<Attaching>>,
    /// How far the disk is on its way out of use.
    pub release: Release,
    /// Where the disk is, as the administrator said it.
    pub paths: Mutex<Option<DiskPaths>>,
    /// What others who wait for its resync need to know of it.
    pub dependency: SpinLock<Dependency>,
    /// The block device; gone when the minor is being deleted.
    disk: Mutex<Option<Disk>>,
    /// How often the block device is open, for writing or at all.
    pub open_count: AtomicU32,
    /// May be opened for writing: we are Primary.
    pub primary: AtomicBool,
    deferred: SpinLock<Ring<Deferred>>,
    /// Held while a transaction of the activity log is written, and while the log moves.
    pub log_lock: Mutex<()>,
    /// What takes several steps at the lower disk.
    pub discards: Discards,
    /// The activity log has to be written.
    pub log_wanted: AtomicBool,
    /// Wakes the volume's thread.
    pub wake: Signal,
    /// Woken when a request's slot becomes free.
    pub room: WaitQueue,
    /// What the end of I/O found out.
    pub reports: Reports,
    stopping: AtomicBool,
    thread: Mutex<Option<Thread>>,
    /// What debugfs tells of it.
    pub inspected: Mutex<Option<OfVolume>>,
}

impl Device {
    /// Makes what decides for a device: first, and apart from the rest, as both take much of the
    /// stack. May sleep.
    #[inline(never)]
    pub fn decider(resource: &Resource, minor: u32) -> Result<SpinLock<Desk>> {
        let (requests, peers) = (REQUEST_SLOTS, PEER_SLOTS);
        let tables = Tables {
            slots: array(requests, Slot::default())?,
            peers: array(peers, PeerSlot::default())?,
            overlap_nodes: array(2 * (requests + peers), OverlapNode::default())?,
            overlap_heads: array(2048, 0)?,
        };
        let volume = KBox::new(resource.driver.recorder.volume(minor, tables), GFP_KERNEL)?;
        crate::spinlock!(Desk::new(volume, requests, peers)?, c"tandem_volume")
    }

    /// Makes a device without disk, with its [`Device::decider`]. May sleep.
    // Its frame is large: no caller shall have it on its stack for longer.
    #[inline(never)]
    pub fn new(
        resource: &Arc<Resource>,
        minor: u32,
        number: u16,
        volume: SpinLock<Desk>,
    ) -> Result<Arc<Self>> {
        let (requests, peers) = (REQUEST_SLOTS, PEER_SLOTS);
        Ok(Arc::new(
            Self {
                minor,
                number,
                resource: resource.clone(),
                volume,
                attaching: crate::mutex!(None, c"tandem_attaching")?,
                release: Release::new(),
                paths: crate::mutex!(None, c"tandem_paths")?,
                dependency: crate::spinlock!(Dependency::default(), c"tandem_dependency")?,
                disk: crate::mutex!(None, c"tandem_disk")?,
                open_count: AtomicU32::new(0),
                primary: AtomicBool::new(false),
                discards: Discards::new(requests + peers)?,
                deferred: crate::spinlock!(Ring::new(requests + peers)?, c"tandem_deferred")?,
                log_lock: crate::mutex!((), c"tandem_log")?,
                log_wanted: AtomicBool::new(false),
                wake: Signal::new()?,
                room: WaitQueue::new()?,
                reports: Reports::default(),
                stopping: AtomicBool::new(false),
                thread: crate::mutex!(None, c"tandem_thread")?,
                inspected: crate::mutex!(None, c"tandem_inspected")?,
            },
            GFP_KERNEL,
        )?)
    }

    /// Shows the block device and starts the volume's thread. May sleep.
    pub fn start(self: &Arc<Self>, driver: &Driver) -> Result {
        let device = self.clone();
        // Here, where a failure can still be told.
        let block = KBox::new([0; BLOCK_BYTES], GFP_KERNEL)?;
        let thread = Thread::spawn(
            &self.resource.crew,
            fmt!("drbd_v_{}", self.minor),
            move || crate::volume_thread::run(&device, block),
        )?;
        *self.thread.lock() = Some(thread);
        self.discards.start(self)?;
        let disk = crate::request::new_disk(driver, self)?;
        disk.add()?;
        *self.disk.lock() = Some(disk);
        Ok(())
    }

    /// Takes the block device away and ends the volume's thread. Nobody has it open, no disk is
    /// attached. May sleep.
    pub fn stop(&self) {
        drop(self.inspected.lock().take());
        drop(self.disk.lock().take());
        self.stopping.store(true, Ordering::Release);
        self.wake.raise();
        self.discards.stop();
        drop(self.thread.lock().take());
    }

    /// Whether the volume's thread shall end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The present time, as the engine counts it.
    pub fn now() -> Instant {
        Instant(clock::monotonic_ms())
    }

    /// Does something with the block device, if it is there. May sleep.
    pub fn with_disk<R>(&self, run: impl FnOnce(&Disk) -> R) -> Option<R> {
        self.disk.lock().as_ref().map(run)
    }

    /// Looks at what the resource knows of the volume, as [`Resource::glance`] does; `None` when it
    /// is not there any more. May sleep.
    pub fn glance<R>(self: &Arc<Self>, look: impl FnOnce(&VolumeRecord) -> R) -> Option<R> {
        self.resource.glance(|core| core.record(self).map(look))
    }

    /// The lower disk, while one is in use. Any context.
    pub fn lower(&self) -> Option<Arc<Lower>> {
        self.volume.lock().lower()
    }

    /// Puts a lower disk in use, or takes it out of use. May sleep: dropping the former one
    /// closes it.
    pub fn set_lower(&self, lower: Option<Arc<Lower>>) -> Option<Arc<Lower>> {
        self.volume.lock().set_lower(lower)
    }

    /// The connection's queues.
    pub fn link(&self) -> &Link {
        &self.resource.link
    }

    /// Feeds the engine and carries its effects out. May sleep.
    pub fn feed<R>(self: &Arc<Self>, step: impl FnOnce(&mut Desk, &mut Effects) -> R) -> R {
        self.feed_in(step, Context::Thread)
    }

    /// Feeds the engine a request, from its submitter. May sleep.
    pub fn feed_request<R>(self: &Arc<Self>, step: impl FnOnce(&mut Desk, &mut Effects) -> R) -> R {
        self.feed_in(step, Context::Submitter)
    }

    /// Feeds the engine on behalf of the resource: I/O is left to the volume's thread.
    pub fn feed_deep<R>(self: &Arc<Self>, step: impl FnOnce(&mut Desk, &mut Effects) -> R) -> R {
        self.feed_in(step, Context::Resource)
    }

    /// Feeds the engine from an interrupt: what may sleep is left to the volume's thread.
    pub fn feed_atomic<R>(self: &Arc<Self>, step: impl FnOnce(&mut Desk, &mut Effects) -> R) -> R {
        self.feed_in(step, Context::Interrupt)
    }

    fn feed_in<R>(
        self: &Arc<Self>,
        step: impl FnOnce(&mut Desk, &mut Effects) -> R,
        context: Context,
    ) -> R {
        let mut fx = Effects::new();
        let mut parcels = Parcels::new();
        let (result, mut more) = {
            let mut volume = self.volume.lock();
            let result = step(&mut volume, &mut fx);
            self.begin(&fx, &mut volume, &mut parcels);
            parcels.alone = context == Context::Submitter && volume.comes_alone();
            (result, volume.has_work())
        };
        loop {
            for effect in fx.take() {
                self.carry_out(effect, &mut parcels, context);
            }
            parcels.clear();
            if !more {
                return result;
            }
            let mut volume = self.volume.lock();
            volume.resume(&mut fx);
            self.begin(&fx, &mut volume, &mut parcels);
            more = volume.has_work();
        }
    }

    /// Does what effects want while the volume's lock is held: acknowledgements are queued in the
    /// order in which they were numbered, and before any write that is numbered later; what was
    /// kept by slot is taken out.
    #[inline]
    fn begin(&self, fx: &Effects, desk: &mut Desk, parcels: &mut Parcels) {
        for effect in fx.iter() {
            if let VolumeEffect::Ack {
                kind,
                extent,
                block_id,
                sequence,
            } = *effect
            {
                self.link().queue_answer(MetaItem::Ack {
                    volume: self.number,
                    kind,
                    extent,
                    block_id,
                    sequence,
                });
            } else {
                parcels.take(desk, effect);
            }
        }
    }

    fn carry_out(self: &Arc<Self>, effect: VolumeEffect, parcels: &mut Parcels, context: Context) {
        let link = self.link();
        match effect {
            VolumeEffect::SubmitLocal(ticket) if context.leaves_io() => {
                self.defer(Deferred::Local(ticket))
            }
            VolumeEffect::SubmitLocal(ticket) => self.submit_local(ticket),
            VolumeEffect::SubmitPeer(ticket) if context.leaves_io() => {
                self.defer(Deferred::Peer(ticket))
            }
            VolumeEffect::SubmitPeer(ticket) => self.submit_peer(ticket),
            VolumeEffect::QueueWrite(ticket) if parcels.alone && self.send_at_once(ticket) => {}
            VolumeEffect::QueueWrite(ticket) => link.queue_write(self.number, ticket),
            VolumeEffect::QueueRead(ticket) => link.queue_read(self.number, ticket),
            VolumeEffect::QueueOutOfSync(extent) => link.queue_out_of_sync(self.number, extent),
            VolumeEffect::QueueResyncRequest(extent) => {
                link.queue_resync_request(self.number, extent);
            }
            VolumeEffect::QueueThinRequest(extent) => link.queue_thin_request(self.number, extent),
            VolumeEffect::QueueVerifyRequest(extent) => {
                link.queue_verify_request(self.number, extent);
            }
            VolumeEffect::QueueReply(ticket) => link.queue_reply(self.number, ticket),
            VolumeEffect::CloseEpoch(epoch) => link.close_epoch(epoch),
            VolumeEffect::FlushStream => link.flush_stream(),
            VolumeEffect::Complete { ok, .. } => parcels.next().complete(ok),
            VolumeEffect::Release(_) => drop(parcels.next()),
            VolumeEffect::WriteLog => {
                self.log_wanted.store(true, Ordering::Release);
                self.wake.raise();
            }
            VolumeEffect::Room => self.room.wake_all(),
            // Queued before the lock was dropped.
            VolumeEffect::Ack { .. } => {}
            VolumeEffect::PeerWriteFinished { epoch } => {
                self.must(link.peer_write_finished(epoch));
            }
            VolumeEffect::PeerWritePutOff { epoch } => {
                self.must(link.peer_write_put_off(epoch));
            }
            VolumeEffect::PutOff(epoch) => self.must(link.put_off(epoch)),
            VolumeEffect::ReleasePeer(_) => {
                drop(parcels.next());
                self.room.wake_all();
            }
            VolumeEffect::Report(report) => self.report(report),
        }
    }

    fn defer(&self, work: Deferred) {
        let pushed = self.deferred.lock().push(work);
        // There is a place for each slot.
        self.must(if pushed {
            Ok(())
        } else {
            Err(Invariant::Queue)
        });
        self.wake.raise();
    }

    /// Does what end-of-I/O left. May sleep.
    pub fn run_deferred(self: &Arc<Self>) {
        loop {
            let work = self.deferred.lock().pop();
            match work {
                Some(Deferred::Local(ticket)) => self.submit_local(ticket),
                Some(Deferred::Peer(ticket)) => self.submit_peer(ticket),
                None => return,
            }
        }
    }
}
