// SPDX-License-Identifier: GPL-2.0

//! A Primary with `resource-and-stonith` that loses its peer calls the handler `fence-peer`, with
//! the peer's address; the exit code makes the peer Outdated, and frozen I/O goes on. When the
//! peer is in sync again, `unfence-peer` is called. Listeners are told of each call.

use std::time::Duration;

use anyhow::{ensure, Result};
use vm::{side::Side, Link};

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
};

// Not with the C module on node a: it sleeps in an RCU section after the handler, and the kernel
// complains.
pub(crate) const CASE: Case =
    Case::new("fence_peer_outdates_a_lost_peer", run).pairs(&[TANDEM, TANDEM_DRBD]);

/// How long something that is under way may take.
const SOON: Duration = Duration::from_secs(60);

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
    await_call(&pair.a, "fence-peer r0 ipv4 10.99.0.2")?;
    pair.a.await_event("peer-disk:Outdated")?;
    pair.a.write_mib(3, 1)?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;
    await_call(&pair.a, "before-resync-source minor-0 ipv4 10.99.0.2")?;
    await_call(&pair.a, "unfence-peer r0 ipv4 10.99.0.2")?;
    await_call(&pair.b, "before-resync-target minor-0 ipv4 10.99.0.1")?;
    await_call(&pair.b, "after-resync-target minor-0 ipv4 10.99.0.1")?;
    for told in [
        "call helper .*helper:unfence-peer",
        "response helper .*helper:unfence-peer",
    ] {
        pair.a.await_in("tail -n +1 -F /run/events", told, SOON)?;
    }
    pair.expect_equal()?;
    left_on_purpose(pair)
}

/// A Primary that leaves its peer has it outdated first, and no handler is called.
fn left_on_purpose(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.ok(": >/run/handlers")?;
    }
    pair.a.disconnect(&pair.b)?;
    pair.a
        .expect_proc("cs:StandAlone ro:Primary/Unknown ds:UpToDate/Outdated")?;
    pair.b.await_proc("ds:Outdated/DUnknown")?;
    ensure!(
        !pair.b.try_setup("primary 0")?.success(),
        "an outdated node was promoted"
    );
    // Node b's own attempt may have called its handler.
    pair.a.ok("test ! -s /run/handlers").map(drop)
}

/// From here on the node calls our handler, and all events are written down.
fn install(side: &Side<'_>) -> Result<()> {
    side.write_file("/run/handler", HANDLER.as_bytes())?;
    let module = side.driver();
    side.ok(&format!(
        "chmod +x /run/handler; rm -f /run/handlers /run/events; touch /run/handlers
        printf /run/handler >/sys/module/{module}/parameters/usermode_helper
        (drbdsetup events2 >/run/events 2>&1 </dev/null &)"
    ))
    .map(drop)
}

/// Waits until the handler was called in that way.
fn await_call(side: &Side<'_>, line: &str) -> Result<()> {
    side.await_in("tail -n +1 -F /run/handlers", &format!("^{line}$"), SOON)
        .map(drop)
}
