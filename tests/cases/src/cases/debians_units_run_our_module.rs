// SPDX-License-Identifier: GPL-2.0

//! What the systemd units of Debian's drbd-utils call, taken from the units themselves and run as
//! systemd would: it loads our module where `modprobe.d` says so, and does and prints the same as
//! with the C module. Without that line `modprobe` loads the C module again.

use std::thread;

use anyhow::{anyhow, ensure, Result};
use vm::side::Side;

use crate::{
    alike::{self, Known},
    case::{Case, TANDEM_DRBD},
    own::PLACE,
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("debians_units_run_our_module", run)
    .pairs(&[TANDEM_DRBD])
    .limit(180);

const CONFIGURATION: &str = "global { usage-count no; }
common {
  net { ping-timeout 30; connect-int 1; }
  startup { wfc-timeout 60; degr-wfc-timeout 60; outdated-wfc-timeout 59; }
}
resource r0 {
  volume 0 { device minor 0; disk /dev/data1; meta-disk internal; }
  on a { address 10.99.0.1:7789; }
  on b { address 10.99.0.2:7789; }
}
";

/// Which module `drbd` is.
const ALIAS: &str = "/etc/modprobe.d/tandem.conf";

/// What a unit calls for resource r0.
const UNIT: &str = "#!/bin/bash
# unit NAME KEY: runs what the unit says.
line=$(sed -n \"s/^$2=-\\?//p\" /usr/lib/systemd/system/$1 | sed 's/%[Ii]/r0/g')
[ -n \"$line\" ] || { echo \"$1 has no $2\"; exit 99; }
export INIT_VERSION=systemd
# There is no shell between systemd and what it calls, but its quotes are those of one.
eval \"exec $line\"
";

/// What differs on purpose.
const DIFFERENT: &[Known] = &[
    Known {
        command: STOP,
        ours: "Retrying once...",
        theirs: "",
        why: TWICE,
    },
    Known {
        command: STOP,
        ours: "loop_device_mapping: No such file",
        theirs: "",
        why: TWICE,
    },
];

/// Why the script goes over all devices twice, which are down after the first time.
const TWICE: &str = "it unloads a module only if that is called drbd";

/// What drbd.service calls; both nodes have to do it at the same time, since each waits for the
/// other.
const START: &str = "unit drbd.service ExecStart";
const STOP: &str = "unit drbd.service ExecStop";

/// What a connected node does. `primary r0` is a command of DRBD 9's tools, as are options about a
/// quorum and the word `may_promote`: with either module of 8.4 these units fail.
const COMMANDS: &[&str] = &[
    "unit drbd.service ExecReload",
    "/lib/drbd/scripts/drbd status | grep -v ^srcversion",
    "unit drbd@.service ExecStart",
    "unit drbd@.service ExecReload",
    "unit drbd-lvchange@.service ExecStart",
    "unit drbd-lvchange@.service ExecStopPost",
    "unit drbd-promote@.service ExecCondition",
    "unit drbd-promote@.service ExecStop",
    "unit drbd-demote-or-escalate@.service ExecStart",
    "unit drbd-reconfigure-suspend-or-error@.service ExecStart",
    "unit drbd-reconfigure-suspend-or-error@.service ExecStop",
    "timeout 1 unit drbd-wait-promotable@.service ExecStart",
    "unit drbd@.service ExecStopPost",
    START,
];

fn run(pair: &Pair<'_>) -> Result<()> {
    let [a, b] = [pair.a, pair.b];
    for side in [a, b] {
        side.write_file("/etc/drbd.conf", CONFIGURATION.as_bytes())?;
        side.write_file("/usr/local/sbin/unit", UNIT.as_bytes())?;
        side.ok("chmod +x /usr/local/sbin/unit && drbdadm create-md r0 --force")?;
    }
    a.ok(&format!(
        "cd /lib/modules/$(uname -r) && mkdir -p updates && ln -sf /payload/tandem.ko updates &&
        depmod && echo alias drbd tandem >{ALIAS} && /payload/one-cpu rmmod tandem"
    ))?;
    b.ok("modprobe -r drbd")?;
    let started = start(&a, START, &b)?;
    a.expect_proc("srcversion: TANDEM")?;
    b.ok("! grep -q TANDEM /proc/drbd")?;
    let mut transcripts = started;
    for (side, text) in [a, b].iter().zip(&mut transcripts) {
        for command in COMMANDS {
            text.push_str(&call(side, command)?);
        }
    }
    for (side, text) in [a, b].iter().zip(&mut transcripts) {
        text.push_str(&call(side, STOP)?);
        side.ok("! grep cs: /proc/drbd")?;
    }
    with_our_tool(&a, &b)?;
    a.ok(&format!(
        "rm {ALIAS} && /payload/one-cpu modprobe -r tandem && modprobe drbd && grep -q \
        ^version: /proc/drbd && ! grep -q TANDEM /proc/drbd && modprobe -r drbd"
    ))?;
    for side in [a, b] {
        side.ok("/payload/load-driver")?;
    }
    alike::compare(CASE.name, &transcripts, DIFFERENT)
}

/// Starts both at the same time, node b as its unit says.
fn start(a: &Side<'_>, command: &str, b: &Side<'_>) -> Result<[String; 2]> {
    thread::scope(|scope| {
        let other = scope.spawn(|| call(b, START));
        let ours = call(a, command)?;
        let theirs = other.join().map_err(|_| anyhow!("it panicked"))??;
        Ok([ours, theirs])
    })
}

/// The script of `drbd.service` finds our tool under the names of DRBD's.
fn with_our_tool(a: &Side<'_>, b: &Side<'_>) -> Result<()> {
    a.ok(&format!(
        "rm -rf {PLACE} && mkdir {PLACE} && cd {PLACE} &&
        for name in drbdadm drbdsetup; do ln -s \"$(command -v tandem)\" $name; done &&
        sed 's,^PATH=,PATH={PLACE}:,' /lib/drbd/scripts/drbd >drbd && grep -q {PLACE} drbd"
    ))?;
    let [ours, _] = start(a, &format!("INIT_VERSION=systemd bash {PLACE}/drbd start"), b)?;
    let is_up = ours.contains("exit 0") && ours.contains("cs:Connected");
    ensure!(is_up, "with our tool: {ours}");
    let ours = call(a, &format!("bash {PLACE}/drbd stop"))?;
    ensure!(ours.contains("exit 0") && !ours.contains("cs:"), "with our tool: {ours}");
    call(b, STOP).map(drop)
}

/// One command: what it prints, how it ends, and the state afterwards.
fn call(side: &Side<'_>, command: &str) -> Result<String> {
    let output = side.sh(&format!(
        "export DRBD_DONT_WARN_ON_VERSION_MISMATCH=1
        /payload/one-cpu bash -c '{command}' </dev/null 2>&1"
    ))?;
    let state = side.sh("grep -o 'cs:.*' /proc/drbd")?.stdout;
    let (said, status) = (output.stdout, output.status);
    let text = format!("$ {command}\n{said}\nexit {status}\n{state}\n");
    Ok(alike::normal(&text))
}
