// SPDX-License-Identifier: GPL-2.0

//! Both nodes were Primary without each other, and the policies say whose changes are lost: those
//! of the node that became Primary later (`discard-younger-primary`), then, with another policy,
//! those of the node that changed nothing (`discard-zero-changes`). The handler for each split
//! brain is called, that for unresolved ones is not.

use anyhow::{bail, Result};
use vm::{side::Side, Link};

use crate::{
    case::Case,
    handlers::{await_call, install, HANDLED},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("split_brain_is_resolved_by_policy", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        install(&side)?;
    }
    pair.attached()?;
    let younger = "--after-sb-0pri=discard-younger-primary";
    pair.a.connect(&pair.b, younger)?;
    pair.b.connect(&pair.a, younger)?;
    pair.a.await_event("replication:Established")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    part(pair, [1, 2])?;
    solved(pair, "Sync from this node", "Sync from peer node")?;
    pair.b.net_options(&pair.a, "--after-sb-0pri=discard-zero-changes")?;
    pair.b.primary()?;
    part(pair, [0, 2])?;
    solved(pair, "Sync from peer node", "Sync from this node")?;
    for side in [pair.a, pair.b] {
        await_call(&side, "initial-split-brain minor-0")?;
        let calls = side.ok(&format!("cat {HANDLED}"))?;
        if calls.contains("\nsplit-brain") {
            bail!("node {}: the split brain was resolved, but:\n{calls}", side.name());
        }
    }
    Ok(())
}

/// Cuts the link; both nodes are Primary at some time, write so many MiB, and are demoted.
fn part(pair: &Pair<'_>, mib: [u32; 2]) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.ok("dmesg -C")?;
    }
    pair.cable(Link::Down)?;
    for (side, mib) in [pair.a, pair.b].iter().zip(mib) {
        side.await_event("connection:(Connecting|Unconnected)")?;
        alone(side, mib)?;
    }
    pair.cable(Link::Up)
}

fn alone(side: &Side<'_>, mib: u32) -> Result<()> {
    side.primary()?;
    if mib != 0 {
        side.write_mib(4, mib)?;
    }
    side.secondary()
}

fn solved(pair: &Pair<'_>, on_a: &str, on_b: &str) -> Result<()> {
    for (side, direction) in [(pair.a, on_a), (pair.b, on_b)] {
        side.await_log_like(&format!("automatically solved. {direction}"))?;
    }
    pair.await_in_sync()?;
    pair.expect_equal()
}
