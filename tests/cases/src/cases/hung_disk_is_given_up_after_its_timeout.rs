// SPDX-License-Identifier: GPL-2.0

//! A disk that does not answer for longer than `disk-timeout` is given up: reads and writes that
//! were waiting for it are served by the peer. It stays Failed until it has answered everything;
//! what it writes so late is overwritten by the resync.

use anyhow::{ensure, Result};
use vm::side::LOWER;

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
    trouble::{attach_again, expect_letter, hang, in_sync_on_fragile, wake, write_letter},
};

// Not with the C module on node a: its kernel panics when the disk answers at last.
pub(crate) const CASE: Case =
    Case::new("hung_disk_is_given_up_after_its_timeout", run).pairs(&[TANDEM, TANDEM_DRBD]);

fn run(pair: &Pair<'_>) -> Result<()> {
    let lower = in_sync_on_fragile(pair)?;
    pair.a.ok(&write_letter('x', 5))?;
    // Slow machines are not hung disks.
    pair.a.setup("disk-options 0 --disk-timeout=40")?;

    hang(&pair.a)?;
    pair.a.ok(&write_letter('y', 5))?;
    expect_letter(&pair.a, 'y', 5)?;
    pair.a.ok(&write_letter('z', 5))?;
    pair.a
        .await_log("Local backing device failed to meet the disk-timeout")?;
    pair.a.expect_proc("ds:Failed/UpToDate")?;
    let again = pair
        .a
        .try_setup(&format!("attach 0 {LOWER} {LOWER} internal"))?;
    ensure!(!again.success(), "a disk in use was attached anew");
    wake(&pair.a)?;
    pair.a.await_event("^[a-z]+ device .* disk:Diskless")?;
    attach_again(&pair.a, &lower, "")?;
    pair.await_in_sync()?;
    expect_letter(&pair.a, 'z', 5)?;
    ensure!(pair.a.sum_of(&lower)? == pair.b.lower_sum()?, "the disks differ");
    pair.a.setup("down r0")?;
    pair.a.no_part()
}
