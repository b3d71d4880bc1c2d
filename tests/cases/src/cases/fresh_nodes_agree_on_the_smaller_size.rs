// SPDX-License-Identifier: GPL-2.0

//! Two nodes without good data take the size of the smaller disk, and sync that much.

use anyhow::{ensure, Result};
use vm::side::{DEVICE, LOWER};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("fresh_nodes_agree_on_the_smaller_size", run);

/// Sectors of the smaller disk: half of the other.
const SMALL: u64 = 32768;

fn run(pair: &Pair<'_>) -> Result<()> {
    let small = pair.b.part_of(LOWER, 0, SMALL)?;
    pair.b.create_md_on(&small)?;
    pair.b.new_resource()?;
    pair.b.attach_to(&small, "")?;
    pair.a.create_md()?;
    pair.a.new_resource()?;
    pair.a.attach()?;
    let (large, smaller) = (pair.a.sectors()?, pair.b.sectors()?);
    ensure!(large > smaller && smaller > 0, "the disks do not differ: {large} and {smaller}");
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    for side in [&pair.a, &pair.b] {
        // Not before this each knows what the other has.
        side.await_event("replication:Established")?;
    }
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    for side in [&pair.a, &pair.b] {
        let now = side.sectors()?;
        ensure!(now == smaller, "node {}: {now} sectors instead of {smaller}", side.name());
    }
    pair.a.write_mib(0, 1)?;
    let last = format!("dd if=/dev/urandom of={DEVICE} oflag=direct bs=4k conv=notrunc \
         seek=$(({smaller}/8-1))");
    pair.a.ok(&format!("{last} count=1"))?;
    let beyond = pair.a.sh(&format!("{last} count=2"))?;
    ensure!(!beyond.success(), "a write beyond the end of the device succeeded");
    pair.expect_equal()
}
