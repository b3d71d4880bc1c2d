// SPDX-License-Identifier: GPL-2.0

//! The value of `cpu-mask`: which processors the threads of a resource run on.
//!
//! Hexadecimal digits; commas part groups of 32 bits, the highest first. Source: `bitmap_parse` in
//! `lib/bitmap-str.c`, as `set_resource_options` of `drivers/block/drbd/drbd_main.c` uses it: what
//! is too much for a group is cut off.

/// A set of processors, by number; none: all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuMask(pub u128);

impl CpuMask {
    /// Reads the option's text; `None` if it is no mask.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let mut mask = 0u128;
        for group in text.split(',') {
            let mut bits = 0u32;
            for digit in group.chars() {
                bits = (bits << 4) | digit.to_digit(16)?;
            }
            mask = (mask << 32) | u128::from(bits);
        }
        Some(Self(mask))
    }

    /// Processors 0 to 63, and 64 to 127: a bit for each.
    pub fn words(self) -> [u64; 2] {
        // The halves, each cut to its size.
        [self.0 as u64, (self.0 >> 64) as u64]
    }
}

#[cfg(test)]
#[path = "cpu_mask_tests.rs"]
mod tests;
