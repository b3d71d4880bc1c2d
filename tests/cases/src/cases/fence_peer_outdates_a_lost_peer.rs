// SPDX-License-Identifier: GPL-2.0

//! A Primary with `resource-and-stonith` that loses its peer calls the handler `fence-peer`, with
//! the peer's address; the exit code makes the peer Outdated, and frozen I/O goes on. When the
//! peer is in sync again, `unfence-peer` is called. Listeners are told of each call.

use anyhow::{bail, Result};
use vm::{side::Side, Link};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("fence_peer_outdates_a_lost_peer", run);

/// The handler: notes how it was called, and says that the peer was stonithed.
const HANDLER: &str = "#!/bin/sh
echo \"$1 $2 $DRBD_PEER_AF $DRBD_PEER_ADDRESS\" >>/run/handlers
[ \"$1\" != fence-peer ] || exit 7
";

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        install(&side)?;
        side.create_md()?;
        side.new_resource()?;
        side.attach_to("/dev/data1", "--fencing=resource-and-stonith")?;
    }
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("replication:Established")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.cable(Link::Down)?;
    pair.a.await_event("helper:fence-peer")?;
    pair.a.await_event("peer-disk:Outdated")?;
    pair.a.write_mib(3, 1)?;
    expect_called(&pair.a, "fence-peer r0 ipv4 10.99.0.2")?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;
    pair.a.await_event("helper:unfence-peer")?;
    expect_called(&pair.a, "before-resync-source minor-0 ipv4 10.99.0.2")?;
    expect_called(&pair.a, "unfence-peer r0 ipv4 10.99.0.2")?;
    expect_called(&pair.b, "before-resync-target minor-0 ipv4 10.99.0.1")?;
    expect_called(&pair.b, "after-resync-target minor-0 ipv4 10.99.0.1")?;
    pair.expect_equal()
}

fn install(side: &Side<'_>) -> Result<()> {
    side.write_file("/run/handler", HANDLER.as_bytes())?;
    let module = side.driver();
    side.ok(&format!(
        "chmod +x /run/handler; echo /run/handler >/sys/module/{module}/parameters/usermode_helper"
    ))
    .map(drop)
}

/// The handler writes its line before the module tells of its end, which was waited for.
fn expect_called(side: &Side<'_>, line: &str) -> Result<()> {
    let calls = side.ok("cat /run/handlers")?;
    if !calls.lines().any(|call| call == line) {
        bail!("{}: '{line}' is not among the calls:\n{calls}", side.name());
    }
    Ok(())
}
