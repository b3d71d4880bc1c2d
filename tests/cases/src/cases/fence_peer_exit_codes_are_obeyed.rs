// SPDX-License-Identifier: GPL-2.0

//! What the exit codes of `fence-peer` make of a lost peer's disk, and of frozen I/O: a handler
//! without a meaning, or that does not come to its end, leaves it frozen until `resume-io`, and
//! what is waited for is shown. The handler may ask the tool for the state meanwhile, and commands
//! are answered.

use std::time::Duration;

use anyhow::{ensure, Result};
use vm::{side::Side, Link};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{await_end, begin, expect_running, write_letter},
};

/// Our module alone: the same with the C module is shown by `fence_peer_outdates_a_lost_peer`.
pub(crate) const CASE: Case = Case::new("fence_peer_exit_codes_are_obeyed", run)
    .pairs(&[TANDEM])
    .limit(240);

/// How long something that is under way may take.
const SOON: Duration = Duration::from_secs(60);

const HANDLER: &str = "#!/bin/sh
[ \"$1\" = fence-peer ] || exit 0
PATH=$PATH:/usr/local/sbin
echo \"asked $(timeout 5 tandem setup cstate 0)\" >>/run/handlers
[ \"$(cat /run/code)\" != hang ] || read go </run/go
exit $(cat /run/code | tr -dc 0-9)
";

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.create_md()?;
        side.new_resource()?;
        side.attach_to("/dev/data1", "--fencing=resource-and-stonith")?;
    }
    install(&pair.a)?;
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("replication:Established")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    for (code, disk) in [(3, "Inconsistent"), (5, "Outdated"), (1, "DUnknown")] {
        pair.a.ok(&format!("echo {code} >/run/code; : >/run/handlers"))?;
        pair.cable(Link::Down)?;
        let asked = "asked (WFConn|Unconn|Netw|Broken|Time)";
        pair.a.await_in("tail -n +1 -F /run/handlers", asked, SOON)?;
        if code == 1 {
            pair.a.await_log("fence-peer helper broken, returned 1")?;
            pair.a.await_event("resource .*suspended:fencing")?;
            let waiting = pair.a.ok("cat /sys/kernel/debug/tandem/waiting")?;
            ensure!(waiting.contains("r0/0 io "), "nothing frozen in:\n{waiting}");
            let status = pair.a.setup("status r0")?;
            ensure!(
                status.contains(" s ago): frozen by fencing"),
                "nothing frozen in:\n{status}"
            );
            pair.a.setup("resume-io 0")?;
        } else {
            pair.a.await_event(&format!("peer-disk:{disk}"))?;
        }
        pair.a.await_event("resource .*suspended:no")?;
        pair.a.write_mib(3, 1)?;
        pair.cable(Link::Up)?;
        pair.await_in_sync()?;
    }
    let waiting = pair.a.ok("cat /sys/kernel/debug/tandem/waiting")?;
    ensure!(!waiting.contains(" io "), "still frozen:\n{waiting}");
    hang(pair)?;
    pair.expect_equal()
}

/// A handler that does not come back: I/O is frozen, but neither commands nor `resume-io` are; and
/// its late answer says nothing of a peer that is there again.
fn hang(pair: &Pair<'_>) -> Result<()> {
    let a = &pair.a;
    a.ok("echo hang >/run/code; : >/run/handlers; rm -f /run/go; mkfifo /run/go")?;
    pair.cable(Link::Down)?;
    a.await_in("tail -n +1 -F /run/handlers", "asked", SOON)?;
    begin(a, "write", &write_letter('x', 2000))?;
    a.await_proc("ap:1")?;
    let waiting = a.ok("cat /sys/kernel/debug/tandem/waiting")?;
    ensure!(waiting.contains(" handler "), "no handler in:\n{waiting}");
    a.setup("disk-options 0 --on-io-error=detach")?;
    expect_running(a, "write")?;
    a.setup("resume-io 0")?;
    await_end(a, "write", 0)?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;
    a.ok("echo >/run/go")?;
    a.await_log("Ignoring fence-peer exit code")?;
    pair.await_in_sync()
}

/// From here on the node calls our handler.
fn install(side: &Side<'_>) -> Result<()> {
    side.write_file("/run/handler", HANDLER.as_bytes())?;
    side.ok(
        "chmod +x /run/handler; touch /run/handlers; echo 0 >/run/code
        printf /run/handler >/sys/module/tandem/parameters/usermode_helper",
    )
    .map(drop)
}
