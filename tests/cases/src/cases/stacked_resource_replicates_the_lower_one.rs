// SPDX-License-Identifier: GPL-2.0

//! A resource on top of another one: what is written to the upper device is on both disks of the
//! lower resource, and on the third disk. When the third site was away it gets what it missed.

use anyhow::{ensure, Result};
use vm::side::Side;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("stacked_resource_replicates_the_lower_one", run);

/// The upper resource's disk at the third site, which node b plays.
const THIRD: &str = "/dev/data2";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    for (side, lower) in [(pair.a, "/dev/drbd0"), (pair.b, THIRD)] {
        side.meta(&format!("--force 10 v08 {lower} internal create-md"))?;
        side.setup("new-resource upper")?;
        side.setup("new-minor upper 10 0")?;
        side.setup(&format!(
            "attach 10 {lower} {lower} internal --c-plan-ahead=0 --resync-rate=512M"
        ))?;
    }
    meet(&pair.a, &pair.b)?;
    meet(&pair.b, &pair.a)?;
    pair.a.await_proc("^10: cs:Connected")?;
    pair.a.setup("primary 10 --force")?;
    await_in_sync(pair)?;
    write(&pair.a, 0)?;
    expect_equal(pair)?;

    pair.b
        .setup(&format!("disconnect {}", addresses(&pair.b, &pair.a)))?;
    pair.a.await_proc("^10: cs:WFConnection")?;
    write(&pair.a, 4)?;
    meet(&pair.b, &pair.a)?;
    await_in_sync(pair)?;
    expect_equal(pair)?;

    pair.a.setup("down upper")?;
    pair.a.secondary()?;
    pair.expect_equal()
}

fn meet(side: &Side<'_>, peer: &Side<'_>) -> Result<()> {
    let addresses = addresses(side, peer);
    side.setup(&format!("connect upper {addresses} --protocol=C"))
        .map(drop)
}

fn addresses(side: &Side<'_>, peer: &Side<'_>) -> String {
    format!("ipv4:{}:7788 ipv4:{}:7788", side.address(), peer.address())
}

fn await_in_sync(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.await_proc("^10: cs:Connected .* ds:UpToDate/UpToDate")?;
    }
    Ok(())
}

fn write(side: &Side<'_>, mib: u32) -> Result<()> {
    side.ok(&format!(
        "dd if=/dev/urandom of=/dev/drbd10 oflag=direct conv=notrunc,fsync bs=1M seek={mib} \
         count=2 status=none"
    ))
    .map(drop)
}

/// All three disks have the same in the upper volume.
fn expect_equal(pair: &Pair<'_>) -> Result<()> {
    let bytes = 512 * pair.a.ok("cat /sys/block/drbd10/size")?.parse::<u64>()?;
    let sum = |side: &Side<'_>, device: &str| {
        side.ok(&format!(
            "dd if={device} iflag=direct,count_bytes bs=1M count={bytes} status=none | sha256sum"
        ))
    };
    let upper = sum(&pair.a, "/dev/drbd10")?;
    for (side, device) in [
        (&pair.a, "/dev/data1"),
        (&pair.b, "/dev/data1"),
        (&pair.b, THIRD),
    ] {
        let found = sum(side, device)?;
        ensure!(
            found == upper,
            "{device} of {}: {found}, and not {upper}",
            side.name()
        );
    }
    Ok(())
}
