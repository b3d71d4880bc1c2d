// SPDX-License-Identifier: GPL-2.0

//! Short strings and byte strings with a fixed capacity: names, algorithms, secrets, addresses.

use core::fmt;

/// At most `N` bytes of text, without a terminating zero.
///
/// Nothing is promised about the encoding: names come from the user and are only compared and
/// shown. [`FixedStr::as_str`] gives text where the bytes are UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FixedStr<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> FixedStr<N> {
    /// The empty string.
    pub const EMPTY: Self = Self {
        bytes: [0; N],
        len: 0,
    };

    /// Takes a copy of `text`; `None` when it has more than `N` bytes.
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut it = Self::EMPTY;
        it.bytes.get_mut(..text.len())?.copy_from_slice(text);
        it.len = text.len();
        Some(it)
    }

    /// The text as bytes, without a terminating zero.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// The text, or `None` when it is not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.as_bytes()).ok()
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes up to `N`, each followed by zeroes, and the number of them that count.
    ///
    /// With `N` bytes of text there is no terminating zero in the array.
    pub fn as_zero_padded(&self) -> &[u8; N] {
        &self.bytes
    }
}

impl<const N: usize> Default for FixedStr<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Debug for FixedStr<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

/// At most `N` raw bytes, such as a socket address or a row of UUIDs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FixedBytes<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> FixedBytes<N> {
    /// No bytes at all.
    pub const EMPTY: Self = Self {
        bytes: [0; N],
        len: 0,
    };

    /// Takes a copy of `data`; `None` when it has more than `N` bytes.
    pub fn new(data: &[u8]) -> Option<Self> {
        let mut it = Self::EMPTY;
        it.bytes.get_mut(..data.len())?.copy_from_slice(data);
        it.len = data.len();
        Some(it)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for FixedBytes<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Debug for FixedBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_bytes()).finish()
    }
}
