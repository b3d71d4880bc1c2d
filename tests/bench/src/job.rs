// SPDX-License-Identifier: GPL-2.0

//! What is measured.

use crate::Clock;

/// A job for fio, or the resync.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// Its name in tables and in `target/bench.json`.
    pub(crate) name: &'static str,
    /// Bytes of one I/O.
    pub(crate) block: u32,
    kind: Kind,
    /// How many I/Os are enough when instructions are counted.
    count: u32,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// fio's name of the pattern, and its depth.
    Fio(&'static str, u32),
    Resync,
}

/// All jobs, in the order in which they run.
pub(crate) const JOBS: &[Job] = &[
    Job::fio("randwrite-4k-qd1", "randwrite", 4 << 10, 1, 4000),
    Job::fio("randwrite-4k-qd32", "randwrite", 4 << 10, 32, 12_000),
    Job::fio("seqwrite-128k-qd1", "write", 128 << 10, 1, 1000),
    Job::fio("randread-4k-qd32", "randread", 4 << 10, 32, 30_000),
    Job {
        name: "resync",
        block: 4 << 10,
        kind: Kind::Resync,
        count: 0,
    },
];

impl Job {
    const fn fio(
        name: &'static str,
        pattern: &'static str,
        block: u32,
        depth: u32,
        count: u32,
    ) -> Self {
        Self {
            name,
            block,
            kind: Kind::Fio(pattern, depth),
            count,
        }
    }

    /// Whether it is the resync, which every set-up of a pair begins with.
    pub(crate) fn is_resync(&self) -> bool {
        matches!(self.kind, Kind::Resync)
    }

    /// Whether it reads, so that fio reports it as reads.
    pub(crate) fn reads(&self) -> bool {
        matches!(self.kind, Kind::Fio(pattern, _) if pattern.contains("read"))
    }

    /// fio's arguments as the guest's script takes them, or `-` for the resync.
    pub(crate) fn arguments(&self, clock: Clock, seconds: u32, seed: u32) -> String {
        let Kind::Fio(pattern, depth) = self.kind else {
            return "-".into();
        };
        let end = match clock {
            Clock::Time => format!("--time_based,--runtime={seconds}"),
            Clock::Icount => format!(
                "--io_size={}",
                u64::from(self.block) * u64::from(self.count)
            ),
        };
        format!(
            "--rw={pattern},--bs={},--iodepth={depth},--randseed={seed},{end}",
            self.block
        )
    }
}
