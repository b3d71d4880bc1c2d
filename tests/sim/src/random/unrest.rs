// SPDX-License-Identifier: GPL-2.0

//! What happens beside applications and failures: verifies, options that change, bad times.

use tandem_engine::engine::options::{OnNoData, ResourceOptions, WireProtocol};
use tandem_engine::engine::resource::Admin;
use tandem_engine::engine::state::ConnState;

use super::Run;
use crate::rng::Rng;
use crate::world::Config;

/// From this seed on the activity log gets more and fewer slots while it is in use, and some who
/// part leave the peer time.
pub(super) const LOG_CHANGES: u64 = (1 << 50) + (1 << 40);

/// Draws how nodes part.
pub(super) fn draw(config: &mut Config, seed: u64, rng: &mut Rng) {
    if seed >= LOG_CHANGES && rng.chance(70) {
        config.parting = rng.within(1, 60);
    }
}

impl Run<'_> {
    /// What only some seeds have; whether there was any now.
    pub(super) fn unrest(&mut self, calm: bool) -> bool {
        if self.verifies && self.rng.chance(6) {
            self.verify();
            return true;
        }
        if self.dual && !self.both_serve() && self.rng.chance(25) {
            self.become_two();
            return true;
        }
        if self.changes && self.rng.chance(4) {
            self.options();
            return true;
        }
        if self.moments && !calm && self.rng.chance(3) {
            self.hang();
            return true;
        }
        if self.blackouts && !calm && self.rng.chance(4) {
            self.blackout();
            return true;
        }
        if self.bad_times && !calm && self.rng.chance(3) {
            self.bad_times();
            return true;
        }
        false
    }

    /// Lets sectors rot; begins a verify, or says where the running one stops.
    pub(super) fn verify(&mut self) {
        let at = self.rng.below(self.hot.len() as u64) as usize;
        let hot = self.hot[at];
        let n = self.rng.below(2) as usize;
        if self.world.in_sync() && self.rng.chance(50) {
            for _ in 0..self.rng.within(1, 4) {
                let sector = hot + self.rng.below(24);
                self.world.rot(n, sector);
            }
        }
        if !self.free(n) || !self.world.nodes[n].up {
            return;
        }
        let node = &self.world.nodes[n];
        if node.state().conn == ConnState::VerifyT {
            return;
        }
        if let Some(running) = node.vol.engine.verify_progress() {
            let last = running.stop.min(6 * 8192) + self.rng.below(200);
            let stop = last.saturating_sub(self.rng.below(600));
            self.busy[n] = Some(self.world.verify(n, None, stop));
        } else {
            let start = hot.saturating_sub(self.rng.below(200));
            let (start, stop) = match self.rng.chance(80) {
                true => (Some(start), start + self.rng.below(600)),
                false => (None, self.rng.below(600)),
            };
            self.busy[n] = Some(self.world.verify(n, start, stop));
        }
    }

    /// Changes options on one node; where both have to be alike, the other one follows: by what it
    /// is told, or when it is configured again.
    pub(super) fn options(&mut self) {
        let n = self.rng.below(2) as usize;
        if !self.world.nodes[n].up || !self.free(n) {
            return;
        }
        let mut net = self.world.nodes[n].config.net.clone();
        net.protocol =
            [WireProtocol::A, WireProtocol::B, WireProtocol::C][self.rng.below(3) as usize];
        net.max_epoch_size = [1, 3, 2048][self.rng.below(3) as usize];
        net.use_rle = self.rng.chance(50);
        net.ko_count = [0, 7, 20][self.rng.below(3) as usize];
        let mut disk = self.world.nodes[n].config.disk.clone();
        disk.c_plan_ahead = [0, 1, 20][self.rng.below(3) as usize];
        disk.c_fill_target = [0, 100, 4096][self.rng.below(3) as usize];
        disk.c_min_rate = [0, 250, 4096][self.rng.below(3) as usize];
        self.other_policies(&mut net, &mut disk);
        if self.plan.seed >= LOG_CHANGES {
            disk.al_extents = self.rng.within(2, 7) as u32;
        }
        for node in &mut self.world.nodes {
            node.config.net = net.clone();
            node.config.disk = disk.clone();
        }
        let command = match self.rng.below(3) {
            0 if self.world.nodes[n].vol.lower => Admin::DiskOptions {
                volume: self.world.volume,
                options: disk,
            },
            1 => {
                let mut options = ResourceOptions::default();
                if self.rng.chance(50) {
                    options.on_no_data_accessible = OnNoData::SuspendIo;
                }
                Admin::ResourceOptions { options }
            }
            _ if self.world.nodes[n].resource.net().is_some() => Admin::NetOptions { options: net },
            _ => return,
        };
        self.busy[n] = Some(self.world.admin(n, command));
    }

    /// Reconnects that come to nothing, many in a row; or a clock that jumps.
    pub(super) fn bad_times(&mut self) {
        if self.rng.chance(50) {
            self.storm = self.rng.within(2, 12);
        } else {
            let n = self.rng.below(2) as usize;
            let by = [100, 5_000, 60_000, 10_000_000][self.rng.below(4) as usize];
            self.world.jump(n, by);
        }
    }
}
