// SPDX-License-Identifier: GPL-2.0

//! The target of a resync asks as fast as its disk options say: at a fixed rate, or as the
//! controller finds, which `want:` in `/proc/drbd` shows; both can be changed while it runs, on
//! either node. While others use the target's disk, the resync gives way, down to `c-min-rate`.

use anyhow::{bail, Context, Result};
use vm::side::{Side, LOWER};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("resync_keeps_to_its_rate", run).limit(400);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    // More than two minutes, but somebody changes his mind, on the other node:
    // 8 MiB at 2 MiB/s.
    begin(pair, 8, "--c-plan-ahead=0 --resync-rate=50 --c-min-rate=0")?;
    pair.b.await_proc("want: 50 K/sec")?;
    pair.a
        .setup("disk-options 0 --c-plan-ahead=0 --resync-rate=2M --c-min-rate=0")?;
    pair.b.await_proc("want: 2,048 K/sec")?;
    lasts(pair, 4)?;
    // The controller, which may go up to 1 MiB/s.
    let options = "--c-plan-ahead=5 --c-fill-target=2M --resync-rate=10M --c-max-rate=1M";
    begin(pair, 4, &format!("{options} --c-min-rate=0"))?;
    pair.b.await_proc("want: 1,0[0-9][0-9] K/sec")?;
    lasts(pair, 3)?;
    // Others read the target's disk.
    let stop = read_lower(&pair.b)?;
    begin(
        pair,
        8,
        "--c-plan-ahead=0 --resync-rate=8M --c-min-rate=500",
    )?;
    // 8 MiB at 8 MiB/s; as little as 500 KiB/s where the reads are quick.
    let beside_reads = lasts(pair, 2).context("beside reads")?;
    pair.b.ok(&stop)?;
    // And without them it is quick.
    begin(
        pair,
        8,
        "--c-plan-ahead=0 --resync-rate=8M --c-min-rate=500",
    )?;
    let without_reads = lasts(pair, 0)?;
    if without_reads >= beside_reads {
        bail!("a resync took {without_reads} s alone, and {beside_reads} s beside reads");
    }
    pair.expect_equal()
}

/// Begins a resync of so many MiB with node b as its target, which has these disk options.
fn begin(pair: &Pair<'_>, mib: u32, options: &str) -> Result<()> {
    pair.b.disconnect(&pair.a)?;
    pair.a.await_event("connection:Connecting")?;
    pair.a.write_mib(0, mib)?;
    // When they meet, each takes over what the other one says of its rates.
    pair.a.setup(&format!("disk-options 0 {options}"))?;
    pair.b.setup(&format!("disk-options 0 {options}"))?;
    pair.b.ok("dmesg --clear")?;
    pair.b.connect(&pair.a, "")?;
    pair.b.await_log("Began resync as SyncTarget").map(drop)
}

/// Waits for the end of the resync, which has to take so many seconds at least; returns how many it
/// took. How many it may take at most only the machine knows.
fn lasts(pair: &Pair<'_>, least: u32) -> Result<u32> {
    pair.await_in_sync()?;
    let line = pair.b.await_log("Resync done (total ")?;
    let seconds = line
        .split("(total ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .with_context(|| format!("no seconds in '{line}'"))?;
    if seconds < least {
        bail!("the resync took {seconds} seconds, not {least} or more");
    }
    Ok(seconds)
}

/// Reads the lower device until a file is removed; returns the command that does.
fn read_lower(side: &Side<'_>) -> Result<String> {
    side.ok(&format!(
        "touch /tmp/reading; (while [ -e /tmp/reading ]; do dd if={LOWER} of=/dev/null bs=64k \
         iflag=direct status=none; done) </dev/null >/dev/null 2>&1 &"
    ))?;
    Ok("rm /tmp/reading".into())
}
