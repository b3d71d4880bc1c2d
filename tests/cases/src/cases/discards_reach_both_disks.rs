// SPDX-License-Identifier: GPL-2.0

//! What is discarded or zeroed on the device reads as zeroes on both disks, also where one of them
//! discards whole units only and the other one does not; writes around it stay. File systems that
//! trim and punch keep their files.

use anyhow::{ensure, Result};
use vm::side::{Side, DEVICE, LOWER};

use crate::{case::Case, files, pair::Pair, thin};

pub(crate) const CASE: Case = Case::new("discards_reach_both_disks", run).limit(240);

/// Discards and zeroes, beside no unit of either disk; each is a part of the first 8 MiB.
const HOLES: &[&str] = &[
    "blkdiscard -f -o 1049088 -l 1310720 /dev/drbd0",
    "blkdiscard -f -o 2621440 -l 512 /dev/drbd0",
    "blkdiscard -f -z -o 3146240 -l 200192 /dev/drbd0",
    "fallocate -z -o 4194816 -l 66048 /dev/drbd0",
    "fallocate -p -o 5242880 -l 131584 /dev/drbd0",
];

fn run(pair: &Pair<'_>) -> Result<()> {
    thin::make(&pair.b)?;
    pair.a.create_md()?;
    pair.b.create_md_on(thin::THIN)?;
    // So that zeroes of the full sync take no place.
    let thinly = format!("--rs-discard-granularity={}", thin::UNIT);
    for (side, lower, options) in [(pair.a, LOWER, ""), (pair.b, thin::THIN, &thinly)] {
        side.new_resource()?;
        side.attach_to(lower, options)?;
    }
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;

    pair.a.write_mib(0, 8)?;
    // The same on a file: what is in the device afterwards.
    pair.a.ok(&format!(
        "dd if={DEVICE} of=/tmp/model bs=1M count=8 status=none"
    ))?;
    let before = (discards(&pair.a, "vdb")?, discards(&pair.b, "dm-3")?);
    for hole in HOLES {
        pair.a.ok(hole)?;
        let numbers: Vec<&str> = hole.split_whitespace().collect();
        let [offset, length] = ["-o", "-l"].map(|name| {
            let at = numbers.iter().position(|word| *word == name);
            at.and_then(|at| numbers.get(at + 1)).copied().unwrap_or("0")
        });
        pair.a.ok(&format!(
            "dd if=/dev/zero of=/tmp/model oflag=seek_bytes seek={offset} bs={length} count=1 \
             conv=notrunc status=none"
        ))?;
    }
    let model = pair.a.ok("sha256sum < /tmp/model")?;
    for (side, lower) in [(pair.a, LOWER), (pair.b, thin::THIN)] {
        let found = side.ok(&format!(
            "dd if={lower} iflag=direct bs=1M count=8 status=none | sha256sum"
        ))?;
        ensure!(found == model, "{}: {found}, and not {model}", side.name());
    }
    let after = (discards(&pair.a, "vdb")?, discards(&pair.b, "dm-3")?);
    ensure!(
        after.0 > before.0 && after.1 > before.1,
        "discards at the disks: {before:?} before, {after:?} after"
    );

    files::make(&pair.a)?;
    let sums = files::write(&pair.a, "kept", 10)?;
    files::write(&pair.a, "gone", 10)?;
    pair.a.ok("rm -r /mnt/a/gone && sync /mnt/a && fstrim /mnt/a")?;
    files::verify(&pair.a, &sums)?;
    files::unmount(&pair.a)?;
    let (a, b) = (pair.a.lower_sum()?, pair.b.sum_of(thin::THIN)?);
    ensure!(a == b, "the disks differ: {a} on a, {b} on b");
    for side in [pair.a, pair.b] {
        side.expect_proc("oos:0")?;
        side.expect_not_logged("-> (ProtocolError|BrokenPipe|NetworkFailure|Timeout)")?;
    }
    Ok(())
}

/// Discards that a disk has done.
fn discards(side: &Side<'_>, disk: &str) -> Result<u64> {
    let count = side.ok(&format!("awk '{{ print $12 }}' /sys/block/{disk}/stat"))?;
    Ok(count.trim().parse()?)
}
