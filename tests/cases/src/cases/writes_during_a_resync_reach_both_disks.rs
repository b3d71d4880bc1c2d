// SPDX-License-Identifier: GPL-2.0

//! A Primary goes on writing while its peer is resynced: to what is copied already, to what is
//! not, and to what never was missing. Both disks end equal.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("writes_during_a_resync_reach_both_disks", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.resync_slowly(24, "400K")?;
    pair.b.await_proc("cs:SyncTarget")?;
    for at in [0, 23, 8, 28, 22] {
        pair.a.write_mib(at, 1)?;
    }
    pair.b.expect_proc("cs:SyncTarget")?;
    pair.resync_rate("512M")?;
    pair.await_in_sync()?;
    pair.expect_equal()
}
