// SPDX-License-Identifier: GPL-2.0

//! Lines of the kernel log that begin with what they are about, not with the module's name.

use core::fmt::{
    self,
    Write, //
};

use kernel::print::{
    call_printk,
    format_strings, //
};

/// How urgent a line is.
#[derive(Clone, Copy)]
pub enum Level {
    /// Somebody has to act.
    Alert,
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warning,
    /// For the record.
    Info,
}

/// Longest name of what a line is about, in bytes, with its NUL.
const SUBJECT_MAX: usize = 192;

/// A name in the making; what is too long is cut off. Its last byte stays 0.
struct Subject {
    bytes: [u8; SUBJECT_MAX],
    len: usize,
}

impl Write for Subject {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..SUBJECT_MAX - 1);
        for (to, from) in room.unwrap_or(&mut []).iter_mut().zip(more.as_bytes()) {
            *to = *from;
            self.len += 1;
        }
        Ok(())
    }
}

/// Writes "`subject`: `line`" and a line end. Any context.
pub fn print(level: Level, subject: fmt::Arguments<'_>, line: fmt::Arguments<'_>) {
    let mut name = Subject {
        bytes: [0; SUBJECT_MAX],
        len: 0,
    };
    let _ = name.write_fmt(subject);
    let format = match level {
        Level::Alert => &format_strings::ALERT,
        Level::Error => &format_strings::ERR,
        Level::Warning => &format_strings::WARNING,
        Level::Info => &format_strings::INFO,
    };
    // SAFETY: The format is one of the kernel's own; the name's last byte is never written and 0.
    unsafe { call_printk(format, &name.bytes, format_args!("{}\n", Whole(line))) }
}

/// Shows a core formatting as one of the kernel's own.
struct Whole<'a>(fmt::Arguments<'a>);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(self.0)
    }
}
