// SPDX-License-Identifier: GPL-2.0

//! The power fails while `resize` moves the metadata to the new end: all is written there but the
//! superblock. The old metadata still counts, on the device as large as it was, and only what was
//! in the log is resynced. Asked again, the volume grows.

use anyhow::{ensure, Result};
use vm::side::{Side, LOWER};

use crate::{
    case::{Case, Drivers, TANDEM, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("power_cut_before_the_metadata_has_moved", run)
    .pairs(&[TANDEM, TANDEM_DRBD] as &[Drivers])
    .limit(240);

/// Sectors of the lower devices before and after.
const OLD: u64 = 32768;
const NEW: u64 = 49152;
const PART: &str = "/dev/mapper/part";

fn run(pair: &Pair<'_>) -> Result<()> {
    // A flush would wait for the block that takes nothing, below.
    pair.in_sync_on_parts(OLD, "--md-flushes=no")?;
    let before = pair.a.sectors()?;
    pair.a.write_mib(1, 1)?;
    pair.b.resize_part(LOWER, 0, NEW)?;
    // The last block, where the superblock is going to be, does not take anything.
    let (last, rest) = (NEW - 8, NEW - 8);
    pair.a.ok(&format!(
        "dmsetup create stuck --table '0 8 linear {LOWER} {last}' && dmsetup mknodes && \
         dmsetup suspend --noflush --nolockfs stuck && \
         printf '0 {rest} linear {LOWER} 0\\n{rest} 8 linear /dev/mapper/stuck 0\\n' | \
         dmsetup reload part && dmsetup resume part"
    ))?;
    pair.a.ok("drbdsetup resize 0 >/dev/null 2>&1 &")?;
    pair.a.await_log("the metadata moves")?;
    await_written(&pair.a)?;
    pair.a.kill()?;
    pair.a.start()?;
    pair.a.part_of(LOWER, 0, OLD)?;
    pair.a
        .ok(&format!("drbdmeta 0 v08 {PART} internal apply-al"))?;
    pair.a.new_resource()?;
    pair.a.attach_to(PART, "")?;
    ensure!(pair.a.sectors()? == before, "the size is neither old nor new");
    pair.a.connect(&pair.b, "")?;
    pair.await_in_sync()?;
    pair.expect_equal()?;
    pair.a.resize_part(LOWER, 0, NEW)?;
    pair.a.primary()?;
    pair.a.setup("resize 0")?;
    pair.a.await_log("Resync of new storage after online grow")?;
    pair.await_in_sync()?;
    ensure!(pair.a.sectors()? > before, "the volume did not grow");
    pair.expect_equal()
}

/// Waits until the log at the new place is written, as the last thing before the superblock: it
/// ends where the superblock begins.
fn await_written(side: &Side<'_>) -> Result<()> {
    let magic = "69cb65a2";
    let end = NEW - 16;
    side.ok(&format!(
        "until dd if={LOWER} iflag=direct bs=512 skip={end} count=1 status=none | \
         od -An -tx1 -N4 | tr -d ' ' | grep -q {magic}; do :; done"
    ))
    .map(drop)
}
