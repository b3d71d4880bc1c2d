// SPDX-License-Identifier: GPL-2.0

//! `disk-options --al-extents` changes the activity log while applications write: more extents are
//! active at once, or those that are too many leave it, on disk, too, so that a crash does not
//! cost a resync of them.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use vm::side::{Side, DEVICE};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{await_end, begin},
};

pub(crate) const CASE: Case = Case::new("log_gets_more_and_fewer_slots_online", run)
    .pairs(&[TANDEM])
    .limit(240);

/// Sectors of the device that is made: 1 GiB, of which only the end, with the metadata, is kept.
const SECTORS: u64 = 2 << 20;

/// Sectors at its end that a disk has.
const KEPT: u64 = 1024;

/// The device.
const BIG: &str = "/dev/mapper/big";

/// How many extents of the activity log have something.
const ACTIVE: &str = r#"grep -cE "[0-9]: +[0-9]" /sys/kernel/debug/drbd/minors/0/act_log_extents"#;

const SOON: Duration = Duration::from_secs(60);

fn run(pair: &Pair<'_>) -> Result<()> {
    let a = &pair.a;
    make_device(a)?;
    a.ok(&format!(
        "tandem meta --force 0 v08 {BIG} internal create-md"
    ))?;
    a.new_resource()?;
    a.attach_to(BIG, "")?;
    a.primary_force()?;
    write_extents(a, 200)?;
    await_active(a, 67)?;

    a.setup("disk-options 0 --al-extents=200")?;
    write_extents(a, 200)?;
    await_active(a, 200)?;

    // Writers meet a log that changes under them.
    // They reach 225 extents.
    let busy = "fio --name=busy --filename=/dev/drbd0 --rw=randwrite --bs=4k --direct=1 \
         --ioengine=libaio --iodepth=16 --size=900m --time_based --runtime=300";
    begin(a, "busy", busy)?;
    for extents in [67, 1237, 100, 300, 67] {
        a.setup(&format!("disk-options 0 --al-extents={extents}"))?;
        await_active(a, extents.min(225))?;
    }
    a.ok("kill -INT $(pgrep -x fio | head -n 1)")?;
    // That is how it ends when it is told to.
    await_end(a, "busy", 128)?;
    await_active(a, 67)?;

    a.secondary()?;
    a.setup("down r0")?;
    forget_bits(a)?;
    a.new_resource()?;
    a.attach_to(BIG, "")?;
    a.primary()?;
    a.setup("disk-options 0 --al-extents=200")?;
    write_extents(a, 200)?;
    a.setup("disk-options 0 --al-extents=67")?;
    await_active(a, 67)?;
    a.kill()?;
    a.start()?;
    make_device(a)?;
    a.meta(&format!("0 v08 {BIG} internal apply-al"))?;
    let dump = a.meta(&format!("0 v08 {BIG} internal dump-md"))?;
    let bits = dump
        .lines()
        .find_map(|line| line.strip_prefix("# bits-set "))
        .and_then(|rest| rest.trim_end_matches(';').parse::<u64>().ok())
        .context("no number of bits in the dump")?;
    // The peer lacks what was written to the others.
    let due = 67 * 1024 + (200 - 67);
    ensure!(bits == due, "{bits} blocks may have changed, not {due}");
    Ok(())
}

/// A disk that was never in sync calls everything out of sync: this one does not any more.
fn forget_bits(side: &Side<'_>) -> Result<()> {
    let meta = format!("tandem meta --force 0 v08 {BIG} internal");
    side.ok(&format!(
        "{meta} apply-al && {meta} dump-md | \
         sed '/^bm/,$ s/0x[0-9A-F]*;/0x0000000000000000;/g' >/run/dump && \
         {meta} restore-md /run/dump"
    ))
    .map(drop)
}

/// A device whose data is thrown away, with metadata that is not.
fn make_device(side: &Side<'_>) -> Result<()> {
    let zeroes = SECTORS - KEPT;
    let table = format!("0 {zeroes} zero\\n{zeroes} {KEPT} linear /dev/data1 0\\n");
    let create = format!("printf '{table}' | dmsetup create big && dmsetup mknodes");
    side.ok(&format!("modprobe dm-zero; {create}")).map(drop)
}

/// Writes a block to each of the first extents.
fn write_extents(side: &Side<'_>, count: u64) -> Result<()> {
    side.ok(&format!(
        "for i in $(seq 0 {}); do dd if=/dev/zero of={DEVICE} bs=4096 count=1 \
         seek=$((i * 1024)) oflag=direct conv=notrunc status=none || exit; done",
        count - 1
    ))
    .map(drop)
}

/// Waits until just so many extents are in the log.
fn await_active(side: &Side<'_>, count: u32) -> Result<()> {
    let reads = format!("sh -c 'while {ACTIVE}; do :; done'");
    side.await_in(&reads, &format!("^{count}$"), SOON).map(drop)
}
