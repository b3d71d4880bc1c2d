// SPDX-License-Identifier: GPL-2.0

//! TCP has no memory to speak of, on both nodes, while a Primary writes: the writes come to their
//! end all the same, a connection that broke is made again, and both disks are equal.

use anyhow::{ensure, Context, Result};
use vm::side::Side;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("tcp_short_of_memory_loses_nothing", run)
    .pairs(&[TANDEM])
    .limit(240);

/// Pages: from the second figure on TCP is short of memory, and the third is all that it gets.
const SCARCE: &str = "1 2 3";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let both = [pair.a, pair.b];
    let usual = pair.a.ok("cat /proc/sys/net/ipv4/tcp_mem")?;
    for side in both {
        side.ok(&format!("echo {SCARCE} >/proc/sys/net/ipv4/tcp_mem"))?;
    }
    for at in 0..4 {
        pair.a.write_mib(2 * at, 2)?;
    }
    let short = both.map(|side| pressures(&side));
    for side in both {
        side.ok(&format!("echo {usual} >/proc/sys/net/ipv4/tcp_mem"))?;
    }
    for count in short {
        ensure!(count? > 0, "TCP was never short of memory");
    }
    pair.await_in_sync()?;
    pair.a.write_mib(8, 2)?;
    pair.expect_equal()
}

/// How often TCP became short of memory.
fn pressures(side: &Side<'_>) -> Result<u64> {
    let count = side.ok(
        "awk '/^TcpExt:/ { if (!seen++) { for (i = 1; i <= NF; i++) \
         if ($i == \"TCPMemoryPressures\") at = i } else print $at }' /proc/net/netstat",
    )?;
    count.trim().parse().context("no TCPMemoryPressures")
}
