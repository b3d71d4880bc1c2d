// SPDX-License-Identifier: GPL-2.0

//! What is drawn of a round: all of it follows from the seed of the run, the number of the round,
//! and how long it is.

use std::{fmt, time::Duration};

use fastrand::Rng;
use vm::side::Protocol;

/// How many resources there are: the first is Primary on node a, the second on node b, the third
/// changes sides.
pub(crate) const RESOURCES: usize = 3;

/// The resource that changes sides.
pub(crate) const CHANGES_SIDES: usize = 2;

/// Volumes of each.
pub(crate) const VOLUMES: usize = 2;

/// The longest that the link is good, and the longest that it is not, in milliseconds. A connection
/// is given up after three to five seconds, so some cuts pass unnoticed, and most do not.
const GOOD: u64 = 12_000;
/// See above.
const BAD: u64 = 6000;

/// The longest pause between two things that happen to a resource, in milliseconds.
const PAUSE: u64 = 2500;

/// The longest that a node leaves its peer, in milliseconds.
const AWAY: u64 = 3000;

/// Node a or b.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    A,
    B,
}

impl Node {
    pub(crate) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn any(random: &mut Rng) -> Self {
        Self::BOTH[random.usize(..2)]
    }
}

/// What is bad about the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing arrives.
    Cut,
    /// Nothing arrives that this node sends.
    Mute(Node),
    /// What this node sends, it sends slowly.
    Slow(Node),
    /// What this node sends gets lost, late and doubled now and then.
    Lossy(Node),
}

/// The link is good, then it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flap {
    pub(crate) good: Duration,
    pub(crate) trouble: Trouble,
    pub(crate) bad: Duration,
}

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It answers everything with an error.
    All,
    /// The module takes these operations for failed (bits of its parameter `enable_faults`).
    Injected(u32),
    /// The administrator takes it away.
    Detached,
    /// The same, without waiting for it.
    DetachedByForce,
}

impl Failure {
    /// Metadata is written, data is written by the application here or by the peer's, data is
    /// written or read for a resync.
    const INJECTED: [u32; 3] = [1, 16, 4 | 8 | 16];
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A disk fails.
    Fail {
        node: Node,
        volume: usize,
        how: Failure,
    },
    /// Disks that failed are well again, and attached.
    Attach,
    /// A node leaves its peer for a while.
    Leave { node: Node, away: Duration },
    /// The Secondary leaves, is told that its data is old, and comes back.
    Outdate,
    /// A disk's data is declared bad.
    Invalidate { node: Node, volume: usize },
    /// Both nodes go on with another protocol.
    Protocol(Protocol),
    /// The Primary becomes Secondary, and then its peer Primary.
    ChangeSides,
}

/// After a pause something happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) pause: Duration,
    pub(crate) act: Act,
}

/// One round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) number: u64,
    pub(crate) length: Duration,
    pub(crate) flaps: Vec<Flap>,
    /// Which node is Primary of each resource at first.
    pub(crate) primaries: [Node; RESOURCES],
    pub(crate) steps: [Vec<Step>; RESOURCES],
    /// What the commands of each node's clients are drawn from.
    pub(crate) clients: [u16; 2],
}

impl Plan {
    /// Round `number` of the run with this seed.
    pub(crate) fn draw(seed: u64, number: u64, length: Duration) -> Self {
        // Seeds that are next to each other are no worse than others.
        let mut random = Rng::with_seed(seed.rotate_left(32) ^ number);
        Self {
            number,
            length,
            primaries: [Node::A, Node::B, Node::any(&mut random)],
            clients: [random.u16(..), random.u16(..)],
            flaps: fill(length, || flap(&mut random), |flap| flap.good + flap.bad),
            steps: std::array::from_fn(|resource| {
                fill(length, || step(&mut random, resource), |step| step.pause)
            }),
        }
    }
}

/// As many as fill that time: the last one may reach over its end.
fn fill<T>(
    length: Duration,
    mut draw: impl FnMut() -> T,
    takes: impl Fn(&T) -> Duration,
) -> Vec<T> {
    let (mut all, mut time) = (Vec::new(), Duration::ZERO);
    while time < length {
        let next = draw();
        time += takes(&next);
        all.push(next);
    }
    all
}

fn millis(random: &mut Rng, most: u64) -> Duration {
    Duration::from_millis(random.u64(most / 10..=most))
}

fn flap(random: &mut Rng) -> Flap {
    let node = Node::any(random);
    Flap {
        good: millis(random, GOOD),
        trouble: match random.u8(..8) {
            0..=3 => Trouble::Cut,
            4 => Trouble::Mute(node),
            5 | 6 => Trouble::Slow(node),
            _ => Trouble::Lossy(node),
        },
        bad: millis(random, BAD),
    }
}

fn step(random: &mut Rng, resource: usize) -> Step {
    let (node, volume) = (Node::any(random), random.usize(..VOLUMES));
    let act = match random.u8(..16) {
        // All in all, as often as a disk fails elsewhere.
        0..=2 if resource == CHANGES_SIDES => Act::ChangeSides,
        0..=4 => Act::Fail {
            node,
            volume,
            how: match random.u8(..6) {
                0 | 1 => Failure::All,
                2 | 3 => Failure::Injected(Failure::INJECTED[random.usize(..3)]),
                4 => Failure::Detached,
                _ => Failure::DetachedByForce,
            },
        },
        5..=8 => Act::Attach,
        9 | 10 => Act::Leave {
            node,
            away: millis(random, AWAY),
        },
        11 => Act::Outdate,
        12 => Act::Invalidate { node, volume },
        13 => Act::Protocol(Protocol::ALL[random.usize(..3)]),
        _ if resource == CHANGES_SIDES => Act::ChangeSides,
        _ => Act::Attach,
    };
    Step {
        pause: millis(random, PAUSE),
        act,
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "round {} ({} s)", self.number, self.length.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_round_is_the_same_again_and_another_with_another_seed() {
        assert_eq!(Plan::draw(3, 17, MINUTE), Plan::draw(3, 17, MINUTE));
        assert_ne!(Plan::draw(3, 17, MINUTE), Plan::draw(4, 17, MINUTE));
        assert_ne!(Plan::draw(3, 17, MINUTE), Plan::draw(3, 18, MINUTE));
    }

    #[test]
    fn only_the_third_resource_changes_sides() {
        for number in 1..=50 {
            let plan = Plan::draw(1, number, MINUTE);
            assert_eq!(plan.primaries[..2], [Node::A, Node::B]);
            for (resource, steps) in plan.steps.iter().enumerate() {
                let changes = steps.iter().any(|step| step.act == Act::ChangeSides);
                assert!(resource == CHANGES_SIDES || !changes, "{plan}");
            }
        }
    }

    #[test]
    fn each_kind_of_fault_comes_in_five_rounds() {
        let plans = (1..=5).map(|number| Plan::draw(1, number, MINUTE));
        let (mut troubles, mut acts) = (String::new(), String::new());
        for plan in plans {
            troubles += &format!("{:?}", plan.flaps);
            acts += &format!("{:?}", plan.steps);
        }
        for kind in ["Cut", "Mute", "Slow", "Lossy"] {
            assert!(troubles.contains(kind), "{kind}");
        }
        for kind in [
            "All",
            "Injected",
            "Detached }",
            "DetachedByForce",
            "Attach",
            "Leave",
            "Outdate",
            "Invalidate",
            "Protocol",
            "ChangeSides",
        ] {
            assert!(acts.contains(kind), "{kind}");
        }
    }

    #[test]
    fn a_round_is_filled_to_its_end() {
        for seconds in [1, 10, 60] {
            let length = Duration::from_secs(seconds);
            let plan = Plan::draw(1, 1, length);
            let time: Duration = plan.flaps.iter().map(|flap| flap.good + flap.bad).sum();
            assert!(time >= length);
        }
    }
}
