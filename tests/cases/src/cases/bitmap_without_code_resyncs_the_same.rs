// SPDX-License-Identifier: GPL-2.0

//! Without run-length coding (`use-rle no`) the bitmaps tell the same: after a cut just what was
//! written is resynced.

use anyhow::Result;
use vm::{side::DEVICE, Link};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("bitmap_without_code_resyncs_the_same", run);

/// Every fourth block of 1 MiB: 64 blocks.
const SCATTERED: &str = "for i in $(seq 0 63); do echo $((i * 4 + 512)); done | xargs -I{} \
    dd if=/dev/urandom bs=4096 count=1 seek={} conv=notrunc oflag=direct status=none";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.a.connect(&pair.b, "--use-rle=no")?;
    pair.b.connect(&pair.a, "--use-rle=no")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.cut()?;
    pair.a.ok(&format!("{SCATTERED} of={DEVICE}"))?;
    pair.a.expect_proc("oos:256")?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        side.await_log("(will sync 256 KB [64 bits set])")?;
        side.expect_proc("oos:0")?;
    }
    pair.expect_equal()
}
