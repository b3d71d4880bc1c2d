// SPDX-License-Identifier: GPL-2.0

//! Discards and writes of zeroes, cut to what the lower device does well.
//!
//! A device may ignore what it discards in part only, and then the range reads as something else
//! than on the other node. So only whole units of the device are discarded, and the rest of the
//! range is zeroed: both nodes read zeroes wherever their devices return zeroes for what they
//! discarded.
//!
//! Source: `drivers/block/drbd/drbd_receiver.c` (`drbd_issue_discard_or_zero_out`).

use crate::engine::ids::{
    Extent,
    SECTOR_SIZE, //
};

use super::slot::Operation;
use super::{
    Storage,
    Ticket,
    Volume, //
};

/// What a lower device says of its discards; in sectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiscardLimits {
    /// Largest single discard; 0: it cannot discard.
    pub most: u32,
    /// The unit in which it discards; 0 counts as 1.
    pub granularity: u32,
    /// Where its first unit begins.
    pub alignment: u32,
}

/// What is to be done with a part of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartAction {
    /// Discard it.
    Discard,
    /// Write zeroes; `unmap`: the space may be given back.
    Zero {
        /// See above.
        unmap: bool,
    },
}

/// A part of a range that is discarded or zeroed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where.
    pub extent: Extent,
    /// What.
    pub action: PartAction,
}

/// The parts of a range, in order; see [`DiscardLimits::parts`].
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// Where the next part begins.
    at: u64,
    /// The whole units: from `first` to `last`.
    first: u64,
    last: u64,
    end: u64,
    most: u64,
    unmap: bool,
}

impl DiscardLimits {
    /// Cuts a discard, or a write of zeroes, to what this device does well. Other operations have
    /// no parts.
    pub fn parts(&self, operation: Operation, extent: Extent) -> Parts {
        let end = extent.end();
        let mut parts = Parts {
            at: extent.sector,
            first: end,
            last: end,
            end,
            most: 0,
            unmap: true,
        };
        match operation {
            Operation::Discard => self.find_units(&mut parts),
            Operation::Zeroes { unmap } => parts.unmap = unmap,
            Operation::Write | Operation::Flush | Operation::Read => parts.at = end,
        }
        parts
    }

    /// Whether the device discards the range in one piece.
    pub fn takes_whole(&self, extent: Extent) -> bool {
        let whole = Part {
            extent,
            action: PartAction::Discard,
        };
        self.parts(Operation::Discard, extent).next() == Some(whole)
    }

    fn find_units(&self, parts: &mut Parts) {
        let unit = u64::from(self.granularity.max(1));
        let offset = u64::from(self.alignment) % unit;
        // A size in bytes is what one request has.
        let most = u64::from(self.most.min(u32::MAX / SECTOR_SIZE));
        let most = most - most % unit;
        // Counted from the first unit, which may begin behind the range.
        let first = match parts.at.checked_sub(offset) {
            Some(behind) => behind.div_ceil(unit) * unit + offset,
            None => offset,
        };
        let last = match parts.end.checked_sub(offset) {
            Some(behind) => behind - behind % unit + offset,
            None => 0,
        };
        if most != 0 && first < last {
            (parts.first, parts.last, parts.most) = (first, last, most);
        }
    }
}

impl Iterator for Parts {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        if self.at >= self.end {
            return None;
        }
        let zero = PartAction::Zero { unmap: self.unmap };
        let (until, action) = if self.at < self.first {
            (self.first, zero)
        } else if self.at < self.last {
            let until = self.last.min(self.at.saturating_add(self.most));
            (until, PartAction::Discard)
        } else {
            (self.end, zero)
        };
        // The range has a size in bytes that fits, so its parts have.
        let sectors = u32::try_from(until.saturating_sub(self.at)).unwrap_or(0);
        let part = Part {
            extent: Extent::new(self.at, sectors.saturating_mul(SECTOR_SIZE)),
            action,
        };
        self.at = until;
        Some(part)
    }
}

impl<S: Storage> Volume<S> {
    /// What an operation is at the lower disk: where discards shall not be relied upon
    /// (`discard-zeroes-if-aligned no`), they are zeroes.
    pub(super) fn at_disk(&self, operation: Operation) -> Operation {
        match operation {
            Operation::Discard if !self.policy.discards => Operation::Zeroes { unmap: true },
            other => other,
        }
    }

    /// What the local half of a request does at the disk, and where.
    pub fn local_request(&self, ticket: Ticket) -> Option<(Operation, Extent)> {
        let slot = self.slots.get(ticket.index)?;
        let current = slot.ticket(ticket.index) == ticket;
        current.then(|| (self.at_disk(slot.operation), slot.extent))
    }
}

#[cfg(test)]
#[path = "discard_tests.rs"]
mod tests;
