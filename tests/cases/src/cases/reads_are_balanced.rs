// SPDX-License-Identifier: GPL-2.0

//! `read-balancing` decides which of two good disks serves a read, and may be changed while the
//! device is in use; the counters of both nodes tell who did.

use anyhow::{ensure, Context, Result};
use vm::side::{Side, DEVICE};

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("reads_are_balanced", run).pairs(&[TANDEM, TANDEM_DRBD]);

/// KiB that are read each time.
const READ: u64 = 1024;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    for (method, here) in [
        ("prefer-remote", 0),
        ("round-robin", READ / 2),
        ("32K-striping", READ / 2),
        ("1M-striping", READ),
        ("prefer-local", READ),
    ] {
        pair.a
            .setup(&format!("disk-options 0 --read-balancing={method}"))?;
        let before = [disk_reads(&pair.a)?, disk_reads(&pair.b)?];
        pair.a.ok(&format!(
            "dd if={DEVICE} iflag=direct bs=16k count={} status=none of=/dev/null",
            READ / 16
        ))?;
        let read = [
            disk_reads(&pair.a)? - before[0],
            disk_reads(&pair.b)? - before[1],
        ];
        ensure!(
            read == [here, READ - here],
            "with {method}, the disks of a and b served {read:?} KiB, not {here} of {READ}"
        );
    }
    Ok(())
}

/// KiB that the disk of a node has read (`dr:`).
fn disk_reads(side: &Side<'_>) -> Result<u64> {
    let all = side.proc()?;
    let (_, figure) = all.split_once(" dr:").context("no dr:")?;
    let digits = figure.split(' ').next().unwrap_or("");
    digits.parse().context("dr: is no number")
}
