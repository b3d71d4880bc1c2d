// SPDX-License-Identifier: GPL-2.0

//! The clock of a node jumps, forwards and backwards, by minutes and by years, while an application
//! writes: the connection stays, nobody gives up anything, and a resync runs as ever.

use anyhow::{ensure, Result};
use vm::side::{Side, DEVICE};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{keep_writing, stop_writing},
};

pub(crate) const CASE: Case = Case::new("clock_jumps_change_nothing", run)
    .pairs(&[TANDEM])
    .by_turns();

/// In the words of `date`.
const JUMPS: [&str; 6] = [
    "+5 minutes",
    "-5 minutes",
    "+30 years",
    "-30 years",
    "+1 day",
    "-1 day",
];

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    keep_writing(&pair.a)?;
    for side in [pair.a, pair.b] {
        for jump in JUMPS {
            side.ok(&format!("date -s '{jump}'"))?;
            await_writes(&pair.a)?;
        }
    }
    for side in [pair.a, pair.b] {
        side.expect_not_logged("-> (ProtocolError|BrokenPipe|NetworkFailure|Timeout)")?;
    }
    pair.b.disconnect(&pair.a)?;
    await_writes(&pair.a)?;
    pair.b.ok("date -s '-1 hour'")?;
    pair.b.connect(&pair.a, "")?;
    pair.await_in_sync()?;
    pair.b.ok("date -s '+1 hour'")?;
    stop_writing(&pair.a)?;
    pair.expect_equal()
}

/// Waits until some writes have been completed.
fn await_writes(side: &Side<'_>) -> Result<()> {
    let count = "awk '{ print $5 }' /sys/block/drbd0/stat";
    let before: u64 = side.ok(count)?.parse()?;
    ensure!(before > 0, "nothing writes to {DEVICE}");
    side.ok(&format!(
        "until [ $({count}) -gt {} ]; do :; done",
        before + 8
    ))
    .map(drop)
}
