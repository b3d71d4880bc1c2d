// SPDX-License-Identifier: GPL-2.0

//! A resync whose connection is lost goes on where it was when the nodes meet again: what is there
//! already is not copied a second time.

use anyhow::{ensure, Result};
use vm::Link;

use crate::{case::Case, log::kib_to_sync, pair::Pair};

pub(crate) const CASE: Case = Case::new("interrupted_resync_goes_on", run);

/// What node b misses, in MiB.
const MISSED: u32 = 24;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.b.ok("dmesg --clear")?;
    pair.resync_slowly(MISSED, "1M")?;
    // Less than 16,000 KiB are left.
    pair.b.await_proc("oos:(1[0-5]|[1-9])[0-9]{3}$")?;
    pair.cut()?;
    pair.resync_rate("512M")?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;
    let log = pair.b.ok("dmesg | grep 'will sync '")?;
    let amounts: Vec<u64> = log.lines().map(kib_to_sync).collect::<Result<_>>()?;
    ensure!(
        amounts.first() == Some(&(u64::from(MISSED) * 1024))
            && amounts.get(1).is_some_and(|&second| second < 16_000),
        "KiB to copy each time: {amounts:?}"
    );
    pair.expect_equal()
}
