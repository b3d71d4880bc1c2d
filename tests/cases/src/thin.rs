// SPDX-License-Identifier: GPL-2.0

//! A thin volume (dm-thin) on the second data disk: it discards whole units of 64 KiB only, ignores
//! parts of them, reads zeroes where nothing is, and tells how much it has.

use anyhow::{bail, Context, Result};
use vm::side::Side;

/// Where it is.
pub(crate) const THIN: &str = "/dev/mapper/thin";

/// Its unit, in bytes.
pub(crate) const UNIT: u32 = 64 << 10;

/// Sectors of the data of the largest pool: 30 MiB.
pub(crate) const LARGEST: u32 = 61440;

/// Makes one of 32 MiB, of which 30 MiB may have data.
pub(crate) fn make(side: &Side<'_>) -> Result<()> {
    make_in_pool(side, LARGEST)
}

/// Makes one of 32 MiB, of which so many sectors may have data. What finds no room is an error.
pub(crate) fn make_in_pool(side: &Side<'_>, sectors: u32) -> Result<()> {
    let (data, pool) = (data(sectors), pool(sectors));
    side.ok(&format!(
        "modprobe dm-thin-pool && \
         dmsetup create thinmeta --table '0 4096 linear /dev/data2 0' && \
         dmsetup create thindata --table '{data}' && dmsetup mknodes && \
         dd if=/dev/zero of=/dev/mapper/thinmeta bs=4096 count=1 oflag=direct status=none && \
         dmsetup create pool --table '{pool}' && dmsetup mknodes && \
         dmsetup message /dev/mapper/pool 0 'create_thin 0' && \
         dmsetup create thin --table '0 65536 thin /dev/mapper/pool 0' && dmsetup mknodes"
    ))
    .map(drop)
}

/// Gives the pool more room, while it is in use.
pub(crate) fn enlarge(side: &Side<'_>, sectors: u32) -> Result<()> {
    let (data, pool) = (data(sectors), pool(sectors));
    side.ok(&format!(
        "dmsetup reload thindata --table '{data}' && dmsetup resume thindata && \
         dmsetup reload pool --table '{pool}' && dmsetup resume pool"
    ))
    .map(drop)
}

fn data(sectors: u32) -> String {
    format!("0 {sectors} linear /dev/data2 4096")
}

fn pool(sectors: u32) -> String {
    format!(
        "0 {sectors} thin-pool /dev/mapper/thinmeta /dev/mapper/thindata 128 0 1 \
         error_if_no_space"
    )
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
