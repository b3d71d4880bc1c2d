// SPDX-License-Identifier: GPL-2.0

//! Tells the world what changed: the kernel log, user space, the block device's flags.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::Ordering;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::resource::Notice;
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role, //
};
use crate::resource::{
    Core,
    Resource, //
};

/// Shows a core formatting as a kernel one.
struct Line<'a>(fmt::Arguments<'a>);

impl kernel::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(self.0)
    }
}

/// Writes a line about a resource to the kernel log.
pub fn log(name: &str, line: fmt::Arguments<'_>) {
    pr_info!("drbd {}: {}\n", name, Line(line));
}

fn log_device(device: &Device, line: fmt::Arguments<'_>) {
    pr_info!(
        "drbd {}/{} drbd{}: {}\n",
        device.resource.name_str(),
        device.number,
        device.minor,
        Line(line)
    );
}

/// A volume's state changed.
pub fn changed(
    resource: &Arc<Resource>,
    core: &Core,
    device: &Arc<Device>,
    old: DeviceState,
    new: DeviceState,
) {
    let _ = (resource, core);
    log_device(device, format_args!("{:?}", Change(old, new)));
    if old.role != new.role {
        let primary = new.role == Role::Primary;
        device.primary.store(primary, Ordering::Release);
        device.with_disk(|disk| disk.set_read_only(!primary));
    }
    let attached = |d| d > DiskState::Attaching;
    if old.role != new.role || attached(old.disk) != attached(new.disk) {
        device.with_disk(|disk| disk.announce_change());
    }
}

/// What differs between two states, as DRBD's users know it from the log.
struct Change(DeviceState, DeviceState);

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change(old, new) = self;
        let mut part = |name: &str, from: &str, to: &str| {
            if from == to {
                Ok(())
            } else {
                write!(f, "{}( {} -> {} ) ", name, from, to)
            }
        };
        part("role", old.role.as_str(), new.role.as_str())?;
        part("peer", old.peer.as_str(), new.peer.as_str())?;
        part("conn", old.conn.as_str(), new.conn.as_str())?;
        part("disk", old.disk.as_str(), new.disk.as_str())?;
        part("pdsk", old.peer_disk.as_str(), new.peer_disk.as_str())?;
        let flag = |on| if on { "1" } else { "0" };
        part("susp", flag(old.is_suspended()), flag(new.is_suspended()))?;
        part("aftr_isp", flag(old.aftr_isp), flag(new.aftr_isp))?;
        part("peer_isp", flag(old.peer_isp), flag(new.peer_isp))?;
        part("user_isp", flag(old.user_isp), flag(new.user_isp))
    }
}

/// The connection's own state changed.
pub fn connection(resource: &Arc<Resource>, old: ConnState, new: ConnState) {
    resource.log(format_args!("conn( {} -> {} )", old.as_str(), new.as_str()));
}

/// Something that an administrator should know.
pub fn notice(resource: &Arc<Resource>, core: &Core, volume: Option<usize>, notice: Notice) {
    match volume.and_then(|volume| core.devices.get(volume)) {
        Some(device) => log_device(device, format_args!("{:?}", notice)),
        None => resource.log(format_args!("{:?}", notice)),
    }
}
