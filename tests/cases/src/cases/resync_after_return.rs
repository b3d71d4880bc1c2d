// SPDX-License-Identifier: GPL-2.0

//! A node that lost its power comes back as SyncTarget of what its peer wrote meanwhile, and both
//! disks end equal; then the roles can be swapped.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("resync_after_return", run).every_pair().limit(180);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.write_mib(0, 4)?;
    pair.a.kill()?;
    pair.b.await_apart()?;
    pair.b.primary()?;
    pair.b.write_mib(2, 8)?;
    pair.returns(&pair.a)?;
    pair.await_in_sync()?;
    pair.a.expect_proc("ro:Secondary/Primary")?;
    pair.expect_equal()?;
    pair.b.secondary()?;
    pair.a.primary()?;
    pair.a.write_mib(16, 2)?;
    pair.expect_equal()
}
