// SPDX-License-Identifier: GPL-2.0

//! A round: everything at once, for as long as the plan says.

use std::{
    ops::AddAssign,
    sync::{Mutex, MutexGuard},
    thread,
    time::Duration,
};

use anyhow::{anyhow, ensure, Context, Result};
use vm::{pair::Pair, Link};

use crate::{
    bell::{lock, Bell},
    plan::{Flap, Node, Plan, Trouble, RESOURCES},
    resource::{script_command, side, Resource},
    roles::Roles,
    steps::Steps,
};

/// Processes that give commands, on each node.
const CLIENTS: u32 = 8;

/// The longest that commands may take to end by themselves: as long as the script lets each live,
/// and some more.
const TO_END: Duration = Duration::from_secs(120);

/// What a slow link lets through, and what a lossy one does.
const SLOW: &str = "4mbit";
/// See above.
const LOSSY: &str = "loss 5% duplicate 2% delay 3ms 3ms";

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) cuts: u64,
    /// Times that the link was slow or lossy.
    pub(crate) slow: u64,
    pub(crate) failures: u64,
    pub(crate) attached: u64,
    pub(crate) left: u64,
    pub(crate) invalidated: u64,
    pub(crate) protocols: u64,
    pub(crate) sides: u64,
    /// What the plan had, but would have cost data then, or was refused.
    pub(crate) passed_over: u64,
    /// Times that a node was found alone and had to be told to look for its peer.
    pub(crate) alone: u64,
    pub(crate) commands: u64,
    pub(crate) done: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.slow += other.slow;
        self.failures += other.failures;
        self.attached += other.attached;
        self.left += other.left;
        self.invalidated += other.invalidated;
        self.protocols += other.protocols;
        self.sides += other.sides;
        self.passed_over += other.passed_over;
        self.alone += other.alone;
        self.commands += other.commands;
        self.done += other.done;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} cuts, {} slow, {} disks failed, {} attached, {} invalidated, {} left, {} alone, \
             {} sides, {} protocols, {} passed over, {} commands, {} of them done",
            self.cuts,
            self.slow,
            self.failures,
            self.attached,
            self.invalidated,
            self.left,
            self.alone,
            self.sides,
            self.protocols,
            self.passed_over,
            self.commands,
            self.done
        )
    }
}

/// What all parts of a round share.
pub(crate) struct Around {
    /// Rings at the end of the round.
    pub(crate) bell: Bell,
    moment: Mutex<()>,
}

impl Around {
    /// As long as this is held, the link is not cut, nor was it already; and no other disk fails.
    pub(crate) fn uncut(&self) -> MutexGuard<'_, ()> {
        lock(&self.moment)
    }
}

/// Carries the plan out: says what happened to links and what clients did, and what happens to the
/// resources from now on.
pub(crate) fn run<'a>(pair: &'a Pair<'a>, plan: &Plan) -> Result<(Counts, Vec<Steps<'a>>)> {
    let mut all = Vec::new();
    for index in 0..RESOURCES {
        let resource = Resource::new(pair, index);
        let roles = Roles::new(plan.primaries[index]);
        all.push(Steps::begin(resource, roles)?);
    }
    let around = &Around {
        bell: Bell::after(plan.length),
        moment: Mutex::new(()),
    };
    let mut counts = Counts::default();
    thread::scope(|scope| {
        let mut parts = vec![scope.spawn(|| ringing(around, || flaps(pair, plan, around)))];
        for (steps, plan) in all.iter_mut().zip(&plan.steps) {
            parts.push(scope.spawn(move || {
                ringing(around, || {
                    steps.run(plan, around)?;
                    Ok(Counts::default())
                })
            }));
        }
        for node in Node::BOTH {
            parts.push(scope.spawn(move || ringing(around, || clients(pair, plan, node))));
        }
        parts.into_iter().try_for_each(|part| {
            counts += part
                .join()
                .unwrap_or_else(|_| Err(anyhow!("a part of the round panicked")))?;
            anyhow::Ok(())
        })
    })?;
    Ok((counts, all))
}

/// A part that fails ends the others.
fn ringing(around: &Around, part: impl FnOnce() -> Result<Counts>) -> Result<Counts> {
    part().inspect_err(|_| around.bell.ring())
}

fn flaps(pair: &Pair<'_>, plan: &Plan, around: &Around) -> Result<Counts> {
    let mut counts = Counts::default();
    for flap in &plan.flaps {
        if !around.bell.pause(flap.good) {
            break;
        }
        let is_cut = matches!(flap.trouble, Trouble::Cut | Trouble::Mute(_));
        let held = is_cut.then(|| around.uncut());
        match is_cut {
            true => counts.cuts += 1,
            false => counts.slow += 1,
        }
        trouble(pair, flap, &around.bell).with_context(|| format!("{flap:?}"))?;
        drop(held);
    }
    Ok(counts)
}

fn trouble(pair: &Pair<'_>, flap: &Flap, bell: &Bell) -> Result<()> {
    let node = match flap.trouble {
        Trouble::Cut => {
            pair.cable(Link::Down)?;
            bell.pause(flap.bad);
            return pair.cable(Link::Up);
        }
        Trouble::Mute(node) | Trouble::Slow(node) | Trouble::Lossy(node) => node,
    };
    let (from, to) = (side(pair, node), side(pair, node.other()));
    match flap.trouble {
        Trouble::Slow(_) => from.slow_link(&to, SLOW)?,
        Trouble::Lossy(_) => from.bad_link(&to, LOSSY)?,
        Trouble::Cut | Trouble::Mute(_) => from.mute(&to)?,
    }
    bell.pause(flap.bad);
    from.quick_link(&to)
}

/// The clients of a node, until all have ended.
fn clients(pair: &Pair<'_>, plan: &Plan, node: Node) -> Result<Counts> {
    let seconds = plan.length.as_secs();
    let (number, seed) = (node as usize, plan.clients[node as usize]);
    let command = script_command(&format!("clients {number} {CLIENTS} {seconds} {seed}"));
    let said = side(pair, node).ok_within(&command, plan.length + TO_END)?;
    ensure!(!said.contains("hung: "), "node {node}: {said}");
    Ok(counted(&said))
}

/// How many commands ran, and how many were done: lines such as `17 attach 0`.
fn counted(ended: &str) -> Counts {
    let mut counts = Counts::default();
    for line in ended.lines() {
        let mut words = line.split_whitespace();
        let count: u64 = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        counts.commands += count;
        if words.nth(1) == Some("0") {
            counts.done += count;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn commands_are_counted_by_how_they_ended() {
        let counts = counted("     17 resume-io 0\n      3 pause-sync 10\n      2 verify 0");
        assert_eq!((counts.commands, counts.done), (22, 19));
        assert_eq!(counted("").commands, 0);
    }
}
