// SPDX-License-Identifier: GPL-2.0

//! A node with good data refuses a peer whose disk is smaller, or that was told to use less of it:
//! the log has both sizes, the connection is given up, and everything else stays as it was. A peer
//! that fits is taken afterwards.

use anyhow::{ensure, Result};
use vm::side::{Side, LOWER};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("peer_of_smaller_size_is_refused", run).limit(240);

/// Sectors of the smaller disk: half of the other.
const SMALL: u64 = 32768;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.b.setup("down r0")?;
    pair.a.await_event("connection:Connecting")?;
    pair.a.write_mib(0, 1)?;
    let before = pair.a.lower_sum()?;
    let small = pair.b.part_of("/dev/data2", 0, SMALL)?;
    refused(pair, &small, "")?;
    refused(pair, &small, "--size=8M")?;
    ensure!(before == pair.a.lower_sum()?, "the data on a changed");
    // It is still in use.
    pair.a.write_mib(1, 1)?;

    attach(&pair.b, LOWER, "")?;
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.await_in_sync()?;
    pair.expect_equal()
}

fn attach(side: &Side<'_>, lower: &str, options: &str) -> Result<()> {
    if lower == LOWER {
        side.meta(&format!("0 v08 {LOWER} internal apply-al"))?;
    } else {
        side.create_md_on(lower)?;
    }
    side.new_resource()?;
    side.attach_to(lower, options)
}

/// Node b comes with that disk, and is not taken.
fn refused(pair: &Pair<'_>, lower: &str, options: &str) -> Result<()> {
    attach(&pair.b, lower, options)?;
    let sum = pair.b.sum_of(lower)?;
    let size = pair.a.sectors()?;
    pair.a.ok("dmesg --clear")?;
    // It looks for a peer since the last one went, or is told to again.
    if pair.a.proc()?.contains("cs:StandAlone") {
        pair.a.connect(&pair.b, "")?;
    }
    pair.b.connect(&pair.a, "")?;
    let line = pair.a.await_log("The peer's disk size is too small!")?;
    ensure!(line.contains(&format!("< {size} sectors")), "the log lacks the size {size}: {line}");
    pair.a.await_event("connection:StandAlone")?;
    pair.a.expect_proc("cs:StandAlone ro:Primary/Unknown ds:UpToDate/DUnknown")?;
    ensure!(size == pair.a.sectors()?, "the device has another size than before");
    pair.b.await_event("connection:Connecting")?;
    pair.b.expect_proc("ds:Inconsistent/DUnknown")?;
    ensure!(sum == pair.b.sum_of(lower)?, "the data on b changed");
    pair.b.setup("down r0").map(drop)
}
