// SPDX-License-Identifier: GPL-2.0

//! A disk with a damaged superblock is not attached: DRBD's number, a word on what to do, and not
//! one byte of the disk changed.

use anyhow::Result;
use vm::side::LOWER;

use crate::{
    case::{Case, DRBD_TANDEM, TANDEM},
    pair::Pair,
    refusal,
};

pub(crate) const CASE: Case =
    Case::new("damaged_superblock_is_refused", run).pairs(&[TANDEM, DRBD_TANDEM]).limit(240);

/// Size of the disk, and where its superblock is, in blocks of 4 KiB.
const SECTORS: u64 = 8192;
const LAST_BLOCK: u64 = SECTORS / 8 - 1;

/// `ERR_MD_INVALID` and `ERR_MD_UNCLEAN`.
const INVALID: i32 = 119;
const UNCLEAN: i32 = 165;

/// Offset in the superblock, the damage (hexadecimal), and what it leads to.
const DAMAGES: &[(&str, u32, &str, i32)] = &[
    ("no magic", 60, "00000000", INVALID),
    ("magic of DRBD 0.7", 60, "8374026a", INVALID),
    ("magic of a log that was not applied", 60, "8374026c", UNCLEAN),
    ("no flag that the log was applied", 56, "00000000", UNCLEAN),
    ("last size beyond the bitmap", 0, "0000010000000000", INVALID),
    ("more metadata than disk", 64, "ffffffff", INVALID),
    ("log behind the superblock", 68, "00000008", INVALID),
    ("bitmap behind the superblock", 76, "7fffffff", INVALID),
    ("bits of 512 bytes", 80, "00000200", INVALID),
    ("a log of 64 TiB", 88, "ffffffff", INVALID),
    ("a log of no stripes", 88, "00000000", INVALID),
];

fn run(pair: &Pair<'_>) -> Result<()> {
    let side = &pair.a;
    side.new_resource()?;
    // Small, for all of it is read again and again.
    let lower = side.part_of(LOWER, 0, SECTORS)?;
    side.create_md_on(&lower)?;
    let superblock = "bs=4096 count=1 conv=notrunc status=none";
    side.ok(&format!("dd if={lower} of=/tmp/superblock skip={LAST_BLOCK} {superblock}"))?;
    let restore = format!("dd if=/tmp/superblock of={lower} seek={LAST_BLOCK} {superblock}");
    for (damage, offset, bytes, code) in DAMAGES {
        side.ok(&format!(
            "{restore} && perl -e 'print pack \"H*\", \"{bytes}\"' | \
             dd of={lower} bs=1 seek=$(({LAST_BLOCK}*4096+{offset})) conv=notrunc,fsync status=none"
        ))?;
        refusal::of_attach(side, &lower, "", *code)
            .map_err(|error| error.context(format!("a superblock with {damage}")))?;
    }
    side.ok(&restore)?;
    side.attach_to(&lower, "")
}
