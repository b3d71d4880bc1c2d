// SPDX-License-Identifier: GPL-2.0

//! What the kernel log says of sizes, and of what is copied for want of knowing better.
#![forbid(unsafe_code)]

use crate::engine::resource::{
    FullSync,
    Notice, //
};
use crate::sys::log::Level;
use crate::words::Write;

/// What to do where the peer's disk is too small.
pub const PEER_TOO_SMALL: &str =
    "give the peer a disk that is at least as large, or recreate this device smaller, then connect \
     again";

/// Writes a notice about a size.
pub fn of_size(notice: Notice, write: Write<'_>) {
    match notice {
        Notice::PeerTooSmall { possible, current } => write(
            Level::Error,
            format_args!("The peer's disk size is too small! ({possible} < {current} sectors)"),
        ),
        Notice::SizeTooBig { wanted, possible } => write(
            Level::Error,
            format_args!("Requested disk size is too big ({wanted} > {possible} sectors)"),
        ),
        Notice::Resized { from, to } => write(
            Level::Info,
            format_args!("size = {} KB ({to} sectors), was {from} sectors", to / 2),
        ),
        Notice::GrowthIsSynced => write(
            Level::Info,
            format_args!("Resync of new storage after online grow"),
        ),
        _ => write(
            Level::Info,
            format_args!("Resync of new storage suppressed with --assume-clean"),
        ),
    }
}

/// Writes why all blocks count as out of sync.
pub fn of_full_sync(why: FullSync, write: Write<'_>) {
    let why = why.as_str();
    write(
        Level::Info,
        format_args!("Writing the whole bitmap, full sync required: {why}"),
    );
}
