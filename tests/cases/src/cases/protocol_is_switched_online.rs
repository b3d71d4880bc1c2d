// SPDX-License-Identifier: GPL-2.0

//! `net-options` changes the protocol of a connection that is up, on both nodes: writes go on with
//! A, B and C, and a flush or a handover has all of them on both disks.

use anyhow::{ensure, Result};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("protocol_is_switched_online", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let connected = pair.a.ok(SINCE)?;
    for (at, protocol) in ["B", "A", "C", "A"].into_iter().enumerate() {
        pair.a.net_options(&pair.b, &format!("--protocol={protocol}"))?;
        let shown = format!("ds:UpToDate/UpToDate {protocol} r");
        pair.a.expect_proc(&shown)?;
        pair.b.await_proc(&shown)?;
        pair.a.write_mib(at as u32, 1)?;
    }
    // All of it is on the peer's disk when the role is given up.
    pair.a.secondary()?;
    pair.b.primary()?;
    ensure!(pair.a.ok(SINCE)? == connected, "the connection was made anew");
    pair.expect_equal()
}

/// How often the connection was made so far, by the log.
const SINCE: &str = "dmesg | grep -c 'Handshake successful' || true";
