// SPDX-License-Identifier: GPL-2.0

//! DRBD's own header of a generic netlink message.

use super::RetCode;

/// Size of [`GenlHeader`] on netlink, in bytes.
pub const GENL_HEADER_LEN: usize = 8;
/// Minor of a message that is about a resource or a connection.
pub const NO_MINOR: u32 = u32::MAX;
/// Flag of a request that changes options: start from the defaults, not from what is set now.
pub const FLAG_SET_DEFAULTS: u32 = 1;

/// Header between the generic netlink header and the attributes; native byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenlHeader {
    /// Minor that the message is about, or [`NO_MINOR`].
    pub minor: u32,
    /// In a request: flags. In a reply or event: [`GenlHeader::ret_code`].
    pub flags: u32,
}

impl GenlHeader {
    /// Header of a request.
    pub fn request(minor: u32, flags: u32) -> Self {
        Self { minor, flags }
    }

    /// Header of a reply or of an event.
    pub fn reply(minor: u32, code: RetCode) -> Self {
        Self {
            minor,
            flags: u32::from_ne_bytes(code.0.to_ne_bytes()),
        }
    }

    /// The reply code; makes sense in replies and events only.
    pub fn ret_code(self) -> RetCode {
        RetCode(i32::from_ne_bytes(self.flags.to_ne_bytes()))
    }

    /// Splits the header from the attributes that follow it; `None` when `bytes` are too few.
    pub fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (minor, rest) = bytes.split_first_chunk::<4>()?;
        let (flags, rest) = rest.split_first_chunk::<4>()?;
        let header = Self {
            minor: u32::from_ne_bytes(*minor),
            flags: u32::from_ne_bytes(*flags),
        };
        Some((header, rest))
    }

    /// The header's bytes.
    pub fn to_bytes(self) -> [u8; GENL_HEADER_LEN] {
        let [a, b, c, d] = self.minor.to_ne_bytes();
        let [e, f, g, h] = self.flags.to_ne_bytes();
        [a, b, c, d, e, f, g, h]
    }
}
