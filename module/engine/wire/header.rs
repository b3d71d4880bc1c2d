// SPDX-License-Identifier: GPL-2.0

//! Packet headers.
//!
//! ```text
//! header 80:  0 magic u32 0x83740267   4 command u16   6 length u16
//! header 95:  0 magic u16 0x835a       2 command u16   4 length u32
//! header 100: 0 magic u32 0x8620ec20   4 volume u16    6 command u16   8 length u32   12 zero u32
//! ```
//! The length counts the bytes after the header.
//!
//! Source: `drbd_protocol.h` (`p_header80`, `p_header95`, `p_header100`), `include/uapi/linux/
//! drbd.h` (magics), `drbd_main.c` and `drbd_receiver.c` (which header in which version).

use super::{
    Command,
    WireError,
    WireReason,
    MAX_SIZE_H80_PACKET, //
};
use crate::engine::bytes::{
    Reader,
    Writer, //
};

const MAGIC_80: u32 = 0x8374_0267;
const MAGIC_95: u16 = 0x835a;
const MAGIC_100: u32 = 0x8620_ec20;

/// The shape of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderKind {
    /// 8 bytes, 16-bit length.
    H80,
    /// 8 bytes, 32-bit length.
    H95,
    /// 16 bytes, with a volume number.
    H100,
}

impl HeaderKind {
    /// Returns the length of all headers in protocol `version`, in bytes.
    pub const fn length_in(version: u32) -> usize {
        if version >= 100 {
            16
        } else {
            8
        }
    }

    /// Returns the header to send in protocol `version` before `length` bytes of payload.
    pub const fn for_packet(version: u32, length: u32) -> Self {
        if version >= 100 {
            Self::H100
        } else if version >= 95 && length > MAX_SIZE_H80_PACKET {
            Self::H95
        } else {
            Self::H80
        }
    }
}

/// What every packet starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Volume number within the resource; 0 below protocol 100 and for the whole connection.
    pub volume: u16,
    /// What the packet is.
    pub command: Command,
    /// Bytes that follow the header.
    pub length: u32,
}

impl Header {
    /// Longest header in bytes.
    pub const MAX_LEN: usize = 16;

    /// Returns the length of the header in protocol `version`, in bytes.
    pub const fn encoded_len(version: u32) -> usize {
        HeaderKind::length_in(version)
    }

    /// Reads a header of protocol `version` from the start of `bytes`.
    ///
    /// Before the handshake `version` is `PROTOCOL_BEFORE_HANDSHAKE`. Fails on a wrong magic
    /// number, and on fewer bytes than `encoded_len(version)`.
    pub fn parse(bytes: &[u8], version: u32) -> Result<Self, WireError> {
        let short = |_| WireError::in_header(WireReason::TooShort);
        let mut r = Reader::new(bytes);
        let magic = r.u32().map_err(short)?;
        if version >= 100 {
            if magic != MAGIC_100 {
                return Err(WireError::in_header(WireReason::BadMagic));
            }
            let volume = r.u16().map_err(short)?;
            let command = Command::from_u16(r.u16().map_err(short)?);
            let length = r.u32().map_err(short)?;
            if r.u32().map_err(short)? != 0 {
                return Err(WireError::new(command, WireReason::BadPadding));
            }
            return Ok(Self {
                volume,
                command,
                length,
            });
        }
        let (number, length) = if magic == MAGIC_80 {
            (r.u16().map_err(short)?, u32::from(r.u16().map_err(short)?))
        } else if magic >> 16 == u32::from(MAGIC_95) {
            let mut r = Reader::new(bytes);
            r.skip(2).map_err(short)?;
            (r.u16().map_err(short)?, r.u32().map_err(short)?)
        } else {
            return Err(WireError::in_header(WireReason::BadMagic));
        };
        Ok(Self {
            volume: 0,
            command: Command::from_u16(number),
            length,
        })
    }

    /// Writes the header of protocol `version` to the start of `out`; returns its length.
    ///
    /// Fails if `out` is too small, or the length does not fit the header.
    pub fn emit(&self, out: &mut [u8], version: u32) -> Result<usize, WireError> {
        let error = WireError::of(self.command);
        let mut w = Writer::new(out);
        match HeaderKind::for_packet(version, self.length) {
            HeaderKind::H80 => {
                let length = u16::try_from(self.length)
                    .map_err(|_| WireError::new(self.command, WireReason::LengthOverflow))?;
                w.u32(MAGIC_80).map_err(&error)?;
                w.u16(self.command.number()).map_err(&error)?;
                w.u16(length).map_err(&error)?;
            }
            HeaderKind::H95 => {
                w.u16(MAGIC_95).map_err(&error)?;
                w.u16(self.command.number()).map_err(&error)?;
                w.u32(self.length).map_err(&error)?;
            }
            HeaderKind::H100 => {
                w.u32(MAGIC_100).map_err(&error)?;
                w.u16(self.volume).map_err(&error)?;
                w.u16(self.command.number()).map_err(&error)?;
                w.u32(self.length).map_err(&error)?;
                w.zeros(4).map_err(&error)?;
            }
        }
        Ok(w.len())
    }
}
