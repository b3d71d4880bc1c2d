// SPDX-License-Identifier: GPL-2.0

//! Roles, connection states, disk states and their packed 32-bit form.
//!
//! Numbers and names are DRBD's; users, scripts and the peer see them. Their order matters:
//! `ConnState` and `DiskState` are compared with `<` all over the rules.
//!
//! Source: `include/uapi/linux/drbd.h`, `drivers/block/drbd/drbd_strings.c`.

mod device;
mod error;
mod names;

pub use device::{
    DeviceState,
    StateBits,
    StateChange, //
};
pub use error::{
    number_of,
    verdict_of,
    StateError,
    StateSuccess,
    StateVerdict, //
};
pub use names::{
    ConnState,
    DiskState,
    Role, //
};

#[cfg(test)]
mod tests;
