// SPDX-License-Identifier: GPL-2.0

//! A Primary goes on writing while its peer is resynced: to what is copied already, to what is
//! not, and to what never was missing. Both disks end equal.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("writes_during_a_resync_reach_both_disks", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.b.disconnect(&pair.a)?;
    pair.a.await_event("connection:Connecting")?;
    pair.a.write_mib(0, 24)?;
    set_rate(pair, "400K")?;
    pair.b.connect(&pair.a, "")?;
    pair.b.await_proc("cs:SyncTarget")?;
    for at in [0, 23, 8, 28, 22] {
        pair.a.write_mib(at, 1)?;
    }
    pair.b.expect_proc("cs:SyncTarget")?;
    set_rate(pair, "512M")?;
    pair.await_in_sync()?;
    pair.expect_equal()
}

fn set_rate(pair: &Pair<'_>, rate: &str) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.setup(&format!("disk-options 0 --c-plan-ahead=0 --resync-rate={rate}"))?;
    }
    Ok(())
}
