// SPDX-License-Identifier: GPL-2.0

//! A resource that has a connection is not connected to other addresses: that is refused, and it
//! goes by the addresses that it has.

use anyhow::{ensure, Result};

use crate::{
    case::{Case, TANDEM_DRBD},
    pair::Pair,
    refusal,
};

pub(crate) const CASE: Case =
    Case::new("a_second_connect_changes_nothing", run).pairs(&[TANDEM_DRBD]);

/// `ERR_NET_CONFIGURED`.
const CONFIGURED: i32 = 125;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    for side in [pair.a, pair.b] {
        side.await_event("connection:Connected")?;
        let others = "connect r0 ipv4:10.99.7.1:7999 ipv4:10.99.7.2:7999";
        refusal::of(&side, others, CONFIGURED)?;
        let shown = side.ok("drbdsetup show r0")?;
        ensure!(
            shown.contains(":7789") && !shown.contains(":7999"),
            "node {}: other addresses than those in use are shown:\n{shown}",
            side.name()
        );
    }
    pair.a.disconnect(&pair.b)
}
