// SPDX-License-Identifier: GPL-2.0

//! A table of slots with a fixed number of entries, each on at most one list.
//!
//! The storage is handed in once; taking, giving back and moving a slot never allocate.

use core::ops::DerefMut;

/// Marks the end of a list.
pub(super) const NIL: u32 = u32::MAX;

/// Names one of a table's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct List(pub(super) u8);

/// The list of free slots.
pub(super) const FREE: List = List(0);

/// Not a list: the slot is in use and on none.
pub(super) const ALONE: List = List(u8::MAX);

/// Lists that one table can have.
const LISTS: usize = 7;

/// How a slot hangs in its table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    prev: u32,
    next: u32,
    list: List,
    /// How often the slot was taken; never 0 while it is in use.
    generation: u32,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            prev: NIL,
            next: NIL,
            list: ALONE,
            generation: 0,
        }
    }
}

impl Links {
    pub(super) fn list(&self) -> List {
        self.list
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }
}

/// Something that can be a slot of a [`Table`].
pub(super) trait Entry: Default {
    fn links(&self) -> &Links;
    fn links_mut(&mut self) -> &mut Links;
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    head: u32,
    tail: u32,
}

/// Slots and their lists.
///
/// # Invariants
///
/// A slot is on exactly the list that its links name ([`ALONE`]: on none).
#[derive(Debug)]
pub(super) struct Table<B> {
    slots: B,
    lists: [Ends; LISTS],
    used: u32,
}

impl<B, T> Table<B>
where
    B: DerefMut<Target = [T]>,
    T: Entry,
{
    /// Makes all of `slots` free.
    pub(super) fn new(slots: B) -> Self {
        let mut table = Self {
            slots,
            lists: [Ends {
                head: NIL,
                tail: NIL,
            }; LISTS],
            used: 0,
        };
        for index in 0..table.len() {
            table.push_back(index, FREE);
        }
        table
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(NIL - 1)
    }

    /// Slots that are not free.
    pub(super) fn used(&self) -> u32 {
        self.used
    }

    /// Takes a free slot, reset to its default. It is [`ALONE`].
    pub(super) fn take(&mut self) -> Option<u32> {
        let index = self.first(FREE)?;
        self.unlink(index);
        let slot = self.slots.get_mut(index as usize)?;
        let generation = slot.links().generation.wrapping_add(1).max(1);
        *slot = T::default();
        slot.links_mut().generation = generation;
        self.used += 1;
        Some(index)
    }

    /// Gives a slot back; false if it was free, or is none.
    #[must_use]
    pub(super) fn put(&mut self, index: u32) -> bool {
        let taken = self.get(index).is_some_and(|s| s.links().list() != FREE);
        if taken {
            self.unlink(index);
            // Every slot that is not free is counted.
            self.used = self.used.saturating_sub(1);
            self.push_back(index, FREE);
        }
        taken
    }

    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)
    }

    /// First slot of a list.
    pub(super) fn first(&self, list: List) -> Option<u32> {
        let head = self.lists.get(usize::from(list.0))?.head;
        (head != NIL).then_some(head)
    }

    /// The slot behind `index` in its list.
    pub(super) fn after(&self, index: u32) -> Option<u32> {
        let next = self.get(index)?.links().next;
        (next != NIL).then_some(next)
    }

    /// Moves a slot to the end of a list, or to none ([`ALONE`]).
    pub(super) fn move_to(&mut self, index: u32, list: List) {
        self.unlink(index);
        self.push_back(index, list);
    }

    fn unlink(&mut self, index: u32) {
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return;
        };
        let Links {
            prev, next, list, ..
        } = *slot.links();
        let links = slot.links_mut();
        links.prev = NIL;
        links.next = NIL;
        links.list = ALONE;
        if let Some(before) = self.slots.get_mut(prev as usize) {
            before.links_mut().next = next;
        }
        if let Some(behind) = self.slots.get_mut(next as usize) {
            behind.links_mut().prev = prev;
        }
        if let Some(ends) = self.lists.get_mut(usize::from(list.0)) {
            if ends.head == index {
                ends.head = next;
            }
            if ends.tail == index {
                ends.tail = prev;
            }
        }
    }

    fn push_back(&mut self, index: u32, list: List) {
        let Some(ends) = self.lists.get_mut(usize::from(list.0)) else {
            return;
        };
        let tail = ends.tail;
        ends.tail = index;
        if tail == NIL {
            ends.head = index;
        } else if let Some(last) = self.slots.get_mut(tail as usize) {
            last.links_mut().next = index;
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            let links = slot.links_mut();
            links.prev = tail;
            links.list = list;
        }
    }
}
