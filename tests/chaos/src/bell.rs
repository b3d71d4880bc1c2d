// SPDX-License-Identifier: GPL-2.0

//! Pauses that end at once when a round is over, or when a part of it has failed.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Tells all who pause when it is over.
pub(crate) struct Bell {
    end: Instant,
    has_rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    /// Rings by itself after that time.
    pub(crate) fn after(time: Duration) -> Self {
        Self {
            end: Instant::now() + time,
            has_rung: Mutex::new(false),
            rings: Condvar::new(),
        }
    }

    /// It is over for all.
    pub(crate) fn ring(&self) {
        *lock(&self.has_rung) = true;
        self.rings.notify_all();
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        *lock(&self.has_rung) || Instant::now() >= self.end
    }

    /// Pauses so long; false if it is over.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let left = self.end.saturating_duration_since(Instant::now());
        let has_rung = lock(&self.has_rung);
        let (has_rung, _) = self
            .rings
            .wait_timeout_while(has_rung, time.min(left), |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        !*has_rung && Instant::now() < self.end
    }
}

/// A lock; one whose holder panicked protects nothing that would be spoiled by that.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
