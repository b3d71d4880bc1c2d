// SPDX-License-Identifier: GPL-2.0

//! Checksums of metadata on disk.

use super::shim;

/// Continues a CRC-32C (Castagnoli, reflected) over `data`. Any context.
///
/// Nothing is inverted, neither before nor after: that is the caller's to do where a format wants
/// it, which mostly means to start with all ones.
pub fn crc32c(start: u32, data: &[u8]) -> u32 {
    // SAFETY: `data` is readable over its length.
    unsafe { shim::crc32c(start, data.as_ptr().cast(), data.len()) }
}
