// SPDX-License-Identifier: GPL-2.0

//! After `down` the module can be unloaded, and nothing of it is left: no device, no file in /proc,
//! no block major, no netlink family, no thread.

use anyhow::{bail, Result};
use vm::side::{Side, RESOURCE};
use vm::Driver;

use crate::{case::{Case, TANDEM}, pair::Pair};

pub(crate) const CASE: Case = Case::new("unload_leaves_nothing", run).pairs(&[TANDEM]);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.write_mib(0, 2)?;
    for side in [pair.b, pair.a] {
        if side.name() == "a" {
            side.secondary()?;
        }
        unload(&side)?;
        // And it can come back, but not for more devices than there may be.
        side.ok("! /payload/one-cpu insmod /payload/tandem.ko minor_count=256 2>/dev/null")?;
        side.await_log("invalid minor_count (256)")?;
        side.ok("/payload/load-driver")?;
        side.expect_proc("version: 8.4")?;
    }
    Ok(())
}

fn unload(side: &Side<'_>) -> Result<()> {
    side.setup(&format!("down {RESOURCE}"))?;
    let module = match side.driver() {
        Driver::Tandem => "tandem",
        Driver::Drbd | Driver::None => "drbd",
    };
    side.ok(&format!("/payload/one-cpu rmmod {module}"))?;
    let left = side.ok(
        "ls -d /proc/drbd /sys/block/drbd* /sys/kernel/debug/drbd 2>/dev/null; \
         grep -w drbd /proc/devices; ps -eo comm | grep -E '^(drbd|tandem)'; true",
    )?;
    if !left.is_empty() {
        bail!("node {}: something is left:\n{left}", side.name());
    }
    Ok(())
}
