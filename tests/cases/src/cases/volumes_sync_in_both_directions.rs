// SPDX-License-Identifier: GPL-2.0

//! Two volumes of one resource are resynced at the same time, each from the other node.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("volumes_sync_in_both_directions", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.two_volumes("", "512M")?;
    pair.await_both_in_sync()?;
    for minor in [0, 1] {
        pair.a.setup(&format!("secondary {minor}"))?;
        pair.a.setup(&format!("disk-options {minor} --resync-rate=500"))?;
    }
    pair.a.setup("invalidate 0")?;
    pair.b.setup("invalidate 1")?;
    pair.a.await_proc(" 0: cs:SyncTarget .* ds:Inconsistent/UpToDate")?;
    pair.a.await_proc(" 1: cs:SyncSource .* ds:UpToDate/Inconsistent")?;
    pair.b.await_proc(" 0: cs:SyncSource ")?;
    pair.b.await_proc(" 1: cs:SyncTarget ")?;
    for minor in [0, 1] {
        pair.a.setup(&format!("disk-options {minor} --resync-rate=512M"))?;
    }
    pair.await_both_in_sync()?;
    pair.expect_equal()
}
