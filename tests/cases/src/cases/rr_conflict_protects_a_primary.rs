// SPDX-License-Identifier: GPL-2.0

//! After a split brain the policies may want a Primary to be the target of a resync. `rr-conflict`
//! decides: it leaves the peer (`disconnect`), calls a handler as well (`call-pri-lost`), or goes
//! on with the other one's data (`violently`).

use anyhow::{ensure, Result};
use vm::Link;

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    handlers::{await_call, install},
    pair::Pair,
};

pub(crate) const CASE: Case =
    Case::new("rr_conflict_protects_a_primary", run).pairs(&[TANDEM, TANDEM_DRBD]);

/// Who changed nothing is the target, also if it is Primary.
const POLICIES: &str = "--after-sb-0pri=discard-zero-changes --after-sb-1pri=violently-as0p";

fn run(pair: &Pair<'_>) -> Result<()> {
    install(&pair.a)?;
    pair.in_sync()?;
    pair.a.secondary()?;
    pair.cable(Link::Down)?;
    for side in [pair.a, pair.b] {
        side.await_event("connection:(Connecting|Unconnected)")?;
    }
    pair.b.primary()?;
    pair.b.write_mib(9, 1)?;
    pair.b.secondary()?;
    pair.a.primary()?;
    for side in [pair.a, pair.b] {
        let peer = if side.name() == "a" { pair.b } else { pair.a };
        side.disconnect(&peer)?;
    }
    pair.cable(Link::Up)?;

    meet(pair, "disconnect")?;
    refused(pair)?;
    meet(pair, "call-pri-lost")?;
    await_call(&pair.a, "pri-lost minor-0")?;
    refused(pair)?;
    meet(pair, "violently")?;
    pair.await_in_sync()?;
    pair.a.expect_proc("ro:Primary/Secondary")?;
    pair.expect_equal()
}

/// Both connect, with that policy.
fn meet(pair: &Pair<'_>, policy: &str) -> Result<()> {
    let options = format!("{POLICIES} --rr-conflict={policy}");
    pair.a.ok("dmesg --clear")?;
    pair.b.connect(&pair.a, &options)?;
    pair.a.connect(&pair.b, &options)
}

/// Node a has left its peer, with its own data.
fn refused(pair: &Pair<'_>) -> Result<()> {
    pair.a.await_log("I shall become SyncTarget, but I am primary!")?;
    pair.a.await_log("-> StandAlone")?;
    pair.a.expect_proc("cs:StandAlone ro:Primary/Unknown ds:UpToDate")?;
    if !pair.b.is_alone()? {
        pair.b.disconnect(&pair.a)?;
    }
    ensure!(pair.b.is_alone()?, "node b does not leave");
    Ok(())
}
