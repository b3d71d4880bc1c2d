// SPDX-License-Identifier: GPL-2.0

//! Trouble with the disk of a node that runs our module, made to order.

use std::time::Duration;

use anyhow::Result;
use vm::{
    side::{Side, DEVICE, LOWER},
    Driver,
};

use crate::pair::Pair;

/// Bits of the module parameter `enable_faults`.
pub(crate) const METADATA_WRITES: u32 = 1;
/// See above.
pub(crate) const DATA_WRITES: u32 = 16;
/// See above.
pub(crate) const DATA_READS: u32 = 32;

/// What [`keep_writing`] begins.
pub(crate) const WRITER: &str = "writes";

/// How long something that is under way may take.
const SOON: Duration = Duration::from_secs(60);

/// The node with our module, a if both have it, and its peer.
pub(crate) fn ours<'a>(pair: &Pair<'a>) -> [Side<'a>; 2] {
    match pair.a.driver() {
        Driver::Tandem => [pair.a, pair.b],
        _ => [pair.b, pair.a],
    }
}

/// From now on all operations of these kinds fail on a node; 0: none.
pub(crate) fn inject(side: &Side<'_>, faults: u32) -> Result<()> {
    side.ok(&format!(
        "cd /sys/module/tandem/parameters && echo 100 >fault_rate && echo {faults} >enable_faults"
    ))
    .map(drop)
}

/// Attaches a disk that had failed, as `drbdadm` does.
pub(crate) fn attach_again(side: &Side<'_>, lower: &str, options: &str) -> Result<()> {
    side.meta(&format!("0 v08 {lower} internal apply-al"))?;
    side.attach_to(lower, options)
}

/// The part of a node's disk that was given up (`Side::part_of`) works again and has so many
/// sectors: it is attached, and gets what it missed.
pub(crate) fn part_returns(pair: &Pair<'_>, side: &Side<'_>, sectors: u64) -> Result<()> {
    side.await_event("^[a-z]+ device .* disk:Diskless")?;
    side.resize_part(LOWER, 0, sectors)?;
    side.await_event("replication:Established")?;
    attach_again(side, "/dev/mapper/part", "")?;
    pair.await_in_sync()
}

/// A disk that can be made to hang: everything of the lower device, by another name.
pub(crate) fn fragile(side: &Side<'_>) -> Result<String> {
    let sectors = side.ok(&format!("blockdev --getsz {LOWER}"))?.parse()?;
    side.part_of(LOWER, 0, sectors)
}

/// In sync, node a Primary and with a fragile disk; returns its path.
pub(crate) fn in_sync_on_fragile(pair: &Pair<'_>) -> Result<String> {
    let lower = fragile(&pair.a)?;
    in_sync_on(pair, &lower)?;
    Ok(lower)
}

/// In sync, node a Primary and with that lower device.
pub(crate) fn in_sync_on(pair: &Pair<'_>, lower: &str) -> Result<()> {
    pair.a.create_md_on(lower)?;
    pair.b.create_md()?;
    for side in [pair.a, pair.b] {
        side.new_resource()?;
    }
    pair.a.attach_to(lower, "")?;
    pair.b.attach()?;
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()
}

/// The fragile disk does not answer any more.
pub(crate) fn hang(side: &Side<'_>) -> Result<()> {
    side.ok("dmsetup suspend --noflush --nolockfs part")
        .map(drop)
}

/// It answers everything.
pub(crate) fn wake(side: &Side<'_>) -> Result<()> {
    side.ok("dmsetup resume part").map(drop)
}

/// Begins a command in the background.
pub(crate) fn begin(side: &Side<'_>, name: &str, command: &str) -> Result<()> {
    side.ok(&format!(
        "rm -f /run/{name}.end; touch /run/{name}.end
        ({command}; echo $? >>/run/{name}.end) </dev/null >/run/{name}.out 2>&1 &"
    ))
    .map(drop)
}

/// Begins to disconnect, by the name `disconnect`.
pub(crate) fn begin_disconnect(side: &Side<'_>) -> Result<()> {
    let command = "drbdsetup disconnect ipv4:10.99.0.1:7789 ipv4:10.99.0.2:7789";
    begin(side, "disconnect", command)
}

/// Begins to write a MiB again and again, until [`stop_writing`].
pub(crate) fn keep_writing(side: &Side<'_>) -> Result<()> {
    let writes = format!(
        "rm -f /run/stop; until [ -e /run/stop ]; do dd if=/dev/urandom of={DEVICE} oflag=direct \
         bs=64k count=16 conv=notrunc status=none || exit; done"
    );
    begin(side, WRITER, &writes)
}

/// Ends that; fails if a write has failed.
pub(crate) fn stop_writing(side: &Side<'_>) -> Result<()> {
    side.ok("touch /run/stop")?;
    await_end(side, WRITER, 0)
}

/// Waits until it has ended with that exit code.
pub(crate) fn await_end(side: &Side<'_>, name: &str, code: u8) -> Result<()> {
    let ends = format!("tail -n +1 -F /run/{name}.end");
    side.await_in(&ends, &format!("^{code}$"), SOON).map(drop)
}

/// Fails if it has ended.
pub(crate) fn expect_running(side: &Side<'_>, name: &str) -> Result<()> {
    side.ok(&format!("test ! -s /run/{name}.end")).map(drop)
}

/// Writes 4 KiB of that letter to a block of the device, past all caches.
pub(crate) fn write_letter(letter: char, block: u32) -> String {
    format!(
        "head -c 4096 /dev/zero | tr '\\0' {letter} | dd of={DEVICE} iflag=fullblock oflag=direct \
         conv=notrunc bs=4096 seek={block} status=none"
    )
}

/// Reads a block of the device, past all caches, and fails unless it is of that letter.
pub(crate) fn expect_letter(side: &Side<'_>, letter: char, block: u32) -> Result<()> {
    side.ok(&format!(
        "test $(dd if={DEVICE} iflag=direct bs=4096 skip={block} count=1 status=none | tr -d \
         {letter} | wc -c) = 0"
    ))
    .map(drop)
}
