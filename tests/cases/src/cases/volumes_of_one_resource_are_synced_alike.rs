// SPDX-License-Identifier: GPL-2.0

//! Three volumes share one connection: each is synced, written and resynced by itself, after a cut
//! just what was written to it meanwhile.

use anyhow::{ensure, Result};
use vm::{
    side::{Side, LOWER},
    Link,
};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case =
    Case::new("volumes_of_one_resource_are_synced_alike", run).limit(240);

/// Sectors of each part, 10 MiB.
const SECTORS: u64 = 20480;

/// Blocks that are written to each volume while the link is cut.
const WRITTEN: [u64; 3] = [0, 3, 40];

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.setup("new-resource r0")?;
        for volume in 0..3 {
            let (first, part) = (volume * SECTORS, format!("/dev/mapper/part{volume}"));
            side.ok(&format!(
                "dmsetup create part{volume} --table '0 {SECTORS} linear {LOWER} {first}' && \
                 dmsetup mknodes"
            ))?;
            side.meta(&format!("--force {volume} v08 {part} internal create-md"))?;
            side.setup(&format!("new-minor r0 {volume} {volume}"))?;
            side.setup(&format!(
                "attach {volume} {part} {part} internal --c-plan-ahead=0 --resync-rate=512M \
                 --c-min-rate=0"
            ))?;
        }
    }
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("connection:Connected")?;
    for volume in 0..3 {
        pair.a.setup(&format!("primary {volume} --force"))?;
    }
    in_sync(pair)?;
    pair.cable(Link::Down)?;
    pair.a.await_event("connection:Connecting")?;
    for side in [pair.a, pair.b] {
        side.ok("dmesg --clear")?;
    }
    for (volume, count) in WRITTEN.iter().enumerate().filter(|(_, count)| **count > 0) {
        pair.a.ok(&format!(
            "dd if=/dev/urandom of=/dev/drbd{volume} oflag=direct conv=notrunc bs=4096 \
             count={count} seek={volume}00 status=none"
        ))?;
    }
    pair.cable(Link::Up)?;
    pair.b.await_event("connection:Connected")?;
    for count in WRITTEN.iter().filter(|count| **count > 0) {
        let text = format!("(will sync {} KB [{count} bits set])", count * 4);
        pair.a.await_log(&text)?;
    }
    in_sync(pair)
}

/// All volumes on both nodes, with equal data.
fn in_sync(pair: &Pair<'_>) -> Result<()> {
    let good = "ds:UpToDate/UpToDate";
    for side in [pair.a, pair.b] {
        side.ok(&format!(
            "until [ $(grep -c 'cs:Connected.*{good}' /proc/drbd) = 3 ]; do :; done"
        ))?;
    }
    let (a, b) = (sums(&pair.a)?, sums(&pair.b)?);
    ensure!(a == b, "the disks differ:\n{a}\n{b}");
    // The end of a resync is told behind a ping. (`engine/life_tests.rs` has what may go wrong.)
    for side in [pair.a, pair.b] {
        side.ok("! dmesg | grep 'PingAck did not arrive'")?;
    }
    Ok(())
}

fn sums(side: &Side<'_>) -> Result<String> {
    side.ok(
        "for i in 0 1 2; do dd if=/dev/mapper/part$i iflag=direct,count_bytes bs=512k \
         count=$(($(cat /sys/block/drbd$i/size) * 512)) status=none | sha256sum; done",
    )
}
