// SPDX-License-Identifier: GPL-2.0

//! `invalidate-remote` copies the whole disk to the peer, and the log says why so much.

use anyhow::Result;
use vm::{side::LOWER, Driver};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("invalidate_remote_copies_everything", run).limit(240);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    for side in [pair.a, pair.b] {
        side.ok("dmesg --clear")?;
    }
    // Behind everybody's back.
    pair.b.ok(&format!(
        "dd if=/dev/urandom of={LOWER} bs=1M seek=7 count=2 oflag=direct conv=notrunc status=none"
    ))?;
    let blocks = pair.a.sectors()? / 8;
    pair.a.setup("invalidate-remote 0")?;
    for (side, role) in [(pair.a, "SyncSource"), (pair.b, "SyncTarget")] {
        let synced = format!(
            "Began resync as {role} (will sync {} KB [{blocks} bits set])",
            blocks * 4
        );
        side.await_log(&synced)?;
        if side.driver() == Driver::Tandem {
            side.await_log("full sync required: it was invalidated")?;
        }
    }
    pair.await_in_sync()?;
    pair.expect_equal()
}
