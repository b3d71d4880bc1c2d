// SPDX-License-Identifier: GPL-2.0

//! While an application writes, neither node's module can be unloaded: it is in use, and nothing
//! happens. A Secondary that is taken down under that load can be unloaded at once, leaves nothing,
//! and comes back with a fresh module to get what it missed.

use anyhow::Result;
use vm::side::Side;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{await_end, begin, expect_running},
    unload::{module, unload},
};

pub(crate) const CASE: Case = Case::new("unload_under_load_is_refused", run).pairs(&[TANDEM]);

/// How often it is tried.
const TRIES: u32 = 10;

const WRITES: &str = "rm -f /run/stop; until [ -e /run/stop ]; do dd if=/dev/urandom \
    of=/dev/drbd0 oflag=direct bs=64k count=16 conv=notrunc status=none || exit; done";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    begin(&pair.a, "writes", WRITES)?;
    for _ in 0..TRIES {
        refused(&pair.a)?;
        refused(&pair.b)?;
    }
    for side in [pair.a, pair.b] {
        side.expect_not_logged("-> (ProtocolError|BrokenPipe|NetworkFailure|Timeout)")?;
    }
    unload(&pair.b)?;
    expect_running(&pair.a, "writes")?;
    pair.b.ok("/payload/load-driver")?;
    pair.joins(&pair.b, "")?;
    pair.await_in_sync()?;
    pair.a.ok("touch /run/stop")?;
    await_end(&pair.a, "writes", 0)?;
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
