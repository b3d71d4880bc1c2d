// SPDX-License-Identifier: GPL-2.0

//! `ping-int` and `ping-timeout` that were changed while the connection is up hold at once: a dead
//! link is noticed within seconds, and not after minutes. `--set-defaults` brings the others back.

use std::time::Duration;

use anyhow::{ensure, Result};
use vm::Link;

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
};

/// Not with the C module on node a: it goes by the old `ping-int` until the next ping.
pub(crate) const CASE: Case =
    Case::new("changed_timeouts_hold_at_once", run).pairs(&[TANDEM, TANDEM_DRBD]);

/// Much less than the options say at first.
const SOON: Duration = Duration::from_secs(40);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    let patient = "--ping-int=120 --ping-timeout=300 --timeout=600 --ko-count=0";
    pair.a.connect(&pair.b, patient)?;
    pair.b.connect(&pair.a, patient)?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    let quick = "--set-defaults --ping-int=1 --ping-timeout=20 --connect-int=2 --timeout=60";
    pair.a.net_options(&pair.b, quick)?;
    let options = pair.a.setup("show r0 --show-defaults")?;
    ensure!(options.contains("ko-count"), "no ko-count in:\n{options}");
    ensure!(!options.contains("ko-count 0;"), "not the default:\n{options}");
    pair.cable(Link::Down)?;
    pair.a.await_in("drbdsetup events2", "connection:Connecting", SOON)?;
    pair.a.write_mib(0, 1)
}
