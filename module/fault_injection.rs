// SPDX-License-Identifier: GPL-2.0

//! Makes operations fail on demand, as the module's parameters say.
#![forbid(unsafe_code)]

use crate::engine::fault::Fault;
use crate::notify;
use crate::sys::clock;
use crate::sys::log::Level;
use crate::sys::params;

/// So many faults are told one by one.
const TOLD: i32 = 16;

/// Whether operations of this kind are to fail now and then. Any context.
pub fn is_enabled(fault: Fault) -> bool {
    params::faults().is_enabled(fault)
}

/// Whether this operation of the device `minor` is to fail; counts it and writes it to the log
/// then. Any context.
pub fn strikes(fault: Fault, minor: u32) -> bool {
    let faults = params::faults();
    if !faults.is_enabled(fault) || !faults.strike(fault, minor, clock::random_u64()) {
        return false;
    }
    // They may come in thousands: after the first ones only each doubling is told.
    let before = params::count_fault();
    if before < TOLD || before & before.wrapping_sub(1) == 0 {
        notify::log_minor(
            Level::Warning,
            minor,
            format_args!("***Simulating {} failure", fault.as_str()),
        );
    }
    true
}
