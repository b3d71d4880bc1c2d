// SPDX-License-Identifier: GPL-2.0

//! The second node can be the source of the first sync as well: it fills the first one's disk with
//! its own data.

use anyhow::Result;
use vm::side::LOWER;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("initial_sync_from_b", run).every_pair();

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.b.ok(&format!("dd if=/dev/urandom of={LOWER} bs=1M count=24 oflag=direct"))?;
    pair.connected()?;
    pair.b.expect_proc("ds:Inconsistent/Inconsistent")?;
    pair.b.primary_force()?;
    pair.a.await_event("replication:SyncTarget|disk:UpToDate")?;
    pair.await_in_sync()?;
    pair.b.expect_proc("ro:Primary/Secondary")?;
    pair.a.expect_proc("ro:Secondary/Primary")?;
    pair.expect_equal()
}
