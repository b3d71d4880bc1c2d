// SPDX-License-Identifier: GPL-2.0

//! With protocol C a completed write is on both disks, without any later help.

use anyhow::{bail, Result};
use vm::side::LOWER;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("replicated_write_is_on_both_disks", run).every_pair();

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.write_mib(3, 4)?;
    let read = format!("dd if={LOWER} iflag=direct bs=1M skip=3 count=4 status=none | sha256sum");
    let (a, b) = (pair.a.ok(&read)?, pair.b.ok(&read)?);
    if a != b {
        bail!("what was written is {a} on a but {b} on b");
    }
    let ranges = "--name=w --filename=/dev/drbd0 --direct=1 --rw=randwrite --bsrange=512-256k \
        --bs_unaligned=0 --size=24M --io_size=4M --ioengine=libaio --iodepth=16 --verify=crc32c \
        --fsync=17 --output-format=terse";
    pair.a.ok(&format!("fio {ranges}"))?;
    pair.expect_equal()?;
    pair.a.expect_proc("oos:0")?;
    pair.b.expect_proc("oos:0")
}
