// SPDX-License-Identifier: GPL-2.0

//! Blocks that are changed on the network in a way that TCP does not see are found by their digest:
//! the receiver drops the connection, says why, and keeps them off its disk. When the network is
//! good again, a resync makes both disks equal.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("corrupt_data_ends_the_connection", run).limit(300);

/// Sets one byte of each large TCP packet that goes out, and makes its checksum right again. (A
/// packet is a segment of 1500 bytes, or a bundle of them that is cut up later.)
const CORRUPT: &str = "tc qdisc add dev eth0 clsact && \
    for length in 0x05dc:0xffff 0x0800:0x0800 0x1000:0x1000 0x2000:0x2000 0x4000:0x4000 \
        0x8000:0x8000; do \
        tc filter add dev eth0 egress protocol ip u32 match u16 ${length%:*} ${length#*:} at 2 \
            action pedit munge offset 700 u8 set 0x5a pipe action csum tcp || exit 1; \
    done";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.a.connect(&pair.b, "--data-integrity-alg=sha256")?;
    pair.b.connect(&pair.a, "--data-integrity-alg=sha256")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.a.ok(CORRUPT)?;
    pair.a.write_mib(3, 1)?;
    pair.b.await_log("Digest integrity check FAILED")?;
    pair.b.await_log("-> ProtocolError")?;
    pair.a.ok("tc qdisc del dev eth0 clsact")?;
    pair.await_in_sync()?;
    pair.expect_equal()
}
