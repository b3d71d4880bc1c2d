// SPDX-License-Identifier: GPL-2.0

//! What is measured.

use crate::{module::Module, Clock, Setup};

/// Size of the thin volumes, for people and `truncate`.
pub(crate) const LARGE: &str = "16T";

/// One thing that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// Its name in tables and in `target/bench.json`.
    pub(crate) name: &'static str,
    /// Bytes of one I/O.
    pub(crate) block: u32,
    /// How many I/Os are enough when instructions are counted; of each process of fio.
    count: u32,
    /// What it is.
    pub(crate) kind: Kind,
}

/// How a job is done, and where its figures come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// fio with these options, and what of its report has the latencies.
    Fio(&'static str, Side),
    /// The same on a Primary that has no connection.
    Alone(&'static str),
    /// Something that the guest's script knows by this word, and that handles a part of all blocks.
    Passage(&'static str, Span, Percent),
    /// One of the two steps of thin volumes: the whole counts as one I/O.
    Large(Span),
}

/// Which I/Os a job does, so that latencies are looked for there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Write,
    Read,
    /// Both; the latencies are those of its writes.
    Mixed,
    /// Writes with an fsync after each; the latencies are those of the fsyncs.
    Sync,
}

/// Words of the kernel's messages about volume 0 with which something begins and ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) begin: &'static str,
    pub(crate) end: &'static str,
}

/// Of a hundred blocks.
type Percent = u32;

const RESYNC: Span = Span {
    begin: "-> SyncSource )",
    end: "conn( SyncSource -> Connected )",
};
const VERIFY: Span = Span {
    begin: "-> VerifyS )",
    end: "conn( VerifyS -> Connected )",
};
const ATTACH: Span = Span {
    begin: "disk( Diskless -> Attaching )",
    end: "disk( Attaching -> ",
};
const EXCHANGE: Span = Span {
    begin: "-> WFBitMapS )",
    end: "conn( WFBitMapS -> SyncSource )",
};

const SMALL: u32 = 4 << 10;
const BIG: u32 = 128 << 10;

/// All jobs, in the order in which they run: what needs no peer is last.
pub(crate) const JOBS: &[Job] = &[
    fio("randwrite-4k-qd1", SMALL, 4000, "rw=randwrite,--iodepth=1"),
    fio(
        "randwrite-4k-qd32",
        SMALL,
        12_000,
        "rw=randwrite,--iodepth=32",
    ),
    // Each process has a half of its own.
    fio(
        "randwrite-4k-qd32-2jobs",
        SMALL,
        6000,
        "rw=randwrite,--iodepth=32,--numjobs=2,--group_reporting,--size=50%,--offset_increment=50%",
    ),
    fio("seqwrite-128k-qd1", BIG, 1000, "rw=write,--iodepth=1"),
    fio("seqwrite-128k-qd32", BIG, 1000, "rw=write,--iodepth=32"),
    of(
        "randwrite-4k-fsync",
        SMALL,
        3000,
        Kind::Fio("rw=randwrite,--fsync=1", Side::Sync),
    ),
    of(
        "randread-4k-qd32",
        SMALL,
        30_000,
        Kind::Fio("rw=randread,--iodepth=32", Side::Read),
    ),
    of(
        "mixed-4k-qd32",
        SMALL,
        15_000,
        Kind::Fio("rw=randrw,--rwmixread=70,--iodepth=32", Side::Mixed),
    ),
    of("resync", SMALL, 0, Kind::Passage("resync", RESYNC, 100)),
    of("verify", SMALL, 0, Kind::Passage("verify", VERIFY, 100)),
    of(
        "resync-1pct",
        SMALL,
        0,
        Kind::Passage("scattered", RESYNC, 1),
    ),
    alone(
        "alone-randwrite-4k-qd1",
        SMALL,
        8000,
        "rw=randwrite,--iodepth=1",
    ),
    alone(
        "alone-randwrite-4k-qd32",
        SMALL,
        20_000,
        "rw=randwrite,--iodepth=32",
    ),
    alone("alone-seqwrite-128k-qd1", BIG, 2000, "rw=write,--iodepth=1"),
    of("attach-16t", 0, 0, Kind::Large(ATTACH)),
    of("exchange-16t", 0, 0, Kind::Large(EXCHANGE)),
];

const fn of(name: &'static str, block: u32, count: u32, kind: Kind) -> Job {
    Job {
        name,
        block,
        count,
        kind,
    }
}

const fn fio(name: &'static str, block: u32, count: u32, options: &'static str) -> Job {
    of(name, block, count, Kind::Fio(options, Side::Write))
}

const fn alone(name: &'static str, block: u32, count: u32, options: &'static str) -> Job {
    of(name, block, count, Kind::Alone(options))
}

/// How long a job of fio lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// So many seconds.
    Seconds(u32),
    /// So many times the number of I/Os that is enough when instructions are counted.
    Times(u32),
}

impl Job {
    /// The job of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        JOBS.iter().find(|job| job.name == name)
    }

    /// Whether it is about thin volumes.
    pub(crate) fn is_large(&self) -> bool {
        matches!(self.kind, Kind::Large(_))
    }

    /// Whether it has a rate of I/Os, and not only one of bytes, or a time.
    pub(crate) fn has_ios(&self) -> bool {
        matches!(self.kind, Kind::Fio(..) | Kind::Alone(_))
    }

    /// Whether the protocol makes a difference to it: it writes, and the peer has to have it.
    fn has_protocols(&self) -> bool {
        matches!(self.kind, Kind::Fio(_, side) if side != Side::Read)
    }

    /// Whether it can be done so. With other protocols than the first of a run, only what depends
    /// on it is.
    pub(crate) fn is_for(&self, setup: Setup, module: &Module, first_protocol: bool) -> bool {
        let possible = match self.kind {
            Kind::Fio(..) | Kind::Alone(_) => true,
            Kind::Passage(..) => *module != Module::Bare,
            Kind::Large(_) => *module != Module::Bare && setup == Setup::Pair,
        };
        let new = first_protocol || self.has_protocols() && *module != Module::Bare;
        possible && new
    }

    /// What the guest's script is told to do.
    pub(crate) fn order(&self, length: Length, seed: u32) -> String {
        let fio = |options| {
            let end = match length {
                Length::Seconds(seconds) => format!("--time_based,--runtime={seconds}"),
                Length::Times(times) => {
                    let bytes = u64::from(self.block) * u64::from(self.count) * u64::from(times);
                    format!("--io_size={bytes}")
                }
            };
            format!("--{options},--bs={},--randseed={seed},{end}", self.block)
        };
        match self.kind {
            Kind::Fio(options, _) => fio(options),
            Kind::Alone(options) => format!("alone:{}", fio(options)),
            Kind::Passage(word, ..) => word.into(),
            Kind::Large(_) => String::new(),
        }
    }
}

impl Clock {
    /// How long jobs of fio last by it.
    pub(crate) fn length(self, seconds: u32) -> Length {
        match self {
            Self::Time => Length::Seconds(seconds),
            Self::Icount => Length::Times(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_for_writes_that_a_peer_has_to_have() {
        let further: Vec<_> = JOBS
            .iter()
            .filter(|job| job.is_for(Setup::Pair, &Module::Tandem, false))
            .map(|job| job.name)
            .collect();
        assert!(further.contains(&"randwrite-4k-fsync") && further.contains(&"mixed-4k-qd32"));
        assert!(!further.iter().any(|name| name.contains("read")));
        assert!(!further.iter().any(|name| name.contains("alone")));
        assert!(!further.contains(&"resync"));
    }

    #[test]
    fn the_bare_disk_has_only_jobs_of_fio_and_once() {
        let of = |first| {
            let has = |job: &&Job| job.is_for(Setup::Pair, &Module::Bare, first);
            JOBS.iter().filter(has).all(Job::has_ios)
        };
        assert!(of(true));
        assert!(!JOBS[0].is_for(Setup::Pair, &Module::Bare, false));
    }

    #[test]
    fn an_order_is_one_word() {
        for job in JOBS {
            assert!(
                !job.order(Length::Times(2), 3).contains(' '),
                "{}",
                job.name
            );
        }
        assert_eq!(
            JOBS[0].order(Length::Times(2), 3),
            "--rw=randwrite,--iodepth=1,--bs=4096,--randseed=3,--io_size=32768000"
        );
    }
}
