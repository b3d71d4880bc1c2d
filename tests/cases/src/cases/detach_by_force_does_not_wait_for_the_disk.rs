// SPDX-License-Identifier: GPL-2.0

//! `detach --force` takes a disk away that does not answer, at once: what comes later is served by
//! the peer. What the disk has of the application's own memory is waited for. It also ends a
//! `disconnect` that such a disk holds up.

use anyhow::Result;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{
        attach_again, await_end, begin, begin_disconnect, expect_letter, expect_running, hang,
        in_sync_on_fragile, wake, write_letter,
    },
};

pub(crate) const CASE: Case =
    Case::new("detach_by_force_does_not_wait_for_the_disk", run).pairs(&[TANDEM]);

fn run(pair: &Pair<'_>) -> Result<()> {
    let lower = in_sync_on_fragile(pair)?;
    pair.a.ok(&write_letter('x', 5))?;

    hang(&pair.a)?;
    begin(&pair.a, "old", &write_letter('y', 5))?;
    pair.a.await_proc("lo:1")?;
    pair.a.setup("detach 0 --force")?;
    pair.b.await_event("peer-disk:Failed")?;
    pair.a.ok(&write_letter('z', 6))?;
    expect_letter(&pair.a, 'z', 6)?;
    expect_running(&pair.a, "old")?;
    pair.a.expect_proc("ds:Failed/UpToDate")?;
    wake(&pair.a)?;
    await_end(&pair.a, "old", 0)?;
    pair.a.await_event("^[a-z]+ device .* disk:Diskless")?;
    expect_letter(&pair.a, 'y', 5)?;

    attach_again(&pair.a, &lower, "")?;
    pair.await_in_sync()?;
    hang(&pair.a)?;
    begin_disconnect(&pair.a)?;
    pair.a.await_log("-> Disconnecting")?;
    pair.a.setup("detach 0 --force")?;
    await_end(&pair.a, "disconnect", 0)?;
    wake(&pair.a)?;
    pair.a.await_event("^[a-z]+ device .* disk:Diskless")?;
    pair.a.setup("down r0")?;
    pair.a.no_part()
}
