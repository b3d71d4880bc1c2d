// SPDX-License-Identifier: GPL-2.0

//! What is drawn of a cut: all of it follows from the seed of the run and the number of the cut.

use std::{fmt, time::Duration};

use clap::ValueEnum;
use vm::{side::Protocol, Luck};

/// After how long a load loses its machine, at most, before times are scaled.
const LATEST: Duration = Duration::from_secs(5);

/// And after how long a node that has come back loses its power again.
const LATEST_AGAIN: Duration = Duration::from_secs(2);

/// Whose power is cut, and who goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// The Secondary's; the load goes on, and what it missed is resynced.
    SecondaryReturns,
    /// The Primary's; its peer becomes Primary.
    PeerTakesOver,
    /// The Primary's; it comes back and becomes Primary again.
    PrimaryReturns,
    /// Both at the same moment; both come back, and who was Primary becomes it again.
    BothReturn,
}

/// What writes meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Load {
    Fio,
    Sqlite,
    Postgres,
}

/// The file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

/// A fault of the machines that is planted to see the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// The disks of a machine that loses its power have lied about their last flushes.
    LyingDisks,
    /// Protocol A is what the machines do, whatever protocol is promised.
    AlwaysA,
}

/// So many flushes are lost by disks that lie.
const LIES: usize = 20;

/// One cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) number: u64,
    pub(crate) protocol: Protocol,
    pub(crate) way: Way,
    pub(crate) load: Load,
    pub(crate) file_system: FileSystem,
    /// Whether node b is Primary, and not node a.
    pub(crate) b_is_primary: bool,
    /// One of two kinds of the load.
    other_kind: bool,
    /// When the cut is after the load has begun, before times are scaled.
    pub(crate) delay: Duration,
    /// When the node that comes back is cut again, after it has begun to look for its peer: it is
    /// connecting then, or getting or giving what was missed.
    pub(crate) again: Option<Duration>,
    /// What the disks of each node do with what was not flushed.
    luck: [u64; 2],
    /// What is planted.
    pub(crate) fault: Option<Fault>,
}

impl Plan {
    /// Cut `number` of the run with this seed. Protocol, way, load and file system come by turns,
    /// each with each in 72 cuts, any two of them in 20; the rest is drawn.
    pub(crate) fn draw(seed: u64, number: u64) -> Self {
        // Seeds that are next to each other are no worse than others.
        let mut random = fastrand::Rng::with_seed(seed.rotate_left(32) ^ number);
        let (turn, round) = (number % 12, number / 12);
        let kind = (turn / 2 + 5 * round) % 6;
        let way = match number % 4 {
            0 => Way::PeerTakesOver,
            1 => Way::SecondaryReturns,
            2 => Way::PrimaryReturns,
            _ => Way::BothReturn,
        };
        Self {
            number,
            protocol: match number % 3 {
                0 => Protocol::A,
                1 => Protocol::B,
                _ => Protocol::C,
            },
            way,
            load: match kind / 2 {
                0 => Load::Fio,
                1 => Load::Sqlite,
                _ => Load::Postgres,
            },
            file_system: if kind % 2 == 0 {
                FileSystem::Ext4
            } else {
                FileSystem::Xfs
            },
            b_is_primary: random.bool(),
            other_kind: random.bool(),
            delay: LATEST.mul_f64(random.f64()),
            again: (random.u8(..3) == 0).then(|| LATEST_AGAIN.mul_f64(random.f64())),
            luck: [random.u64(..), random.u64(..)],
            fault: None,
        }
    }

    /// The protocol that the nodes are told.
    pub(crate) fn told(&self) -> Protocol {
        match self.fault {
            Some(Fault::AlwaysA) => Protocol::A,
            Some(Fault::LyingDisks) | None => self.protocol,
        }
    }

    /// What the disks of node b, or node a, do with what was not flushed.
    pub(crate) fn luck(&self, b: bool) -> Luck {
        match self.fault {
            Some(Fault::LyingDisks) => Luck::Lies(LIES),
            Some(Fault::AlwaysA) | None => Luck::Seed(self.luck[usize::from(b)]),
        }
    }

    /// The load's kind, in the words of its script.
    pub(crate) fn kind(&self) -> &'static str {
        // What was only completed is no promise of a machine that has lost its power itself.
        let alive = matches!(self.way, Way::SecondaryReturns | Way::PeerTakesOver);
        match (self.load, self.other_kind) {
            (Load::Fio, true) if alive => "completed",
            (Load::Fio, _) => "flushed",
            (Load::Sqlite, true) => "delete",
            (Load::Sqlite, false) => "wal",
            (Load::Postgres, true) => "fdatasync",
            // Flushed with each write, and not behind it.
            (Load::Postgres, false) => "open_datasync",
        }
    }

    /// Whether the last of what was done may be missing: with protocol A, it may have been on its
    /// way to the peer that goes on.
    pub(crate) fn may_miss_the_last(&self) -> bool {
        self.protocol == Protocol::A && self.way == Way::PeerTakesOver
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = match self.load {
            Load::Fio => "fio",
            Load::Sqlite => "SQLite",
            Load::Postgres => "PostgreSQL",
        };
        let files = match self.file_system {
            FileSystem::Ext4 => "ext4",
            FileSystem::Xfs => "XFS",
        };
        let way = match self.way {
            Way::SecondaryReturns => "Secondary returns",
            Way::PeerTakesOver => "peer takes over",
            Way::PrimaryReturns => "Primary returns",
            Way::BothReturn => "both return",
        };
        let primary = if self.b_is_primary { "b" } else { "a" };
        write!(
            f,
            "cut {}: {}, {load} ({}) on {files}, {primary} Primary, {way}, after {:.1} s",
            self.number,
            self.protocol.as_str(),
            self.kind(),
            self.delay.as_secs_f64()
        )?;
        if let Some(delay) = self.again {
            write!(f, ", and again after {:.1} s", delay.as_secs_f64())?;
        }
        match self.fault {
            Some(fault) => write!(f, ", planted: {fault:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_meets_each_in_72_cuts() {
        let cuts = (1..=72).map(|number| Plan::draw(1, number));
        let met: HashSet<_> = cuts
            .map(|plan| (plan.protocol, plan.way, plan.load, plan.file_system))
            .collect();
        assert_eq!(met.len(), 72);
    }

    #[test]
    fn any_two_meet_in_20_cuts() {
        for start in 1..=72 {
            let cuts: Vec<_> = (start..start + 20)
                .map(|number| Plan::draw(1, number))
                .collect();
            let met = |pair: fn(&Plan) -> String| {
                let pairs: HashSet<_> = cuts.iter().map(pair).collect();
                pairs.len()
            };
            let of = [
                met(|plan| format!("{:?} {:?}", plan.protocol, plan.way)),
                met(|plan| format!("{:?} {:?}", plan.protocol, plan.load)),
                met(|plan| format!("{:?} {:?}", plan.protocol, plan.file_system)),
                met(|plan| format!("{:?} {:?}", plan.way, plan.load)),
                met(|plan| format!("{:?} {:?}", plan.way, plan.file_system)),
                met(|plan| format!("{:?} {:?}", plan.load, plan.file_system)),
            ];
            assert_eq!(of, [12, 9, 6, 12, 8, 6], "from {start}");
        }
    }

    #[test]
    fn a_cut_is_the_same_again_and_another_with_another_seed() {
        assert_eq!(Plan::draw(3, 17), Plan::draw(3, 17));
        assert_ne!(Plan::draw(3, 17), Plan::draw(4, 17));
    }

    #[test]
    fn only_protocol_a_misses_something_and_only_at_the_peer() {
        for number in 1..=72 {
            let plan = Plan::draw(1, number);
            let expected = plan.protocol == Protocol::A && plan.way == Way::PeerTakesOver;
            assert_eq!(plan.may_miss_the_last(), expected);
        }
    }
}
