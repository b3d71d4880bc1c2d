// SPDX-License-Identifier: GPL-2.0

//! The end of a run: the faults are over, and everything has to come to rest.

use super::{Run, LONGEST_VERIFY_MS};
use crate::event::Ev;
use crate::story::{Cause, OUTSIDE};
use crate::vol::Vol;

impl Run<'_> {
    /// The faults are over: everything has to come to rest, in sync.
    pub(super) fn settle(&mut self) {
        let patience = 45_000 + 100 * self.world.config.disk;
        let mut end = self.world.now + patience;
        // A verify takes its time, and so does a resync with slow disks.
        let last = end + LONGEST_VERIFY_MS;
        let mut least = u64::MAX;
        let mut fewest = usize::MAX;
        self.load = false;
        self.wanted = [true; 2];
        self.world.cause = Cause::Nothing;
        self.world.tell(OUTSIDE, || "FAULTS ARE OVER".into());
        self.world.disk_errors = [0; 2];
        self.world.heal();
        self.world.unmute();
        for n in [0, 1] {
            if self.world.hung[n] {
                self.world.wake_disk(n);
            }
        }
        self.world.power_on(0);
        self.world.power_on(1);
        let mut idle = 0;
        // Slow disks have writes left when all else is done, and a broken session may be noticed
        // late.
        let quiet = 40 + self.world.config.disk + self.world.config.notice / 10;
        while self.world.failure.is_none() && idle < quiet {
            if !self.step() {
                self.world.at(10, Ev::Script);
            }
            if core::mem::take(&mut self.world.script_due) {
                self.configure();
                if self.at_rest() {
                    idle += 1;
                } else {
                    idle = 0;
                }
                if self.refused() && self.world.now + 40_000 > end {
                    break;
                }
                if self.world.now > end {
                    // Two Primaries on slow disks put each other off again and again.
                    let open = self.open_requests();
                    if open >= fewest || end == last {
                        self.stuck();
                        break;
                    }
                    fewest = open;
                    end = last.min(self.world.now + patience);
                }
                let (left, verifies) = self.progress();
                if left < least || verifies {
                    least = left;
                    end = last.min(self.world.now + patience);
                }
                self.world.at(10, Ev::Script);
            }
        }
        self.world.each_volume(|world| {
            if world.failure.is_none() {
                world.check_equal();
                world.check_marks();
            }
            if world.failure.is_none() && world.in_sync() {
                world.check_rest();
            }
        });
    }

    /// Whether all volumes are in sync, and nobody waits for anything.
    fn at_rest(&mut self) -> bool {
        // With protocols A and B a request is done before the peer's disk has it.
        let later = self.world.config.settings;
        let busy = |vol: &Vol| vol.open_requests() != 0 || later && vol.engine.requests() != 0;
        let quiet =
            self.world.nodes.iter().all(|node| {
                node.unanswered(u64::MAX).is_none() && !node.each(busy).contains(&true)
            });
        quiet && self.world.all_volumes(|world| world.in_sync())
    }

    /// Requests of applications that are not completed, of all volumes.
    fn open_requests(&self) -> usize {
        let of = |vol: &Vol| vol.open_requests() + vol.engine.requests() as usize;
        let all = self.world.nodes.iter().flat_map(|node| node.each(of));
        all.sum()
    }

    /// How many blocks have to be resynced yet, and whether a verify is going on.
    fn progress(&self) -> (u64, bool) {
        let of = |vol: &Vol| {
            (
                vol.engine.out_of_sync(),
                vol.engine.verify_progress().is_some(),
            )
        };
        let all = self.world.nodes.iter().flat_map(|node| node.each(of));
        all.fold((0, false), |sum, one| (sum.0 + one.0, sum.1 || one.1))
    }
}
