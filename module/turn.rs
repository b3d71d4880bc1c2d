// SPDX-License-Identifier: GPL-2.0

//! One at a time, for as long as that takes: who waits for its turn can be killed, unlike at a
//! mutex. A command may wait for the peer or for a handler while it has its turn.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicBool,
    Ordering, //
};

use kernel::prelude::*;

use crate::sys::signal::WaitQueue;

/// Whose turn it is: somebody's, or nobody's.
pub struct Turn {
    taken: AtomicBool,
    waiters: WaitQueue,
}

/// The turn is one's own until this is dropped.
pub struct Taken<'a>(&'a Turn);

impl Turn {
    /// Nobody's turn. May sleep.
    pub fn new() -> Result<Self> {
        Ok(Self {
            taken: AtomicBool::new(false),
            waiters: WaitQueue::new()?,
        })
    }

    /// Waits until nobody has it. May sleep.
    ///
    /// Errors: `EINTR` when the task is killed meanwhile.
    pub fn take(&self) -> Result<Taken<'_>> {
        self.waiters.wait_until_killable(|| self.try_take())?;
        Ok(Taken(self))
    }

    /// The same for those who have to have it. May sleep.
    pub fn take_anyway(&self) -> Taken<'_> {
        self.waiters.wait_until(|| self.try_take());
        Taken(self)
    }

    fn try_take(&self) -> bool {
        !self.taken.swap(true, Ordering::Acquire)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
        self.0.waiters.wake_all();
    }
}
