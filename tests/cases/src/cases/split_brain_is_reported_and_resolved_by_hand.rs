// SPDX-License-Identifier: GPL-2.0

//! Both nodes were Primary without each other. When they meet they say so, with what each one
//! changed, call their handlers, and stay apart; status tells why. The administrator decides whose
//! changes are lost (`--discard-my-data`), and only what was changed is copied.

use anyhow::{ensure, Result};
use vm::{side::Side, Driver, Link};

use crate::{
    case::Case,
    handlers::{await_call, install},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("split_brain_is_reported_and_resolved_by_hand", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        install(&side)?;
    }
    pair.in_sync()?;
    pair.cable(Link::Down)?;
    pair.a.write_mib(3, 2)?;
    pair.b.await_event("connection:(Connecting|Unconnected)")?;
    pair.b.primary()?;
    pair.b.write_mib(9, 1)?;
    pair.b.secondary()?;
    pair.cable(Link::Up)?;
    let unresolved = "Split-Brain detected but unresolved, dropping connection!";
    pair.await_log_on_either(unresolved, unresolved)?;
    for side in [pair.a, pair.b] {
        // Who of both notices it second may only see that the other one left.
        side.await_event("connection:(StandAlone|Connecting)")?;
    }
    for (side, own, peer) in [(pair.a, "Primary", "Secondary"), (pair.b, "Secondary", "Primary")] {
        if side.driver() == Driver::Tandem && side.is_alone()? {
            await_call(&side, "initial-split-brain minor-0")?;
            await_call(&side, "split-brain minor-0")?;
            expect_reason(&side, own, peer)?;
        }
    }
    if !pair.b.is_alone()? {
        pair.b.disconnect(&pair.a)?;
    }
    pair.b.connect(&pair.a, "--discard-my-data")?;
    if pair.a.is_alone()? {
        pair.a.connect(&pair.b, "")?;
    }
    pair.await_in_sync()?;
    pair.a.expect_proc("oos:0")?;
    pair.b.await_log_like("will sync (3072|3076|3080|3084) KB")?;
    pair.expect_equal()
}

/// The log and status tell who changed how much.
fn expect_reason(side: &Side<'_>, own: &str, peer: &str) -> Result<()> {
    let line = format!("Split-Brain: this node \\({own}, .* changed blocks .* peer \\({peer}");
    side.await_log_like(&line)?;
    let text = side.setup("status")?.replace("\n", " ");
    ensure!(text.contains("Split-Brain: this node"), "status says: {text}");
    let json = side.setup("status --json")?;
    ensure!(
        json.contains("\"subject\": \"connection\"") && json.contains("Split-Brain: this node"),
        "status --json says: {json}"
    );
    Ok(())
}
