// SPDX-License-Identifier: GPL-2.0

//! A lower disk has sectors that cannot be read or written any more (dm-error). The Secondary's is
//! given up at the first write there, the Primary's at the first read, and the application gets
//! what it wrote. Once the sectors are good again, each disk comes back with all that it missed.

use anyhow::Result;
use vm::side::{Side, LOWER};

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
    trouble::{expect_letter, part_returns, write_letter},
};

pub(crate) const CASE: Case =
    Case::new("bad_sectors_cost_a_disk_not_the_data", run).pairs(&[TANDEM, TANDEM_DRBD]);

const SECTORS: u64 = 32768;

/// The block of 4 KiB whose sectors go bad.
const BLOCK: u32 = 77;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync_on_parts(SECTORS, "")?;
    pair.a.ok(&write_letter('x', BLOCK))?;

    bad_block(&pair.b)?;
    pair.a.ok(&write_letter('y', BLOCK - 1))?;
    pair.a.expect_proc("ds:UpToDate/UpToDate")?;
    pair.a.ok(&write_letter('y', BLOCK))?;
    pair.a.await_event("peer-disk:Diskless")?;
    part_returns(pair, &pair.b, SECTORS)?;

    bad_block(&pair.a)?;
    expect_letter(&pair.a, 'y', BLOCK)?;
    pair.a.await_event("^[a-z]+ device .* disk:Diskless")?;
    pair.a.ok(&write_letter('z', BLOCK))?;
    expect_letter(&pair.a, 'z', BLOCK)?;
    part_returns(pair, &pair.a, SECTORS)?;

    pair.expect_equal()?;
    for side in [pair.a, pair.b] {
        side.setup("down r0")?;
        side.no_part()?;
    }
    Ok(())
}

/// The sectors of one block are bad, the others are as they were.
fn bad_block(side: &Side<'_>) -> Result<()> {
    let (first, behind) = (BLOCK * 8, (BLOCK + 1) * 8);
    let rest = SECTORS - u64::from(behind);
    side.ok(&format!(
        "printf '%s\\n' '0 {first} linear {LOWER} 0' '{first} 8 error' \
         '{behind} {rest} linear {LOWER} {behind}' | dmsetup reload part && dmsetup resume part"
    ))
    .map(drop)
}
