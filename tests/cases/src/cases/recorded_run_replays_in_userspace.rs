// SPDX-License-Identifier: GPL-2.0

//! What happened to the engine's values in two running modules, fed to the same source in
//! userspace, gives the same effects, one for one.

use std::fs;

use anyhow::{bail, Context, Result};
use vm::side::{Side, DEVICE, RESOURCE};
use vm::Link;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case =
    Case::new("recorded_run_replays_in_userspace", run).pairs(&[TANDEM]).limit(240);

/// Size of the tape in MiB, many times what the run needs.
const TAPE: u32 = 64;

/// Where the recordings are kept, from the checkout.
const KEPT: &str = "target/record";

/// What a recording without gaps of the whole run must have told of one of the nodes at least.
const TOLD: &[&str] = &[
    "new resource",
    "new stream",
    "set_disk(Some",
    "merge_bitmap(|set_bits(",
    "start_resync(",
    "resync_data(",
    "resync_acked(",
    "write(Write, ",
    "write(Flush, ",
    "read(",
    "peer_write(",
    "log_prepare",
    "place_write",
    "take_barrier",
    "peer_barrier(",
    "connection_lost",
    "Admin(Token",
    "Compared",
    "Promote",
    "Demote",
    "Disconnect",
    "Detach",
    "remove volume",
];

fn run(pair: &Pair<'_>) -> Result<()> {
    let sides = [pair.a, pair.b];
    for side in sides {
        side.ok(&format!("echo {TAPE} > /sys/kernel/debug/tandem/record"))?;
    }
    story(pair)?;
    let mut told = Vec::new();
    for side in sides {
        side.ok("echo 0 > /sys/kernel/debug/tandem/record")?;
        replayed(&side, &mut told)?;
    }
    for what in TOLD {
        let any = |line: &String| what.split('|').any(|text| line.contains(text));
        if !told.iter().any(any) {
            bail!("no recording has '{what}' in it: did it miss a part of the run?");
        }
    }
    Ok(())
}

/// Something of everything, from nothing configured to nothing configured.
fn story(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    write_small(&pair.a)?;
    pair.a.write_mib(3, 2)?;

    pair.cut()?;
    pair.a.write_mib(5, 3)?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;

    pair.a.secondary()?;
    pair.b.primary()?;
    write_small(&pair.b)?;
    pair.b.ok(&format!(
        "dd if={DEVICE} of=/dev/null iflag=direct bs=64k count=16 status=none"
    ))?;
    pair.expect_equal()?;

    pair.b.secondary()?;
    for side in [pair.a, pair.b] {
        side.setup(&format!("down {RESOURCE}"))?;
    }
    Ok(())
}

/// Small writes, and flushes between them.
fn write_small(side: &Side<'_>) -> Result<()> {
    side.ok(&format!(
        "for i in 1 2 3; do dd if=/dev/urandom of={DEVICE} oflag=direct conv=notrunc,fsync bs=4k \
         seek=$((i * 700)) count=20 status=none || exit 1; done"
    ))
    .map(drop)
}

/// Replays a node's recording, which has to give the same effects; adds its story to `told`.
fn replayed(side: &Side<'_>, told: &mut Vec<String>) -> Result<()> {
    let bytes = side.read_file("/sys/kernel/debug/tandem/trace")?;
    let folder = vm::repository().join(KEPT);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{}.trace", side.name())), &bytes)?;
    let summary = replay::replay(&bytes, |line| told.push(line.into()))
        .with_context(|| format!("node {}, recording in {KEPT}", side.name()))?;
    if summary.cut_short != 0 {
        bail!(
            "node {}: after `down` events are still going on: {summary}",
            side.name()
        );
    }
    Ok(())
}
