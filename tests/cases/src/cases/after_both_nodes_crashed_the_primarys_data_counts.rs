// SPDX-License-Identifier: GPL-2.0

//! Both nodes lose their power while one of them writes. When they meet again, what was completed
//! is there, and only the extents of the activity log are copied: from the one that was Primary.

use anyhow::{ensure, Result};
use vm::side::DEVICE;

use crate::{case::Case, pair::Pair, trouble::begin};

pub(crate) const CASE: Case =
    Case::new("after_both_nodes_crashed_the_primarys_data_counts", run).limit(180);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.write_mib(3, 2)?;
    let good = pair.a.sum_mib(3, 2)?;
    // Writes that are under way, elsewhere.
    begin(
        &pair.a,
        "writer",
        &format!("dd if=/dev/urandom of={DEVICE} oflag=direct conv=notrunc bs=64k seek=128"),
    )?;
    pair.a.await_proc("lo:[1-9]")?;
    pair.a.kill()?;
    pair.b.kill()?;
    pair.returns(&pair.a)?;
    pair.returns(&pair.b)?;
    pair.await_in_sync()?;
    pair.b.await_log("Began resync as SyncTarget")?;
    pair.a.primary()?;
    ensure!(pair.a.sum_mib(3, 2)? == good, "completed writes are lost");
    pair.expect_equal()
}
