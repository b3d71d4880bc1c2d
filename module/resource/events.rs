// SPDX-License-Identifier: GPL-2.0

//! The lock of a resource's rare events: whoever has it decides and carries out.
//!
//! It may be held for as long as a disk does not answer, so that, unlike a mutex, it can be waited
//! for by a task that may be killed.
#![forbid(unsafe_code)]

use core::ops::{
    Deref,
    DerefMut, //
};

use kernel::prelude::*;

use crate::sys::lock::{
    Mutex,
    MutexGuard, //
};
use crate::sys::signal::WaitQueue;

use super::decisions::Queue;

/// The lock, and the effects of the event that is carried out under it.
pub(super) struct Events {
    queue: Mutex<Queue>,
    freed: WaitQueue,
}

/// Nobody else decides, or carries out, until this is dropped.
pub(super) struct Alone<'a> {
    // In this order: who is woken has to find it free.
    queue: MutexGuard<'a, Queue>,
    _wakes: Wakes<'a>,
}

struct Wakes<'a>(&'a WaitQueue);

impl Events {
    /// Nobody's. May sleep.
    pub(super) fn new(queue: Queue) -> Result<Self> {
        Ok(Self {
            queue: crate::mutex!(queue, c"tandem_rare_events")?,
            freed: WaitQueue::new()?,
        })
    }

    /// Waits until nobody has it. May sleep, for as long as a disk takes to write metadata.
    pub(super) fn lock(&self) -> Alone<'_> {
        self.alone(self.queue.lock())
    }

    /// The same for a task that may be killed, and waits `ms` milliseconds at most: `None` if that
    /// was not enough. May sleep.
    ///
    /// Errors: `EINTR` when it is killed meanwhile.
    pub(super) fn lock_within(&self, ms: u32) -> Result<Option<Alone<'_>>> {
        let mut queue = None;
        self.freed.wait_until_killable_timeout(ms, || {
            queue = self.queue.try_lock();
            queue.is_some()
        })?;
        Ok(queue.map(|queue| self.alone(queue)))
    }

    fn alone<'a>(&'a self, queue: MutexGuard<'a, Queue>) -> Alone<'a> {
        Alone {
            queue,
            _wakes: Wakes(&self.freed),
        }
    }
}

impl Deref for Alone<'_> {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        &self.queue
    }
}

impl DerefMut for Alone<'_> {
    fn deref_mut(&mut self) -> &mut Queue {
        &mut self.queue
    }
}

impl Drop for Wakes<'_> {
    fn drop(&mut self) {
        self.0.wake_all();
    }
}
