// SPDX-License-Identifier: GPL-2.0

//! Every allocation that the module makes for a command may fail: the command then fails cleanly or
//! succeeds nevertheless, can be given again, and everything works afterwards. A write needs no
//! memory at all.

use std::time::Duration;

use anyhow::{bail, Context, Result};
use vm::side::{Side, DEVICE, RESOURCE};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("commands_survive_failed_allocations", run)
    .pairs(&[TANDEM])
    .limit(900)
    .debug_only();

/// The program that gives a command again and again; where it is in the guest.
const PROGRAM: &str = include_str!("../../guest/each-allocation.sh");
const PLACE: &str = "/run/each-allocation";

/// The thread that does what commands want.
const WORKER: &str = "drbd_r_r0";

/// The longest that all runs of one command may take.
const LIMIT: Duration = Duration::from_secs(300);

/// A command, and what makes it possible again after it succeeded.
struct Step {
    command: &'static str,
    undo: &'static str,
}

const fn step(command: &'static str, undo: &'static str) -> Step {
    Step { command, undo }
}

/// What is done without a peer.
const ALONE: &[Step] = &[
    step("insmod /payload/tandem.ko usermode_helper=disabled", "rmmod tandem"),
    step("tandem setup new-resource r0", "tandem setup del-resource r0"),
    step("tandem setup resource-options r0 --on-no-data-accessible=suspend-io", ""),
    step("tandem setup new-minor r0 0 0", "tandem setup del-minor 0"),
    step(
        "tandem setup attach 0 /dev/data1 /dev/data1 internal",
        "tandem setup detach 0 && tandem meta 0 v08 /dev/data1 internal apply-al",
    ),
    step("tandem setup disk-options 0 --c-plan-ahead=0 --resync-rate=512M", ""),
    step("tandem setup primary 0 --force", "tandem setup secondary 0"),
    step("tandem setup new-current-uuid 0", ""),
    step("tandem setup suspend-io 0", "tandem setup resume-io 0"),
    step("tandem setup resume-io 0", "tandem setup suspend-io 0"),
    step("tandem setup secondary 0", "tandem setup primary 0"),
];

/// What is done with a peer that is there.
const CONNECTED: &[Step] = &[
    step("tandem setup pause-sync 0", "tandem setup resume-sync 0"),
    step("tandem setup resume-sync 0", "tandem setup pause-sync 0"),
    step("tandem setup primary 0", "tandem setup secondary 0"),
    step("tandem setup show", ""),
    step("tandem setup status r0 --verbose --statistics", ""),
    step("tandem setup events2 --now --statistics", ""),
    step("tandem setup get-gi 0", ""),
    step("cat /proc/drbd", ""),
    step("blockdev --getsize64 /dev/drbd0", ""),
    step("tandem setup secondary 0", "tandem setup primary 0"),
];

/// How everything is taken away again.
const END: &[Step] = &[
    step(
        "tandem setup detach 0",
        "tandem meta 0 v08 /dev/data1 internal apply-al && \
         tandem setup attach 0 /dev/data1 /dev/data1 internal",
    ),
    step("tandem setup del-minor 0", "tandem setup new-minor r0 0 0"),
    step("tandem setup del-resource r0", "tandem setup new-resource r0"),
    step("rmmod tandem", "/payload/load-driver"),
];

fn run(pair: &Pair<'_>) -> Result<()> {
    let (a, b) = (pair.a, pair.b);
    a.write_file(PLACE, PROGRAM.as_bytes())?;
    a.create_md()?;
    a.ok("rmmod tandem")?;
    each_step(&a, ALONE)?;

    b.create_md()?;
    b.new_resource()?;
    b.attach()?;
    b.connect(&a, "")?;
    let ends = format!("ipv4:{}:7789 ipv4:{}:7789", a.address(), b.address());
    let connect = format!("tandem setup connect {RESOURCE} {ends} --max-buffers=20000");
    let disconnect = format!("tandem setup disconnect {ends}");
    each(&a, &connect, &disconnect)?;
    a.await_in_sync()?;
    each(&a, &format!("tandem setup net-options {ends} --max-epoch-size=1000"), "")?;
    each_step(&a, CONNECTED)?;
    writes_need_no_memory(pair)?;

    each(&a, &disconnect, &connect)?;
    each_step(&a, END)?;
    a.ok("/payload/load-driver")?;
    again(pair)
}

/// Runs steps one after the other.
fn each_step(side: &Side<'_>, steps: &[Step]) -> Result<()> {
    steps
        .iter()
        .try_for_each(|step| each(side, step.command, step.undo))
}

/// Runs a command with each of its allocations failing once, then without failure; then the same
/// with those of the resource's worker, which carries out what a command decides.
fn each(side: &Side<'_>, command: &str, undo: &str) -> Result<()> {
    allocations(side, command, undo, "")?;
    allocations(side, command, undo, WORKER).map(drop)
}

/// One half of [`each`]: the allocations of that thread, or of the command itself. Returns how many
/// failed, and how many of these runs succeeded.
fn allocations(side: &Side<'_>, command: &str, undo: &str, thread: &str) -> Result<(u32, u32)> {
    let undo = if undo.is_empty() { "true" } else { undo };
    let run = format!("bash {PLACE} '{command}' '{undo}' {thread}");
    let output = side.sh_within(&run, LIMIT)?;
    if !output.success() {
        bail!("node {}: {}", side.name(), output.stdout.trim_end());
    }
    let numbers = output.stdout.trim_end().split_once(' ');
    let parse = |(failed, fine): (&str, &str)| Some((failed.parse().ok()?, fine.parse().ok()?));
    numbers.and_then(parse).with_context(|| format!("'{run}' said {}", output.stdout))
}

/// Writes succeed whatever allocation fails: their memory was taken before.
fn writes_need_no_memory(pair: &Pair<'_>) -> Result<()> {
    pair.a.primary()?;
    let write = format!(
        "dd if=/dev/urandom of={DEVICE} oflag=direct conv=fsync,notrunc bs=64k count=4 status=none"
    );
    let (failed, succeeded) = allocations(&pair.a, &write, "true", "")?;
    if failed != succeeded {
        bail!("{} of {failed} writes with a failed allocation failed", failed - succeeded);
    }
    pair.a.await_in_sync()?;
    pair.a.secondary()?;
    pair.expect_equal()
}

/// Everything works: from new metadata to equal disks.
fn again(pair: &Pair<'_>) -> Result<()> {
    pair.b.setup(&format!("down {RESOURCE}"))?;
    pair.in_sync()?;
    pair.a.write_mib(1, 2)?;
    pair.expect_equal()
}
