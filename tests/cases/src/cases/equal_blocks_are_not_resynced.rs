// SPDX-License-Identifier: GPL-2.0

//! With `csums-alg` a resync sends only what differs: nothing of a whole disk that is equal, and
//! no more than the request around them for two blocks that were changed behind the back of the
//! target. Both nodes tell how much that was.

use anyhow::Result;
use vm::side::LOWER;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("equal_blocks_are_not_resynced", run).limit(240);

/// Two blocks in the middle of an aligned request.
const SPOIL: &str = "oflag=direct bs=4096 seek=264 count=2 conv=notrunc status=none";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.a.ok(&format!(
        "dd if=/dev/urandom of={LOWER} bs=1M count=24 oflag=direct"
    ))?;
    pair.attached()?;
    pair.a.connect(&pair.b, "--csums-alg=sha1")?;
    pair.b.connect(&pair.a, "--csums-alg=sha1")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.expect_equal()?;

    pair.b.setup("invalidate 0")?;
    for side in [pair.a, pair.b] {
        side.await_log(
            "100 % had equal checksums, eliminated: 32728K; transferred 0K total 32728K",
        )?;
    }
    pair.await_in_sync()?;

    pair.b
        .ok(&format!("dd if=/dev/urandom of={LOWER} {SPOIL}"))?;
    pair.b.setup("invalidate 0")?;
    for side in [pair.a, pair.b] {
        // One request: of 128 KiB from our target, up to 1 MiB from C's.
        side.await_log_like("transferred (128|1024)K total 32728K")?;
    }
    pair.await_in_sync()?;
    pair.expect_equal()
}
