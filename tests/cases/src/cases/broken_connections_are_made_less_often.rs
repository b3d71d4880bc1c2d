// SPDX-License-Identifier: GPL-2.0

//! Connections that end as soon as they are made are made less and less often: `connect-int`
//! apart, then twice as long, and so on.

use anyhow::{ensure, Context, Result};

use crate::{
    case::{Case, TANDEM},
    false_peer::CALLER,
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("broken_connections_are_made_less_often", run)
    .pairs(&[TANDEM])
    .limit(180);

/// For so many seconds a caller comes back as soon as it finds the node listening.
const SECONDS: u32 = 25;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.b.setup("down r0")?;
    let caller = CALLER.on(&pair.b)?;
    pair.a.connect(&pair.b, "--connect-int=1")?;
    pair.a.await_event("connection:Connecting")?;
    let calls = pair.b.ok(&format!(
        "end=$(($(date +%s) + {SECONDS})); n=0; while [ $(date +%s) -lt $end ]; do \
         {caller} {} '' && n=$((n + 1)); done; echo $n",
        pair.a.address()
    ))?;
    let calls: u32 = calls.trim().parse().context("no number of calls")?;
    // Pauses of 1, 2, 4, 8 and 8 s, and a little by chance.
    ensure!(
        (2..=8).contains(&calls),
        "{calls} connections in {SECONDS} s"
    );
    Ok(())
}
