// SPDX-License-Identifier: GPL-2.0

//! A short list on the stack that costs nothing for places that are not used.

use core::mem::MaybeUninit;

/// A queue of at most `N` values in all: a place is not used again before [`ShortList::clear`].
pub struct ShortList<T, const N: usize> {
    /// Those from `start` to `end` are values.
    places: [MaybeUninit<T>; N],
    start: usize,
    end: usize,
}

impl<T, const N: usize> ShortList<T, N> {
    /// An empty list. Any context.
    #[inline]
    pub const fn new() -> Self {
        Self {
            places: [const { MaybeUninit::uninit() }; N],
            start: 0,
            end: 0,
        }
    }

    /// Adds a value at the end. Any context.
    ///
    /// Errors: the value, if there is no place.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), T> {
        match self.places.get_mut(self.end) {
            Some(place) => {
                place.write(value);
                self.end += 1;
                Ok(())
            }
            None => Err(value),
        }
    }

    /// Whether all values were taken out. Any context.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether there is no place for another value. Any context.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.end == N
    }

    /// Takes the first value out. Any context.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let place = self.places.get(self.start)?;
        self.start += 1;
        // SAFETY: A place between the old `start` and `end` is a value, and is none of them now.
        Some(unsafe { place.assume_init_read() })
    }

    /// Drops all values and makes all places free again. Any context in which the values may be
    /// dropped.
    #[inline]
    pub fn clear(&mut self) {
        while let Some(value) = self.pop() {
            drop(value);
        }
        self.start = 0;
        self.end = 0;
    }
}

impl<T, const N: usize> Default for ShortList<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Drop for ShortList<T, N> {
    #[inline]
    fn drop(&mut self) {
        self.clear();
    }
}
