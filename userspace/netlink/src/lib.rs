// SPDX-License-Identifier: GPL-2.0

//! The kernel's `drbd` family on generic netlink: requests with their reply, dumps, and events.
//!
//! The numbers and blocks are those of `tandem_engine::control`; this crate adds sockets,
//! framing (netlink-packet-core, netlink-packet-generic, netlink-sys) and errors that keep what
//! the kernel said.
#![forbid(unsafe_code)]

mod connection;
mod error;
mod events;
mod family;
mod message;
mod reply;
mod request;
mod socket;

pub use connection::Connection;
pub use error::{
    Error,
    Refusal, //
};
pub use events::{
    Event,
    Events, //
};
pub use family::Family;
pub use reply::Reply;
pub use request::{
    AttrBuffer,
    PlainAttrs,
    Request, //
};
