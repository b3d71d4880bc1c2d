// SPDX-License-Identifier: GPL-2.0

//! How it is made sure that the peer's writes do not overtake each other on our disks.
//!
//! One method for all volumes of a resource: the best that the options of all attached disks
//! allow. Source of the rules: `drbd_bump_write_ordering` in `drivers/block/drbd/drbd_receiver.c`
//! of Linux 7.3.

use crate::engine::options::DiskOptions;

use super::effect::Effect;
use super::notice::Notice;
use super::Step;

/// What happens to the peer's barriers, the weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum WriteOrder {
    /// The administrator says that the disks keep the order by themselves: the writes before a
    /// barrier are not waited for, but its acknowledgement is.
    None,
    /// The writes before a barrier are waited for.
    Drain,
    /// They are waited for, and the disks are flushed.
    #[default]
    Flush,
}

impl WriteOrder {
    /// Its letter in `/proc/drbd` (`wo:`).
    pub fn letter(self) -> char {
        match self {
            WriteOrder::None => 'n',
            WriteOrder::Drain => 'd',
            WriteOrder::Flush => 'f',
        }
    }

    /// Its name in log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            WriteOrder::None => "none",
            WriteOrder::Drain => "drain",
            WriteOrder::Flush => "flush",
        }
    }

    /// The best method that is no better than `self` and that a disk's options allow.
    fn allowed_by(self, options: &DiskOptions) -> Self {
        match self {
            WriteOrder::Flush if options.disk_flushes => WriteOrder::Flush,
            WriteOrder::Flush | WriteOrder::Drain if options.disk_drain => WriteOrder::Drain,
            _ => WriteOrder::None,
        }
    }
}

impl Step<'_> {
    /// A disk came, or its options changed: the best method is tried again.
    pub(super) fn choose_write_order(&mut self) {
        self.set_write_order(WriteOrder::Flush);
    }

    /// A disk cannot be flushed at all.
    pub(super) fn flush_unsupported(&mut self) {
        self.set_write_order(self.resource.write_order.min(WriteOrder::Drain));
    }

    fn set_write_order(&mut self, best: WriteOrder) {
        let disks = self.volumes.iter().filter(|v| v.disk.is_some());
        let order = disks.fold(best, |order, v| order.allowed_by(&v.options));
        let old = core::mem::replace(&mut self.resource.write_order, order);
        if old != order {
            self.push(Effect::SetWriteOrder { order });
            self.push(Effect::Notice {
                volume: None,
                notice: Notice::WriteOrder { order },
            });
        }
    }
}

#[cfg(test)]
#[path = "write_order_tests.rs"]
mod tests;
