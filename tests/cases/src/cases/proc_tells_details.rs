// SPDX-License-Identifier: GPL-2.0

//! `proc_details` 1 adds to `/proc/drbd` where a resync is, how fast it went lately, and how the
//! activity log is used; 2 adds who waits for that.

use anyhow::{ensure, Result};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("proc_tells_details", run).pairs(&[TANDEM]);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let plain = pair.b.proc()?;
    ensure!(!plain.contains("act_log"), "details without being asked:\n{plain}");
    let second = plain.lines().nth(1).map(str::trim_end);
    ensure!(second == Some("srcversion: TANDEM"), "another source:\n{plain}");
    for side in [pair.a, pair.b] {
        side.ok("echo 2 >/sys/module/tandem/parameters/proc_details")?;
    }
    pair.resync_slowly(4, "200")?;
    pair.b.await_proc("% sector pos: [0-9]+/[0-9]+$")?;
    pair.b.await_proc("speed: .* \\([0-9,]+ -- [0-9,]+\\) want: ")?;
    pair.a.await_proc("act_log: used:[0-9]+/67 hits:[0-9]+ misses:[1-9]")?;
    pair.a.await_proc("blocked on activity log: 0")?;
    pair.a.setup("disk-options 0 --c-plan-ahead=0 --resync-rate=512M")?;
    pair.await_in_sync()
}
