// SPDX-License-Identifier: GPL-2.0

//! The half on the host: brings the guest's half into a machine, runs batches there, and judges.

use std::{fmt, fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{bail, ensure, Context, Result};
use vm::Node;

use crate::tally::Tally;

/// Where the guest's half is there.
const PLACE: &str = "/usr/local/sbin/fuzz-guest";

/// What its last run said.
const SAID: &str = "/run/fuzz-guest.log";

/// What a disk says when something outside of it was to be read or written.
const BEYOND: &str = "attempt to access beyond end of device";

/// How long nothing in a guest may take, before times are scaled, in seconds.
const PATIENCE: f64 = 45.0;

/// How long a batch may take for its ends beside its time.
const ENDS: Duration = Duration::from_secs(120);

/// One of the two fuzzers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Fuzzer {
    /// A peer that lies.
    Wire,
    /// A tool that lies.
    Netlink,
}

impl fmt::Display for Fuzzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fuzzer::Wire => "wire",
            Fuzzer::Netlink => "netlink",
        })
    }
}

impl Fuzzer {
    /// What it counts.
    pub fn unit(self) -> &'static str {
        match self {
            Fuzzer::Wire => "sessions",
            Fuzzer::Netlink => "messages",
        }
    }

    /// What has to be reached in some hundred sessions, or some thousand messages: without these a
    /// run says nothing.
    pub fn goals(self) -> &'static [&'static str] {
        match self {
            Fuzzer::Wire => WIRE_GOALS,
            Fuzzer::Netlink => NETLINK_GOALS,
        }
    }
}

/// What the module did in sessions that were changed, or not: every stage, both roles.
const WIRE_GOALS: &[&str] = &[
    "introduced",
    "sessions unchanged",
    "packets changed",
    "got AuthResponse",
    "got Data",
    "got Barrier",
    "got BarrierAck",
    "got WriteAck",
    "got RecvAck",
    "got RSDataRequest",
    "got RSDataReply",
    "got StateChgReply",
    "got ReportSyncUUID",
    "got RSWriteAck",
    "state Connected",
];

/// What some seconds reach.
const SHORT_WIRE_GOALS: &[&str] = &[
    "introduced",
    "sessions unchanged",
    "packets changed",
    "got AuthResponse",
    "got Data",
    "state Connected",
];

const NETLINK_GOALS: &[&str] = &[
    "answered NewResource",
    "answered NewMinor",
    "answered Attach",
    "answered Connect",
    "answered Primary",
    "answered Down",
    "refused to nobody",
    "error 22",
];

/// The guest's half, built beside this program.
fn guest_half() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.with_file_name("fuzz-guest");
    ensure!(
        path.exists(),
        "there is no {}: run 'make harness'",
        path.display()
    );
    Ok(path)
}

/// Brings the guest's half into a machine.
///
/// # Errors
///
/// It is not built, or the machine does not take it.
pub fn install(node: &Node) -> Result<()> {
    let built = guest_half()?;
    let slim = built.with_extension(format!("{}.slim", std::process::id()));
    // Most of it is for debuggers.
    let stripped = Command::new("strip")
        .arg("-o")
        .arg(&slim)
        .arg(&built)
        .status();
    let content = match stripped {
        Ok(status) if status.success() => fs::read(&slim),
        _ => fs::read(&built),
    };
    let _ = fs::remove_file(&slim);
    node.write_file(PLACE, &content.context("cannot read fuzz-guest")?)?;
    node.ok(&format!(
        "chmod 755 {PLACE} && echo on >/proc/sys/kernel/printk_devkmsg"
    ))
    .map(drop)
}

/// Runs a batch in a machine and judges: by what its program says, by the console.
///
/// # Errors
///
/// What the module did wrong.
pub fn batch(
    node: &Node,
    scale: f64,
    fuzzer: Fuzzer,
    seeds: (u64, u64),
    time: Duration,
) -> Result<Tally> {
    let (start, count) = seeds;
    let (seconds, patience) = (time.as_secs().max(1), (PATIENCE * scale) as u64);
    // Its notes are to be on the console, what the module says of every session is not.
    let command = format!(
        "dmesg --console-level 5; {PLACE} --start {start} --count {count} --seconds {seconds} \
         --patience {patience} {fuzzer} >{SAID} 2>&1; status=$?; dmesg --console-level 8; \
         cat {SAID}; exit $status"
    );
    let output = node.sh_within(&command, time + ENDS.mul_f64(scale));
    let console = node.console()?;
    node.check()?;
    if let Some(line) = console.lines().find(|line| line.contains(BEYOND)) {
        bail!("something outside of a disk was wanted: {line}");
    }
    match output {
        Ok(output) => {
            ensure!(
                output.success(),
                "status {}:\n{}",
                output.status,
                output.stdout
            );
            Ok(Tally::parse(&output.stdout))
        }
        Err(error) => Err(error.context(where_it_hangs(node))),
    }
}

/// What a guest says whose program does not end: a thread of it is in the kernel.
fn where_it_hangs(node: &Node) -> String {
    let look = format!(
        "cat {SAID} /sys/kernel/debug/tandem/waiting; \
         for task in /proc/$(pidof -s fuzz-guest)/task/*; do grep -H . $task/stack; done"
    );
    match node.sh(&look) {
        Ok(output) => output.stdout,
        Err(error) => format!("and the machine does not say why: {error:#}"),
    }
}

/// Fails if a run has reached too little to mean anything.
///
/// # Errors
///
/// What was never reached.
pub fn reached(fuzzer: Fuzzer, tally: &Tally) -> Result<()> {
    demand(fuzzer.goals(), tally)
}

/// The same for a run of some seconds, on a machine that may be busy.
///
/// # Errors
///
/// As [`reached`].
pub fn reached_something(tally: &Tally) -> Result<()> {
    demand(SHORT_WIRE_GOALS, tally)
}

fn demand(goals: &[&str], tally: &Tally) -> Result<()> {
    let lacks = tally.lacks(goals);
    ensure!(
        lacks.is_empty(),
        "never reached: {}\n{tally}",
        lacks.join(", ")
    );
    Ok(())
}
