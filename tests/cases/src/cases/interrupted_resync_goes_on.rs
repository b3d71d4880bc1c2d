// SPDX-License-Identifier: GPL-2.0

//! A resync whose connection is lost goes on where it was when the nodes meet again: what is there
//! already is not copied a second time.

use anyhow::{ensure, Context, Result};
use vm::Link;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("interrupted_resync_goes_on", run);

/// What node b misses, in MiB.
const MISSED: u32 = 24;

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.b.disconnect(&pair.a)?;
    pair.a.await_event("connection:Connecting")?;
    pair.a.write_mib(0, MISSED)?;
    set_rate(pair, "1M")?;
    pair.b.ok("dmesg --clear")?;
    pair.b.connect(&pair.a, "")?;
    // Less than 16,000 KiB are left.
    pair.b.await_proc("oos:(1[0-5]|[1-9])[0-9]{3}$")?;
    pair.cable(Link::Down)?;
    for side in [pair.a, pair.b] {
        side.await_event("connection:(Connecting|NetworkFailure|Unconnected|BrokenPipe|Timeout)")?;
    }
    set_rate(pair, "512M")?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;
    let amounts = amounts(&pair.b.ok("dmesg")?)?;
    ensure!(
        amounts.first() == Some(&(u64::from(MISSED) * 1024))
            && amounts.get(1).is_some_and(|&second| second < 16_000),
        "KiB to copy each time: {amounts:?}"
    );
    pair.expect_equal()
}

fn set_rate(pair: &Pair<'_>, rate: &str) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.setup(&format!("disk-options 0 --c-plan-ahead=0 --resync-rate={rate}"))?;
    }
    Ok(())
}

/// How much each resync had to copy as it began, in KiB.
fn amounts(log: &str) -> Result<Vec<u64>> {
    log.lines()
        .filter_map(|line| line.split_once("will sync "))
        .map(|(_, rest)| {
            let digits = rest.split(' ').next().unwrap_or("");
            digits.parse().with_context(|| format!("no amount: {rest}"))
        })
        .collect()
}
