// SPDX-License-Identifier: GPL-2.0

//! DRBD's network protocol, versions 86 to 101: headers and packet payloads as values.
//!
//! A packet is a header (`Header`), a fixed sub-header (the structs of the topic modules) and, for
//! some commands, data that follows. All numbers are big-endian. The structs parse from and emit
//! to exactly their own bytes; the caller reads or appends what follows (blocks, digests).
//!
//! Block ids and barrier numbers are handles of their sender that the peer only echoes; they are
//! treated as big-endian numbers here, which gives back the same bytes.
//!
//! Source: `drivers/block/drbd/drbd_protocol.h`, and `drbd_main.c` and `drbd_receiver.c` beside it.

pub mod ack;
pub mod bitmap;
mod command;
pub mod data;
mod error;
pub mod handshake;
mod header;
mod layout;
pub mod params;
pub mod state;

pub use command::{
    Command,
    PayloadRule, //
};
pub use error::{
    WireError,
    WireReason, //
};
pub use header::{
    Header,
    HeaderKind, //
};

/// The oldest protocol version that is spoken.
///
/// Source: `drivers/block/drbd/drbd_config.h` (`PRO_VERSION_MIN`).
pub const PROTOCOL_MIN: u32 = 86;

/// The newest protocol version that is spoken.
///
/// Source: `drivers/block/drbd/drbd_config.h` (`PRO_VERSION_MAX`).
pub const PROTOCOL_MAX: u32 = 101;

/// The version in force before the handshake: first packets always have the oldest header.
pub const PROTOCOL_BEFORE_HANDSHAKE: u32 = 80;

/// Longest bitmap packet, header included, in bytes.
///
/// Source: `drbd_protocol.h` (`DRBD_SOCKET_BUFFER_SIZE`).
pub const SOCKET_BUFFER_SIZE: usize = 4096;

/// Largest write in bytes, from protocol 100 on. Source: `drbd_int.h` (`DRBD_MAX_BIO_SIZE`).
pub const MAX_BIO_SIZE: u32 = 1 << 20;

/// Largest write in bytes for protocols 95 to 99. Source: `drbd_int.h`.
pub const MAX_BIO_SIZE_P95: u32 = 1 << 17;

/// Largest write in bytes up to protocol 94, and the largest payload that takes a header 80 in
/// protocols 95 to 99. Source: `drbd_int.h` (`DRBD_MAX_SIZE_H80_PACKET`).
pub const MAX_SIZE_H80_PACKET: u32 = 1 << 15;

/// Largest discard or write-zeroes in bytes with `Features::WSAME`.
///
/// Source: `drbd_int.h` (`DRBD_MAX_BATCH_BIO_SIZE`).
pub const MAX_BATCH_BIO_SIZE: u32 = 32 * (4 << 20);

/// Longest digest that follows a sub-header, in bytes (512 bits).
pub const MAX_DIGEST_SIZE: u32 = 64;

/// Longest algorithm name and shared secret in bytes, the terminating NUL of a name included.
///
/// Source: `include/uapi/linux/drbd.h` (`SHARED_SECRET_MAX`).
pub const SHARED_SECRET_MAX: usize = 64;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_tests;
