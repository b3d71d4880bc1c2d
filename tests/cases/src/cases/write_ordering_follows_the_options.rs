// SPDX-License-Identifier: GPL-2.0

//! How the peer's writes are kept in order follows `disk-flushes` and `disk-drain`, also while
//! they are changed under load, and `/proc/drbd` says how (`wo:`).

use anyhow::Result;

use crate::{
    case::Case,
    pair::Pair,
    trouble::ours, //
};

pub(crate) const CASE: Case = Case::new("write_ordering_follows_the_options", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    let [ours, _] = ours(pair);
    pair.in_sync()?;
    ours.expect_proc("wo:f")?;
    for (options, letter, name) in [
        ("--disk-flushes=no", 'd', "drain"),
        ("--disk-drain=no", 'n', "none"),
        ("--disk-drain=yes", 'd', "drain"),
        ("--disk-flushes=yes", 'f', "flush"),
        ("--md-flushes=no", 'f', "flush"),
    ] {
        ours.setup(&format!("disk-options 0 {options}"))?;
        ours.expect_proc(&format!("wo:{letter}"))?;
        ours.await_log(&format!("Method to ensure write ordering: {name}"))?;
        pair.a.write_mib(1, 1)?;
    }
    pair.expect_equal()
}
