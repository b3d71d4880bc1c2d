// SPDX-License-Identifier: GPL-2.0

//! Running a program in user space, as root.

use kernel::{
    bindings,
    ffi::{
        c_char,
        c_int, //
    },
    prelude::*, //
};

use core::ptr::null_mut;

/// Most arguments, with the program's name.
pub const ARGUMENTS_MAX: usize = 8;
/// Most variables of the environment.
pub const VARIABLES_MAX: usize = 24;

/// Runs `path` and waits until it ends; returns its exit code. May sleep for long.
///
/// A program that a signal killed counts as 128 and the signal's number, as in a shell.
///
/// Errors: `E2BIG` for too many arguments or variables; `ENOENT`, `EACCES`, `ENOMEM` if it can't
/// be started.
pub fn run(path: &CStr, arguments: &[&CStr], environment: &[&CStr]) -> Result<u8> {
    let mut argv = [null_mut::<c_char>(); ARGUMENTS_MAX + 1];
    let mut envp = [null_mut::<c_char>(); VARIABLES_MAX + 1];
    fill(&mut argv, arguments)?;
    fill(&mut envp, environment)?;
    // `UMH_WAIT_PROC`; checked in `shim.c`.
    const WAIT: c_int = 2;
    // SAFETY: All are C strings, both lists end with null, all outlive the program, and nobody
    // writes to them.
    let status = unsafe {
        bindings::call_usermodehelper(
            path.as_char_ptr(),
            argv.as_mut_ptr(),
            envp.as_mut_ptr(),
            WAIT,
        )
    };
    if status < 0 {
        return Err(Error::from_errno(status));
    }
    // As `wait` gives it: the exit code above, the signal below.
    let signal = status & 0x7f;
    let code = if signal != 0 {
        128 + signal
    } else {
        status >> 8
    };
    Ok((code & 0xff) as u8)
}

/// Lists strings; what is left of `to` stays null, at least its last.
fn fill(to: &mut [*mut c_char], from: &[&CStr]) -> Result {
    if from.len() >= to.len() {
        return Err(E2BIG);
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.as_char_ptr().cast_mut();
    }
    Ok(())
}
