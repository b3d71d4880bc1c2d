// SPDX-License-Identifier: GPL-2.0

//! A disk that fails is detached, and the application does not notice: its writes are served by
//! the peer's. When the disk is attached again it gets what it missed, and not everything.

use anyhow::Result;
use vm::side::LOWER;

use crate::{
    case::Case,
    pair::Pair,
    trouble::{attach_again, inject, ours, DATA_WRITES},
};

pub(crate) const CASE: Case = Case::new("failed_disk_comes_back_with_what_it_missed", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    let [ours, _] = ours(pair);
    pair.in_sync()?;
    inject(&ours, DATA_WRITES)?;
    pair.a.write_mib(1, 2)?;
    ours.await_event("^[a-z]+ device .* disk:Diskless")?;
    ours.ok("test $(cat /sys/module/tandem/parameters/fault_count) -gt 0")?;
    inject(&ours, 0)?;
    pair.a.write_mib(5, 1)?;
    // A Secondary ends its connection with its disk; while it connects, no disk is attached.
    ours.await_event("replication:Established")?;
    ours.ok("dmesg --clear")?;
    attach_again(&ours, LOWER, "")?;
    // Extents of 4 MiB, two at most; the disk has 32 MiB.
    ours.await_log_like("will sync [0-9]{1,4} KB")?;
    pair.await_in_sync()?;
    pair.expect_equal()
}
