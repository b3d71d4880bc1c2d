// SPDX-License-Identifier: GPL-2.0

//! `new-current-uuid --clear-bitmap` declares two fresh disks equal: both are good at once, nothing
//! is copied, and what is written from then on reaches both.

use anyhow::{ensure, Result};
use vm::side::LOWER;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("initial_sync_is_skipped", run).limit(240);

fn run(pair: &Pair<'_>) -> Result<()> {
    // What was not copied can be told by that.
    pair.a.ok(&format!(
        "printf different | dd of={LOWER} bs=1M seek=20 oflag=sync conv=notrunc status=none"
    ))?;
    pair.connected()?;
    pair.a.setup("new-current-uuid 0 --clear-bitmap")?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        side.expect_proc("oos:0")?;
        side.expect_not_logged("Began resync")?;
    }
    let (a, b) = (pair.a.lower_sum()?, pair.b.lower_sum()?);
    ensure!(a != b, "something was copied");
    pair.a.primary()?;
    pair.a.write_mib(0, 24)?;
    pair.expect_equal()?;
    // It is on disk, too: the generations are the same after the next attach.
    pair.a.secondary()?;
    for side in [pair.a, pair.b] {
        side.setup("down r0")?;
        side.ok(&format!("drbdmeta 0 v08 {LOWER} internal apply-al"))?;
        side.new_resource()?;
        side.attach()?;
    }
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        side.expect_not_logged("Began resync")?;
    }
    Ok(())
}
