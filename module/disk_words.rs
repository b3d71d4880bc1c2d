// SPDX-License-Identifier: GPL-2.0

//! What the kernel log says of lower disks.
#![forbid(unsafe_code)]

use crate::engine::resource::Notice;
use crate::sys::log::Level;
use crate::words::Write;

/// What to do about a disk that failed.
pub const DISK_FAILED: &str =
    "look at the lower device; attach it again, or replace it and create its metadata anew";

/// Writes a notice about a disk.
pub fn of_disk(notice: Notice, write: Write<'_>) {
    match notice {
        Notice::WriteOrder { order } => write(
            Level::Info,
            format_args!("Method to ensure write ordering: {}", order.as_str()),
        ),
        Notice::DiskTimeout => write(
            Level::Error,
            format_args!("Local backing device failed to meet the disk-timeout"),
        ),
        _ => write(
            Level::Error,
            format_args!("Local IO failed in the lower device. Detaching..."),
        ),
    }
}
