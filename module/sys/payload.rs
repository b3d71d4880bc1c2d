// SPDX-License-Identifier: GPL-2.0

//! Payload: the bytes of an I/O, as a cursor over the pages that hold them.
//!
//! The bytes of a bio may be changed by others while we read them (an application may write to a
//! page under write-back, a file system may not ask for stable pages). Readers here must not rely
//! on reading the same byte twice.

use super::shim;
use kernel::{
    bindings,
    prelude::*, //
};

use core::marker::PhantomData;

/// Pages are of this many bytes; the module is built for no other size.
pub const PAGE_SIZE: usize = 4096;

/// Segments that one pass over a payload hands out at a time.
pub(super) const BATCH: usize = 16;

/// A physically contiguous piece of a payload; the same as the kernel's `bio_vec`.
pub(super) type Segment = bindings::bio_vec;

/// Where the pages are listed.
#[derive(Clone, Copy)]
enum Source {
    /// An array of segments of any length, as a bio has it.
    Array(*const Segment),
    /// Single pages, chained through `page.private`.
    Chain(*mut bindings::page),
}

/// The next page of a chain.
///
/// # Safety
///
/// `page` must be a live page of a [`super::page::PagePool`].
pub(super) unsafe fn next_page(page: *mut bindings::page) -> *mut bindings::page {
    // SAFETY: As this function requires; the owner of a page owns its private field.
    let private = unsafe { (*page).__bindgen_anon_1.__bindgen_anon_1.private };
    private as *mut bindings::page
}

/// Sets the next page of a chain.
///
/// # Safety
///
/// `page` must be a live page of a [`super::page::PagePool`] that only the caller uses.
pub(super) unsafe fn set_next_page(page: *mut bindings::page, next: *mut bindings::page) {
    // SAFETY: As this function requires.
    unsafe { (*page).__bindgen_anon_1.__bindgen_anon_1.private = next as usize };
}

/// A read cursor over the bytes of an I/O, front to back.
///
/// Made by `MasterBio::payload` and `PageVec::payload`. It keeps its place, so that a partial
/// send goes on where it stopped. Cheap to clone.
#[derive(Clone)]
pub struct Payload<'a> {
    source: Source,
    /// Bytes of the current segment that are done.
    offset: usize,
    remaining: usize,
    _owner: PhantomData<&'a ()>,
}

// SAFETY: A payload borrows its owner, which is `Sync`; pages may be read from any thread.
unsafe impl Send for Payload<'_> {}

impl Payload<'_> {
    /// A cursor over `len` bytes of `array`, after its first `offset` bytes.
    ///
    /// # Safety
    ///
    /// The array and its pages must live as long as the cursor and hold `offset + len` bytes.
    pub(super) unsafe fn from_array(array: *const Segment, offset: usize, len: usize) -> Self {
        Self {
            source: Source::Array(array),
            offset,
            remaining: len,
            _owner: PhantomData,
        }
    }

    /// A cursor over the first `len` bytes of the chain that starts with `page`.
    ///
    /// # Safety
    ///
    /// The chain must live unchanged as long as the cursor and hold `len` bytes.
    pub(super) unsafe fn from_chain(page: *mut bindings::page, len: usize) -> Self {
        Self {
            source: Source::Chain(page),
            offset: 0,
            remaining: len,
            _owner: PhantomData,
        }
    }

    /// Bytes from here to the end.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.remaining
    }

    /// The current segment, as far as it counts; `None` at the end.
    fn segment(&self) -> Option<Segment> {
        if self.remaining == 0 {
            return None;
        }
        let (page, start, len) = match self.source {
            Source::Array(array) => {
                // SAFETY: `remaining` isn't zero, so the array has this element.
                let segment = unsafe { *array };
                (
                    segment.bv_page,
                    segment.bv_offset as usize,
                    segment.bv_len as usize,
                )
            }
            Source::Chain(page) => (page, 0, PAGE_SIZE),
        };
        let len = len.saturating_sub(self.offset).min(self.remaining);
        Some(Segment {
            bv_page: page,
            bv_len: len as u32,
            bv_offset: (start + self.offset) as u32,
        })
    }

    /// Moves on by `bytes`, or to the end if that is nearer.
    pub fn skip(&mut self, bytes: usize) {
        let mut bytes = bytes.min(self.remaining);
        while bytes > 0 {
            let Some(segment) = self.segment() else {
                return;
            };
            let len = segment.bv_len as usize;
            if bytes < len {
                self.offset += bytes;
                self.remaining -= bytes;
                return;
            }
            bytes -= len;
            self.next_segment(len);
        }
        // Empty segments would stop the cursor otherwise.
        while self.remaining > 0 && self.segment().is_some_and(|segment| segment.bv_len == 0) {
            self.next_segment(0);
        }
    }

    /// Steps over the current segment, of which `len` bytes were left.
    fn next_segment(&mut self, len: usize) {
        self.remaining -= len;
        self.offset = 0;
        if self.remaining == 0 {
            return;
        }
        self.source = match self.source {
            // SAFETY: Bytes remain, so the array has a next element.
            Source::Array(array) => Source::Array(unsafe { array.add(1) }),
            // SAFETY: Bytes remain, so the chain has a next page.
            Source::Chain(page) => Source::Chain(unsafe { next_page(page) }),
        };
    }

    /// The next segment, which the cursor moves over; `None` at the end.
    #[inline]
    pub(super) fn take_segment(&mut self) -> Option<Segment> {
        let segment = self.segment()?;
        self.next_segment(segment.bv_len as usize);
        Some(segment)
    }

    /// Fills `out` with the next segments, without moving; returns how many, and their bytes.
    pub(super) fn batch(&self, out: &mut [Segment; BATCH]) -> (usize, usize) {
        let mut cursor = self.clone();
        let mut count = 0;
        let mut bytes = 0;
        for slot in out.iter_mut() {
            let Some(segment) = cursor.take_segment() else {
                break;
            };
            bytes += segment.bv_len as usize;
            *slot = segment;
            count += 1;
        }
        (count, bytes)
    }

    /// Calls `each` with the bytes from here to the end, piece by piece in order. Any context.
    ///
    /// Pieces may be longer than a page and of any alignment.
    pub fn for_each_chunk(&self, mut each: impl FnMut(&[u8])) {
        let mut cursor = self.clone();
        while let Some(segment) = cursor.segment() {
            let len = segment.bv_len as usize;
            // SAFETY: The segment lies in live pages, contiguous in the direct map; see the file's
            // head on who may write to them meanwhile.
            each(unsafe { core::slice::from_raw_parts(address(&segment), len) });
            cursor.next_segment(len);
        }
    }

    /// Copies bytes from here into all of `to` and moves on. Any context.
    ///
    /// Errors: `EINVAL` if fewer remain; nothing is copied then.
    pub fn copy_out(&mut self, to: &mut [u8]) -> Result {
        if to.len() > self.remaining {
            return Err(EINVAL);
        }
        let mut to = to;
        while !to.is_empty() {
            let segment = self.segment().ok_or(EINVAL)?;
            let len = to.len().min(segment.bv_len as usize);
            let (head, tail) = to.split_at_mut(len);
            // SAFETY: The segment has at least `len` bytes, and so has `head`; `head` is Rust's own
            // memory and no page of the payload.
            unsafe { core::ptr::copy_nonoverlapping(address(&segment), head.as_mut_ptr(), len) };
            to = tail;
            self.skip(len);
        }
        Ok(())
    }
}

/// The first byte of a segment in the kernel's direct map.
pub(super) fn address(segment: &Segment) -> *mut u8 {
    // SAFETY: Pages of a payload are live and there is no high memory, so they are always mapped.
    let page = unsafe { shim::tandem_page_address(segment.bv_page) };
    // The offset may go beyond the first page of a contiguous segment, as its length may.
    page.cast::<u8>().wrapping_add(segment.bv_offset as usize)
}

/// A write cursor over the bytes of an I/O: what a read request wants filled.
pub struct PayloadMut<'a>(pub(super) Payload<'a>);

impl PayloadMut<'_> {
    /// Bytes from here to the end.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.0.remaining
    }

    /// Moves on by `bytes`, or to the end if that is nearer.
    pub fn skip(&mut self, bytes: usize) {
        self.0.skip(bytes);
    }

    /// Copies all of `from` to here and moves on. Any context.
    ///
    /// Errors: `EINVAL` if there isn't room for all; nothing is copied then.
    pub fn copy_in(&mut self, from: &[u8]) -> Result {
        if from.len() > self.0.remaining {
            return Err(EINVAL);
        }
        let mut from = from;
        while !from.is_empty() {
            let segment = self.0.segment().ok_or(EINVAL)?;
            let len = from.len().min(segment.bv_len as usize);
            let (head, tail) = from.split_at(len);
            // SAFETY: The segment has at least `len` bytes, and so has `head`; `head` is Rust's own
            // memory and no page of the payload.
            unsafe { core::ptr::copy_nonoverlapping(head.as_ptr(), address(&segment), len) };
            from = tail;
            self.0.skip(len);
        }
        Ok(())
    }

    /// Copies what remains of `from` to here, as far as both go, and moves on. Any context.
    pub fn copy_payload(&mut self, from: &Payload<'_>) -> Result {
        let mut result = Ok(());
        from.for_each_chunk(|chunk| {
            if result.is_ok() {
                result = self.copy_in(chunk);
            }
        });
        result
    }

    /// Fills the next `bytes` with zeros, or all if that is less, and moves on. Any context.
    pub fn zero(&mut self, bytes: usize) {
        let mut bytes = bytes.min(self.0.remaining);
        while bytes > 0 {
            let Some(segment) = self.0.segment() else {
                return;
            };
            let len = bytes.min(segment.bv_len as usize);
            // SAFETY: The segment has at least `len` bytes.
            unsafe { core::ptr::write_bytes(address(&segment), 0, len) };
            bytes -= len;
            self.0.skip(len);
        }
    }
}
