// SPDX-License-Identifier: GPL-2.0

//! When a Primary has crashed, no more is copied than the extents of 4 MiB that it wrote to, which
//! are in its activity log. Without a log (`al-updates no`) everything is.

use anyhow::{ensure, Result};
use vm::side::LOWER;

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    log::kib_to_sync,
    pair::Pair,
    trouble::write_letter,
};

pub(crate) const CASE: Case = Case::new("only_active_extents_are_resynced_after_a_crash", run)
    .pairs(&[TANDEM, TANDEM_DRBD])
    .limit(240);

/// An active extent, in KiB.
const EXTENT: u64 = 4096;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let covered = crash_and_return(pair, "")?;
    ensure!(
        (1..=2 * EXTENT).contains(&covered),
        "{covered} KiB are resynced, not what two extents have"
    );
    pair.await_in_sync()?;
    pair.expect_equal()?;

    pair.a.primary()?;
    pair.a.setup("disk-options 0 --al-updates=no")?;
    let all = crash_and_return(pair, "--al-updates=no")?;
    let size = pair.a.sectors()? / 2;
    ensure!(all == size, "{all} KiB are resynced, not all {size}");
    pair.await_in_sync()?;
    pair.expect_equal()
}

/// Writes to two extents, cuts the power, and comes back; returns how many KiB the resync copies.
fn crash_and_return(pair: &Pair<'_>, options: &str) -> Result<u64> {
    pair.a.ok(&write_letter('x', 1))?;
    pair.a.ok(&write_letter('x', 4000))?;
    pair.b.ok("dmesg --clear")?;
    pair.a.kill()?;
    pair.b.await_apart()?;
    pair.a.start()?;
    pair.a.meta(&format!("0 v08 {LOWER} internal apply-al"))?;
    pair.a.new_resource()?;
    pair.a.attach_to(LOWER, options)?;
    pair.a.connect(&pair.b, "")?;
    kib_to_sync(&pair.b.await_log("will sync ")?)
}
