// SPDX-License-Identifier: GPL-2.0

//! Discards, and writes of zeroes, at the lower disk: in as many steps as it wants them.
//!
//! A discard that the disk takes in one piece is an I/O like others. The rest takes several steps,
//! some of which wait and allocate, so each device has a thread for that; it does one after the
//! other.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::{
    Deferred,
    Device, //
};
use crate::engine::ids::Extent;
use crate::engine::volume::{
    Operation,
    Part,
    PartAction, //
};
use crate::lower::Lower;
use crate::ring::Ring;
use crate::sys::lock::{
    Mutex,
    SpinLock, //
};
use crate::sys::signal::Signal;
use crate::sys::thread::Thread;

/// How long the thread sleeps when nothing wakes it, in milliseconds.
const IDLE_TICK_MS: u32 = 1000;

/// The discards of a device that take several steps.
pub struct Discards {
    queue: SpinLock<Ring<Deferred>>,
    wake: Signal,
    thread: Mutex<Option<Thread>>,
}

impl Discards {
    /// Room for `requests` requests. May sleep.
    pub fn new(requests: usize) -> Result<Self> {
        Ok(Self {
            queue: crate::spinlock!(Ring::new(requests)?, c"tandem_discards")?,
            wake: Signal::new()?,
            thread: crate::mutex!(None, c"tandem_discard_thread")?,
        })
    }

    /// Starts the thread of `device`. May sleep.
    pub fn start(&self, device: &Arc<Device>) -> Result {
        let (device, minor) = (device.clone(), device.minor);
        let crew = device.resource.crew.clone();
        let thread = Thread::spawn(&crew, fmt!("drbd_d_{}", minor), move || {
            while !device.is_stopping() {
                device.discards.wake.wait_timeout(IDLE_TICK_MS);
                while let Some(work) = device.discards.next() {
                    device.discard_in_steps(work);
                }
            }
        })?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Ends the thread, which is told already. May sleep.
    pub fn stop(&self) {
        self.wake.raise();
        drop(self.thread.lock().take());
    }

    fn next(&self) -> Option<Deferred> {
        self.queue.lock().pop()
    }
}

/// Whether an operation at the lower disk takes several steps.
pub fn needs_steps(lower: &Lower, operation: Operation, extent: Extent) -> bool {
    match operation {
        Operation::Discard => !lower.discard_limits().takes_whole(extent),
        // The kernel finds out only when it tries whether a disk can do it by itself.
        Operation::Zeroes { .. } => true,
        Operation::Write | Operation::Flush | Operation::Read => false,
    }
}

impl Device {
    /// Leaves a request to the thread. Any context.
    pub fn put_discard(&self, work: Deferred) {
        let pushed = self.discards.queue.lock().push(work);
        // There is a place for each slot.
        self.must(if pushed {
            Ok(())
        } else {
            Err(crate::engine::broken::Invariant::Queue)
        });
        self.discards.wake.raise();
    }

    fn discard_in_steps(self: &Arc<Self>, work: Deferred) {
        let request = match work {
            Deferred::Local(ticket) => {
                let mut volume = self.volume.lock();
                // It needs no memory of the request's.
                let starts = volume.local_starts(ticket, true);
                volume.local_request(ticket).filter(|_| starts)
            }
            Deferred::Peer(ticket) => {
                let view = self.volume.lock().peer_view(ticket);
                view.map(|view| (view.operation, view.extent))
            }
        };
        let done = match (self.lower(), request) {
            (Some(lower), Some((operation, extent))) => take_steps(&lower, operation, extent),
            _ => Err(EIO),
        };
        self.feed(|volume, fx| match work {
            Deferred::Local(ticket) => volume.local_done(ticket, done.is_ok(), fx),
            Deferred::Peer(ticket) => volume.peer_io_done(ticket, done.is_ok(), fx),
        });
    }
}

fn take_steps(lower: &Lower, operation: Operation, extent: Extent) -> Result {
    for Part { extent, action } in lower.discard_limits().parts(operation, extent) {
        let (sector, sectors) = (extent.sector, extent.sectors());
        match action {
            PartAction::Discard => lower.data.discard(sector, sectors)?,
            PartAction::Zero { unmap } => lower.data.zero_out(sector, sectors, !unmap)?,
        }
    }
    Ok(())
}
