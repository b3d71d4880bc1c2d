// SPDX-License-Identifier: GPL-2.0

//! What Debian proposes for `local-io-error` switches a machine off whose disk failed, and what it
//! proposes for `pri-on-incon-degr` resets one that has lost all good data: both really do, and
//! have mailed root before. The peer goes on in between.

use std::time::Duration;

use anyhow::{bail, ensure, Result};
use vm::side::Side;

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    debian::{in_sync, proposal, spoil, NAME},
    pair::Pair,
    trouble::fragile,
};

pub(crate) const CASE: Case = Case::new("debians_emergency_scripts_switch_the_machine_off", run)
    .pairs(&[TANDEM, TANDEM_DRBD])
    .limit(240);

/// How long a machine may take to go off.
const OFF: Duration = Duration::from_secs(60);

fn run(pair: &Pair<'_>) -> Result<()> {
    let [a, b] = [pair.a, pair.b];
    let handlers = [
        proposal(&a, "local-io-error")?,
        proposal(&a, "pri-on-incon-degr")?,
    ];
    let lower = [fragile(&a)?, fragile(&b)?];
    let disk = "on-io-error call-local-io-error;";
    in_sync(pair, [&lower[0], &lower[1]], disk, &handlers)?;
    a.write_mib(2, 1)?;
    let sum = a.sum_mib(2, 1)?;

    fails(&a)?;
    ends(
        &a,
        &[
            &format!("DRBD resource {NAME} detected a local I/O error"),
            "DRBD initiating emergency shutdown of node a",
        ],
        "sysrq: Power Off",
    )?;

    b.await_apart()?;
    b.ok("drbdadm primary r0")?;
    ensure!(b.sum_mib(2, 1)? == sum, "node b has other data");
    // Its disk may fail without that handler: the last one's loss is told anyway.
    b.ok("drbdadm disk-options --on-io-error=detach r0")?;
    fails(&b)?;
    ends(
        &b,
        &[
            &format!("DRBD resource {NAME} no longer has access to valid data on b"),
            "DRBD initiating emergency reboot of node b",
        ],
        "sysrq: Resetting",
    )
}

/// A write meets a disk that fails. Nobody waits for what comes of it.
fn fails(side: &Side<'_>) -> Result<()> {
    spoil(side)?;
    side.ok(
        "dd if=/dev/zero of=/dev/drbd0 oflag=direct conv=notrunc bs=4096 count=1 status=none \
         </dev/null >/dev/null 2>&1 &",
    )
    .map(drop)
}

/// The machine ends itself in that way, after it has sent these mails.
fn ends(side: &Side<'_>, subjects: &[&str], how: &str) -> Result<()> {
    side.await_off(OFF)?;
    let console = side.console()?;
    let mut rest = console.as_str();
    let mails = subjects
        .iter()
        .map(|subject| format!("mail: root | {subject} |"));
    for text in mails.chain([how.to_owned()]) {
        let Some((_, after)) = rest.split_once(&text) else {
            bail!("node {}: '{text}' was not said, or too early", side.name());
        };
        rest = after;
    }
    Ok(())
}
