// SPDX-License-Identifier: GPL-2.0

//! Who calls in the peer's name and tells its features one byte a second is left after a few
//! seconds, so that the real peer finds a place.

use anyhow::{ensure, Context, Result};

use crate::{
    case::{Case, TANDEM},
    false_peer::DRIP,
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("handshake_has_to_come_in_time", run).pairs(&[TANDEM]);

/// All of them would take 80; a part may take 2 (four times `ping-timeout`), the rest is a slow
/// machine.
const SECONDS: u32 = 30;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.a.connect(&pair.b, "--ping-timeout=5")?;
    pair.a.await_event("connection:Connecting")?;
    let drip = DRIP.on(&pair.b)?;
    let seconds = pair
        .b
        .ok(&format!("timeout 120 {drip} {}", pair.a.address()))?;
    let seconds: u32 = seconds.trim().parse().context("no number of seconds")?;
    ensure!(seconds <= SECONDS, "it was listened to for {seconds} s");
    pair.a.await_log("no handshake with the peer")?;

    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("connection:Connected").map(drop)
}
