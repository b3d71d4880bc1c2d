// SPDX-License-Identifier: GPL-2.0

//! Unloading a driver.

use anyhow::{bail, Result};
use vm::{
    side::{Side, RESOURCE},
    Driver,
};

/// The module's name.
pub(crate) fn module(side: &Side<'_>) -> &'static str {
    match side.driver() {
        Driver::Tandem => "tandem",
        Driver::Drbd | Driver::None => "drbd",
    }
}

/// Takes the resource down and unloads the driver; fails if anything of it is left.
pub(crate) fn unload(side: &Side<'_>) -> Result<()> {
    side.setup(&format!("down {RESOURCE}"))?;
    side.ok(&format!("/payload/one-cpu rmmod {}", module(side)))?;
    let left = side.ok(
        "ls -d /proc/drbd /sys/block/drbd* /sys/kernel/debug/drbd 2>/dev/null; \
         grep -w drbd /proc/devices; ps -eo comm | grep -E '^(drbd|tandem)'; true",
    )?;
    if !left.is_empty() {
        bail!("node {}: something is left:\n{left}", side.name());
    }
    Ok(())
}
