// SPDX-License-Identifier: GPL-2.0

//! A peer whose machine answers pings but whose disk stands still: after `timeout` times `ko-count`
//! the Primary gives it up, and its application goes on.

use std::time::Duration;

use anyhow::Result;
use vm::side::LOWER;

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
};

/// With the C module on node b, too: it is the peer, whoever it is.
pub(crate) const CASE: Case =
    Case::new("peer_that_stops_reading_is_given_up", run).pairs(&[TANDEM, TANDEM_DRBD]);

/// `timeout` times `ko-count` is 4 seconds, the rest is a slow machine.
const SOON: Duration = Duration::from_secs(40);

fn run(pair: &Pair<'_>) -> Result<()> {
    let lower = pair.b.part_of(LOWER, 0, 16 * 2048)?;
    for (side, lower) in [(pair.a, LOWER), (pair.b, &lower)] {
        side.create_md_on(lower)?;
        side.new_resource()?;
        side.attach_to(lower, "")?;
    }
    pair.a.connect(&pair.b, "--timeout=20 --ko-count=2")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.b.ok("dmsetup suspend --nolockfs part")?;
    pair.a.write_mib(0, 1)?;
    pair.a.await_in("drbdsetup events2", "connection:(Timeout|Connecting|Unconnected)", SOON)?;
    pair.b.ok("dmsetup resume part")?;
    pair.await_in_sync()
}
