// SPDX-License-Identifier: GPL-2.0

//! The end of a round: all faults are over, and everything has to come to rest, connected and
//! equal.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure, Context, Result};
use vm::{pair::Pair, side::Side, states, Link};

use crate::{
    bell::Bell,
    plan::{Node, RESOURCES, VOLUMES},
    resource::{script, side, PARTS, SECTORS},
    steps::Steps,
    verified::first_difference,
    Plant,
};

/// The longest that it may take until all volumes are connected and good, on machines of the usual
/// speed. Two resyncs one after the other of all six volumes (16 MiB each, at 4 MiB/s where the
/// processor is emulated) take 50 seconds; a connection that is to be made again takes up to 10,
/// and so it may be twice, if the first was about to be given up. The rest is for a busy machine.
const REST: Duration = Duration::from_secs(120);

/// How often it is looked at what has come, and mended what can be mended then only.
const LOOK: Duration = Duration::from_millis(300);

/// Bytes that are compared at once, and a block of the bitmap.
const AT_ONCE: usize = 1 << 20;
/// See above.
const BLOCK: usize = 4096;

/// All faults are over; waits until everything is at rest, and tells how long that took. Writers
/// go on until then, as an application does.
pub(crate) fn come<'a>(
    pair: &Pair<'a>,
    all: &mut [Steps<'a>],
    plant: Option<Plant>,
) -> Result<Duration> {
    let begin = Instant::now();
    pair.cable(Link::Up)?;
    for node in Node::BOTH {
        // It is an error where the link was not slow.
        let _ = side(pair, node).quick_link(&side(pair, node.other()));
        for steps in &*all {
            steps.resource.inject(node, 0, 0)?;
            steps.resource.forget_wishes(node)?;
        }
    }
    let patience = Bell::after(REST.mul_f64(pair.spec().time_scale()));
    loop {
        for steps in &mut *all {
            steps.mend()?;
            for node in Node::BOTH {
                // Planted: nobody gives the disk back.
                if plant != Some(Plant::Disk) || node == Node::A {
                    steps.attach(node, true)?;
                }
            }
        }
        let unrest = unrest(all)?;
        if unrest.is_empty() {
            return Ok(begin.elapsed());
        }
        ensure!(
            patience.pause(LOOK),
            "{} s after the last fault this is not at rest, connected, with two good disks:\n{}",
            begin.elapsed().as_secs(),
            unrest.join("\n")
        );
    }
}

/// What is not at rest, in words.
fn unrest(all: &[Steps<'_>]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for steps in all {
        let index = steps.resource.index;
        for node in Node::BOTH {
            let primary = steps.primary() == node;
            let role = if primary { "Primary" } else { "Secondary" };
            for (number, volume) in steps.resource.states(node)?.iter().enumerate() {
                if !volume.is_in_sync() || volume.roles[0] != role {
                    found.push(format!(
                        "  volume {number} of r{index}, on node {node}, which is to be {role}: \
                         {volume}"
                    ));
                }
            }
        }
    }
    Ok(found)
}

/// Nobody writes or is Primary any more: both disks of each volume are equal, and so they are
/// called.
pub(crate) fn compare<'a>(pair: &Pair<'a>, all: &[Steps<'a>], plant: Option<Plant>) -> Result<()> {
    for steps in all {
        let resource = steps.resource;
        for node in Node::BOTH {
            ensure!(
                resource.quiet(node)?,
                "r{}, node {node}: a write does not end, although all is at rest",
                resource.index
            );
        }
        ensure!(
            resource.role(steps.primary(), "secondary")?,
            "r{}: node {} does not become Secondary, although nobody writes any more",
            resource.index,
            steps.primary()
        );
        for minor in resource.minors() {
            let quiet =
                format!(" {minor}: cs:Connected ro:Secondary/Secondary ds:UpToDate/UpToDate");
            for node in Node::BOTH {
                resource.side(node).await_proc(&quiet)?;
            }
        }
    }
    if plant == Some(Plant::Block) {
        let place = 5 * BLOCK;
        pair.b.ok(&format!(
            "printf x | dd of=/dev/mapper/part3 bs=1 seek={place} conv=notrunc,fsync status=none"
        ))?;
    }
    for steps in all {
        let resource = steps.resource;
        for node in Node::BOTH {
            for volume in resource.states(node)? {
                ensure!(
                    volume.out_of_sync == Some(0),
                    "node {node} is at rest, but not all is in sync: {volume}"
                );
            }
        }
        for volume in 0..VOLUMES {
            let minor = resource.minor(volume);
            equal(pair, minor).with_context(|| {
                format!("volume {volume} of r{} (minor {minor})", resource.index)
            })?;
        }
    }
    Ok(())
}

/// Compares the data of a volume on both lower disks, as the host has them.
fn equal(pair: &Pair<'_>, minor: usize) -> Result<()> {
    let bytes: u64 = pair
        .a
        .ok(&format!("cat /sys/block/drbd{minor}/size"))?
        .parse::<u64>()
        .context("the size of the device")?
        * 512;
    let minor = minor as u64;
    let (disk, begin) = (1 + minor / PARTS, minor % PARTS * SECTORS * 512);
    let mut disks = Vec::new();
    for side in [pair.a, pair.b] {
        disks.push(File::open(side.disk_path(disk as usize))?);
    }
    let (mut one, mut other) = (vec![0; AT_ONCE], vec![0; AT_ONCE]);
    let mut differ = Vec::new();
    let mut at = 0;
    while at < bytes {
        let length = AT_ONCE.min((bytes - at) as usize);
        let (one, other) = (&mut one[..length], &mut other[..length]);
        disks[0].read_exact_at(one, begin + at)?;
        disks[1].read_exact_at(other, begin + at)?;
        for (block, (one, other)) in one.chunks(BLOCK).zip(other.chunks(BLOCK)).enumerate() {
            if one != other {
                differ.push(at / BLOCK as u64 + block as u64);
            }
        }
        at += length as u64;
    }
    if let Some(first) = differ.first() {
        bail!(
            "{} of {} blocks of 4 KiB differ between the two lower disks, the first at sector {}; \
             these are the first ones: {:?}",
            differ.len(),
            bytes / BLOCK as u64,
            first * 8,
            &differ[..differ.len().min(8)]
        );
    }
    Ok(())
}

/// What may not have happened at any time in the round, whatever the end is.
pub(crate) fn nothing_forbidden(pair: &Pair<'_>, console: [usize; 2]) -> Result<()> {
    pair.check()?;
    for (side, begin) in [pair.a, pair.b].iter().zip(console) {
        let name = side.name();
        for volume in states::volumes(&script(side, "states")?) {
            let both = volume.roles.iter().all(|role| role == "Primary");
            let wrong = volume.impossible().or(both.then_some("two Primaries"));
            if let Some(wrong) = wrong {
                bail!("node {name} has shown a state that may not be, {wrong}: {volume}");
            }
        }
        let broken = side.ok("cat /sys/kernel/debug/tandem/broken")?;
        ensure!(
            broken.is_empty(),
            "node {name}: broken invariants: {broken}"
        );
        let said = side.console()?;
        let said = said.get(begin..).unwrap_or(&said);
        // Nobody wrote on both sides.
        if let Some(line) = said.lines().find(|line| line.contains("Split-Brain")) {
            bail!("node {name} has seen a split brain where there can be none: {line}");
        }
        if let Some(line) = first_difference(said, RESOURCES * VOLUMES) {
            bail!("a verify on node {name} has found what nobody knew to differ: {line}");
        }
    }
    Ok(())
}

/// What both nodes think and wait for, for who has to find out what went wrong.
pub(crate) fn look(pair: &Pair<'_>) -> String {
    let mut text = String::new();
    for side in [pair.a, pair.b] {
        let name = side.name();
        text += &format!("\nnode {name}, /proc/drbd:\n{}", shown(&side, "/proc/drbd"));
        let waiting = shown(&side, "/sys/kernel/debug/tandem/waiting");
        text += &format!("\nnode {name}, what is waited for:\n{waiting}");
    }
    text
}

fn shown(side: &Side<'_>, path: &str) -> String {
    match side.sh_within(&format!("cat {path}"), Duration::from_secs(10)) {
        Ok(output) => output.stdout,
        Err(_) => "no answer\n".into(),
    }
}
