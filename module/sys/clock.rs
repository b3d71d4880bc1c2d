// SPDX-License-Identifier: GPL-2.0

//! Time and randomness.

use kernel::{
    bindings,
    ffi::c_void, //
};

/// Nanoseconds since boot, without time spent in suspend; never goes back. Any context.
#[inline]
pub fn monotonic_ns() -> u64 {
    // SAFETY: Reads the clock, has no preconditions after early boot.
    let now = unsafe { bindings::ktime_get() };
    // The kernel's monotonic clock starts at zero, so it can't be negative.
    now.unsigned_abs()
}

/// Milliseconds of the clock of [`monotonic_ns`]. Any context.
#[inline]
pub fn monotonic_ms() -> u64 {
    monotonic_ns() / 1_000_000
}

/// Seconds since 1970, as the wall clock of the node says. Any context.
pub fn realtime_seconds() -> u64 {
    // SAFETY: Reads the clock, has no preconditions.
    let now = unsafe { bindings::ktime_get_real_seconds() };
    u64::try_from(now).unwrap_or(0)
}

/// A random number of cryptographic quality. Any context.
pub fn random_u64() -> u64 {
    // SAFETY: Has no preconditions.
    unsafe { bindings::get_random_u64() }
}

/// Fills `to` with random bytes of cryptographic quality. Any context.
pub fn random_bytes(to: &mut [u8]) {
    // SAFETY: `to` is valid for writes of its own length.
    unsafe { bindings::get_random_bytes(to.as_mut_ptr().cast::<c_void>(), to.len()) }
}

/// Sleeps for at least `ms` milliseconds, not interrupted by signals. May sleep.
///
/// For pacing only; to wait for something use [`super::signal`].
pub fn sleep_ms(ms: u32) {
    // SAFETY: May sleep, as the caller was told.
    unsafe { bindings::msleep(ms) }
}
