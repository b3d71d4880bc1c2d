// SPDX-License-Identifier: GPL-2.0

//! Locks whose making needs no pinning.
//!
//! Thin boxes around the kernel's own locks: one allocation when made, so that a lock may sit in
//! any value and move with it. Guards are the kernel's.

use kernel::{
    alloc::flags::GFP_KERNEL,
    new_mutex,
    new_spinlock_irq,
    prelude::*,
    sync, //
};

use core::pin::Pin;

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
    /// All locks of one type `T` share a class of the lock checker.
    pub fn new(value: T) -> Result<Self> {
        Ok(Self(KBox::pin_init(
            new_spinlock_irq!(value, "tandem_spinlock"),
            GFP_KERNEL,
        )?))
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
    pub fn new(value: T) -> Result<Self> {
        Ok(Self(KBox::pin_init(
            new_mutex!(value, "tandem_mutex"),
            GFP_KERNEL,
        )?))
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
