// SPDX-License-Identifier: GPL-2.0

//! Where frames go: a tape of fixed length, and its reading.
//!
//! A recording is of use only from its first frame on: without the earlier events the values are
//! not known. So a tape that is full takes nothing more, and counts what it lost; nobody can take a
//! part for the whole.
//!
//! ```text
//! tape:  0 magic, 8 bytes   8 frames that were lost u64   16 frames
//! frame: 0 bytes of its body u32   4 value u32   8 part u8   9 body
//! ```
//!
//! Numbers are big-endian.

use core::ops::DerefMut;

use crate::engine::bytes::{
    Reader,
    Writer, //
};

use super::Written;

/// The first bytes of a tape.
const MAGIC: &[u8; 8] = b"tandem 1";

/// Bytes before the first frame.
const HEADER: usize = 16;

/// Bytes before a frame's body.
const FRAME: usize = 9;

/// What a frame tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// An event: its name and its arguments.
    Event,
    /// What came of the value's last event, as text. There may be several.
    Outcome,
}

/// A tape that is being written on. Its memory is given in and never grows.
#[derive(Debug)]
pub struct Tape<B> {
    bytes: B,
    len: usize,
    lost: u64,
}

impl<B: DerefMut<Target = [u8]>> Tape<B> {
    /// Begins a recording. `bytes` is how much fits.
    pub fn new(bytes: B) -> Self {
        let mut tape = Self {
            bytes,
            len: HEADER,
            lost: 0,
        };
        tape.write_header();
        tape
    }

    /// Adds a frame, or counts it as lost when the tape is full.
    pub fn append(&mut self, value: u32, part: Part, fill: &dyn Fn(&mut Writer<'_>) -> Written) {
        match self.frame(value, part, fill) {
            Some(len) if self.lost == 0 => self.len = self.len.saturating_add(len),
            _ => {
                self.lost = self.lost.saturating_add(1);
                self.write_header();
            }
        }
    }

    /// Writes a frame behind the last one; returns its length, `None` if it does not fit.
    fn frame(
        &mut self,
        value: u32,
        part: Part,
        fill: &dyn Fn(&mut Writer<'_>) -> Written,
    ) -> Option<usize> {
        let room = self.bytes.get_mut(self.len..)?;
        let (head, body) = room.split_at_mut_checked(FRAME)?;
        let mut body = Writer::new(body);
        fill(&mut body).ok()?;
        let mut head = Writer::new(head);
        head.u32(u32::try_from(body.len()).ok()?).ok()?;
        head.u32(value).ok()?;
        head.u8(u8::from(part == Part::Outcome)).ok()?;
        FRAME.checked_add(body.len())
    }

    fn write_header(&mut self) {
        let mut header = Writer::new(&mut self.bytes);
        // A tape without room for its header is never read back.
        let _ = header.bytes(MAGIC).and_then(|()| header.u64(self.lost));
    }

    /// The recording so far.
    pub fn recorded(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// How many bytes were recorded.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no frame yet.
    pub fn is_empty(&self) -> bool {
        self.len == HEADER
    }

    /// How many bytes fit.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// How many frames found no room.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Gives the memory back, with the number of bytes of it that were recorded.
    pub fn into_bytes(self) -> (B, usize) {
        let len = self.len.min(self.bytes.len());
        (self.bytes, len)
    }
}

/// Why a recording cannot be fed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapeError {
    /// It is no recording, or of another version.
    Foreign,
    /// So many frames did not fit on the tape.
    Gap(u64),
    /// It ends within a frame, which begins at this byte.
    Torn(usize),
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The value that it is about.
    pub value: u32,
    /// What it tells.
    pub part: Part,
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// An event's name, and a reader of its arguments. `None` if it is garbled.
    pub fn event(&self) -> Option<(&'a str, Reader<'a>)> {
        let mut r = Reader::new(self.body);
        let len = r.u8().ok()?;
        let name = core::str::from_utf8(r.take(usize::from(len)).ok()?).ok()?;
        Some((name, r))
    }
}

/// The frames of a complete recording, in order.
#[derive(Clone, Debug)]
pub struct Recording<'a> {
    frames: Reader<'a>,
    bytes: usize,
}

impl<'a> Recording<'a> {
    /// Reads a recording from its begin.
    ///
    /// # Errors
    ///
    /// It is none, or something of it is missing.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, TapeError> {
        let mut r = Reader::new(bytes);
        if r.array().ok().as_ref() != Some(MAGIC) {
            return Err(TapeError::Foreign);
        }
        match r.u64() {
            Ok(0) => Ok(Self {
                frames: r,
                bytes: bytes.len(),
            }),
            Ok(lost) => Err(TapeError::Gap(lost)),
            Err(_) => Err(TapeError::Foreign),
        }
    }

    fn frame(&mut self) -> Option<Frame<'a>> {
        let r = &mut self.frames;
        let len = usize::try_from(r.u32().ok()?).ok()?;
        let value = r.u32().ok()?;
        let part = match r.u8().ok()? {
            0 => Part::Event,
            1 => Part::Outcome,
            _ => return None,
        };
        let body = r.take(len).ok()?;
        Some(Frame { value, part, body })
    }
}

impl<'a> Iterator for Recording<'a> {
    type Item = Result<Frame<'a>, TapeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.frames.remaining();
        if left == 0 {
            return None;
        }
        let torn = TapeError::Torn(self.bytes.saturating_sub(left));
        let frame = self.frame().ok_or(torn);
        if frame.is_err() {
            self.frames = Reader::new(&[]);
        }
        Some(frame)
    }
}
