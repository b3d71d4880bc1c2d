// SPDX-License-Identifier: GPL-2.0

//! A resync that was paused on both nodes goes on when both were resumed, and not before. What
//! changes nothing is refused with the number that says why.

use anyhow::Result;

use crate::{case::Case, pair::Pair, refusal};

pub(crate) const CASE: Case = Case::new("paused_resync_waits_for_both_nodes", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.resync_slowly(4, "200")?;
    pair.b.await_event("replication:SyncTarget")?;
    pair.a.setup("pause-sync 0")?;
    refusal::of(&pair.a, "pause-sync 0", 134)?;
    pair.b.await_proc("cs:PausedSyncT .* C r-p-")?;
    pair.b.setup("pause-sync 0")?;
    pair.a.await_proc("cs:PausedSyncS .* C r-pu")?;
    pair.a.setup("resume-sync 0")?;
    // The peer keeps it.
    refusal::of(&pair.a, "resume-sync 0", 157)?;
    pair.a.expect_proc("cs:PausedSyncS")?;
    pair.b.setup("resume-sync 0")?;
    pair.a.await_proc("cs:SyncSource .* C r---")?;
    refusal::of(&pair.a, "resume-sync 0", 135)?;
    pair.a.setup("disk-options 0 --c-plan-ahead=0 --resync-rate=512M")?;
    pair.await_in_sync()?;
    pair.expect_equal()
}
