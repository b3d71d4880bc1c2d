// SPDX-License-Identifier: GPL-2.0

//! The threads of a resource run on the processors that `cpu-mask` names: those that are there when
//! it changes, those that come later, and all processors again without a mask.

use anyhow::{ensure, Result};
use vm::side::Side;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case =
    Case::new("threads_keep_to_the_cpu_mask", run).pairs(&[TANDEM]);

fn run(pair: &Pair<'_>) -> Result<()> {
    let all = pair.a.ok("cat /sys/devices/system/cpu/possible")?;
    ensure!(all != "0", "a machine with one processor shows nothing");
    pair.connected()?;
    expect(&pair.a, &all)?;
    pair.a.setup("resource-options r0 --cpu-mask=2")?;
    expect(&pair.a, "1")?;
    // The threads of the new connection are new.
    pair.a.disconnect(&pair.b)?;
    pair.a.connect(&pair.b, "")?;
    pair.a.await_event("connection:Connected")?;
    expect(&pair.a, "1")?;
    pair.a.setup("resource-options r0 --cpu-mask=1,00000000")?;
    pair.a.await_log("cpu-mask names no processor of this machine")?;
    expect(&pair.a, "1")?;
    pair.a.setup("resource-options r0 --set-defaults")?;
    expect(&pair.a, &all)
}

/// Fails unless all threads of the node's resource may run on just these.
fn expect(side: &Side<'_>, processors: &str) -> Result<()> {
    let found = side.ok(
        "for task in $(pgrep '^drbd_'); do awk '/^Name:/ { name = $2 } \
         /^Cpus_allowed_list:/ { print name, $2 }' /proc/$task/status; done",
    )?;
    // Worker, volume, discards, two of handlers, and four of the connection.
    ensure!(found.lines().count() == 9, "other threads than expected:\n{found}");
    let wrong = |line: &&str| line.split(' ').nth(1) != Some(processors);
    let wrong: Vec<_> = found.lines().filter(wrong).collect();
    ensure!(wrong.is_empty(), "not on {processors}: {wrong:?}");
    Ok(())
}
