// SPDX-License-Identifier: GPL-2.0

//! A flush, and a write that is forced to the medium, flush both lower disks, each time; without
//! them nothing does.

use anyhow::{ensure, Result};
use vm::side::{Side, DEVICE};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("flushes_reach_both_disks", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let write = format!("dd if=/dev/zero of={DEVICE} bs=4096 count=1 conv=notrunc status=none");
    // The first write to an extent is in the log, and that is flushed, too.
    pair.a.ok(&format!("{write} oflag=direct conv=notrunc,fsync"))?;
    for forced in ["oflag=direct,dsync", "oflag=direct conv=notrunc,fsync"] {
        let before = [flushes(&pair.a)?, flushes(&pair.b)?];
        pair.a.ok(&format!("{write} {forced}"))?;
        for (side, before) in [pair.a, pair.b].iter().zip(before) {
            // The peer's disk is flushed at the barrier, which no flush of ours waits for.
            side.ok(&format!("until [ $({COUNT}) -gt {before} ]; do :; done"))?;
        }
    }
    let own = flushes(&pair.a)?;
    pair.a.ok(&format!("{write} oflag=direct"))?;
    let after = flushes(&pair.a)?;
    ensure!(own == after, "a write alone made {} flushes", after - own);
    pair.expect_equal()
}

/// Flushes that the lower disk has done.
const COUNT: &str = "awk '{ print $16 }' /sys/block/vdb/stat";

fn flushes(side: &Side<'_>) -> Result<u64> {
    Ok(side.ok(COUNT)?.trim().parse()?)
}
