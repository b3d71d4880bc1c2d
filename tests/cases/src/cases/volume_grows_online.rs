// SPDX-License-Identifier: GPL-2.0

//! Both lower devices grow under a Primary; `resize` on either node makes the volume grow, and just
//! what is new is resynced. The metadata is at the new end, where Debian's tool finds it, and the
//! next attach.

use anyhow::{ensure, Result};
use vm::side::{Side, DEVICE, LOWER};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("volume_grows_online", run).limit(240);

/// Sectors of the lower devices, one after the other.
const SIZES: [u64; 3] = [32768, 49152, 65536];

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync_on_parts(SIZES[0], "")?;
    grow(pair, &pair.a, SIZES[1])?;
    grow(pair, &pair.b, SIZES[2])?;
    come_back(pair)
}

/// Both devices get `sectors`, one node is told; writes go on meanwhile.
fn grow(pair: &Pair<'_>, told: &Side<'_>, sectors: u64) -> Result<()> {
    let before = pair.a.sectors()?;
    for side in [pair.a, pair.b] {
        side.resize_part(LOWER, 0, sectors)?;
    }
    pair.a.write_mib(0, 1)?;
    told.setup("resize 0")?;
    pair.a.write_mib(2, 1)?;
    for side in [pair.a, pair.b] {
        side.await_log("Resync of new storage after online grow")?;
    }
    let new = (pair.a.sectors()? - before) / 8;
    for side in [pair.a, pair.b] {
        let synced = format!("(will sync {} KB [{new} bits set])", new * 4);
        side.await_log(&synced)?;
    }
    pair.await_in_sync()?;
    let (a, b) = (pair.a.sectors()?, pair.b.sectors()?);
    ensure!(
        a == b && a > before + (sectors - before) * 9 / 10,
        "{a} and {b} sectors on devices of {sectors}"
    );
    pair.a.ok(&format!(
        "dd if=/dev/urandom of={DEVICE} oflag=direct bs=4k seek=$(({a}/8-1)) count=1 conv=notrunc"
    ))?;
    pair.expect_equal()
}

fn come_back(pair: &Pair<'_>) -> Result<()> {
    let part = "/dev/mapper/part";
    let size = pair.a.sectors()?;
    pair.a.secondary()?;
    for side in [pair.a, pair.b] {
        side.setup("down r0")?;
        side.ok("dmesg --clear")?;
        // What an unclean end leaves, the log is applied.
        side.ok(&format!("drbdmeta 0 v08 {part} internal apply-al"))?;
        let dump = side.ok(&format!("drbdmeta --force 0 v08 {part} internal dump-md"))?;
        ensure!(
            dump.contains(&format!("la-size-sect {size};")),
            "the size is not in the metadata of {}:\n{dump}",
            side.name()
        );
        side.new_resource()?;
        side.attach_to(part, "")?;
    }
    pair.a.connect(&pair.b, "")?;
    pair.b.connect(&pair.a, "")?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        side.expect_not_logged("Began resync")?;
    }
    Ok(())
}
