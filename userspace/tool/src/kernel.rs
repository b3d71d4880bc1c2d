// SPDX-License-Identifier: GPL-2.0

//! The way to the kernel module: load it if need be, connect, ask.

use crate::failure::Failure;
use std::process::{
    Command,
    Stdio, //
};
use tandem_engine::control::NO_MINOR;
use tandem_netlink::{
    Connection,
    Error,
    Reply,
    Request, //
};

/// Opens the way to the kernel, and loads the module if that is what is missing.
pub(crate) fn connect() -> Result<Connection, Failure> {
    match Connection::open() {
        Err(Error::NoFamily) => {
            load_module();
            Connection::open()
        }
        other => other,
    }
    .map_err(|error| Failure::netlink("kernel", error))
}

/// Opens the way to the kernel; `None` when no module is loaded.
pub(crate) fn connect_if_loaded() -> Result<Option<Connection>, Failure> {
    match Connection::open() {
        Ok(connection) => Ok(Some(connection)),
        Err(Error::NoFamily) => Ok(None),
        Err(error) => Err(Failure::netlink("kernel", error)),
    }
}

/// Loads the module by the name that configuration maps to the one to use. Whether it worked
/// shows when the family is looked up again.
fn load_module() {
    let _ = Command::new("/sbin/modprobe")
        .args(["-q", "drbd"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Sends a request; `object` is what messages call it.
pub(crate) fn request(object: &str, request: &Request) -> Result<Reply, Failure> {
    connect()?
        .request(request)
        .map_err(|error| Failure::netlink(object, error))
}

/// Sends a request about a minor.
pub(crate) fn request_minor(request: &Request) -> Result<Reply, Failure> {
    debug_assert_ne!(request.minor(), NO_MINOR);
    self::request(&request.minor().to_string(), request)
}
