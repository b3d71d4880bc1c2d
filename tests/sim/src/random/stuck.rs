// SPDX-License-Identifier: GPL-2.0

//! Pairs that do not come to rest.

use std::fmt::Write as _;

use tandem_engine::engine::state::ConnState;

use super::{Run, ANSWERED_MS};
use crate::node::Net;
use crate::story::NAMES;
use crate::worker::show;
use crate::world::World;

impl Run<'_> {
    /// The two do not connect, and rightly so.
    pub(super) fn refused(&mut self) -> bool {
        // A diskless Primary that met old data made it start a generation, as with the C module:
        // the two look split although they are not.
        let looks_split = !self
            .world
            .all_volumes(|world| !world.oracle.split && !world.oracle.may_look_split);
        looks_split
            && self.world.nodes.iter().any(|node| {
                node.net == Net::Off || { node.state().conn <= ConnState::WfConnection }
            })
    }

    pub(super) fn stuck(&mut self) {
        let mut text = "stuck:".to_owned();
        self.world.each_volume(|world| {
            let [a, b] = &world.nodes;
            let [open, bits] = [
                [a.vol.open_requests() as u64, b.vol.open_requests() as u64],
                [a.vol.engine.out_of_sync(), b.vol.engine.out_of_sync()],
            ];
            let _ = write!(
                text,
                " a {} b {}, open requests {open:?}, bits {bits:?}",
                show(a.state()),
                show(b.state())
            );
            world.tell_what_waits();
        });
        let overdue = self.world.now.saturating_sub(ANSWERED_MS);
        for (node, name) in self.world.nodes.iter().zip(NAMES) {
            if let Some(token) = node.unanswered(overdue) {
                let text = format!("{name}: command {} is not answered", token.0);
                return self.world.fail(text);
            }
        }
        self.world.fail(text);
    }
}

impl World {
    /// Tells what the two nodes wait for.
    fn tell_what_waits(&mut self) {
        for n in 0..2 {
            let node = &self.nodes[n];
            let text = format!(
                "counters {:?} progress {:?} conn {:?} handling {:?} events {:?}",
                node.vol.engine.counters(),
                node.vol.engine.resync_progress(),
                node.conn
                    .as_ref()
                    .map(|c| (c.tx.len(), c.rx.len(), c.rx_wait, c.stage)),
                node.handling,
                node.events
            );
            self.tell(n, || text);
        }
    }
}
