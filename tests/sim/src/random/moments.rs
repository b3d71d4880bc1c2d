// SPDX-License-Identifier: GPL-2.0

//! Bad moments: policies that change, disks that hang, sessions that end inside of a packet, writes
//! that have to be on stable storage at once.

use std::ops::Range;

use tandem_engine::engine::options::{
    AfterSplitBrain0, AfterSplitBrain1, AfterSplitBrain2, DiskOptions, Fencing, NetOptions,
};
use tandem_engine::engine::resource::Admin;
use tandem_engine::engine::state::DiskState;

use super::Run;
use crate::rng::Rng;
use crate::world::{Config, World};

/// Pairs of these seeds have them.
const SEEDS: Range<u64> = 1 << 47..1 << 48;

/// Draws what pairs of that seed begin with; whether they have bad moments.
pub(super) fn draw(config: &mut Config, seed: u64, rng: &mut Rng) -> bool {
    let has = SEEDS.contains(&seed);
    if has {
        config.forces = rng.chance(60);
        config.tears = true;
        config.fences = true;
        config.node.disk.disk_timeout = [0, 0, 3, 30][rng.below(4) as usize];
        draw_fencing(&mut config.node.disk, rng);
        draw_policies(&mut config.node.net, rng);
    }
    has
}

fn draw_fencing(disk: &mut DiskOptions, rng: &mut Rng) {
    use Fencing::{DontCare, ResourceAndStonith, ResourceOnly};
    disk.fencing = [DontCare, ResourceOnly, ResourceAndStonith][rng.below(3) as usize];
}

fn draw_policies(net: &mut NetOptions, rng: &mut Rng) {
    use AfterSplitBrain0 as Zero;
    use AfterSplitBrain1 as One;
    use AfterSplitBrain2 as Two;
    net.after_sb_0pri = [
        Zero::Disconnect,
        Zero::DiscardYoungerPrimary,
        Zero::DiscardOlderPrimary,
        Zero::DiscardZeroChanges,
        Zero::DiscardLeastChanges,
    ][rng.below(5) as usize];
    net.after_sb_1pri =
        [One::Disconnect, One::Consensus, One::DiscardSecondary][rng.below(3) as usize];
    net.after_sb_2pri = Two::Disconnect;
}

/// In every fourth seed both nodes lose their power at once, too, and are promoted all the same.
pub(super) fn has_blackouts(seed: u64) -> bool {
    seed % 4 == 3
}

impl Run<'_> {
    /// Both nodes lose their power; the first that comes back has to have what was flushed.
    pub(super) fn blackout(&mut self) {
        self.world.each_volume(World::check_marks);
        // The Primary first: what it did not write any more nobody misses.
        let first = self.primary[self.world.volume].unwrap_or(0);
        for n in [first, 1 - first] {
            self.world.crash(n);
            self.busy[n] = None;
        }
        self.world.each_volume(World::check_marks);
    }

    /// Other policies, where seeds have them.
    pub(super) fn other_policies(&mut self, net: &mut NetOptions, disk: &mut DiskOptions) {
        if self.moments {
            draw_fencing(disk, &mut self.rng);
            draw_policies(net, &mut self.rng);
        }
    }

    /// A disk begins to hang, or answers again, or is taken away as it hangs.
    pub(super) fn hang(&mut self) {
        let n = self.rng.below(2) as usize;
        if !self.world.hung[n] {
            return self.world.hang_disk(n);
        }
        let there = self.world.nodes[n].state().disk > DiskState::Failed;
        if there && self.rng.chance(20) && self.free(n) && self.world.nodes[n].up {
            let force = Admin::Detach {
                volume: self.world.volume,
                force: true,
            };
            self.world.nodes[n].vol.suspect = true;
            self.busy[n] = Some(self.world.admin(n, force));
        } else {
            self.world.wake_disk(n);
        }
    }
}
