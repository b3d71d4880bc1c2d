// SPDX-License-Identifier: GPL-2.0

//! Resyncs that wait for another device's (`resync-after`), of any resource of the node. Pure
//! functions; the driver looks the devices up.

use crate::engine::control::RetCode;
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState, //
};

use super::{
    Step,
    VolumeRecord, //
};

/// The value of `resync-after` for "no other device".
const NONE: i32 = -1;

/// More devices than a chain ever has: should the options form a circle all the same, it ends.
const LONGEST: usize = 1 << 12;

/// What others who may wait for a device need to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The minor number that it waits for itself; -1: none.
    pub after: i32,
    /// It has a disk: else nobody waits for it, nor for those it waits for.
    pub has_disk: bool,
    /// It is being resynced or verified, or that is paused.
    pub busy: bool,
}

impl Default for Dependency {
    fn default() -> Self {
        Self {
            after: NONE,
            has_disk: false,
            busy: false,
        }
    }
}

impl Dependency {
    /// What others need to know of a volume.
    pub fn of(record: &VolumeRecord) -> Self {
        let state = record.state;
        Self {
            after: record.options.resync_after,
            has_disk: record.disk.is_some() && state.disk != DiskState::Diskless,
            busy: state.is_sync_paused()
                || (state.conn >= ConnState::SyncSource && state.conn <= ConnState::PausedSyncT),
        }
    }
}

/// Whether the resync of `minor` need not wait. `look` knows the devices by minor number; one that
/// does not exist is not waited for.
pub fn may_sync(minor: u32, look: impl Fn(u32) -> Option<Dependency>) -> bool {
    let mut next = look(minor);
    for _ in 0..LONGEST {
        let Some(device) = next.filter(|device| device.has_disk) else {
            return true;
        };
        let Ok(after) = u32::try_from(device.after) else {
            return true;
        };
        next = look(after);
        if next.is_some_and(|device| device.has_disk && device.busy) {
            return false;
        }
    }
    true
}

/// Whether `minor` may wait for `after`.
///
/// Errors: `ERR_RESYNC_AFTER` if that is no minor number, `ERR_RESYNC_AFTER_CYCLE` if it would wait
/// for itself.
pub fn check_after(
    minor: u32,
    after: i32,
    look: impl Fn(u32) -> Option<Dependency>,
) -> Result<(), RetCode> {
    let mut next = after;
    for _ in 0..LONGEST {
        if next == NONE {
            return Ok(());
        }
        let wanted = u32::try_from(next).map_err(|_| RetCode::ERR_RESYNC_AFTER)?;
        if wanted == minor {
            return Err(RetCode::ERR_RESYNC_AFTER_CYCLE);
        }
        let device = look(wanted).filter(|device| device.has_disk);
        next = device.map_or(NONE, |device| device.after);
    }
    Err(RetCode::ERR_RESYNC_AFTER_CYCLE)
}

impl Step<'_> {
    /// A resync of this volume has to wait for another device's, or not any more.
    pub(super) fn depends(&mut self, volume: usize, waits: bool) {
        let state = self.state(volume);
        self.force(
            volume,
            DeviceState {
                aftr_isp: waits,
                ..state
            },
        );
    }
}

#[cfg(test)]
#[path = "dependency_tests.rs"]
mod tests;
