// SPDX-License-Identifier: GPL-2.0

//! A lower disk that fails every other second (dm-flakey) is given up at its first error, on either
//! node, and the application does not notice. Attached again, it gets what it missed. One that
//! drops writes and says that all is well is found by a verify, and mended by the next resync.

use anyhow::{ensure, Result};
use vm::side::{Side, LOWER};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{keep_writing, part_returns, stop_writing},
};

pub(crate) const CASE: Case = Case::new("flakey_disks_cost_no_data", run)
    .pairs(&[TANDEM])
    .limit(240)
    .by_turns();

const SECTORS: u64 = 32768;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync_on_parts(SECTORS, "")?;
    for (side, peer) in [(pair.a, pair.b), (pair.b, pair.a)] {
        side.net_options(&peer, "--verify-alg=sha1")?;
        side.ok("modprobe dm-flakey")?;
    }
    keep_writing(&pair.a)?;
    for side in [pair.b, pair.a, pair.b, pair.a] {
        // A second well, a second with errors.
        flakey(&side, "1 1 1 error_writes")?;
        part_returns(pair, &side, SECTORS)?;
    }
    stop_writing(&pair.a)?;
    pair.expect_equal()?;

    flakey(&pair.b, "0 9999 1 drop_writes")?;
    pair.a.write_mib(2, 1)?;
    pair.b.resize_part(LOWER, 0, SECTORS)?;
    pair.a.setup("verify 0")?;
    pair.a.await_log("Out of sync: start=4096")?;
    pair.a.await_event("replication:Established")?;
    ensure!(
        !pair.a.proc()?.contains("oos:0"),
        "the verify found nothing"
    );
    pair.b.disconnect(&pair.a)?;
    pair.b.connect(&pair.a, "--verify-alg=sha1")?;
    pair.a.await_proc("oos:0$")?;
    pair.await_in_sync()?;
    pair.expect_equal()?;
    for side in [pair.a, pair.b] {
        side.setup("down r0")?;
        side.no_part()?;
    }
    Ok(())
}

/// Makes the disk fail: seconds that it works and does not, and what it does then.
fn flakey(side: &Side<'_>, how: &str) -> Result<()> {
    side.change_part(&format!("0 {SECTORS} flakey {LOWER} 0 {how}"))
}
