// SPDX-License-Identifier: GPL-2.0

//! Two Primaries whose applications write to the same few blocks at the same time, in pieces that
//! overlap: nobody fails, and both disks end with the same data. A second Primary needs
//! `allow-two-primaries`, which can be switched on while the nodes are connected, and not off again
//! while there are two.

use std::time::Duration;

use anyhow::{ensure, Result};
use vm::{side::Side, Driver};

use crate::{case::Case, pair::Pair, refusal};

pub(crate) const CASE: Case = Case::new("two_primaries_write_the_same_blocks", run);

/// `ERR_NEED_ALLOW_TWO_PRI`.
const NEED_ALLOW_TWO_PRI: i32 = 164;
/// `ERR_NOT_PROTO_C`.
const NOT_PROTO_C: i32 = 139;
/// Exit status of a tool after a refused change of state.
const STATE_REFUSED: i32 = 11;
/// How long the writers take at most.
const WRITERS: Duration = Duration::from_secs(60);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let refused = pair.b.try_setup("primary 0")?;
    ensure!(refused.status == STATE_REFUSED, "a second Primary: {refused:?}");
    pair.a.net_options(&pair.b, "--allow-two-primaries=yes")?;
    // The peer is told, and follows.
    pair.b.await_in(
        "sh -c 'until drbdsetup primary 0 2>/dev/null; do :; done; echo promoted'",
        "promoted",
        Duration::from_secs(20),
    )?;
    pair.a.await_event("connection .* role:Primary")?;
    let ends = "ipv4:10.99.0.1:7789 ipv4:10.99.0.2:7789";
    let no = format!("net-options {ends} --allow-two-primaries=no");
    refusal::of(&pair.a, &no, NEED_ALLOW_TWO_PRI)?;
    let other = format!("net-options {ends} --protocol=A");
    refusal::of(&pair.a, &other, NOT_PROTO_C)?;
    let both = [pair.a, pair.b];
    for side in both {
        start(&side, depth(pair))?;
    }
    for side in both {
        let rc = side.await_in("tail -n +1 -F /run/writer.rc", "^[0-9]+$", WRITERS)?;
        ensure!(rc.trim() == "0", "the writer on {} failed: {rc}", side.name());
    }
    for side in both {
        side.expect_proc("ro:Primary/Primary ds:UpToDate/UpToDate")?;
        side.expect_proc("oos:0")?;
    }
    pair.expect_equal()
}

/// Writes under way on each node. The C module as the decider never acknowledges an epoch in which
/// it put off one of several writes, and as the other node counts that write, and drops the
/// connection: with it, one at a time.
fn depth(pair: &Pair<'_>) -> u32 {
    let ours = |side: &Side<'_>| side.driver() == Driver::Tandem;
    if ours(&pair.a) && ours(&pair.b) {
        8
    } else {
        1
    }
}

/// Starts the writer of a node.
fn start(side: &Side<'_>, depth: u32) -> Result<()> {
    side.ok(&format!(
        "rm -f /run/writer.rc; touch /run/writer.rc
        (fio --name=w --filename=/dev/drbd0 --direct=1 --rw=randwrite --ioengine=libaio \
         --bsrange=512-16k --blockalign=512 --offset=1m --size=128k --iodepth={depth} \
         --time_based --runtime=4 --norandommap --randrepeat=0 --buffer_compress_percentage=0 \
         --refill_buffers >/run/writer 2>&1 </dev/null; echo $? >/run/writer.rc) &"
    ))
    .map(drop)
}
