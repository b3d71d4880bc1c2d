// SPDX-License-Identifier: GPL-2.0

//! Pairs that have two Primaries at times, which write to the same blocks.

use std::ops::Range;

use tandem_engine::engine::options::WireProtocol;

use super::Run;
use crate::world::Config;

/// Pairs of these seeds may have two Primaries.
const SEEDS: Range<u64> = 1 << 45..1 << 46;

/// Allows two Primaries to pairs of that seed; whether it did.
pub(super) fn draw(config: &mut Config, seed: u64) -> bool {
    let dual = SEEDS.contains(&seed);
    if dual {
        config.node.net.protocol = WireProtocol::C;
        config.node.net.allow_two_primaries = true;
        // As fast as it goes.
        config.node.disk.c_plan_ahead = 0;
    }
    dual
}

impl Run<'_> {
    /// Whether both nodes are Primary.
    pub(super) fn both_serve(&self) -> bool {
        self.world
            .nodes
            .iter()
            .all(|node| node.up && node.vol.writable)
    }

    /// Towards two Primaries, if nothing is in the way.
    pub(super) fn become_two(&mut self) {
        match self.serving() {
            Some(n) if !self.world.nodes[1 - n].vol.writable => self.second_role(n),
            Some(_) => {}
            None => self.roles(),
        }
    }

    /// The other node becomes Primary beside the one that serves, or ceases to be one.
    pub(super) fn second_role(&mut self, first: usize) {
        let n = 1 - first;
        if !self.world.nodes[n].up || !self.free(n) || !self.free(first) {
            return;
        }
        let node = &self.world.nodes[n];
        if node.vol.writable && node.vol.open_requests() == 0 {
            self.busy[n] = Some(self.world.demote(n));
        } else if !node.vol.writable && self.world.in_sync() {
            self.busy[n] = Some(self.world.promote(n, false));
        }
    }
}
