// SPDX-License-Identifier: GPL-2.0

//! With protocol A and `on-congestion=pull-ahead` a Primary whose link is too slow goes on without
//! waiting: it is Ahead, its peer Behind and Outdated. When what was sent before has arrived, the
//! peer gets the rest by a resync. With `on-congestion=disconnect` it leaves the peer instead, and
//! the peer gets the rest when they meet again.

use anyhow::Result;
use vm::Driver;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("slow_link_leaves_the_peer_behind", run);

/// More than such a link takes in its time.
const WRITES: &str = "for at in $(seq 24); do dd if=/dev/urandom of=/dev/drbd0 oflag=direct \
    bs=128k conv=notrunc seek=$at count=1 status=none || exit 1; done";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    // The answers to pings are slow, too.
    for (side, peer) in [(pair.a, pair.b), (pair.b, pair.a)] {
        side.net_options(&peer, "--ping-int=20 --ping-timeout=300 --timeout=100")?;
    }
    pair.a.net_options(
        &pair.b,
        "--protocol=A --on-congestion=pull-ahead --congestion-fill=256K",
    )?;
    pair.a.slow_link(&pair.b, "256kbit")?;
    pair.a.ok(WRITES)?;
    pair.a.await_log("Congestion-fill threshold reached")?;
    pair.b.await_event("replication:Behind")?;
    pair.a.expect_proc("cs:Ahead ro:Primary/Secondary ds:UpToDate/")?;
    pair.b.expect_proc("cs:Behind ro:Secondary/Primary ds:Outdated/UpToDate A")?;
    pair.a.quick_link(&pair.b)?;
    pair.await_in_sync()?;
    pair.a.expect_proc("oos:0")?;
    pair.expect_equal()?;

    if pair.a.driver() != Driver::Tandem {
        // It goes on sending, for minutes on such a link, before it is StandAlone.
        return Ok(());
    }
    pair.a.net_options(&pair.b, "--on-congestion=disconnect")?;
    pair.a.slow_link(&pair.b, "256kbit")?;
    pair.a.ok(WRITES)?;
    pair.a.await_event("connection:StandAlone")?;
    pair.a.quick_link(&pair.b)?;
    pair.a.connect(&pair.b, "--protocol=A")?;
    pair.await_in_sync()?;
    pair.a.expect_proc("oos:0")?;
    pair.expect_equal()
}
