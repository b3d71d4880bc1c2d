// SPDX-License-Identifier: GPL-2.0

//! A lower device with a mounted file system is not attached, and the file system goes on.

use anyhow::Result;
use vm::side::LOWER;

use crate::{
    case::{Case, DRBD_TANDEM, TANDEM},
    files,
    pair::Pair,
    refusal,
};

pub(crate) const CASE: Case =
    Case::new("mounted_lower_device_is_refused", run).pairs(&[TANDEM, DRBD_TANDEM]);

/// `ERR_OPEN_DISK`.
const CODE: i32 = 104;

fn run(pair: &Pair<'_>) -> Result<()> {
    let side = &pair.a;
    side.create_md()?;
    side.new_resource()?;
    // Smaller than the disk: the metadata is behind it.
    side.ok(&format!("mke2fs -q -t ext4 {LOWER} 16M && mount -t ext4 {LOWER} /mnt/a"))?;
    let sums = files::write(side, "kept", 4)?;
    side.ok("fsfreeze --freeze /mnt/a")?;
    refusal::of_attach(side, LOWER, "", CODE)?;
    side.ok("fsfreeze --unfreeze /mnt/a")?;
    files::verify(side, &sums)?;
    files::write(side, "more", 1)?;
    files::unmount(side)?;
    side.ok(&format!("e2fsck -fn {LOWER}"))?;
    side.attach()
}
