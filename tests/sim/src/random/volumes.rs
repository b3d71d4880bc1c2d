// SPDX-License-Identifier: GPL-2.0

//! Pairs with several volumes: they share the connection, its epochs and the role's rules.

use tandem_engine::engine::ids::Instant;
use tandem_engine::engine::resource::Loss;
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
    /// A node that waits too long for the acknowledgement of a write gives its peer up (`timeout`,
    /// `ko-count`), as the module does.
    fn give_up_silent_peers(&mut self) {
        for n in 0..2 {
            let node = &self.nodes[n];
            let (Some(net), Some(conn)) = (node.resource.net(), &node.conn) else {
                continue;
            };
            let limit = 100 * u64::from(net.timeout) * u64::from(net.ko_count);
            let (id, now) = (conn.id, self.clock(n));
            let sent = node.each(|vol| vol.engine.oldest_unacked());
            let overdue = |at: &Instant| limit != 0 && now.since(*at) > limit;
            if sent.iter().flatten().any(overdue) {
                self.tell(n, || "the peer leaves writes unanswered".into());
                self.lost(n, id, Loss::Timeout);
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
