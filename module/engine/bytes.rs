// SPDX-License-Identifier: GPL-2.0

//! Checked big-endian reading and writing over byte slices.
//!
//! Everything that DRBD puts on the wire or into its metadata superblock is big-endian. The two
//! cursors here never read or write past their slice; running out of bytes is an error value.

/// Why a cursor could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BytesError {
    /// The input ended before the value did.
    Truncated,
    /// The output buffer is too small.
    NoRoom,
}

impl BytesError {
    /// Returns a short text for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "input ends too early",
            Self::NoRoom => "output buffer too small",
        }
    }
}

/// A cursor that takes big-endian values off the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts reading at the first byte of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the number of bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Returns the bytes not read yet, without taking them.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], BytesError> {
        let (head, tail) = self
            .rest
            .split_at_checked(len)
            .ok_or(BytesError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], BytesError> {
        let (head, tail) = self.rest.split_first_chunk().ok_or(BytesError::Truncated)?;
        self.rest = tail;
        Ok(*head)
    }

    /// Skips `len` bytes.
    pub fn skip(&mut self, len: usize) -> Result<(), BytesError> {
        self.take(len).map(|_| ())
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Result<u8, BytesError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Takes a big-endian 16-bit value.
    pub fn u16(&mut self) -> Result<u16, BytesError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes a big-endian 32-bit value.
    pub fn u32(&mut self) -> Result<u32, BytesError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a big-endian 64-bit value.
    pub fn u64(&mut self) -> Result<u64, BytesError> {
        self.array().map(u64::from_be_bytes)
    }
}

/// A cursor that puts big-endian values into a slice, front to back.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts writing at the first byte of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Returns the number of bytes written so far.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether nothing was written yet.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reserves the next `len` bytes and hands them out for filling.
    fn claim(&mut self, len: usize) -> Result<&mut [u8], BytesError> {
        let end = self.len.checked_add(len).ok_or(BytesError::NoRoom)?;
        let room = self.out.get_mut(self.len..end).ok_or(BytesError::NoRoom)?;
        self.len = end;
        Ok(room)
    }

    /// Writes `bytes` as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), BytesError> {
        self.claim(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes `len` zero bytes.
    pub fn zeros(&mut self, len: usize) -> Result<(), BytesError> {
        self.claim(len)?.fill(0);
        Ok(())
    }

    /// Writes one byte.
    pub fn u8(&mut self, value: u8) -> Result<(), BytesError> {
        self.bytes(&value.to_be_bytes())
    }

    /// Writes a 16-bit value, big-endian.
    pub fn u16(&mut self, value: u16) -> Result<(), BytesError> {
        self.bytes(&value.to_be_bytes())
    }

    /// Writes a 32-bit value, big-endian.
    pub fn u32(&mut self, value: u32) -> Result<(), BytesError> {
        self.bytes(&value.to_be_bytes())
    }

    /// Writes a 64-bit value, big-endian.
    pub fn u64(&mut self, value: u64) -> Result<(), BytesError> {
        self.bytes(&value.to_be_bytes())
    }
}

#[cfg(test)]
#[path = "bytes_tests.rs"]
mod tests;
