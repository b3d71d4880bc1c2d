// SPDX-License-Identifier: GPL-2.0

//! Waiting for something: [`WaitQueue`] for conditions, [`Signal`] for wake-ups that are kept.

use super::shim;
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    ffi::c_int,
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

use core::{
    mem::MaybeUninit,
    pin::Pin,
    sync::atomic::{
        fence,
        AtomicBool,
        Ordering, //
    },
};

/// How a waiter sleeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sleep {
    /// Not interruptible, and not counted as load nor reported as hung.
    Idle,
    /// Ends early when the task is being killed.
    Killable,
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    True,
    TimedOut,
    Killed,
}

/// A queue of tasks that wait until a condition holds.
///
/// Whoever makes the condition true calls [`WaitQueue::wake_all`] afterwards. Conditions are
/// evaluated by the waiter between wake-ups; they may take spinlocks but must not sleep.
pub struct WaitQueue(Pin<KBox<Opaque<bindings::wait_queue_head>>>);

// SAFETY: A wait queue may be used from any thread and dropped by any.
unsafe impl Send for WaitQueue {}
// SAFETY: A wait queue locks itself.
unsafe impl Sync for WaitQueue {}

impl WaitQueue {
    /// Allocates an empty queue. May sleep.
    pub fn new() -> Result<Self> {
        let init = Opaque::ffi_init(|queue: *mut bindings::wait_queue_head| {
            // SAFETY: `queue` is valid for writes and pinned; name and key are static.
            unsafe {
                bindings::__init_waitqueue_head(
                    queue,
                    c"tandem_wait".as_char_ptr(),
                    class_key().as_ptr(),
                )
            }
        });
        Ok(Self(KBox::pin_init(init, GFP_KERNEL)?))
    }

    /// Makes all waiters look at their condition again. Any context.
    #[inline]
    pub fn wake_all(&self) {
        // What the caller changed comes before the look for waiters. A waiter enters the queue
        // before it looks at its condition: one of the two is seen.
        fence(Ordering::SeqCst);
        if self.has_waiters() {
            self.wake_waiters();
        }
    }

    /// A look without the queue's lock.
    #[inline]
    fn has_waiters(&self) -> bool {
        // SAFETY: The queue was initialised in `new`. Others may change it, so it is only looked at
        // through raw pointers.
        unsafe {
            let head = &raw mut (*self.0.get()).head;
            (&raw const (*head).next).read_volatile() != head
        }
    }

    #[cold]
    fn wake_waiters(&self) {
        // SAFETY: The queue was initialised in `new`.
        unsafe {
            bindings::__wake_up(
                self.0.get(),
                bindings::TASK_NORMAL,
                0,
                core::ptr::null_mut(),
            );
        }
    }

    /// Sleeps until `condition` holds. May sleep; can't be interrupted.
    pub fn wait_until(&self, condition: impl FnMut() -> bool) {
        self.wait(None, Sleep::Idle, condition);
    }

    /// Sleeps until `condition` holds, at most `ms` milliseconds. May sleep.
    ///
    /// Returns whether it held.
    pub fn wait_until_timeout(&self, ms: u32, condition: impl FnMut() -> bool) -> bool {
        self.wait(Some(ms), Sleep::Idle, condition) == Woken::True
    }

    /// Sleeps until `condition` holds or the task is killed. May sleep.
    ///
    /// Errors: `EINTR` when killed.
    pub fn wait_until_killable(&self, condition: impl FnMut() -> bool) -> Result {
        match self.wait(None, Sleep::Killable, condition) {
            Woken::Killed => Err(EINTR),
            Woken::True | Woken::TimedOut => Ok(()),
        }
    }

    /// Sleeps until `condition` holds, at most `ms` milliseconds, or until the task is killed. May
    /// sleep. Returns whether it held.
    ///
    /// Errors: `EINTR` when killed.
    pub fn wait_until_killable_timeout(
        &self,
        ms: u32,
        condition: impl FnMut() -> bool,
    ) -> Result<bool> {
        match self.wait(Some(ms), Sleep::Killable, condition) {
            Woken::Killed => Err(EINTR),
            woken => Ok(woken == Woken::True),
        }
    }

    fn wait(&self, ms: Option<u32>, sleep: Sleep, mut condition: impl FnMut() -> bool) -> Woken {
        if condition() {
            return Woken::True;
        }
        let mut left = shim::timeout_jiffies(ms);
        let mut entry = MaybeUninit::<bindings::wait_queue_entry>::uninit();
        // SAFETY: `entry` is valid for writes, and stays in place until `finish_wait` below.
        unsafe { bindings::init_wait_entry(entry.as_mut_ptr(), 0) };
        let woken = loop {
            // SAFETY: Queue and entry are initialised.
            unsafe {
                bindings::prepare_to_wait_event(self.0.get(), entry.as_mut_ptr(), state(sleep))
            };
            if condition() {
                break Woken::True;
            }
            if left == 0 {
                break Woken::TimedOut;
            }
            if sleep == Sleep::Killable && shim::tandem_fatal_signal() {
                break Woken::Killed;
            }
            // SAFETY: May sleep, as the caller was told.
            left = unsafe { bindings::schedule_timeout(left) };
        };
        // SAFETY: Queue and entry are initialised; this takes the entry off the queue.
        unsafe { bindings::finish_wait(self.0.get(), entry.as_mut_ptr()) };
        woken
    }
}

/// The lock checker's class of all wait queues made here.
fn class_key() -> Pin<&'static LockClassKey> {
    kernel::static_lock_class!()
}

/// The task state of a kind of sleep.
fn state(sleep: Sleep) -> c_int {
    let bits = match sleep {
        Sleep::Idle => bindings::TASK_UNINTERRUPTIBLE | bindings::TASK_NOLOAD,
        Sleep::Killable => bindings::TASK_WAKEKILL | bindings::TASK_UNINTERRUPTIBLE,
    };
    // Task states are small bit numbers.
    bits as c_int
}

/// A wake-up that is kept until somebody has waited for it.
///
/// Raising it twice before a wait is the same as raising it once. Every wait takes the wake-up
/// away, so it suits one waiter; several are served one raise each.
pub struct Signal {
    queue: WaitQueue,
    raised: AtomicBool,
}

impl Signal {
    /// Allocates a signal that isn't raised. May sleep.
    pub fn new() -> Result<Self> {
        Ok(Self {
            queue: WaitQueue::new()?,
            raised: AtomicBool::new(false),
        })
    }

    /// Wakes the waiter, or the next one to come. Any context.
    #[inline]
    pub fn raise(&self) {
        if !self.raised.swap(true, Ordering::SeqCst) {
            self.queue.wake_all();
        }
    }

    /// Takes the wake-up if there is one. Any context.
    #[inline]
    pub fn take(&self) -> bool {
        self.raised.swap(false, Ordering::SeqCst)
    }

    /// Sleeps until raised. May sleep; can't be interrupted.
    pub fn wait(&self) {
        self.queue.wait_until(|| self.take());
    }

    /// Sleeps until raised, at most `ms` milliseconds; returns whether it was raised. May sleep.
    pub fn wait_timeout(&self, ms: u32) -> bool {
        self.queue.wait_until_timeout(ms, || self.take())
    }

    /// Sleeps until raised or the task is killed. May sleep.
    ///
    /// Errors: `EINTR` when killed.
    pub fn wait_killable(&self) -> Result {
        self.queue.wait_until_killable(|| self.take())
    }
}
