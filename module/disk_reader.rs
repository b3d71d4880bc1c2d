// SPDX-License-Identifier: GPL-2.0

//! Reads a disk that is to be attached, in a thread of its own: the disk may not answer, and who
//! gave the command must be able to leave then. The thread, and the disk with it, goes when the
//! disk has answered; the module stays loaded until then.
#![forbid(unsafe_code)]

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
        read: impl FnOnce() -> Outcome + Send + 'static,
    ) -> Result {
        let of = self.clone();
        let thread = ModulePin::new().ok_or(EINTR).and_then(|pin| {
            Thread::spawn(crew, fmt!("drbd_d_{}", self.minor), move || {
                of.end(read());
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

    /// Waits until it has read. May sleep.
    ///
    /// Errors: `EINTR` when the task is killed; it reads on then, and forgets what it finds.
    pub fn wait(&self) -> Result<Outcome> {
        let read = || matches!(*self.progress.lock(), Progress::Done(_));
        let killed = self.done.wait_until_killable(read).is_err();
        let mut progress = self.progress.lock();
        match core::mem::replace(&mut *progress, Progress::Over) {
            Progress::Done(outcome) => Ok(outcome),
            Progress::Reading if killed => {
                *progress = Progress::Left;
                Err(EINTR)
            }
            Progress::Reading | Progress::Left | Progress::Over => Err(EINTR),
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
