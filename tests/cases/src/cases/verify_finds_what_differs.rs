// SPDX-License-Identifier: GPL-2.0

//! An online verify finds exactly the blocks that were changed behind the back of one node, logs
//! their range on the node that began it, and marks them on both, while the application writes; it
//! repairs nothing. Either node can begin it.

use std::time::Duration;

use anyhow::Result;
use vm::side::LOWER;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("verify_finds_what_differs", run).limit(300);

/// Sectors 2048 to 2064 of the lower device: two blocks.
const SPOIL: &str = "oflag=direct bs=4096 seek=256 count=2 conv=notrunc status=none";

/// Writes that go on during the verify, far from what differs.
const WRITES: &str = "dd if=/dev/urandom of=/dev/drbd0 oflag=direct bs=16k seek=640 count=64 \
    conv=notrunc status=none";

/// How long a handler may take to be called.
const SOON: Duration = Duration::from_secs(60);

/// Notes that it was called.
const HANDLER: &str = "#!/bin/sh\necho \"$1 $2\" >>/run/handlers\n";

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.write_file("/run/handler", HANDLER.as_bytes())?;
        let module = side.driver();
        side.ok(&format!(
            "chmod +x /run/handler; : >/run/handlers
            printf /run/handler >/sys/module/{module}/parameters/usermode_helper"
        ))?;
    }
    pair.attached()?;
    pair.a.connect(&pair.b, "--verify-alg=sha1")?;
    pair.b.connect(&pair.a, "--verify-alg=sha1")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    // Nothing differs yet.
    pair.b.setup("verify 0")?;
    pair.b.await_log("Online verify done")?;
    pair.a.await_log("Online verify done")?;
    pair.b.await_event("replication:Established")?;
    for side in [pair.a, pair.b] {
        side.expect_proc("oos:0")?;
        side.expect_not_logged("Out of sync")?;
    }
    pair.b
        .ok(&format!("dd if=/dev/urandom of={LOWER} {SPOIL}"))?;
    pair.a.setup("verify 0")?;
    pair.a.ok(WRITES)?;
    pair.a
        .await_log("Out of sync: start=2048, size=16 (sectors)")?;
    for side in [pair.a, pair.b] {
        side.await_log("Online verify found 2 4k block out of sync!")?;
        side.await_event("replication:Established")?;
        side.expect_proc("oos:8")?;
        side.expect_proc("cs:Connected ro:")?;
        side.expect_proc("ds:UpToDate/UpToDate")?;
        let called = "^out-of-sync minor-0$";
        side.await_in("tail -n +1 -F /run/handlers", called, SOON)?;
    }
    Ok(())
}
