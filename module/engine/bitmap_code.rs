// SPDX-License-Identifier: GPL-2.0

//! Run-length coding of the bitmap for its transfer.
//!
//! The bitmap is told as lengths of runs of clear and set bits in turn. Each length (1 and up) is a
//! number of variable width: a prefix that names one of ten levels, then data bits. All bits are
//! packed one after the other, least significant bit of a byte first; unused bits at the end of
//! the last byte are the pad bits.
//!
//! ```text
//! prefix, first bit left    data bits     prefix     data bits
//! 0                                 1     111110             8
//! 10                                1     11111100          13
//! 110                               2     11111110          21
//! 1110                              3     11111101          34
//! 11110                             5     11111111          56
//! ```
//! A level starts to count where the one before ends.
//!
//! Source: `drivers/block/drbd/drbd_vli.h` (level table), `drbd_main.c` (`fill_bitmap_rle_bits`),
//! `drbd_receiver.c` (`recv_bm_rle_bits`, `receive_bitmap_plain`).

/// One level: bits of the whole number, bits of its prefix, the prefix.
struct Level {
    total: u32,
    prefix_len: u32,
    prefix: u64,
}

impl Level {
    const fn new(total: u32, prefix_len: u32, prefix: u64) -> Self {
        Self {
            total,
            prefix_len,
            prefix,
        }
    }

    /// How many lengths the level can tell.
    const fn capacity(&self) -> u64 {
        1 << self.total.saturating_sub(self.prefix_len)
    }
}

const LEVELS: [Level; 10] = [
    Level::new(2, 1, 0x00),
    Level::new(3, 2, 0x01),
    Level::new(5, 3, 0x03),
    Level::new(7, 4, 0x07),
    Level::new(10, 5, 0x0f),
    Level::new(14, 6, 0x1f),
    Level::new(21, 8, 0x3f),
    Level::new(29, 8, 0x7f),
    Level::new(42, 8, 0xbf),
    Level::new(64, 8, 0xff),
];

/// Longest run that can be coded, in bits.
pub const MAX_RUN: u64 = 0x0100_0004_0020_2130;

/// Returns a word with the lowest `count` bits set.
const fn low_bits(count: u32) -> u64 {
    match 1_u64.checked_shl(count) {
        Some(bit) => bit.saturating_sub(1),
        None => u64::MAX,
    }
}

/// Codes a run length; returns the code and its number of bits. `None` for 0 and above `MAX_RUN`.
fn encode_run(run: u64) -> Option<(u64, u32)> {
    let mut offset = run.checked_sub(1)?;
    for level in &LEVELS {
        match offset.checked_sub(level.capacity()) {
            Some(rest) => offset = rest,
            None => return Some((offset << level.prefix_len | level.prefix, level.total)),
        }
    }
    None
}

/// Reads a run length off the lowest bits of `word`; returns it and its number of bits.
fn decode_run(word: u64) -> Option<(u64, u32)> {
    let mut base = 1_u64;
    for level in &LEVELS {
        if word & low_bits(level.prefix_len) == level.prefix {
            let data = (word & low_bits(level.total)) >> level.prefix_len;
            return Some((base.checked_add(data)?, level.total));
        }
        base = base.checked_add(level.capacity())?;
    }
    None
}

/// What is wrong with a code or with its place in the bitmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitmapCodeError {
    /// The code ends within a number, or is empty, or the pad bits are more than there are.
    Truncated,
    /// The runs go past the end of the bitmap.
    Overflow,
    /// A plain packet has another length than the bitmap needs at this place.
    PlainLength,
}

impl BitmapCodeError {
    /// Returns a short text for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "bitmap code ends within a run length",
            Self::Overflow => "bitmap code reaches past the end of the bitmap",
            Self::PlainLength => "plain bitmap packet has the wrong length",
        }
    }
}

/// What `encode` made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Whether the first run is of set bits.
    pub first_set: bool,
    /// Unused bits at the end of the last byte, 0 to 7.
    pub pad_bits: u8,
    /// Bytes of code.
    pub code_len: usize,
    /// Bitmap bits that the code tells.
    pub covered: u64,
}

/// Codes the bitmap from bit `start` to at most `end` into `out`, as far as there is room.
///
/// `run_end(from, set)` returns the first bit at or after `from` that is not `set`; any number of
/// `end` or more says that there is none. Returns `None` if nothing is to be coded, or if the code
/// would be longer than the plain bits: then a plain packet is to be sent.
pub fn encode(
    out: &mut [u8],
    start: u64,
    end: u64,
    mut run_end: impl FnMut(u64, bool) -> u64,
) -> Option<Encoded> {
    if start >= end {
        return None;
    }
    out.fill(0);
    let room = out.len().saturating_mul(8);
    let (mut used, mut at) = (0usize, start);
    let clear_end = run_end(start, false).min(end);
    let first_set = clear_end == start;
    let mut set = first_set;
    while at < end {
        let to = if at == start && !first_set {
            clear_end
        } else {
            run_end(at, set).min(end)
        };
        // A run of length 0 can't be told; it would mean that the bitmap changed meanwhile.
        let (code, bits) = encode_run(to.checked_sub(at)?)?;
        let after = used.checked_add(usize::try_from(bits).ok()?)?;
        if after > room {
            break;
        }
        put_bits(out, used, code, bits);
        used = after;
        at = to;
        set = !set;
    }
    let code_len = used.div_ceil(8);
    let covered = at.checked_sub(start)?;
    if covered == 0 || covered < u64::try_from(code_len).ok()?.saturating_mul(8) {
        return None;
    }
    let pad_bits = code_len.checked_mul(8)?.checked_sub(used)?;
    let pad_bits = u8::try_from(pad_bits).ok()?;
    Some(Encoded {
        first_set,
        pad_bits,
        code_len,
        covered,
    })
}

/// Puts the lowest `bits` bits of `code` into the zeroed `out` from bit `at` on.
fn put_bits(out: &mut [u8], at: usize, code: u64, bits: u32) {
    // At most 64 bits at any offset within a byte: 9 bytes.
    let shifted = u128::from(code & low_bits(bits)) << (at % 8);
    let bytes = shifted.to_le_bytes();
    for (to, from) in out.iter_mut().skip(at / 8).zip(bytes) {
        *to |= from;
    }
}

/// A run of equal bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whether the bits are set.
    pub set: bool,
    /// Number of bits, at least 1.
    pub len: u64,
}

/// Yields the runs of a code.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    code: &'a [u8],
    at: usize,
    end: usize,
    set: bool,
}

impl<'a> Decoder<'a> {
    /// Starts at the first run. Fails if there is no code, or `pad_bits` is above 7.
    pub fn new(code: &'a [u8], pad_bits: u8, first_set: bool) -> Result<Self, BitmapCodeError> {
        let end = code
            .len()
            .checked_mul(8)
            .and_then(|bits| bits.checked_sub(usize::from(pad_bits)))
            .filter(|&end| end > 0 && pad_bits < 8)
            .ok_or(BitmapCodeError::Truncated)?;
        Ok(Self {
            code,
            at: 0,
            end,
            set: first_set,
        })
    }

    /// The next 64 bits of the code, zeroes after its end.
    fn look_ahead(&self) -> u64 {
        let mut bytes = [0u8; 16];
        for (to, from) in bytes
            .iter_mut()
            .zip(self.code.iter().skip(self.at / 8).take(9))
        {
            *to = *from;
        }
        let word = (u128::from_le_bytes(bytes) >> (self.at % 8)).to_le_bytes();
        word.first_chunk().map_or(0, |low| u64::from_le_bytes(*low))
    }
}

impl Iterator for Decoder<'_> {
    type Item = Result<Run, BitmapCodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.end.checked_sub(self.at).filter(|&left| left > 0)?;
        let decoded = decode_run(self.look_ahead())
            .and_then(|(len, bits)| Some((len, usize::try_from(bits).ok()?)))
            .filter(|&(_, bits)| bits <= left);
        let Some((len, bits)) = decoded else {
            self.at = self.end;
            return Some(Err(BitmapCodeError::Truncated));
        };
        let run = Run { set: self.set, len };
        self.at = self.at.saturating_add(bits);
        self.set = !self.set;
        Some(Ok(run))
    }
}

/// Where a bitmap transfer stands, in either direction.
///
/// It is over with the code that tells the last bits, or else with a plain packet without words:
/// the plain packet before, which has the last bits, does not end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferCursor {
    bit: u64,
    bits: u64,
    done: bool,
}

impl TransferCursor {
    /// Starts the transfer of a bitmap of `bits` bits.
    pub const fn new(bits: u64) -> Self {
        Self {
            bit: 0,
            bits,
            done: false,
        }
    }

    /// Returns the next bit to transfer.
    pub const fn bit(&self) -> u64 {
        self.bit
    }

    /// Returns the 64-bit word that the next plain packet starts with.
    ///
    /// After coded packets this may go back to bits that were transferred already.
    pub const fn word(&self) -> u64 {
        self.bit / 64
    }

    /// Returns whether the transfer is over.
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Returns how many words the next plain packet has, if `max_payload` bytes fit; 0 at the end.
    pub fn plain_words(&self, max_payload: usize) -> u64 {
        if self.bit >= self.bits {
            return 0;
        }
        let left = self.bits.div_ceil(64).saturating_sub(self.word());
        u64::try_from(max_payload / 8).map_or(left, |room| left.min(room))
    }

    /// Steps over a plain packet of `words` words; the one without words is the last packet.
    pub fn skip_words(&mut self, words: u64) {
        self.done |= words == 0;
        let bit = self.word().saturating_add(words).saturating_mul(64);
        self.bit = bit.min(self.bits);
    }

    /// Steps over `bits` coded bits.
    pub fn skip_bits(&mut self, bits: u64) -> Result<(), BitmapCodeError> {
        match self.bit.checked_add(bits) {
            Some(bit) if bit <= self.bits => {
                self.bit = bit;
                self.done |= bit == self.bits;
                Ok(())
            }
            _ => Err(BitmapCodeError::Overflow),
        }
    }

    /// Checks the length of a received plain packet, and returns its number of words.
    ///
    /// The packet must be as long as `plain_words(max_payload)` says. Does not step over it.
    pub fn check_plain(&self, length: usize, max_payload: usize) -> Result<u64, BitmapCodeError> {
        let words = self.plain_words(max_payload);
        match usize::try_from(words)
            .ok()
            .and_then(|words| words.checked_mul(8))
        {
            Some(want) if want == length => Ok(words),
            _ => Err(BitmapCodeError::PlainLength),
        }
    }

    /// Takes a received code; calls `set_range(first, count)` for every run of set bits.
    ///
    /// After an error the bits of the runs before it were handed out already; the connection is
    /// to be dropped then.
    pub fn take_code(
        &mut self,
        decoder: Decoder<'_>,
        mut set_range: impl FnMut(u64, u64),
    ) -> Result<(), BitmapCodeError> {
        for run in decoder {
            let run = run?;
            let first = self.bit;
            self.skip_bits(run.len)?;
            if run.set {
                set_range(first, run.len);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "bitmap_code_tests.rs"]
mod tests;
