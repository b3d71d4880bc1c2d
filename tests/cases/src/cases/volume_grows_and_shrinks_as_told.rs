// SPDX-License-Identifier: GPL-2.0

//! `resize --assume-clean` makes a volume grow without a resync; a Primary alone grows with
//! `--assume-peer-has-space`, and its peer gets what is new when it is back; `--size` makes the
//! volume smaller, and what is left of it keeps its data.

use std::time::Duration;

use anyhow::{ensure, Result};
use vm::side::{Side, LOWER};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("volume_grows_and_shrinks_as_told", run).limit(240);

/// Sectors of the lower devices, one after the other.
const SIZES: [u64; 3] = [32768, 40960, 65536];

/// What the volume is shrunk to, in sectors: 12 MiB.
const SMALL: u64 = 24576;

/// Where a node tells the size of its volume.
const SIZE: &str = "/sys/block/drbd0/size";

/// How long a change of the size may take.
const SOON: Duration = Duration::from_secs(60);

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        let part = side.part_of(LOWER, 0, SIZES[0])?;
        side.create_md_on(&part)?;
        side.new_resource()?;
        side.attach_to(&part, "")?;
    }
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    grow_clean(pair)?;
    grow_alone(pair)?;
    shrink(pair)
}

fn grow_clean(pair: &Pair<'_>) -> Result<()> {
    let before = pair.a.sectors()?;
    for side in [pair.a, pair.b] {
        side.resize_part(LOWER, 0, SIZES[1])?;
        side.ok("dmesg --clear")?;
    }
    pair.a.setup("resize 0 --assume-clean")?;
    await_another_size(pair, before)?;
    for side in [pair.a, pair.b] {
        side.expect_not_logged("(Resync of new storage|Began resync)")?;
        side.expect_proc("oos:0")?;
    }
    Ok(())
}

fn grow_alone(pair: &Pair<'_>) -> Result<()> {
    let before = pair.a.sectors()?;
    pair.b.disconnect(&pair.a)?;
    pair.a.await_event("connection:Connecting")?;
    pair.a.resize_part(LOWER, 0, SIZES[2])?;
    pair.a.setup("resize 0 --assume-peer-has-space")?;
    let new = pair.a.sectors()? - before;
    ensure!(new > 0, "node a has {before} sectors still");
    pair.b.resize_part(LOWER, 0, SIZES[2])?;
    pair.b.setup("resize 0 --assume-peer-has-space")?;
    pair.b.ok("dmesg --clear")?;
    pair.b.connect(&pair.a, "")?;
    pair.await_in_sync()?;
    pair.b.await_log("Began resync as SyncTarget")?;
    for side in [pair.a, pair.b] {
        await_size(&side, before + new)?;
    }
    pair.a.expect_proc("oos:0")?;
    pair.expect_equal()
}

fn shrink(pair: &Pair<'_>) -> Result<()> {
    pair.a.write_mib(0, 16)?;
    let kept = pair.a.sum_mib(0, 12)?;
    for side in [pair.a, pair.b] {
        side.ok("dmesg --clear")?;
    }
    pair.a.setup(&format!("resize 0 --size={SMALL}s"))?;
    for side in [pair.a, pair.b] {
        await_size(&side, SMALL)?;
    }
    ensure!(
        pair.a.sum_mib(0, 12)? == kept,
        "what is left is not what it was"
    );
    ensure!(
        !pair
            .a
            .sh("dd if=/dev/zero of=/dev/drbd0 bs=1M seek=12 count=1 oflag=direct")?
            .success(),
        "a write behind the end succeeded"
    );
    pair.a.write_mib(4, 8)?;
    for side in [pair.a, pair.b] {
        side.expect_not_logged("Began resync")?;
    }
    pair.expect_equal()
}

/// Waits until both volumes have another size, and the same.
fn await_another_size(pair: &Pair<'_>, former: u64) -> Result<()> {
    let reads = format!(
        "sh -c 'while [ $(cat {SIZE}) = {former} ]; do sleep 0.05; done; cat {SIZE}; sleep 99'"
    );
    let size = pair.a.await_in(&reads, "^[0-9]+$", SOON)?;
    await_size(&pair.b, size.parse()?)
}

/// Waits until the volume has so many sectors.
fn await_size(side: &Side<'_>, sectors: u64) -> Result<()> {
    let reads = format!("sh -c 'while cat {SIZE}; do sleep 0.05; done'");
    side.await_in(&reads, &format!("^{sectors}$"), SOON)
        .map(drop)
}
