// SPDX-License-Identifier: GPL-2.0

//! When the pool of a thin lower disk is full, on the Primary or on its peer, the disk is given up
//! and the application goes on with the other one. When the pool has got more room, the disk is
//! attached again and gets what it missed.

use anyhow::{ensure, Result};
use vm::side::Side;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    thin::{enlarge, make_in_pool, LARGEST, THIN},
    trouble::{attach_again, in_sync_on},
};

pub(crate) const CASE: Case = Case::new("a_full_thin_pool_is_a_failed_disk", run)
    .pairs(&[TANDEM])
    .limit(240)
    .by_turns();

/// Room for less than is written, and for less than is written later, in sectors: 8 and 16 MiB.
const LITTLE: u32 = 16384;
const MORE: u32 = 32768;

fn run(pair: &Pair<'_>) -> Result<()> {
    make_in_pool(&pair.a, LITTLE)?;
    in_sync_on(pair, THIN)?;

    pair.a.secondary()?;
    pair.b.primary()?;
    pair.b.write_mib(0, 12)?;
    mended(pair, MORE)?;
    pair.b.secondary()?;
    pair.a.primary()?;
    pair.a.write_mib(12, 8)?;
    mended(pair, LARGEST)?;
    pair.a.setup("down r0").map(drop)
}

/// The disk of node a is lost, gets more room, and is good again.
fn mended(pair: &Pair<'_>, sectors: u32) -> Result<()> {
    let a: &Side<'_> = &pair.a;
    a.await_event("^[a-z]+ device .* disk:Diskless")?;
    enlarge(a, sectors)?;
    a.await_event("replication:Established")?;
    attach_again(a, THIN, "")?;
    pair.await_in_sync()?;
    ensure!(a.sum_of(THIN)? == pair.b.lower_sum()?, "the disks differ");
    Ok(())
}
