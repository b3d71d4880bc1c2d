// SPDX-License-Identifier: GPL-2.0

//! A queue of fixed capacity.
#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::storage::array;

/// First in, first out; full is an answer, not a reason to grow.
pub struct Ring<T: Copy> {
    slots: KVVec<Option<T>>,
    head: usize,
    len: usize,
}

impl<T: Copy> Ring<T> {
    /// A queue for up to `capacity` items. May sleep.
    pub fn new(capacity: usize) -> Result<Self> {
        Ok(Self {
            slots: array(capacity, None)?,
            head: 0,
            len: 0,
        })
    }

    /// Items in the queue.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an item; false when the queue is full.
    #[must_use]
    pub fn push(&mut self, item: T) -> bool {
        if self.len == self.slots.len() {
            return false;
        }
        let at = (self.head + self.len) % self.slots.len();
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some(item);
            self.len += 1;
        }
        true
    }

    /// Takes the first item if it is one of those.
    pub fn pop_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        let first = self.slots.get(self.head)?.as_ref()?;
        if wanted(first) {
            self.pop()
        } else {
            None
        }
    }

    /// Takes the first item.
    pub fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let item = self.slots.get_mut(self.head)?.take();
        self.head = (self.head + 1) % self.slots.len();
        self.len -= 1;
        item
    }
}
