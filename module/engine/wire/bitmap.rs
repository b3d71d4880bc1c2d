// SPDX-License-Identifier: GPL-2.0

//! Packets that carry the bitmap.
//!
//! A Bitmap packet is bitmap words, least significant byte first, with nothing before them; one
//! without payload ends the transfer. A CompressedBitmap packet is one byte about the encoding and
//! then the code of `bitmap_code`.
//!
//! Source: `drbd_protocol.h` (`p_compressed_bm`), `drbd_main.c` (`send_bitmap_rle_or_plain`),
//! `drbd_receiver.c` (`receive_bitmap`).

use super::{
    Command,
    Header,
    WireError,
    WireReason,
    SOCKET_BUFFER_SIZE, //
};

/// The only encoding in use: run lengths as variable-length integers, packed bit by bit.
const RLE_VLI_BITS: u8 = 2;

/// Returns how many payload bytes a bitmap packet may have in protocol `version`.
pub const fn max_payload(version: u32) -> usize {
    SOCKET_BUFFER_SIZE.saturating_sub(Header::encoded_len(version))
}

/// Payload of CompressedBitmap (at least 2 bytes).
///
/// ```text
/// 0 encoding u8: 0x80 first run is set bits, 0x70 number of unused bits at the end, 0x0f code (2)
/// 1 code
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressedBitmap<'a> {
    /// Whether the first run is of set bits.
    pub first_set: bool,
    /// Unused bits at the end of the last byte, 0 to 7.
    pub pad_bits: u8,
    /// The code.
    pub code: &'a [u8],
}

impl<'a> CompressedBitmap<'a> {
    /// Reads the payload of a packet of protocol `version`.
    pub fn parse(payload: &'a [u8], version: u32) -> Result<Self, WireError> {
        let error = |reason| Err(WireError::new(Command::CompressedBitmap, reason));
        if payload.len() > max_payload(version) {
            return error(WireReason::TooLong);
        }
        match payload.split_first() {
            Some((&encoding, code)) if !code.is_empty() => {
                if encoding & 0x0f != RLE_VLI_BITS {
                    return error(WireReason::BadEncoding);
                }
                let (first_set, pad_bits) = (encoding & 0x80 != 0, encoding >> 4 & 7);
                Ok(Self {
                    first_set,
                    pad_bits,
                    code,
                })
            }
            _ => error(WireReason::TooShort),
        }
    }

    /// Returns the first payload byte.
    pub const fn encoding(&self) -> u8 {
        RLE_VLI_BITS | (self.pad_bits & 7) << 4 | if self.first_set { 0x80 } else { 0 }
    }

    /// Writes the payload to the start of `out`; returns its length.
    pub fn emit(&self, out: &mut [u8]) -> Result<usize, WireError> {
        let len = self.encoded_len();
        match out.get_mut(..len).and_then(<[u8]>::split_first_mut) {
            Some((first, code)) => {
                *first = self.encoding();
                code.copy_from_slice(self.code);
                Ok(len)
            }
            None => Err(WireError::new(
                Command::CompressedBitmap,
                WireReason::NoRoom,
            )),
        }
    }

    /// Returns the length in bytes.
    pub const fn encoded_len(&self) -> usize {
        self.code.len().saturating_add(1)
    }
}
