// SPDX-License-Identifier: GPL-2.0

//! The thread that looks for the peer and receives from it: made before the engine hears of a
//! connect, begun on its word, waited for at the end.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    Ordering, //
};

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::resource::Resource;
use crate::session;
use crate::sys::lock::Mutex;
use crate::sys::signal::WaitQueue;
use crate::sys::thread::{
    set_batch,
    Thread, //
};

/// The receiver of one resource, if there is one.
pub struct Receiver {
    thread: Mutex<Option<Thread>>,
    /// It may begin.
    calling: AtomicBool,
    /// It shall end.
    leaving: AtomicBool,
    /// How long to wait before the peer is looked for again, in milliseconds.
    pause: AtomicU32,
    wake: WaitQueue,
}

impl Receiver {
    /// No receiver. May sleep.
    pub fn new() -> Result<Self> {
        Ok(Self {
            thread: crate::mutex!(None, c"tandem_receiver")?,
            calling: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            pause: AtomicU32::new(0),
            wake: WaitQueue::new()?,
        })
    }

    /// Makes a thread that waits until it may begin: while a lack of memory can still be told. A
    /// former one was waited for. May sleep.
    ///
    /// Errors: `ENOMEM`, `EINTR` when the calling process is being killed.
    pub fn prepare(&self, resource: &Arc<Resource>) -> Result {
        self.leaving.store(false, Ordering::Release);
        self.calling.store(false, Ordering::Release);
        let owner = resource.clone();
        let thread = Thread::spawn(
            &resource.crew,
            fmt!("drbd_c_{}", resource.name_str()),
            move || {
                set_batch();
                if owner.receiver.may_begin() {
                    session::run(&owner);
                }
            },
        )?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Waits for the word; false if none will come.
    fn may_begin(&self) -> bool {
        let calling = || self.calling.load(Ordering::Acquire);
        self.wake.wait_until(|| calling() || self.leaving());
        calling()
    }

    /// Lets the prepared thread begin. Any context.
    pub fn begin(&self) {
        self.calling.store(true, Ordering::Release);
        self.wake.wake_all();
    }

    /// Tells the thread to end. Any context.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.wake.wake_all();
    }

    /// Whether the thread shall end.
    pub fn leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Waits for a thread that has ended, or is about to. May sleep.
    pub fn reap(&self) {
        let thread = self.thread.lock().take();
        drop(thread);
    }

    /// The engine wants the peer to be looked for again after `ms` milliseconds. Any context.
    pub fn look_again(&self, ms: u64) {
        let ms = u32::try_from(ms).unwrap_or(u32::MAX);
        self.pause.store(ms, Ordering::Release);
    }

    /// Sleeps for as long as the engine said, or until the thread shall end. May sleep.
    pub fn pause(&self) {
        let ms = self.pause.swap(0, Ordering::AcqRel);
        if ms != 0 {
            self.wake.wait_until_timeout(ms, || self.leaving());
        }
    }
}
