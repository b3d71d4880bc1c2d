// SPDX-License-Identifier: GPL-2.0

//! `resize` gives the activity log another shape while the Primary writes. After a power cut
//! Debian's tool applies the log from its new place, and what it covers is resynced, no more.

use anyhow::{ensure, Result};
use vm::side::LOWER;

use crate::{case::Case, log::kib_to_sync, pair::Pair};

pub(crate) const CASE: Case = Case::new("log_changes_its_shape_online", run).limit(240);

/// The metadata is on a device of its own, so that the data keeps its size.
const META: &str = "/dev/data2 flex-external";

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.meta(&format!("--force 0 v08 {META} create-md"))?;
        side.new_resource()?;
        attach(&side)?;
    }
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.a.write_mib(0, 1)?;
    pair.a.setup("resize 0 --al-stripes=4 --al-stripe-size-kB=64")?;
    // Two extents of 4 MiB are active then.
    pair.a.write_mib(13, 1)?;
    pair.a.kill()?;
    pair.b.primary()?;
    pair.a.start()?;
    pair.a.ok(&format!("drbdmeta 0 v08 {META} apply-al"))?;
    let dump = pair.a.ok(&format!("drbdmeta --force 0 v08 {META} dump-md"))?;
    ensure!(
        dump.contains("al-stripes 4;") && dump.contains("al-stripe-size-4k 16;"),
        "the log has another shape:\n{dump}"
    );
    pair.a.new_resource()?;
    attach(&pair.a)?;
    pair.a.connect(&pair.b, "")?;
    pair.await_in_sync()?;
    let line = pair.b.await_log_like("Began resync as SyncSource")?;
    ensure!(
        (4096..=3 * 4096).contains(&kib_to_sync(&line)?),
        "not just what was in the log is resynced: {line}"
    );
    pair.expect_equal()
}

fn attach(side: &vm::side::Side<'_>) -> Result<()> {
    side.setup(&format!(
        "attach 0 {LOWER} /dev/data2 flexible --c-plan-ahead=0 --resync-rate=512M \
         --c-min-rate=0 --al-extents=67"
    ))
    .map(drop)
}
