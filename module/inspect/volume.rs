// SPDX-License-Identifier: GPL-2.0

//! Files about the metadata of a volume.
#![forbid(unsafe_code)]

use core::fmt;

use kernel::debugfs;
use kernel::sync::Arc;

use crate::device::Device;

/// `act_log_extents`: which extents the activity log has.
pub(super) struct LogExtents(pub(super) Arc<Device>);

impl debugfs::Writer for LogExtents {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v: 0\n\n")?;
        let Some(log) = self.0.volume.lock().log_use() else {
            return Ok(());
        };
        let seen = log.usage;
        writeln!(
            f,
            "\tact_log: used:{}/{} hits:{} misses:{} starving:{} locked:{} changed:{}",
            log.used, log.slots, seen.hits, seen.misses, seen.starving, seen.locked, seen.changed
        )?;
        f.write_str("\tnn: lc_number (new nr) refcnt \n ")?;
        for index in 0.. {
            // One at a time, as interrupts wait meanwhile.
            let Some(slot) = self.0.volume.lock().log_slot(index) else {
                break;
            };
            if index >= log.slots && slot.is_empty() {
                // It has left, as there are fewer now.
                continue;
            }
            let number = |extent: Option<u32>| extent.map_or(-1, i64::from);
            let (now, soon) = (number(slot.on_disk), number(slot.extent));
            if now == soon {
                writeln!(f, "\t{index:5}: {now:6} {:<8} {:6} ", "-\"-", slot.refs)?;
            } else {
                writeln!(f, "\t{index:5}: {now:6} {soon:8} {:6} ", slot.refs)?;
            }
        }
        Ok(())
    }
}

/// `resync_extents`: there is no such cache.
pub(super) struct ResyncExtents(pub(super) Arc<Device>);

impl debugfs::Writer for ResyncExtents {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v: 0\n\n")?;
        if self.0.lower().is_some() {
            f.write_str("\tresync: used:0/0 hits:0 misses:0 starving:0 locked:0 changed:0\n")?;
            f.write_str("\tnn: lc_number (new nr) refcnt rs_left flags\n ")?;
        }
        Ok(())
    }
}

/// `data_gen_id`: the four generations of the disk.
pub(super) struct Generations(pub(super) Arc<Device>);

impl debugfs::Writer for Generations {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uuids = self.0.glance(|record| {
            let disk = record.disk.as_ref();
            disk.map(|disk| disk.superblock.uuids)
        });
        let Some(uuids) = uuids.flatten() else {
            return Ok(());
        };
        let [first, second] = uuids.history;
        for uuid in [uuids.current, uuids.bitmap, first, second] {
            writeln!(f, "0x{uuid:016X}")?;
        }
        Ok(())
    }
}

/// `ed_gen_id`: the generation that applications have seen.
pub(super) struct Exposed(pub(super) Arc<Device>);

impl debugfs::Writer for Exposed {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exposed = self.0.glance(|record| record.exposed_uuid);
        writeln!(f, "0x{:016X}", exposed.unwrap_or(0))
    }
}
