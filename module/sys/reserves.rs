// SPDX-License-Identifier: GPL-2.0

//! The kernel's switch for sockets that may use its memory reserves.

use super::socket::{
    Socket,
    FAMILY_V4, //
};
use kernel::prelude::*;

/// Keeps the kernel ready for sockets that use its memory reserves, by having one.
///
/// The kernel rewrites its code, on all processors, for the first such socket and after the last
/// one. A connection that comes and goes shall not do this each time.
pub struct ReservesReady {
    _socket: Socket,
}

impl ReservesReady {
    /// Makes the kernel ready, until this is dropped. May sleep.
    ///
    /// Errors: `ENOMEM`.
    pub fn new() -> Result<Self> {
        let socket = Socket::new(FAMILY_V4)?;
        socket.set_use_reserves(true);
        Ok(Self { _socket: socket })
    }
}
