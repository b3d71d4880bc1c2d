// SPDX-License-Identifier: GPL-2.0

//! The load on the replicated device: a script in the guest that does one thing after the other on
//! a mounted file system, reports each on the console, and tells later up to which all are there.

use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use vm::{reports, side::Side, Node};

use crate::{
    file_system::PLACE,
    plan::{Load, Plan},
};

/// Where the script is in the guest.
const SCRIPT: &str = "/usr/local/sbin/load";

/// How long the first thing may take, and how long what is under way takes to its end.
const SOON: Duration = Duration::from_secs(60);

/// How long it may take to look at everything.
const LOOK: Duration = Duration::from_secs(120);

/// Brings the script into a machine that was booted.
pub(crate) fn install(side: &Side<'_>, plan: &Plan) -> Result<()> {
    let script: &[u8] = match plan.load {
        Load::Fio => include_bytes!("../guest/fio.sh"),
        Load::Sqlite => include_bytes!("../guest/sqlite.sh"),
        Load::Postgres => include_bytes!("../guest/postgres.sh"),
    };
    side.write_file(SCRIPT, script)?;
    side.ok(&format!("chmod 755 {SCRIPT}")).map(drop)
}

fn command(plan: &Plan, verb: &str, number: u64) -> String {
    format!("{SCRIPT} {verb} {PLACE} {} {number}", plan.kind())
}

/// Lays out what the load works on, and begins it.
pub(crate) fn begin(side: &Side<'_>, plan: &Plan) -> Result<()> {
    side.ok(&command(plan, "prepare", 0))?;
    let run = command(plan, "run", plan.number);
    side.ok(&format!(
        "echo on >/proc/sys/kernel/printk_devkmsg; rm -f /run/load.stop; : >/run/load.end
        ({run}; echo $? >>/run/load.end) </dev/null >/run/load.log 2>&1 &"
    ))
    .map(drop)
}

fn mark(plan: &Plan) -> String {
    format!("endure {}: did ", plan.number)
}

/// How many things it has reported so far.
pub(crate) fn done(node: &Node, plan: &Plan) -> Result<u64> {
    let console = node.console()?;
    let mark = mark(plan);
    let last = reports(&console, &mark).last();
    Ok(last.map_or(Ok(0), str::parse)?)
}

/// Waits until it has done something, or something more than that.
pub(crate) fn await_more(side: &Side<'_>, plan: &Plan, than: u64) -> Result<()> {
    let mark = mark(plan);
    let skip = than + 1;
    let more = format!("{mark}({skip}|[0-9]{{{},}}) ", digits(skip) + 1);
    let follow = format!("sh -c 'dmesg --follow | grep -m 1 -E \"{more}\"'");
    side.await_in(&follow, &mark, SOON)
        .with_context(|| said(side))
        .map(drop)
}

fn digits(number: u64) -> usize {
    number.to_string().len()
}

/// Lets it come to its end.
pub(crate) fn finish(side: &Side<'_>) -> Result<()> {
    side.ok("touch /run/load.stop")?;
    let end = side.await_in("tail -n +1 -F /run/load.end", "^[0-9]+$", SOON)?;
    ensure!(
        end == "0",
        "the load ended with status {end}: {}",
        said(side)
    );
    Ok(())
}

fn said(side: &Side<'_>) -> String {
    let log = side.sh("cat /run/load.log");
    log.map_or_else(|error| format!("{error:#}"), |output| output.stdout)
}

/// Looks at what is there; returns up to which all are. `done`: so many were reported.
pub(crate) fn check(side: &Side<'_>, plan: &Plan, done: u64) -> Result<u64> {
    let said = side
        .ok_within(&command(plan, "check", done), LOOK)
        .with_context(|| {
            format!(
                "node {}: what is there is no state of the load",
                side.name()
            )
        })?;
    let Some(held) = said.strip_prefix("held ") else {
        bail!("the check says: {said}");
    };
    let held = held.parse()?;
    ensure!(
        held >= done || plan.may_miss_the_last(),
        "node {} has lost acknowledged writes: {done} were done, {held} are there",
        side.name()
    );
    Ok(held)
}
