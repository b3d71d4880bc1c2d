// SPDX-License-Identifier: GPL-2.0

//! A peer whose machine answers pings, but which tells nothing of itself, is left after a while,
//! and looked for again. The C module waits for it for ever.

use anyhow::{ensure, Context, Result};

use crate::{
    case::{Case, TANDEM},
    false_peer::SILENT,
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("peer_that_tells_nothing_is_left_again", run)
    .pairs(&[TANDEM])
    .limit(180);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.b.setup("down r0")?;
    pair.a
        .connect(&pair.b, "--ping-int=2 --ping-timeout=50 --connect-int=1")?;
    pair.a.await_event("connection:Connecting")?;
    let silent = SILENT.on(&pair.b)?;
    let pings = pair
        .b
        .ok(&format!("timeout 120 {silent} {}", pair.a.address()))?;
    pair.a.await_log(
        "the peer leaves us in state WFReportParams for too long, dropping connection",
    )?;
    pair.a.await_event("connection:Connecting")?;
    let pings: u32 = pings.trim().parse().context("no number of pings")?;
    ensure!(
        pings > 1,
        "{pings} pings were answered: that peer seemed dead"
    );
    Ok(())
}
