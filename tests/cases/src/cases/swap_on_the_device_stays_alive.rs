// SPDX-License-Identifier: GPL-2.0

//! The replicated device is the only swap of a machine that is short of memory: what is written
//! there to get memory needs none that is not there. A cut link and a resync in the middle of that
//! change nothing, and everything comes back from swap as it was.

use std::time::Duration;

use anyhow::Result;
use vm::{
    side::{Side, DEVICE},
    Link,
};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("swap_on_the_device_stays_alive", run)
    .pairs(&[TANDEM])
    .on_demand()
    .limit(600);

/// How long it may take to fill the memory.
const FILL: Duration = Duration::from_secs(200);

/// Used swap before the cut, during it, and after it, in KiB; the device has 32 MiB.
const USED: [u32; 3] = [6 << 10, 12 << 10, 18 << 10];

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.ok(&format!(
        "mkswap {DEVICE} && swapon {DEVICE} && mount -t tmpfs -o size=100% files /mnt/b"
    ))?;
    fill_until(&pair.a, USED[0])?;
    pair.cable(Link::Down)?;
    fill_until(&pair.a, USED[1])?;
    pair.a.await_apart()?;
    pair.cable(Link::Up)?;
    fill_until(&pair.a, USED[2])?;
    pair.await_in_sync()?;
    pair.a
        .ok("for file in /mnt/b/*; do yes ${file##*/} | head -c 4M | cmp - $file || exit; done")?;
    pair.a.ok(&format!("umount /mnt/b && swapoff {DEVICE}"))?;
    pair.expect_equal()
}

/// Fills memory with files until so much of it is in swap.
fn fill_until(side: &Side<'_>, kib: u32) -> Result<()> {
    let fill = format!(
        "n=$(ls /mnt/b | wc -l)
        until [ $(awk 'NR == 2 {{ print $4 }}' /proc/swaps) -ge {kib} ]; do
            n=$((n + 1))
            yes $n | head -c 4M >/mnt/b/$n || exit
        done"
    );
    side.ok_within(&fill, FILL).map(drop)
}
