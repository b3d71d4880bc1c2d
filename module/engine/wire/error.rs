// SPDX-License-Identifier: GPL-2.0

//! What can be wrong with a packet.

use super::Command;
use crate::engine::bytes::BytesError;

/// Why a packet was refused or could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireReason {
    /// The payload is shorter than the packet needs.
    TooShort,
    /// The payload is longer than the packet may be.
    TooLong,
    /// The buffer to write to is too small.
    NoRoom,
    /// The header does not start with the magic number of the agreed protocol version.
    BadMagic,
    /// The padding of a header 100 is not zero.
    BadPadding,
    /// The length does not fit the header of the agreed protocol version.
    LengthOverflow,
    /// A text is too long, or not terminated, or holds a NUL.
    BadText,
    /// A number has no meaning.
    BadValue,
    /// The bitmap encoding is not known.
    BadEncoding,
    /// The packet does not exist in the agreed protocol version.
    WrongVersion,
}

/// A refused packet: which one, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError {
    /// The packet's command; `Command::Unknown(0xffff)` if the header itself is bad.
    pub command: Command,
    /// Why it was refused.
    pub reason: WireReason,
}

impl WireError {
    /// An error in the packet `command`.
    pub const fn new(command: Command, reason: WireReason) -> Self {
        Self { command, reason }
    }

    /// An error in a header, before the command is known.
    pub(super) const fn in_header(reason: WireReason) -> Self {
        Self {
            command: Command::Unknown(0xffff),
            reason,
        }
    }

    /// Turns an error of a byte cursor into one of the packet `command`.
    pub(super) fn of(command: Command) -> impl Fn(BytesError) -> Self {
        move |error| Self {
            command,
            reason: match error {
                BytesError::Truncated => WireReason::TooShort,
                BytesError::NoRoom => WireReason::NoRoom,
            },
        }
    }

    /// Returns why, as a short text for logs; the packet's name is `command.as_str()`.
    pub const fn as_str(&self) -> &'static str {
        match self.reason {
            WireReason::TooShort => "payload too short",
            WireReason::TooLong => "payload too long",
            WireReason::NoRoom => "send buffer too small",
            WireReason::BadMagic => "wrong magic value for the agreed protocol version",
            WireReason::BadPadding => "header padding is not zero",
            WireReason::LengthOverflow => "length does not fit the header",
            WireReason::BadText => "text too long or not terminated",
            WireReason::BadValue => "number without meaning",
            WireReason::BadEncoding => "unknown bitmap encoding",
            WireReason::WrongVersion => "not part of the agreed protocol version",
        }
    }
}
