// SPDX-License-Identifier: GPL-2.0

//! A lower device that is too small is not attached, and not touched: less than a mebibyte, smaller
//! than the size that was asked for, or smaller than the data that it had.

use anyhow::Result;
use vm::side::LOWER;

use crate::{
    case::{Case, DRBD_TANDEM, TANDEM},
    pair::Pair,
    refusal,
};

pub(crate) const CASE: Case =
    Case::new("too_small_lower_device_is_refused", run).pairs(&[TANDEM, DRBD_TANDEM]);

/// `ERR_DISK_TOO_SMALL`, `ERR_MD_DISK_TOO_SMALL` and `ERR_IMPLICIT_SHRINK`.
const DISK: i32 = 111;
const METADATA: i32 = 112;
const SHRINK: i32 = 170;

fn run(pair: &Pair<'_>) -> Result<()> {
    let side = &pair.a;
    side.new_resource()?;
    // One page less than a mebibyte.
    let tiny = side.part_of("/dev/data2", 0, 2040)?;
    side.create_md_on(&tiny)?;
    refusal::of_attach(side, &tiny, "", METADATA)?;
    side.no_part()?;
    side.create_md()?;
    refusal::of_attach(side, LOWER, "--size=64M", DISK)?;

    // A disk with good data, whose end with the metadata is now that of a smaller one.
    side.attach()?;
    side.primary_force()?;
    side.secondary()?;
    side.setup("down r0")?;
    side.meta(&format!("0 v08 {LOWER} internal apply-al"))?;
    side.new_resource()?;
    let shrunk = side.part_of(LOWER, 32768, 32768)?;
    refusal::of_attach(side, &shrunk, "", SHRINK)?;
    side.no_part()?;
    side.attach()?;
    side.await_event("disk:UpToDate").map(drop)
}
