// SPDX-License-Identifier: GPL-2.0

//! Time and randomness.

use super::shim;
use kernel::{
    bindings,
    ffi::c_void, //
};

/// Milliseconds since some time before boot, without time spent in suspend; never goes back. Counts
/// the kernel's ticks, so that asking costs next to nothing. Any context.
#[inline]
pub fn monotonic_ms() -> u64 {
    shim::tandem_jiffies_ms()
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
