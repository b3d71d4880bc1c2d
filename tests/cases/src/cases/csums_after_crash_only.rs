// SPDX-License-Identifier: GPL-2.0

//! With `csums-after-crash-only` a resync tells digests when its target crashed as Primary, and
//! otherwise not.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("csums_after_crash_only", run).limit(240);

const OPTIONS: &str = "--csums-alg=sha1 --csums-after-crash-only";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.a.connect(&pair.b, OPTIONS)?;
    pair.b.connect(&pair.a, OPTIONS)?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.a.write_mib(0, 4)?;
    pair.b.setup("invalidate 0")?;
    pair.b.await_event("replication:SyncTarget")?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        side.expect_not_logged("had equal checksums")?;
    }

    pair.a.kill()?;
    pair.b.await_apart()?;
    pair.b.primary()?;
    pair.b.write_mib(8, 1)?;
    pair.a.start()?;
    pair.a.meta("0 v08 /dev/data1 internal apply-al")?;
    pair.a.new_resource()?;
    pair.a.attach()?;
    pair.a.connect(&pair.b, OPTIONS)?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        side.await_log("% had equal checksums")?;
    }
    pair.expect_equal()
}
