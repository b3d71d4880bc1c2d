// SPDX-License-Identifier: GPL-2.0

//! The module's parameters, as they are now.
//!
//! They are defined in `shim.c`: the `module!` macro knows neither strings nor permissions.

use super::shim;
use kernel::prelude::*;

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
