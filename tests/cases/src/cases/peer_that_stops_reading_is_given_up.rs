// SPDX-License-Identifier: GPL-2.0

//! A peer whose machine answers pings but whose disk stands still: after `timeout` times `ko-count`
//! the Primary gives it up, and its application goes on. Until then the peer takes no more memory
//! for what it is sent than `max-buffers` says.

use std::time::Duration;

use anyhow::{bail, ensure, Result};
use vm::{
    side::{Side, LOWER},
    Driver,
};

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
    trouble::{await_end, begin},
};

/// With the C module on node b, too: it is the peer, whoever it is.
pub(crate) const CASE: Case =
    Case::new("peer_that_stops_reading_is_given_up", run).pairs(&[TANDEM, TANDEM_DRBD]);

/// `timeout` times `ko-count` is 4 seconds, the rest is a slow machine.
const SOON: Duration = Duration::from_secs(40);

/// Pages of `max-buffers`: two requests of the largest size.
const BUFFERS: u32 = 512;

const MEMORY: &str = "grep memory /sys/kernel/debug/tandem/waiting";

fn run(pair: &Pair<'_>) -> Result<()> {
    let lower = pair.b.part_of(LOWER, 0, 16 * 2048)?;
    for (side, lower) in [(pair.a, LOWER), (pair.b, &lower)] {
        side.create_md_on(lower)?;
        side.new_resource()?;
        side.attach_to(lower, "")?;
    }
    pair.a.connect(&pair.b, "--timeout=20 --ko-count=2")?;
    pair.b.connect(&pair.a, &format!("--max-buffers={BUFFERS}"))?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.b.ok("dmsetup suspend --nolockfs part")?;
    // More than that, at once; the rest waits in sockets and here.
    begin(&pair.a, "writes", "dd if=/dev/zero of=/dev/drbd0 bs=8M count=1 oflag=direct \
                              conv=notrunc status=none")?;
    if pair.b.driver() == Driver::Tandem {
        let half = format!("memory 0 in use [2-9][0-9]+ of [0-9]+, at most {BUFFERS}$");
        pair.b
            .await_in(&format!("sh -c 'while :; do {MEMORY}; done'"), &half, SOON)?;
        expect_bounded(&pair.b)?;
    }
    pair.a.await_in("drbdsetup events2", "connection:(Timeout|Connecting|Unconnected)", SOON)?;
    await_end(&pair.a, "writes", 0)?;
    pair.b.ok("dmsetup resume part")?;
    pair.await_in_sync()
}

/// Fails if the node has more pages for what it is sent than it may, in use or not.
fn expect_bounded(side: &Side<'_>) -> Result<()> {
    let line = side.ok(MEMORY)?;
    let words = line.split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<u32> = words.filter_map(|word| word.parse().ok()).collect();
    let [.., _in_use, total, most] = numbers[..] else {
        bail!("no numbers in: {line}");
    };
    ensure!(total <= BUFFERS && most == BUFFERS, "too much: {line}");
    Ok(())
}
