// SPDX-License-Identifier: GPL-2.0

//! Reads a disk that is to be attached, in a thread of its own: the disk may not answer, and who
//! gave the command leaves then, when killed or after a while. The thread, and the disk with it,
//! goes when the disk has answered; the module stays loaded until then.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicU64,
    Ordering, //
};

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::disk::{
    Found,
    Refused, //
};
use crate::engine::ids::Instant;
use crate::sys::crew::Crew;
use crate::sys::lock::{
    Mutex,
    SpinLock, //
};
use crate::sys::pin::ModulePin;
use crate::sys::signal::WaitQueue;
use crate::sys::thread::Thread;

/// For how long nothing has to come of a disk until it is left, in milliseconds.
const PATIENCE_MS: u32 = 30_000;

/// What a disk has, or why it is not taken.
pub type Outcome = core::result::Result<KBox<Found>, Refused>;

/// How far a reader is.
enum Progress {
    /// It reads, for somebody who waits.
    Reading,
    /// It reads, and nobody waits any more.
    Left,
    /// It has read.
    Done(Outcome),
    /// Whoever waited has it, or it was not wanted.
    Over,
}

/// A thread that reads a disk.
pub struct DiskReader {
    /// The volume's minor number.
    pub minor: u32,
    /// When it began.
    pub since: Instant,
    /// When it answered the last time, or was begun to be read; in milliseconds.
    answered: AtomicU64,
    progress: SpinLock<Progress>,
    done: WaitQueue,
    thread: Mutex<Option<Thread>>,
}

impl DiskReader {
    /// One that has not begun. May sleep.
    pub fn new(minor: u32) -> Result<Arc<Self>> {
        let reader = Self {
            minor,
            since: Device::now(),
            answered: AtomicU64::new(Device::now().0),
            progress: crate::spinlock!(Progress::Reading, c"tandem_disk_reader")?,
            done: WaitQueue::new()?,
            thread: crate::mutex!(None, c"tandem_disk_reader_thread")?,
        };
        Ok(Arc::new(reader, GFP_KERNEL)?)
    }

    /// Begins to read. May sleep.
    ///
    /// Errors: `ENOMEM`; `EINTR` when the calling task is being killed, or the module unloaded.
    pub fn start(
        self: &Arc<Self>,
        crew: &Arc<Crew>,
        read: impl FnOnce(&Self) -> Outcome + Send + 'static,
    ) -> Result {
        let of = self.clone();
        let thread = ModulePin::new().ok_or(EINTR).and_then(|pin| {
            Thread::spawn(crew, fmt!("drbd_d_{}", self.minor), move || {
                of.end(read(&of));
                drop(pin);
            })
        });
        let thread = thread.inspect_err(|_| *self.progress.lock() = Progress::Over)?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    fn end(&self, outcome: Outcome) {
        let mut progress = self.progress.lock();
        let next = match *progress {
            Progress::Reading => Progress::Done(outcome),
            Progress::Left | Progress::Done(_) | Progress::Over => {
                *progress = Progress::Over;
                drop(progress);
                // This closes the disk.
                return drop(outcome);
            }
        };
        *progress = next;
        drop(progress);
        self.done.wake_all();
    }

    /// The disk has answered something. Any context.
    pub fn answered(&self) {
        self.answered.store(Device::now().0, Ordering::Relaxed);
    }

    fn is_silent(&self) -> bool {
        let last = Instant(self.answered.load(Ordering::Relaxed));
        Device::now().since(last) >= u64::from(PATIENCE_MS)
    }

    /// Waits until it has read. May sleep.
    ///
    /// Errors: `EINTR` when the task is killed, `ETIMEDOUT` when nothing came of the disk for 30
    /// seconds; it reads on then, and forgets what it finds.
    pub fn wait(&self) -> Result<Outcome> {
        let read = || matches!(*self.progress.lock(), Progress::Done(_));
        let left = loop {
            match self.done.wait_until_killable_timeout(PATIENCE_MS, read) {
                Ok(false) if !self.is_silent() => {}
                Ok(_) => break ETIMEDOUT,
                Err(error) => break error,
            }
        };
        let mut progress = self.progress.lock();
        match core::mem::replace(&mut *progress, Progress::Over) {
            Progress::Done(outcome) => Ok(outcome),
            Progress::Reading => {
                *progress = Progress::Left;
                Err(left)
            }
            Progress::Left | Progress::Over => Err(left),
        }
    }

    /// Whether its thread has nothing more to do, so that [`DiskReader::join`] takes no time.
    pub fn is_over(&self) -> bool {
        matches!(*self.progress.lock(), Progress::Over)
    }

    /// Waits for the thread. May sleep, for as long as the disk does not answer.
    pub fn join(&self) {
        drop(self.thread.lock().take());
    }
}
