// SPDX-License-Identifier: GPL-2.0

//! A handler does not come back. What waits for it is shown; a promotion that does can be killed,
//! and does not happen later; the resource can be taken down without it, by force at once, and made
//! anew, but the module stays loaded until the handler has come back.

use std::time::Duration;

use anyhow::{ensure, Result};
use vm::{
    side::{Side, LOWER},
    Link,
};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{attach_again, await_end, begin, inject, write_letter, DATA_WRITES},
};

pub(crate) const CASE: Case = Case::new("a_handler_that_hangs_holds_nothing_up", run)
    .pairs(&[TANDEM])
    .limit(300)
    .by_turns();

/// How long something that is under way may take.
const SOON: Duration = Duration::from_secs(60);

/// How long a resource that goes may wait for its handlers, and more.
const DOWN: Duration = Duration::from_secs(60);

const WAITING: &str = "/sys/kernel/debug/tandem/waiting";

/// Two handlers hang, each until it is let go.
const HANDLER: &str = "#!/bin/bash
case $1 in
fence-peer | local-io-error)
	echo \"$1\" >>/run/handlers
	read -r code </run/go
	exit \"$code\"
	;;
esac
";

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.create_md()?;
        side.new_resource()?;
        side.attach_to(
            "/dev/data1",
            "--fencing=resource-and-stonith --on-io-error=call-local-io-error",
        )?;
    }
    pair.a.write_file("/run/handler", HANDLER.as_bytes())?;
    pair.a.ok(
        "chmod +x /run/handler; rm -f /run/go; mkfifo /run/go; : >/run/handlers
        printf /run/handler >/sys/module/tandem/parameters/usermode_helper",
    )?;
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("replication:Established")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    let a = &pair.a;
    a.secondary()?;
    pair.cut()?;
    a_promotion_can_be_killed(a)?;
    // The peer was fenced, it says at last.
    a.ok("echo 7 >/run/go")?;
    a.await_event("peer-disk:Outdated")?;
    a.expect_proc("ro:Secondary/Unknown")?;
    a.setup("primary 0")?;
    a.secondary()?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;
    pair.cut()?;
    a_promotion_can_be_killed(a)?;
    goes_without(a)?;
    pair.cable(Link::Up)?;
    a.new_resource()?;
    attach_again(a, LOWER, "--on-io-error=call-local-io-error")?;
    a.connect(&pair.b, "")?;
    pair.await_in_sync()?;
    by_force(a)
}

/// Who promotes waits for the handler, and need not.
fn a_promotion_can_be_killed(a: &Side<'_>) -> Result<()> {
    a.ok(": >/run/handlers; timeout -s KILL 3 tandem setup primary 0; test $? = 137")?;
    let waiting = a.ok(&format!("cat {WAITING}"))?;
    ensure!(
        waiting.contains("r0 handler ") && waiting.contains("fence-peer runs"),
        "no handler in:\n{waiting}"
    );
    ensure!(
        !waiting.contains(" command "),
        "a command waits still:\n{waiting}"
    );
    Ok(())
}

/// The resource goes, after a while. The module stays until the handler has come back.
fn goes_without(a: &Side<'_>) -> Result<()> {
    a.ok_within("/lib/drbd/drbdsetup-84 down r0", DOWN)?;
    let waiting = a.ok(&format!("cat {WAITING}"))?;
    ensure!(
        waiting.contains("the resource is gone"),
        "not told:\n{waiting}"
    );
    let refused = a.sh("rmmod tandem")?;
    ensure!(
        refused.stderr.contains("in use"),
        "the module went, or did not: {refused:?}"
    );
    // A resource of that name is another one.
    a.new_resource()?;
    a.setup("down r0")?;
    a.ok(&format!(
        "echo 4 >/run/go; until ! grep -q handler {WAITING}; do :; done
        rmmod tandem && /payload/load-driver
        printf /run/handler >/sys/module/tandem/parameters/usermode_helper"
    ))
    .map(drop)
}

/// By force, the disk that failed does not wait for its handler.
fn by_force(a: &Side<'_>) -> Result<()> {
    a.setup("primary 0")?;
    inject(a, DATA_WRITES)?;
    begin(a, "write", &write_letter('x', 2))?;
    a.await_in("tail -n +1 -F /run/handlers", "^local-io-error$", SOON)?;
    await_end(a, "write", 0)?;
    a.setup("secondary 0")?;
    a.ok_within("tandem setup down --force r0", DOWN)?;
    ensure!(
        !a.ok("cat /proc/drbd")?.contains(" 0: cs:"),
        "volume 0 is there"
    );
    a.ok(&format!(
        "echo 0 >/run/go; until ! grep -q handler {WAITING}; do :; done"
    ))?;
    inject(a, 0)
}
