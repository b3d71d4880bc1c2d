// SPDX-License-Identifier: GPL-2.0

//! A peer that answers pings and reads its data one byte a second is given up after `timeout` times
//! `ko-count`: it makes progress, but no write comes to its end. The application goes on. When it
//! reads as it should, it gets what it missed.

use std::time::Duration;

use anyhow::Result;

use crate::{
    case::{Case, TANDEM},
    false_peer::RELAY,
    pair::Pair,
    trouble::{await_end, begin},
};

pub(crate) const CASE: Case =
    Case::new("peer_that_reads_a_byte_a_second_is_given_up", run).pairs(&[TANDEM]);

/// The port of node a that leads to node b.
const PORT: u16 = 7790;

/// `timeout` times `ko-count` is 4 seconds, the rest is a slow machine.
const SOON: Duration = Duration::from_secs(60);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    let (a, b) = (pair.a.address(), pair.b.address());
    let relay = RELAY.on(&pair.a)?;
    begin(&pair.a, "relay", &format!("{relay} {PORT} {b}"))?;
    pair.a
        .await_in("tail -n +1 -F /run/relay.out", "^listens$", SOON)?;
    let options = "--protocol=C --ping-int=2 --ping-timeout=30 --timeout=20 --ko-count=2 \
                   --connect-int=2 --socket-check-timeout=5";
    // Node b calls node a, which does not expect a call from there.
    pair.a.setup(&format!(
        "connect r0 ipv4:{a}:7789 ipv4:{a}:{PORT} {options}"
    ))?;
    pair.b
        .setup(&format!("connect r0 ipv4:{b}:7789 ipv4:{a}:7789 {options}"))?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;

    pair.a.ok("touch /run/drip")?;
    begin(
        &pair.a,
        "writes",
        "dd if=/dev/urandom of=/dev/drbd0 bs=1M count=1 oflag=direct \
                              conv=notrunc,nocreat status=none",
    )?;
    let left = "connection:(Timeout|Connecting|Unconnected|NetworkFailure)";
    pair.a.await_in("drbdsetup events2", left, SOON)?;
    await_end(&pair.a, "writes", 0)?;
    pair.a
        .await_log("leaves writes unanswered for longer than timeout x ko-count")?;
    pair.a.ok("rm /run/drip")?;
    pair.await_in_sync()?;
    pair.a.ok(&format!("pkill -f '^perl .*relay.pl {PORT}'"))?;
    pair.a.setup("down r0")?;
    pair.b.setup("down r0").map(drop)
}
