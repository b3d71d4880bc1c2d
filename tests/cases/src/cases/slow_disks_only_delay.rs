// SPDX-License-Identifier: GPL-2.0

//! A lower disk that takes long for everything, or stands still for a while, on either node and
//! without any time limit for it, only delays what the application writes: the connection stays,
//! and everything is there when the disk goes on.

use anyhow::Result;
use vm::side::LOWER;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{await_end, begin, expect_letter, expect_running, hang, wake, write_letter},
};

pub(crate) const CASE: Case = Case::new("slow_disks_only_delay", run)
    .pairs(&[TANDEM])
    .by_turns();

const SECTORS: u64 = 32768;

/// How late everything is on the slow disk, in milliseconds.
const LATE: u32 = 40;

/// Sixteen blocks in flight.
const WRITES: &str = "for at in $(seq 0 15); do dd if=/dev/urandom of=/dev/drbd0 oflag=direct \
    bs=64k count=2 conv=notrunc seek=$((at * 2)) status=none & done; wait";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync_on_parts(SECTORS, "")?;
    for (side, peer) in [(pair.a, pair.b), (pair.b, pair.a)] {
        // Else a peer whose disk does nothing is given up.
        side.net_options(&peer, "--ko-count=0")?;
    }
    for side in [pair.b, pair.a] {
        hang(&side)?;
        begin(&pair.a, "write", &write_letter('x', 5))?;
        side.await_proc("(lo|pe|ua):[1-9]")?;
        expect_running(&pair.a, "write")?;
        wake(&side)?;
        await_end(&pair.a, "write", 0)?;
        expect_letter(&pair.a, 'x', 5)?;

        side.ok("modprobe dm-delay")?;
        side.change_part(&format!("0 {SECTORS} delay {LOWER} 0 {LATE}"))?;
        pair.a.ok(WRITES)?;
        side.resize_part(LOWER, 0, SECTORS)?;
    }
    for side in [pair.a, pair.b] {
        side.expect_not_logged("-> (ProtocolError|BrokenPipe|NetworkFailure|Timeout|Failed)")?;
    }
    pair.expect_equal()?;
    for side in [pair.a, pair.b] {
        side.setup("down r0")?;
        side.no_part()?;
    }
    Ok(())
}
