// SPDX-License-Identifier: GPL-2.0

//! After `down` the module can be unloaded, and nothing of it is left: no device, no file in /proc,
//! no block major, no netlink family, no thread.

use anyhow::Result;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    unload::unload,
};

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
