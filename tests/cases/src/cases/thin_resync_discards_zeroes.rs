// SPDX-License-Identifier: GPL-2.0

//! With `rs-discard-granularity` a full resync does not fill a thin disk with zeroes: what is all
//! zeroes on the source is told so, and discarded on the target.

use anyhow::{ensure, Result};
use vm::side::{DEVICE, RESOURCE};

use crate::{case::Case, pair::Pair, thin};

pub(crate) const CASE: Case = Case::new("thin_resync_discards_zeroes", run).limit(240);

/// Units of data: 2 MiB, and some for the metadata of both.
const MOST: u32 = 32 + 8;

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        thin::make(&side)?;
    }
    // The target has something else.
    pair.b.ok(&format!(
        "dd if=/dev/urandom of={} bs=1M count=24 oflag=direct status=none",
        thin::THIN
    ))?;
    for side in [pair.a, pair.b] {
        side.create_md_on(thin::THIN)?;
        side.new_resource()?;
        side.attach_to(
            thin::THIN,
            &format!("--rs-discard-granularity={}", thin::UNIT),
        )?;
    }
    pair.a.primary_force()?;
    pair.a.ok(&format!(
        "dd if=/dev/urandom of={DEVICE} bs=1M seek=9 count=2 oflag=direct conv=fsync status=none"
    ))?;
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.await_in_sync()?;
    let (a, b) = (pair.a.sum_of(thin::THIN)?, pair.b.sum_of(thin::THIN)?);
    ensure!(a == b, "the disks differ: {a} on a, {b} on b");
    let used = thin::used(&pair.b)?;
    ensure!(used <= MOST, "{used} units of b have data, and not up to {MOST}");
    for side in [pair.a, pair.b] {
        side.expect_not_logged("-> (ProtocolError|BrokenPipe|NetworkFailure|Timeout)")?;
        side.setup(&format!("down {RESOURCE}"))?;
    }
    Ok(())
}
