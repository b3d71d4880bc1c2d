// SPDX-License-Identifier: GPL-2.0

//! With `resync-after` a resync waits until the one of another device is over, and both nodes show
//! for what it waits. To resume it by hand is refused.

use anyhow::Result;

use crate::{case::Case, pair::Pair, refusal};

pub(crate) const CASE: Case = Case::new("resync_waits_for_another_device", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.two_volumes("--resync-after=0", "500")?;
    refusal::of(&pair.b, "disk-options 0 --resync-after=1", 133)?;
    pair.b.await_proc(" 1: cs:PausedSyncT .* C rap")?;
    pair.a.await_proc(" 1: cs:PausedSyncS .* C rap")?;
    pair.b.await_event("volume:1 .*resync-suspended:.*dependency")?;
    refusal::of(&pair.b, "resume-sync 1", 156)?;
    pair.b.expect_proc(" 0: cs:SyncTarget")?;
    pair.a.setup("disk-options 0 --resync-rate=512M")?;
    pair.await_both_in_sync()?;
    pair.expect_equal()
}
