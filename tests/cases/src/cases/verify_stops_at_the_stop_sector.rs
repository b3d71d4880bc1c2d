// SPDX-License-Identifier: GPL-2.0

//! A verify looks at what lies between its start and its stop sector, and nowhere else; the next
//! one goes on from there.

use anyhow::Result;
use vm::side::LOWER;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("verify_stops_at_the_stop_sector", run).limit(300);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.a.connect(&pair.b, "--verify-alg=crc32c")?;
    pair.b.connect(&pair.a, "--verify-alg=crc32c")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    // One block at the begin, one in the middle, one at the end.
    for block in [0, 1024, 8000] {
        pair.b.ok(&format!(
            "dd if=/dev/urandom of={LOWER} oflag=direct bs=4096 seek={block} count=1 conv=notrunc \
             status=none"
        ))?;
    }
    pair.a.setup("verify 0 --start=4096 --stop=16384")?;
    pair.a.await_log("Online Verify reached sector 16384")?;
    for side in [pair.a, pair.b] {
        side.await_log("Online verify done")?;
        side.await_event("replication:Established")?;
        side.expect_proc("oos:4")?;
    }
    pair.a.setup("verify 0")?;
    pair.a
        .await_log("Starting Online Verify from sector 16384")?;
    pair.a
        .await_log("Out of sync: start=64000, size=8 (sectors)")?;
    for side in [pair.a, pair.b] {
        side.await_log("Online verify found 2 4k block out of sync!")?;
        side.await_event("replication:Established")?;
        side.expect_proc("oos:8")?;
    }
    Ok(())
}
