// SPDX-License-Identifier: GPL-2.0

//! A volume of 64 TiB is attached within seconds, with 32 MiB of memory for each TiB, and gives
//! them back. Its lower device has nothing but its metadata.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use vm::{
    side::{Side, DEVICE},
    Driver, Kernel,
};

use crate::{
    case::{Case, Drivers, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("largest_volume_is_attached", run)
    .pairs(&[TANDEM] as &[Drivers])
    .memory(3072)
    .limit(300);

/// Sectors of 64 TiB.
const SECTORS: u64 = 64 << 31;

/// Sectors of its activity log and superblock, the part that keeps what is written.
const KEPT: u64 = 72;

/// What an attach may take: emulated machines, not the disk, need so much.
const SECONDS: Duration = Duration::from_secs(60);

fn run(pair: &Pair<'_>) -> Result<()> {
    let a = &pair.a;
    ensure!(a.driver() == Driver::Tandem, "a case of our module");
    let (zeroes, begin) = (SECTORS - KEPT, SECTORS - KEPT);
    a.ok(&format!(
        "modprobe dm-zero; printf '0 {zeroes} zero\\n{begin} {KEPT} linear /dev/data1 0\\n' | \
         dmsetup create part && dmsetup mknodes"
    ))?;
    a.ok_within(
        "tandem meta --force 0 v08 /dev/mapper/part internal create-md",
        SECONDS * 2,
    )?;
    let free = available(a)?;
    a.new_resource()?;
    let begin = Instant::now();
    a.attach_to("/dev/mapper/part", "")?;
    let took = begin.elapsed();
    ensure!(took < SECONDS, "the attach took {took:?}");
    let used = free.saturating_sub(available(a)?) / 1024;
    // A byte for each eight, where the kernel watches its memory.
    let shadow = match pair.spec().kernel {
        Kernel::Stock => 0,
        Kernel::Debug => 2048 / 8,
    };
    ensure!(
        (2048..2048 + 256 + shadow).contains(&used),
        "{used} MiB are used, not 32 MiB for each of 64 TiB"
    );
    a.primary_force()?;
    let end = a.sectors()? / 8 - 1;
    a.ok(&format!(
        "dd if=/dev/zero of={DEVICE} bs=4096 count=1 seek={end} oflag=direct conv=notrunc && \
         dd if={DEVICE} of=/dev/null bs=4096 count=1 skip={end} iflag=direct"
    ))?;
    a.secondary()?;
    a.setup("down r0")?;
    let left = free.saturating_sub(available(a)?) / 1024;
    ensure!(left < 128, "{left} MiB were not given back");
    Ok(())
}

/// Memory that is available, in KiB.
fn available(side: &Side<'_>) -> Result<u64> {
    let text = side.ok("awk '/^MemAvailable:/ { print $2 }' /proc/meminfo")?;
    Ok(text.parse()?)
}
