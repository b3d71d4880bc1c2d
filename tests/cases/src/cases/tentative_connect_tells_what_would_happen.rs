// SPDX-License-Identifier: GPL-2.0

//! A connect with `--tentative` says in the log which resync there would be, and leaves again:
//! nothing is copied. The peer goes on waiting for one that means it.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("tentative_connect_tells_what_would_happen", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.disconnect(&pair.b)?;
    pair.a.write_mib(5, 1)?;
    pair.b.await_event("connection:Connecting")?;
    pair.a.connect(&pair.b, "--tentative")?;
    pair.a
        .await_log("dry-run connect: Would become SyncSource, doing a bit-map based resync.")?;
    pair.a.await_proc("cs:StandAlone")?;
    pair.b.await_event("connection:Connecting")?;
    pair.a.expect_proc("oos:1024")?;
    pair.a.connect(&pair.b, "")?;
    pair.await_in_sync()?;
    pair.a.expect_proc("oos:0")?;
    pair.expect_equal()
}
