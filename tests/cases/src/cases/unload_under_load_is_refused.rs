// SPDX-License-Identifier: GPL-2.0

//! While an application writes, neither node's module can be unloaded: it is in use, and nothing
//! happens. A Secondary that is taken down under that load can be unloaded at once, leaves nothing,
//! and comes back with a fresh module to get what it missed.

use anyhow::Result;
use vm::side::Side;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{expect_running, keep_writing, stop_writing, WRITER},
    unload::{module, unload},
};

pub(crate) const CASE: Case = Case::new("unload_under_load_is_refused", run)
    .pairs(&[TANDEM])
    .by_turns();

/// How often it is tried.
const TRIES: u32 = 10;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    keep_writing(&pair.a)?;
    for _ in 0..TRIES {
        refused(&pair.a)?;
        refused(&pair.b)?;
    }
    for side in [pair.a, pair.b] {
        side.expect_not_logged("-> (ProtocolError|BrokenPipe|NetworkFailure|Timeout)")?;
    }
    unload(&pair.b)?;
    expect_running(&pair.a, WRITER)?;
    pair.b.ok("/payload/load-driver")?;
    pair.joins(&pair.b, "")?;
    pair.await_in_sync()?;
    stop_writing(&pair.a)?;
    pair.expect_equal()?;
    pair.a.secondary()?;
    unload(&pair.a)?;
    pair.a.ok("/payload/load-driver").map(drop)
}

fn refused(side: &Side<'_>) -> Result<()> {
    let module = module(side);
    side.ok(&format!(
        "! rmmod {module} 2>/run/rmmod && grep 'in use' /run/rmmod"
    ))
    .map(drop)
}
