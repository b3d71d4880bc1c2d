// SPDX-License-Identifier: GPL-2.0

//! Locks whose making needs no pinning.
//!
//! Thin boxes around the kernel's own locks: one allocation when made, so that a lock may sit in
//! any value and move with it. Guards are the kernel's.

use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*,
    static_lock_class,
    sync::{
        self,
        LockClassKey, //
    },
};

use core::pin::Pin;

/// Makes a [`SpinLock`] of this place's own class: `spinlock!(value, c"volume")?`.
#[macro_export]
macro_rules! spinlock {
    ($value:expr, $name:expr) => {
        $crate::sys::lock::SpinLock::with_class($value, $name, ::kernel::static_lock_class!())
    };
}

/// Makes a [`Mutex`] of this place's own class: `mutex!(value, c"resource")?`.
#[macro_export]
macro_rules! mutex {
    ($value:expr, $name:expr) => {
        $crate::sys::lock::Mutex::with_class($value, $name, ::kernel::static_lock_class!())
    };
}

/// Guard of a [`SpinLock`]; interrupts are off on this CPU while it lives, so it must not sleep.
pub type SpinGuard<'a, T> = sync::lock::Guard<'a, T, sync::lock::spinlock::SpinLockIrqBackend>;

/// Guard of a [`Mutex`].
pub type MutexGuard<'a, T> = sync::lock::Guard<'a, T, sync::lock::mutex::MutexBackend>;

/// A spinlock around `T`, with interrupts off while held.
///
/// For values that end-of-I/O callbacks touch too. Any context.
pub struct SpinLock<T>(Pin<KBox<sync::SpinLockIrq<T>>>);

impl<T> SpinLock<T> {
    /// Allocates the lock around `value`. May sleep.
    ///
    /// All locks made so are one to the lock checker, so that nesting them looks like a deadlock:
    /// use [`spinlock!`](crate::spinlock) for those that nest.
    pub fn new(value: T) -> Result<Self> {
        Self::with_class(value, c"tandem_spinlock", static_lock_class!())
    }

    /// Allocates the lock around `value`, with a name and a class of its own. May sleep.
    pub fn with_class(
        value: T,
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> Result<Self> {
        let lock = sync::SpinLockIrq::new(value, name, class);
        Ok(Self(KBox::pin_init(lock, GFP_KERNEL)?))
    }

    /// Takes the lock. Any context; not while this CPU holds it already.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        self.0.lock()
    }
}

/// A sleeping lock around `T`.
pub struct Mutex<T>(Pin<KBox<sync::Mutex<T>>>);

impl<T> Mutex<T> {
    /// Allocates the lock around `value`. May sleep.
    ///
    /// As with [`SpinLock::new`], use [`mutex!`](crate::mutex) for those that nest.
    pub fn new(value: T) -> Result<Self> {
        Self::with_class(value, c"tandem_mutex", static_lock_class!())
    }

    /// Allocates the lock around `value`, with a name and a class of its own. May sleep.
    pub fn with_class(
        value: T,
        name: &'static CStr,
        class: Pin<&'static LockClassKey>,
    ) -> Result<Self> {
        let lock = sync::Mutex::new(value, name, class);
        Ok(Self(KBox::pin_init(lock, GFP_KERNEL)?))
    }

    /// Takes the lock. May sleep.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock()
    }

    /// Takes the lock unless somebody holds it. Process context, doesn't sleep.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock()
    }
}
