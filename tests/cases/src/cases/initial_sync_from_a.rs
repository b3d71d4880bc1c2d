// SPDX-License-Identifier: GPL-2.0

//! A node that is made Primary by force fills its peer's disk with its own data.

use anyhow::Result;
use vm::side::LOWER;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("initial_sync_from_a", run).every_pair();

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.a.ok(&format!("dd if=/dev/urandom of={LOWER} bs=1M count=24 oflag=direct"))?;
    pair.connected()?;
    pair.a.expect_proc("ds:Inconsistent/Inconsistent")?;
    pair.a.primary_force()?;
    pair.b.await_event("replication:SyncTarget|disk:UpToDate")?;
    pair.await_in_sync()?;
    pair.a.expect_proc("ro:Primary/Secondary")?;
    pair.b.expect_proc("ro:Secondary/Primary")?;
    pair.expect_equal()
}
