// SPDX-License-Identifier: GPL-2.0

//! Pairs with several volumes: they share the connection, its epochs and the role's rules.

use tandem_engine::engine::resource::Event;
use tandem_engine::engine::state::{DiskState, Role};

use super::Run;
use crate::rng::Rng;
use crate::world::{Config, World};

/// From this seed on pairs have one to three volumes.
const SEVERAL: u64 = 1 << 50;

/// The oldest protocol version whose packets name a volume.
const NAMES_VOLUMES: u32 = 100;

/// Draws how many volumes pairs of that seed have.
pub(super) fn draw(config: &mut Config, seed: u64, rng: &mut Rng) {
    if seed >= SEVERAL {
        config.volumes = [1, 1, 2, 2, 3][rng.below(5) as usize];
    }
    if config.volumes > 1 {
        config.dialect.newest = config.dialect.newest.max(NAMES_VOLUMES);
    }
}

impl World {
    /// Nodes look whether the peer leaves writes unanswered for too long (`timeout`, `ko-count`).
    fn give_up_silent_peers(&mut self) {
        for n in 0..2 {
            let now = self.clock(n);
            let overdue = self.nodes[n].each(|vol| vol.engine.peer_is_overdue(now));
            if let Some(volume) = overdue.iter().position(|overdue| *overdue) {
                self.post(n, Event::Unanswered { volume }, false);
            }
        }
    }
}

impl Run<'_> {
    /// Two Primaries can wait for each other in a circle of several volumes: a write for a place
    /// in the log, another one for the one it overlaps, and both receivers at a barrier. As with
    /// the C module, it takes a time limit to get out of that.
    pub(super) fn break_circles(&mut self) {
        if self.dual && self.world.volumes() > 1 {
            self.world.give_up_silent_peers();
        }
    }

    /// Where each node is Primary of some volume, neither may declare the data of a fresh one good:
    /// when all shall come to rest, one of them steps back.
    pub(super) fn uncross_roles(&mut self) {
        let crossed = self.world.nodes.iter().all(|node| node.up && node.serves());
        let fresh = |world: &mut World| {
            !world.oracle.synced && world.nodes[0].state().disk == DiskState::Inconsistent
        };
        if self.load || self.dual || !crossed || self.world.all_volumes(|world| !fresh(world)) {
            return;
        }
        for volume in 0..self.world.volumes() {
            self.world.look_at(volume);
            if self.world.nodes[0].state().role == Role::Primary && self.free(0) {
                self.primary[volume] = None;
                self.busy[0] = Some(self.world.demote(0));
            }
        }
    }

    /// Whether one of the volumes has diverged: then the pair may not connect.
    pub(super) fn any_split(&mut self) -> bool {
        !self.world.all_volumes(|world| !world.oracle.split)
    }
}
