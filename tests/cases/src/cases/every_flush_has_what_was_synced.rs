// SPDX-License-Identifier: GPL-2.0

//! Both lower devices have at each flush, and so after each power cut, sound metadata, a whole file
//! system, and all files whose `fsync` had returned by then.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use vm::side::{Side, DEVICE, LOWER};

use crate::{
    case::{Case, DRBD_TANDEM, TANDEM, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("every_flush_has_what_was_synced", run)
    .pairs(&[TANDEM, TANDEM_DRBD, DRBD_TANDEM])
    .limit(300)
    .by_turns();

/// Sectors of the lower device: a file system with its journal, and the metadata.
const SECTORS: u64 = 24 * 2048;

/// Files that are written.
const FILES: u32 = 12;

/// The longest that all looks may take.
const LOOKS: Duration = Duration::from_secs(200);

const PLACE: &str = "/mnt/a";
const SUMS: &str = "/run/sums";

fn run(pair: &Pair<'_>) -> Result<()> {
    let sides = [pair.a, pair.b];
    for side in &sides {
        let part = side.part_of(LOWER, 0, SECTORS)?;
        side.ok(&format!(
            "dmsetup create logged --table '0 {SECTORS} log-writes {part} /dev/data2' && \
             dmsetup mknodes"
        ))?;
        side.create_md_on("/dev/mapper/logged")?;
        side.new_resource()?;
        side.attach_to("/dev/mapper/logged", "")?;
    }
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;

    write_files(pair)?;
    pair.a.secondary()?;
    let sums = pair.a.ok(&format!("cat {SUMS}"))?;
    for side in &sides {
        side.setup("down r0")?;
        side.ok("dmsetup remove logged")?;
        side.no_part()?;
        check(side, &sums).with_context(|| format!("node {}", side.name()))?;
    }
    Ok(())
}

/// Writes one file after the other; each that is there for good is marked in both logs.
fn write_files(pair: &Pair<'_>) -> Result<()> {
    pair.a.ok(&format!(
        "mke2fs -q -t ext4 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 {DEVICE} && \
         mount {DEVICE} {PLACE} && : >{SUMS}"
    ))?;
    for number in 1..=FILES {
        let kib = number * 37 % 200 + 1;
        pair.a.ok(&format!(
            "cd {PLACE} && dd if=/dev/urandom of=f{number} bs=1k count={kib} conv=fsync \
             status=none && sha256sum f{number} >>{SUMS}"
        ))?;
        for side in [pair.a, pair.b] {
            side.ok(&format!("dmsetup message logged 0 mark {number}"))?;
        }
    }
    pair.a.ok(&format!("umount {PLACE}")).map(drop)
}

/// Looks at the device as it was at each flush.
fn check(side: &Side<'_>, sums: &str) -> Result<()> {
    side.write_file(
        "/run/replay",
        include_bytes!("../../guest/replay-writes.pl"),
    )?;
    side.write_file(
        "/run/check.sh",
        include_bytes!("../../guest/check-image.sh"),
    )?;
    side.write_file(SUMS, format!("{sums}\n").as_bytes())?;
    let bytes = SECTORS * 512;
    let looks = side.ok_within(
        &format!(
            "truncate -s {bytes} /run/image && \
             perl /run/replay /dev/data2 /run/image bash /run/check.sh /run/image {SUMS}"
        ),
        LOOKS,
    )?;
    let looks: u32 = looks.trim().parse().context("no number of looks")?;
    ensure!(
        looks > 2 * FILES,
        "only {looks} flushes and marks were seen"
    );
    Ok(())
}
