// SPDX-License-Identifier: GPL-2.0

//! On both nodes every so-manieth allocation fails that is made by the module or on its behalf (by
//! the network, by the block layer), in whatever thread, while a Primary writes and connections are
//! made and broken: no write fails, what broke is made again, and in the end both disks are equal.

use anyhow::Result;
use vm::side::Side;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{keep_writing, stop_writing},
};

pub(crate) const CASE: Case = Case::new("allocations_that_fail_anywhere_cost_no_data", run)
    .pairs(&[TANDEM])
    .limit(300)
    .debug_only();

/// One of so many fails while a connection is up.
const OFTEN: u32 = 7;

/// One of so many fails while connections are made, which takes some hundred.
const SOMETIMES: u32 = 1499;

/// How often the connection is made anew.
const ROUNDS: u32 = 4;

/// Counted down by the kernel at each failure; no test comes near.
const PLENTY: u32 = 1_000_000;

/// The count, when more than a thousand have failed.
const ENOUGH: &str = "^99[0-8]...$";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let both = [pair.a, pair.b];
    keep_writing(&pair.a)?;
    for side in both {
        fail_one_of(&side, OFTEN)?;
    }
    for side in both {
        side.await_in_file("/sys/kernel/debug/failslab/times", ENOUGH)?;
        side.expect_proc(" ds:UpToDate/")?;
        fail_one_of(&side, SOMETIMES)?;
    }
    let path = format!(
        "ipv4:{}:7789 ipv4:{}:7789",
        pair.b.address(),
        pair.a.address()
    );
    for _ in 0..ROUNDS {
        until_done(
            &pair.b,
            &format!("drbdsetup disconnect {path}"),
            "connection:StandAlone",
        )?;
        until_done(
            &pair.b,
            &format!("drbdsetup connect r0 {path}"),
            "connection:Connect",
        )?;
        pair.b.await_event("replication:Established")?;
        pair.b.await_event("disk:UpToDate")?;
    }
    for side in both {
        fail_none(&side)?;
    }
    stop_writing(&pair.a)?;
    pair.await_in_sync()?;
    pair.expect_equal()
}

/// Gives a command again and again until it has had its effect: it may fail.
fn until_done(side: &Side<'_>, command: &str, effect: &str) -> Result<()> {
    side.ok(&format!(
        "until drbdsetup events2 --now r0 | grep -q {effect}; do {command} 2>&1; done"
    ))
    .map(drop)
}

/// From now on one of so many allocations fails.
fn fail_one_of(side: &Side<'_>, count: u32) -> Result<()> {
    // With "nokaslr" all modules are in this range.
    side.ok(&format!(
        "cd /sys/kernel/debug
        echo 0 >fail_page_alloc/min-order
        echo N >fail_page_alloc/ignore-gfp-highmem
        for kind in failslab fail_page_alloc; do
            echo 0xffffffffa0000000 >$kind/require-start
            echo 0xffffffffff000000 >$kind/require-end
            echo 32 >$kind/stacktrace-depth
            echo N >$kind/ignore-gfp-wait
            echo 0 >$kind/verbose
            [ $(cat $kind/probability) = 100 ] || echo {PLENTY} >$kind/times
            echo {count} >$kind/interval
            echo 100 >$kind/probability
        done"
    ))
    .map(drop)
}

/// No allocation fails any more.
fn fail_none(side: &Side<'_>) -> Result<()> {
    side.ok("cd /sys/kernel/debug; echo 0 | tee failslab/probability >fail_page_alloc/probability")
        .map(drop)
}
