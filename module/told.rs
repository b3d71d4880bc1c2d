// SPDX-License-Identifier: GPL-2.0

//! Digests that came from the peer.
#![forbid(unsafe_code)]

use crate::sys::digest::DIGEST_MAX;

/// A digest that the peer told.
#[derive(Clone, Copy)]
pub struct Told {
    bytes: [u8; DIGEST_MAX],
    len: usize,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            bytes: [0; DIGEST_MAX],
            len: 0,
        }
    }
}

impl Told {
    /// Room for a digest of `len` bytes, at most [`DIGEST_MAX`].
    pub fn with_len(len: usize) -> Self {
        Self {
            len: len.min(DIGEST_MAX),
            ..Self::default()
        }
    }

    /// The digest.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// The digest, to be filled in.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or(&mut [])
    }
}
