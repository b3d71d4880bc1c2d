// SPDX-License-Identifier: GPL-2.0

//! A thin volume (dm-thin) on the second data disk: it discards whole units of 64 KiB only, ignores
//! parts of them, reads zeroes where nothing is, and tells how much it has.

use anyhow::{bail, Context, Result};
use vm::side::Side;

/// Where it is.
pub(crate) const THIN: &str = "/dev/mapper/thin";

/// Its unit, in bytes.
pub(crate) const UNIT: u32 = 64 << 10;

/// Makes one of 32 MiB, of which 30 MiB may have data.
pub(crate) fn make(side: &Side<'_>) -> Result<()> {
    side.ok("modprobe dm-thin-pool && \
         dmsetup create thinmeta --table '0 4096 linear /dev/data2 0' && \
         dmsetup create thindata --table '0 61440 linear /dev/data2 4096' && \
         dmsetup mknodes && \
         dd if=/dev/zero of=/dev/mapper/thinmeta bs=4096 count=1 oflag=direct status=none && \
         dmsetup create pool --table \
           '0 61440 thin-pool /dev/mapper/thinmeta /dev/mapper/thindata 128 0' && \
         dmsetup mknodes && \
         dmsetup message /dev/mapper/pool 0 'create_thin 0' && \
         dmsetup create thin --table '0 65536 thin /dev/mapper/pool 0' && dmsetup mknodes")
        .map(drop)
}

/// How many units have data.
pub(crate) fn used(side: &Side<'_>) -> Result<u32> {
    let status = side.ok("dmsetup status thin")?;
    // START LENGTH thin MAPPED-SECTORS HIGHEST
    let Some(sectors) = status.split_whitespace().nth(3) else {
        bail!("no status of a thin volume: {status}");
    };
    let sectors: u32 = sectors.parse().context("mapped sectors")?;
    Ok(sectors / (UNIT / 512))
}
