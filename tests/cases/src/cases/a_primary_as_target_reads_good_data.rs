// SPDX-License-Identifier: GPL-2.0

//! A Primary that gets its disk back is the target of a resync, and reads good data all the while:
//! what its own disk misses comes from the peer.

use anyhow::{ensure, Result};
use vm::side::LOWER;

use crate::{case::Case, pair::Pair, trouble::attach_again};

pub(crate) const CASE: Case = Case::new("a_primary_as_target_reads_good_data", run);

/// What its disk misses, in MiB.
const MISSED: u32 = 16;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.setup("detach 0")?;
    pair.a.write_mib(0, MISSED)?;
    let good = pair.a.sum_mib(0, MISSED)?;
    // Each takes over what the other one says of its rates.
    pair.b.setup("disk-options 0 --c-plan-ahead=0 --resync-rate=300K")?;
    attach_again(&pair.a, LOWER, "--resync-rate=300K")?;
    pair.a.await_proc("cs:SyncTarget ro:Primary")?;
    ensure!(pair.a.sum_mib(0, MISSED)? == good, "other data while the disk is resynced");
    pair.a.expect_proc("cs:SyncTarget ro:Primary")?;
    pair.a.setup("disk-options 0 --resync-rate=512M")?;
    pair.await_in_sync()?;
    ensure!(pair.a.sum_mib(0, MISSED)? == good, "other data when the disk is resynced");
    pair.expect_equal()
}
