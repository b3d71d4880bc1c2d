// SPDX-License-Identifier: GPL-2.0

//! While metadata is on its way to a disk that does not answer, what only tells how things are is
//! answered all the same: `/proc/drbd`, `status`, `show`, `events2`, and debugfs, which names what
//! is being waited for.

use anyhow::{ensure, Result};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{await_end, begin_disconnect, expect_running, hang, in_sync_on_fragile, wake},
};

pub(crate) const CASE: Case =
    Case::new("reports_do_not_wait_for_a_hanging_disk", run).pairs(&[TANDEM]);

/// Each is answered while the disk hangs, and its answer has the word.
const REPORTS: [(&str, &str); 6] = [
    ("cat /proc/drbd", "cs:Disconnecting ro:Primary"),
    ("drbdsetup status r0", "connection:Disconnecting"),
    ("drbdsetup show r0", "10.99.0.2:7789"),
    ("drbdsetup events2 --now r0", "exists resource name:r0"),
    ("drbdsetup cstate 0", "Disconnecting"),
    ("cat /sys/kernel/debug/tandem/waiting", "has to come down"),
];

fn run(pair: &Pair<'_>) -> Result<()> {
    in_sync_on_fragile(pair)?;

    hang(&pair.a)?;
    // A Primary that is left begins a new generation, which has to be on its disk.
    begin_disconnect(&pair.a)?;
    pair.a.await_log("-> Disconnecting")?;
    for (report, word) in REPORTS {
        let told = pair.a.ok(report)?;
        ensure!(
            told.contains(word),
            "{report} does not tell {word}:\n{told}"
        );
    }
    expect_running(&pair.a, "disconnect")?;

    wake(&pair.a)?;
    await_end(&pair.a, "disconnect", 0)?;
    pair.a.setup("down r0")?;
    pair.a.no_part()
}
