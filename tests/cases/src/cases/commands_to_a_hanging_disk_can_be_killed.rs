// SPDX-License-Identifier: GPL-2.0

//! Commands that wait for a disk that does not answer can be killed: the one that waits for its
//! metadata to be written, and all behind it. What was begun comes to its end when the disk answers
//! again; what was not begun does not happen. Who is patient is told after a while. The peer hears
//! of us meanwhile.

use std::time::Duration;

use anyhow::{ensure, Result};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{await_end, begin, hang, in_sync_on_fragile, wake},
};

pub(crate) const CASE: Case =
    Case::new("commands_to_a_hanging_disk_can_be_killed", run).pairs(&[TANDEM]);

/// What a shell says of a command that was killed.
const KILLED: u8 = 137;

/// What the tool ends with when a change of state failed.
const REFUSED: u8 = 11;

/// Each waits for what hangs, in one way or another.
const BEHIND: [&str; 11] = [
    "secondary 0",
    "new-current-uuid 0",
    "disk-options 0 --al-extents=97",
    "net-options ipv4:10.99.0.1:7789 ipv4:10.99.0.2:7789 --ping-int=7",
    "resource-options r0 --on-no-data-accessible=suspend-io",
    "resize 0",
    "suspend-io 0",
    "disconnect ipv4:10.99.0.1:7789 ipv4:10.99.0.2:7789",
    "new-minor r0 1 1",
    "del-resource r0",
    "down r0",
];

/// Begins a command, and kills it as soon as it sleeps in the kernel without being interruptible.
fn kill_when_it_waits(pair: &Pair<'_>, command: &str) -> Result<()> {
    begin(&pair.a, "killed", &format!("drbdsetup {command}"))?;
    let tasks = "sh -c \"while :; do ps -eo stat=,args=; done\"";
    let waits = format!("^D[^ ]* +drbdsetup {command}$");
    pair.a.await_in(tasks, &waits, Duration::from_secs(30))?;
    pair.a.ok(&format!("pkill -9 -f '^drbdsetup {command}$'"))?;
    await_end(&pair.a, "killed", KILLED)
}

fn run(pair: &Pair<'_>) -> Result<()> {
    in_sync_on_fragile(pair)?;
    pair.a.setup("secondary 0")?;
    // Who waits for a disk answers the peer's pings all the same.
    let addresses = "ipv4:10.99.0.2:7789 ipv4:10.99.0.1:7789";
    pair.b
        .setup(&format!("net-options {addresses} --ping-int=1"))?;

    hang(&pair.a)?;
    kill_when_it_waits(pair, "primary 0")?;
    let waiting = "sh -c \"while :; do cat /sys/kernel/debug/tandem/waiting; done\"";
    let named = "^r0/0 disk [0-9]+ its metadata has to be written";
    pair.a.await_in(waiting, named, Duration::from_secs(30))?;
    for command in BEHIND {
        kill_when_it_waits(pair, command)?;
    }
    begin(&pair.a, "patient", "drbdsetup secondary 0")?;
    await_end(&pair.a, "patient", REFUSED)?;
    pair.a
        .ok("grep 'minor 0 has not answered for [0-9]* s' /run/patient.out")?;

    wake(&pair.a)?;
    pair.a.await_event("role:Primary")?;
    pair.a.await_event("connection:Connected")?;
    pair.a
        .expect_proc("cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----")?;
    pair.a.ok("! grep -q '^ 1: ' /proc/drbd")?;
    let options = pair.a.ok("drbdsetup show r0 --show-defaults")?;
    ensure!(
        !options.contains("97") && !options.contains("suspend-io"),
        "an option was set by a command that was killed before it began:\n{options}"
    );
    pair.a.setup("secondary 0")?;
    pair.a.setup("down r0")?;
    pair.a.no_part()
}
