// SPDX-License-Identifier: GPL-2.0

//! The dirty bitmap: which blocks of 4 KiB differ, or may differ, from the peer's.
//!
//! Bit *n* stands for sectors *8n* to *8n + 7*; a set bit means "out of sync". On disk and on the
//! wire the bitmap is a string of 64-bit words, least significant byte and bit first. In memory the
//! words are native, and always whole pages of 4 KiB; bits past the end of the device are clear.
//!
//! A second, small bitmap remembers which pages changed since they were last taken for writing.
//!
//! Source: `drivers/block/drbd/drbd_int.h` (`BM_BLOCK_SHIFT`), `drbd_bitmap.c`, `drbd_actlog.c`
//! (rounding, `__drbd_change_sync`).

use crate::engine::ids::{
    Extent,
    BLOCK_SECTORS,
    SECTOR_SIZE, //
};
use crate::engine::storage::Storage;

/// Bytes of one bitmap page, the unit of bitmap I/O.
pub const PAGE_BYTES: usize = 4096;

/// Words of one bitmap page.
pub const PAGE_WORDS: usize = PAGE_BYTES / 8;

/// The same, as words are counted.
const WORDS_PER_PAGE: u64 = PAGE_WORDS as u64;

/// Bits of one bitmap page; it covers 128 MiB of the device.
pub const PAGE_BITS: u64 = 8 * 4096;

/// Returns the number of bits for a device of `sectors` sectors.
pub const fn bits_for(sectors: u64) -> u64 {
    sectors.div_ceil(BLOCK_SECTORS)
}

/// Returns the number of bitmap pages for a device of `sectors` sectors.
pub const fn pages_for(sectors: u64) -> u64 {
    bits_for(sectors).div_ceil(PAGE_BITS)
}

/// A bitmap's memory: its words, and its table of changed pages.
pub type Memory<S> = (<S as Storage>::Array<u64>, <S as Storage>::Array<u64>);

/// The memory handed in is too small for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall;

/// Bits `first..end`; empty if `first >= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u64,
    end: u64,
}

/// The dirty bitmap of one volume.
pub struct Bitmap<S: Storage> {
    words: S::Array<u64>,
    changed: S::Array<u64>,
    sectors: u64,
    bits: u64,
    weight: u64,
}

/// Turns a word or page number into an index. On 32-bit machines it may not fit, and finds nothing.
fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The bits of word `word` that lie in `span`.
fn mask(word: u64, span: Span) -> u64 {
    let base = word.saturating_mul(64);
    let low = span.first.saturating_sub(base).min(64);
    let high = span.end.saturating_sub(base).min(64);
    bits_below(high) & !bits_below(low)
}

/// A word with the bits below `n` set, `n` from 0 to 64.
fn bits_below(n: u64) -> u64 {
    match n {
        0..=63 => (1_u64 << n).saturating_sub(1),
        _ => u64::MAX,
    }
}

/// Number of the lowest set bit of word `n`, which is `word`.
fn bit_of(n: u64, word: u64) -> u64 {
    n.saturating_mul(64)
        .saturating_add(u64::from(word.trailing_zeros()))
}

/// The first of some words that is another one than `usual`, and where. Eight are looked at
/// together, as a large bitmap is one long run for the most part.
fn first_other(words: &[u64], usual: u64) -> Option<(usize, u64)> {
    const TOGETHER: usize = 8;
    let differ = |all: u64, word: &u64| all | (word ^ usual);
    let alike = words
        .chunks_exact(TOGETHER)
        .take_while(|eight| eight.iter().fold(0, differ) == 0)
        .count();
    let rest = words
        .iter()
        .enumerate()
        .skip(alike.saturating_mul(TOGETHER));
    let mut others = rest.filter(|&(_, &word)| word != usual);
    others.next().map(|(at, &word)| (at, word))
}

impl<S: Storage> Bitmap<S> {
    /// How many words the bitmap of a device of `sectors` sectors needs.
    pub fn words_needed(sectors: u64) -> u64 {
        pages_for(sectors).saturating_mul(WORDS_PER_PAGE)
    }

    /// How many words the table of changed pages needs.
    pub fn changed_needed(sectors: u64) -> u64 {
        pages_for(sectors).div_ceil(64)
    }

    /// What the words for [`Bitmap::resize`] have to be filled with.
    pub const fn filling(set_new: bool) -> u64 {
        if set_new {
            u64::MAX
        } else {
            0
        }
    }

    /// Makes a bitmap for a device of `sectors` sectors, with all bits clear.
    ///
    /// `words` and `changed` must have room for `words_needed` and `changed_needed` words, all
    /// zero: a large bitmap is not gone through once more.
    pub fn new(
        words: S::Array<u64>,
        changed: S::Array<u64>,
        sectors: u64,
    ) -> Result<Self, TooSmall> {
        let enough = words.len() >= index(Self::words_needed(sectors))
            && changed.len() >= index(Self::changed_needed(sectors));
        if !enough {
            return Err(TooSmall);
        }
        Ok(Self {
            words,
            changed,
            sectors,
            bits: bits_for(sectors),
            weight: 0,
        })
    }

    /// Makes a bitmap for another size out of this one, and gives back the old memory.
    ///
    /// Bits that both have are kept. New bits are set if `set_new`, else clear. All pages that
    /// differ from the old ones count as changed. If the new memory is too small nothing is done,
    /// and it is dropped. `words` have to be filled with what [`Bitmap::filling`] says, and
    /// `changed` with zeroes: what is new costs no time here, where interrupts wait.
    pub fn resize(
        &mut self,
        words: S::Array<u64>,
        changed: S::Array<u64>,
        sectors: u64,
        set_new: bool,
    ) -> Result<Memory<S>, TooSmall> {
        let mut new = Self::new(words, changed, sectors)?;
        let kept = self.bits.min(new.bits);
        let cut_off = self.bits.saturating_sub(kept);
        let added = new.bits.saturating_sub(kept);
        new.weight = self.weight.saturating_sub(self.weight_of(kept, cut_off));
        let common = index(kept.div_ceil(64));
        for (to, from) in new.words.iter_mut().zip(self.words.iter()).take(common) {
            *to = *from;
        }
        for (to, from) in new.changed.iter_mut().zip(self.changed.iter()) {
            *to = *from;
        }
        let pages = pages_for(sectors);
        for page in pages..(new.changed.len() as u64).saturating_mul(64) {
            new.set_changed(page, false);
        }
        for page in pages_for(self.sectors)..pages {
            new.set_changed(page, true);
        }
        if set_new && added != 0 {
            if kept % 64 != 0 {
                if let Some(word) = new.words.get_mut(index(kept / 64)) {
                    *word |= !bits_below(kept % 64);
                }
            }
            new.weight = new.weight.saturating_add(added);
            new.set_changed(Self::page_of(kept), true);
        }
        if new.trim() || set_new && added != 0 {
            new.set_changed(pages.saturating_sub(1), true);
        }
        let old = core::mem::replace(self, new);
        Ok((old.words, old.changed))
    }

    /// Clears the bits past the end; returns whether any was set. Does not count.
    fn trim(&mut self) -> bool {
        let mut any = false;
        let first = self.bits / 64;
        let span = Span {
            first: self.bits,
            end: u64::MAX,
        };
        for (word, n) in self.words.iter_mut().skip(index(first)).zip(first..) {
            let surplus = *word & mask(n, span);
            any |= surplus != 0;
            *word &= !surplus;
        }
        any
    }

    /// Size of the device, in sectors.
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Number of bits.
    pub fn bits(&self) -> u64 {
        self.bits
    }

    /// Number of set bits: blocks out of sync.
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Whether bit `bit` is set; not past the end.
    pub fn is_set(&self, bit: u64) -> bool {
        let word = self.words.get(index(bit / 64)).copied().unwrap_or(0);
        word >> (bit % 64) & 1 != 0
    }

    /// The first set bit at or after `from`.
    pub fn next_set(&self, from: u64) -> Option<u64> {
        self.next(from, 0)
    }

    /// The first clear bit at or after `from`.
    pub fn next_clear(&self, from: u64) -> Option<u64> {
        self.next(from, u64::MAX)
    }

    /// The first bit at or after `from` that is set once the words are XORed with `flip`.
    fn next(&self, from: u64, flip: u64) -> Option<u64> {
        if from >= self.bits {
            return None;
        }
        let first = from / 64;
        let (&word, rest) = self.words.get(index(first)..)?.split_first()?;
        let found = (word ^ flip) & !bits_below(from % 64);
        let bit = if found != 0 {
            bit_of(first, found)
        } else {
            let (passed, word) = first_other(rest, flip)?;
            let behind = first.saturating_add(1).saturating_add(passed as u64);
            bit_of(behind, word ^ flip)
        };
        (bit < self.bits).then_some(bit)
    }

    /// The end of a run, as `bitmap_code::encode` asks for it.
    pub fn run_end(&self, from: u64, set: bool) -> u64 {
        let end = if set {
            self.next_clear(from)
        } else {
            self.next_set(from)
        };
        end.unwrap_or(self.bits)
    }

    /// Sets `count` bits from `first` on; returns how many were clear. Stops at the end.
    pub fn set_range(&mut self, first: u64, count: u64) -> u64 {
        let n = self.update(first, count, |word, mask| word | mask);
        self.weight = self.weight.saturating_add(n);
        n
    }

    /// Clears `count` bits from `first` on; returns how many were set. Stops at the end.
    pub fn clear_range(&mut self, first: u64, count: u64) -> u64 {
        let n = self.update(first, count, |word, mask| word & !mask);
        self.weight = self.weight.saturating_sub(n);
        n
    }

    /// Applies `change` to all words of a range; returns how many bits it changed.
    fn update(&mut self, first: u64, count: u64, change: impl Fn(u64, u64) -> u64) -> u64 {
        let span = Span {
            first,
            end: first.saturating_add(count).min(self.bits),
        };
        if span.first >= span.end {
            return 0;
        }
        let (mut total, start) = (0_u64, span.first / 64);
        let words = index(span.end.div_ceil(64).saturating_sub(start));
        // Pages of the words that changed; words come in order, so each page is marked once.
        let mut page = u64::MAX;
        for (word, n) in self
            .words
            .iter_mut()
            .skip(index(start))
            .take(words)
            .zip(start..)
        {
            let new = change(*word, mask(n, span));
            if new == *word {
                continue;
            }
            total = total.saturating_add(u64::from((new ^ *word).count_ones()));
            *word = new;
            if page != n / WORDS_PER_PAGE {
                page = n / WORDS_PER_PAGE;
                if let Some(changed) = self.changed.get_mut(index(page / 64)) {
                    *changed |= 1 << (page % 64);
                }
            }
        }
        total
    }

    /// Number of set bits among `count` bits from `first` on.
    pub fn weight_of(&self, first: u64, count: u64) -> u64 {
        let span = Span {
            first,
            end: first.saturating_add(count).min(self.bits),
        };
        let start = span.first / 64;
        let words = index(span.end.div_ceil(64).saturating_sub(start));
        let words = self
            .words
            .iter()
            .skip(index(start))
            .take(words)
            .zip(start..);
        words
            .map(|(word, n)| u64::from((word & mask(n, span)).count_ones()))
            .sum()
    }

    /// Sets all bits.
    pub fn set_all(&mut self) {
        self.make_all(true);
    }

    /// Clears all bits.
    pub fn clear_all(&mut self) {
        self.make_all(false);
    }

    /// Sets or clears all bits; all pages count as changed, unless no bit changes. Word by word it
    /// would take long on the largest devices.
    fn make_all(&mut self, set: bool) {
        let weight = if set { self.bits } else { 0 };
        if self.weight == weight {
            return;
        }
        self.words.fill(Self::filling(set));
        self.trim();
        self.weight = weight;
        self.mark_all_pages();
    }

    /// The sectors of an extent that are on the device, as `first..end`.
    fn clip(&self, extent: Extent) -> Span {
        let sectors = u64::from(extent.bytes / SECTOR_SIZE);
        let end = extent.sector.saturating_add(sectors).min(self.sectors);
        Span {
            first: extent.sector,
            end,
        }
    }

    /// All blocks that the extent touches.
    fn touched(&self, extent: Extent) -> Span {
        let at = self.clip(extent);
        if at.first >= at.end {
            return Span { first: 0, end: 0 };
        }
        Span {
            first: at.first / BLOCK_SECTORS,
            end: bits_for(at.end),
        }
    }

    /// All blocks that lie within the extent; the device's last block may be a short one.
    fn contained(&self, extent: Extent) -> Span {
        let at = self.clip(extent);
        let end = if at.end == self.sectors {
            self.bits
        } else {
            at.end / BLOCK_SECTORS
        };
        Span {
            first: at.first.div_ceil(BLOCK_SECTORS),
            end,
        }
    }

    /// Marks an extent out of sync, rounded outwards to blocks; returns how many bits changed.
    pub fn set_out_of_sync(&mut self, extent: Extent) -> u64 {
        let span = self.touched(extent);
        self.set_range(span.first, span.end.saturating_sub(span.first))
    }

    /// Marks an extent in sync, rounded inwards to blocks; returns how many bits changed.
    pub fn set_in_sync(&mut self, extent: Extent) -> u64 {
        let span = self.contained(extent);
        self.clear_range(span.first, span.end.saturating_sub(span.first))
    }

    /// Whether no block that the extent touches is out of sync.
    pub fn is_in_sync(&self, extent: Extent) -> bool {
        let span = self.touched(extent);
        self.next_set(span.first).is_none_or(|bit| bit >= span.end)
    }

    /// Number of pages.
    pub fn pages(&self) -> u64 {
        pages_for(self.sectors)
    }

    /// The page that holds bit `bit`.
    pub const fn page_of(bit: u64) -> u64 {
        bit / PAGE_BITS
    }

    fn set_changed(&mut self, page: u64, changed: bool) {
        if let Some(word) = self.changed.get_mut(index(page / 64)) {
            let bit = 1 << (page % 64);
            *word = if changed { *word | bit } else { *word & !bit };
        }
    }

    /// Whether a page changed since it was last taken.
    pub fn is_page_changed(&self, page: u64) -> bool {
        let word = self.changed.get(index(page / 64)).copied().unwrap_or(0);
        word >> (page % 64) & 1 != 0
    }

    /// Marks a page as changed, as after its write failed.
    pub fn mark_page(&mut self, page: u64) {
        if page < self.pages() {
            self.set_changed(page, true);
        }
    }

    /// Marks all pages as changed, as when the bitmap moves on disk.
    pub fn mark_all_pages(&mut self) {
        for page in 0..self.pages() {
            self.set_changed(page, true);
        }
    }

    /// The first changed page at or after `from`.
    pub fn next_changed_page(&self, from: u64) -> Option<u64> {
        let first = from / 64;
        let mut ignore = bits_below(from % 64);
        for (word, n) in self.changed.iter().skip(index(first)).zip(first..) {
            let found = word & !ignore;
            if found != 0 {
                return Some(bit_of(n, found));
            }
            ignore = 0;
        }
        None
    }

    /// The words of a page.
    fn page_words(&mut self, page: u64) -> Option<&mut [u64]> {
        let first = index(page.checked_mul(WORDS_PER_PAGE)?);
        self.words.get_mut(first..first.checked_add(PAGE_WORDS)?)
    }

    /// Copies a page as it goes to disk, and forgets that it changed.
    ///
    /// Bits that change from now on mark it again. Returns `false`, with `image` untouched, if
    /// there is no such page.
    pub fn take_page(&mut self, page: u64, image: &mut [u8; PAGE_BYTES]) -> bool {
        let Some(words) = self.page_words(page) else {
            return false;
        };
        for (to, word) in image.chunks_exact_mut(8).zip(words.iter()) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        self.set_changed(page, false);
        true
    }

    /// Puts a page as it was read from disk in place of what is there.
    ///
    /// Bits past the end are dropped. The page counts as unchanged. Returns `false` if there is no
    /// such page.
    pub fn put_page(&mut self, page: u64, image: &[u8; PAGE_BYTES]) -> bool {
        let inside = Span {
            first: 0,
            end: self.bits,
        };
        let base = page.saturating_mul(WORDS_PER_PAGE);
        if self.weight == 0 && page < self.pages() && image.iter().all(|&byte| byte == 0) {
            // A large disk in sync: nothing that the memory does not say.
            self.set_changed(page, false);
            return true;
        }
        let Some(words) = self.page_words(page) else {
            return false;
        };
        let (mut gone, mut come) = (0_u64, 0_u64);
        for ((word, from), n) in words.iter_mut().zip(image.chunks_exact(8)).zip(base..) {
            gone = gone.saturating_add(u64::from(word.count_ones()));
            let bytes = from.first_chunk().copied().unwrap_or([0; 8]);
            *word = u64::from_le_bytes(bytes) & mask(n, inside);
            come = come.saturating_add(u64::from(word.count_ones()));
        }
        self.weight = self.weight.saturating_sub(gone).saturating_add(come);
        self.set_changed(page, false);
        true
    }

    /// Copies words as they go over the wire, from word `first` on, until `out` is full.
    ///
    /// Returns the number of bytes, a multiple of 8.
    pub fn get_words(&self, first: u64, out: &mut [u8]) -> usize {
        let words = self.words.iter().skip(index(first));
        let words = words.take(index(self.bits.div_ceil(64).saturating_sub(first)));
        let mut len = 0_usize;
        for (to, word) in out.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
            len = len.saturating_add(8);
        }
        len
    }

    /// Sets the bits that are set in words off the wire, from word `first` on.
    ///
    /// Bits past the end are ignored. Returns how many bits changed.
    pub fn merge_words(&mut self, first: u64, bytes: &[u8]) -> u64 {
        let mut total = 0_u64;
        for (from, n) in bytes.chunks_exact(8).zip(first..) {
            let theirs = u64::from_le_bytes(from.first_chunk().copied().unwrap_or([0; 8]));
            if theirs != 0 {
                let first = n.saturating_mul(64);
                let changed = self.update(first, 64, |word, mask| word | theirs & mask);
                total = total.saturating_add(changed);
            }
        }
        self.weight = self.weight.saturating_add(total);
        total
    }
}

#[cfg(test)]
#[path = "bitmap_tests.rs"]
mod tests;
