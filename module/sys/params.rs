// SPDX-License-Identifier: GPL-2.0

//! The module's parameters, as they are now.
//!
//! They are defined in `shim.c`: the `module!` macro knows neither strings nor permissions.

use super::shim;
use crate::engine::fault::Faults;
use kernel::prelude::*;

use core::sync::atomic::{
    AtomicI32,
    Ordering, //
};

/// Room for the path of a program, with its final zero.
pub const PATH_MAX: usize = 80;

/// `minor_count`: about how many devices there will be.
pub fn minor_count() -> u32 {
    // Set at most once, before any code of ours ran.
    shim::tandem_minor_count
}

/// `disable_sendpage`: whether to send payload by copying only.
pub fn disable_sendpage() -> bool {
    // SAFETY: A byte that sysfs may write meanwhile, as for every parameter; always 0 or 1.
    unsafe { core::ptr::read_volatile(&raw const shim::tandem_disable_sendpage) }
}

/// `allow_oos`: whether secondaries may be opened for reading.
pub fn allow_open_on_secondary() -> bool {
    // Set at most once, before any code of ours ran.
    shim::tandem_allow_oos
}

/// `proc_details`: how much `/proc/drbd` tells.
pub fn proc_details() -> i32 {
    // SAFETY: A word that sysfs may write meanwhile, as for every parameter.
    unsafe { core::ptr::read_volatile(&raw const shim::tandem_proc_details) }
}

/// `enable_faults`, `fault_rate` and `fault_devs`: what is to fail.
pub fn faults() -> Faults {
    // SAFETY: Words that sysfs may write meanwhile, as for every parameter.
    let read = |word: *const kernel::ffi::c_int| unsafe { core::ptr::read_volatile(word) };
    Faults {
        // The bits are what counts.
        enabled: read(&raw const shim::tandem_enable_faults) as u32,
        // A negative rate is none.
        rate: u32::try_from(read(&raw const shim::tandem_fault_rate)).unwrap_or(0),
        devices: read(&raw const shim::tandem_fault_devs) as u32,
    }
}

/// `fault_count`: one more; returns how many there were before. Any context.
pub fn count_fault() -> i32 {
    // SAFETY: A word that is only used as an atomic or, by sysfs, read and written whole.
    let count = unsafe { AtomicI32::from_ptr(&raw mut shim::tandem_fault_count) };
    count.fetch_add(1, Ordering::Relaxed)
}

/// `usermode_helper`: the program that is told of events. May sleep.
///
/// Copies it into `to`, without a newline at its end, and returns that.
pub fn usermode_helper(to: &mut [u8; PATH_MAX]) -> &CStr {
    // SAFETY: `to` has room for that many bytes; what is written has a final zero.
    unsafe { shim::tandem_usermode_helper(to.as_mut_ptr().cast(), to.len()) };
    if let Some(byte) = to.iter_mut().find(|byte| **byte == b'\n') {
        *byte = 0;
    }
    CStr::from_bytes_until_nul(to).unwrap_or(c"")
}
