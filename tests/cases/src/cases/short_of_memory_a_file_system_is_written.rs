// SPDX-License-Identifier: GPL-2.0

//! A file system on the device is written to, past what fits into memory, on a machine that is so
//! short of it that who writes has to reclaim some first, on either node: everything comes to its
//! end, a cut link and a resync included, and is there.

use anyhow::{ensure, Result};
use vm::{
    side::{Side, DEVICE},
    Link,
};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("short_of_memory_a_file_system_is_written", run)
    .pairs(&[TANDEM])
    .limit(300)
    .by_turns();

/// What is left of memory, in KiB: one file that is written has 16 MiB.
const LEFT: u32 = 20 << 10;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.ok(&format!(
        "mkfs.ext4 -q {DEVICE} && mkdir -p /mnt/a && mount {DEVICE} /mnt/a"
    ))?;
    for side in [pair.a, pair.b] {
        fill(&side)?;
    }
    let before = reclaimed(&pair.a)?;
    write(&pair.a, 1)?;
    pair.cable(Link::Down)?;
    write(&pair.a, 2)?;
    pair.a.await_apart()?;
    pair.cable(Link::Up)?;
    write(&pair.a, 3)?;
    pair.await_in_sync()?;
    write(&pair.a, 4)?;
    ensure!(reclaimed(&pair.a)? > before, "nobody had to reclaim memory");
    pair.a.ok("umount /mnt/a")?;
    for side in [pair.a, pair.b] {
        side.ok("umount /mnt/b")?;
    }
    pair.expect_equal()
}

/// Takes memory away that cannot be reclaimed.
fn fill(side: &Side<'_>) -> Result<()> {
    side.ok(&format!(
        "mkdir -p /mnt/b && mount -t tmpfs -o size=100% fill /mnt/b
        available=$(awk '/^MemAvailable/ {{ print $2 }}' /proc/meminfo)
        fallocate -l $((available - {LEFT}))K /mnt/b/fill"
    ))
    .map(drop)
}

/// Writes a file anew, and reads it back from the disk.
fn write(side: &Side<'_>, number: u32) -> Result<()> {
    side.ok(&format!(
        "yes {number} | head -c 16M >/mnt/a/file && sync /mnt/a/file &&
        echo 1 >/proc/sys/vm/drop_caches && yes {number} | head -c 16M | cmp - /mnt/a/file"
    ))
    .map(drop)
}

/// Pages that were looked at for memory, by who wanted some himself or by the kernel's thread.
fn reclaimed(side: &Side<'_>) -> Result<u64> {
    let pages = "awk '/^pgscan_(direct|kswapd) / { sum += $2 } END { print sum }' /proc/vmstat";
    Ok(side.ok(pages)?.trim().parse()?)
}
