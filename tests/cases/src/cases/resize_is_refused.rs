// SPDX-License-Identifier: GPL-2.0

//! `resize` is refused with DRBD's numbers, and without any effect: without a disk, between two
//! Secondaries, during a resync, for a log of a wrong shape, and where the device would shrink
//! unasked.

use anyhow::{ensure, Result};
use vm::side::{Side, LOWER};

use crate::{
    case::{Case, Drivers, TANDEM},
    pair::Pair,
    refusal,
};

pub(crate) const CASE: Case = Case::new("resize_is_refused", run)
    .pairs(&[TANDEM] as &[Drivers])
    .limit(240);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.a.new_resource()?;
    refused(&pair.a, "", 138)?;
    pair.a.setup("down r0")?;
    pair.connected()?;
    refused(&pair.a, "", 131)?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    refused(&pair.a, "--al-stripes=1 --al-stripe-size-kB=16", 168)?;
    refused(&pair.a, "--al-stripes=1024 --al-stripe-size-kB=16777216", 167)?;
    // There is room for that in no device of 32 MiB.
    refused(&pair.a, "--al-stripes=64 --al-stripe-size-kB=1024", 169)?;
    refused(&pair.a, "--al-stripes=4 --al-stripe-size-kB=64", 170)?;
    slow_resync(pair)?;
    refused(&pair.a, "", 130)?;
    pair.a.disconnect(&pair.b)?;
    refused(&pair.a, "--al-stripes=4 --al-stripe-size-kB=64", 166)?;
    // As the C module does: what is too large is cut, and told in the log.
    pair.a.setup("resize 0 --size=1G")?;
    pair.a.await_log("Requested disk size is too big")?;
    Ok(())
}

fn slow_resync(pair: &Pair<'_>) -> Result<()> {
    let slow = "disk-options 0 --c-plan-ahead=0 --resync-rate=500 --c-min-rate=0";
    pair.b.setup(slow)?;
    pair.b.setup("invalidate 0")?;
    pair.a.await_event("replication:SyncSource")?;
    Ok(())
}

fn refused(side: &Side<'_>, options: &str, code: i32) -> Result<()> {
    let look = format!(
        "cat /sys/block/drbd0/size; dd if={LOWER} iflag=direct bs=4k skip=8170 status=none | \
         sha256sum"
    );
    let before = side.ok(&look)?;
    refusal::of(side, &format!("resize 0 {options}"), code)?;
    let after = side.ok(&look)?;
    ensure!(before == after, "resize {options} was refused, but changed {before} to {after}");
    Ok(())
}
