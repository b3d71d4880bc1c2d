// SPDX-License-Identifier: GPL-2.0

//! `resize --assume-clean` makes a volume grow without a resync; a Primary alone grows with
//! `--assume-peer-has-space`, and its peer gets what is new when it is back; `--size` makes the
//! volume smaller, and what is left of it keeps its data.

use anyhow::{ensure, Result};
use vm::side::{DEVICE, LOWER};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("volume_grows_and_shrinks_as_told", run).limit(240);

/// Sectors of the lower devices, one after the other.
const SIZES: [u64; 3] = [32768, 40960, 65536];

/// What the volume is shrunk to, in sectors: 12 MiB.
const SMALL: u64 = 24576;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync_on_parts(SIZES[0], "")?;
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
    for side in [pair.a, pair.b] {
        side.await_log("Resync of new storage suppressed with --assume-clean")?;
    }
    let now = pair.a.sectors()?;
    ensure!(now > before, "node a has {before} sectors still");
    pair.b.await_sectors(now)?;
    for side in [pair.a, pair.b] {
        side.expect_not_logged("(Resync of new storage after|Began resync)")?;
        side.expect_proc("oos:0")?;
    }
    // What was there before on either disk is what it is until it is written.
    pair.a.ok(&format!(
        "dd if=/dev/urandom of={DEVICE} oflag=direct bs=4k seek={} count={} conv=notrunc",
        before / 8 - 64,
        (now - before) / 8 + 64
    ))?;
    pair.expect_equal()
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
        side.await_sectors(before + new)?;
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
        side.await_sectors(SMALL)?;
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
