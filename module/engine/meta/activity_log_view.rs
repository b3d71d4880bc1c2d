// SPDX-License-Identifier: GPL-2.0

//! What a monitor is shown of the activity log's slots.

use crate::engine::storage::Storage;

use super::activity_log::ActivityLog;
use super::activity_log_block::FREE;

/// What a slot of the log has, as a monitor is shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSlotView {
    /// The extent on disk.
    pub on_disk: Option<u32>,
    /// The extent that it is given to.
    pub extent: Option<u32>,
    /// How many requests refer to it.
    pub refs: u32,
}

impl LogSlotView {
    /// Whether it has no extent, neither on disk nor soon.
    pub fn is_empty(&self) -> bool {
        self.on_disk.is_none() && self.extent.is_none()
    }
}

impl<S: Storage> ActivityLog<S> {
    /// What one of the slots has; `None` behind the last one.
    pub fn look_at(&self, index: u16) -> Option<LogSlotView> {
        let slot = self.slot(u32::from(Some(index).filter(|i| *i < self.slot_count())?))?;
        let named = |extent| (extent != FREE).then_some(extent);
        Some(LogSlotView {
            on_disk: named(slot.on_disk),
            extent: named(slot.extent),
            refs: slot.refs,
        })
    }
}
