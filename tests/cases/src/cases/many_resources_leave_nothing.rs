// SPDX-License-Identifier: GPL-2.0

//! Thirty-two resources go up, connect, and go down, again and again: the kernel has as much memory
//! afterwards as before.

use std::time::Duration;

use anyhow::{ensure, Result};
use vm::side::{Side, LOWER};

use crate::{
    case::{Case, Drivers, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("many_resources_leave_nothing", run)
    .pairs(&[TANDEM] as &[Drivers])
    .limit(900);

const RESOURCES: u32 = 32;

/// How long all of them may take for one step.
const PATIENCE: Duration = Duration::from_secs(300);

/// Rounds until others' caches have grown, and in all.
const WARM: u32 = 2;
const ROUNDS: u32 = 3;

/// What may be left in caches that are not ours, in KiB: less than one table for each resource.
const TOLERANCE_KIB: u64 = 3072;

fn run(pair: &Pair<'_>) -> Result<()> {
    for (side, peer) in [(pair.a, pair.b), (pair.b, pair.a)] {
        side.ok(&format!(
            "for i in $(seq 0 {last}); do \
             dmsetup create part$i --table \"0 2048 linear {LOWER} $((i * 2048))\" && \
             echo tandem meta --force $i v08 /dev/mapper/part$i internal create-md; done | \
             sed 's/$/ >\\/dev\\/null/' >/tmp/create && dmsetup mknodes && . /tmp/create",
            last = RESOURCES - 1
        ))?;
        side.write_file("/tmp/up", script_up(&side, &peer).as_bytes())?;
        side.write_file("/tmp/down", script_down().as_bytes())?;
    }
    let mut before = [0; 2];
    for round in 1..=ROUNDS {
        for side in [pair.a, pair.b] {
            side.ok_within("bash -e /tmp/up", PATIENCE)?;
        }
        for side in [pair.a, pair.b] {
            // All of them, on both nodes.
            let all = format!(
                "until [ $(grep -c 'cs:Connected' /proc/drbd) = {RESOURCES} ]; do :; done"
            );
            side.ok_within(&all, PATIENCE)?;
        }
        for side in [pair.a, pair.b] {
            side.ok_within("bash -e /tmp/down", PATIENCE)?;
        }
        for (side, before) in [pair.a, pair.b].iter().zip(&mut before) {
            let now = kernel_memory(side)?;
            if round <= WARM {
                *before = now;
            }
            ensure!(
                now <= *before + TOLERANCE_KIB,
                "node {}: {now} KiB after round {round}, {before} KiB after round {WARM}",
                side.name()
            );
        }
    }
    Ok(())
}

fn script_up(side: &Side<'_>, peer: &Side<'_>) -> String {
    let (own, peer) = (side.address(), peer.address());
    format!(
        "for i in $(seq 0 {last}); do (\n\
         tandem setup new-resource r$i\n\
         tandem setup new-minor r$i $i 0\n\
         tandem meta $i v08 /dev/mapper/part$i internal apply-al\n\
         tandem setup attach $i /dev/mapper/part$i /dev/mapper/part$i internal\n\
         tandem setup connect r$i ipv4:{own}:$((7800 + i)) ipv4:{peer}:$((7800 + i)) \
         --protocol=C\n\
         ) & done; wait\n",
        last = RESOURCES - 1
    )
}

fn script_down() -> String {
    format!(
        "for i in $(seq 0 {last}); do tandem setup down r$i & done; wait\n",
        last = RESOURCES - 1
    )
}

/// Memory of the kernel's allocators: slabs that cannot be given back, large areas, and stacks.
fn kernel_memory(side: &Side<'_>) -> Result<u64> {
    let text = side.ok(
        "sync; echo 3 >/proc/sys/vm/drop_caches; \
         awk '/^(SUnreclaim|VmallocUsed|KernelStack|PageTables):/ { sum += $2 } \
         END { print sum }' /proc/meminfo",
    )?;
    Ok(text.parse()?)
}
