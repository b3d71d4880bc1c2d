// SPDX-License-Identifier: GPL-2.0

//! Pairs that do not come to rest.

use tandem_engine::engine::state::ConnState;

use super::{Run, ANSWERED_MS};
use crate::node::Net;
use crate::story::NAMES;
use crate::worker::show;

impl Run<'_> {
    /// The two do not connect, and rightly so.
    pub(super) fn refused(&self) -> bool {
        // A diskless Primary that met old data made it start a generation, as with the C module:
        // the two look split although they are not.
        let oracle = &self.world.oracle;
        (oracle.split || oracle.may_look_split)
            && self.world.nodes.iter().any(|node| {
                node.net == Net::Off || { node.state().conn <= ConnState::WfConnection }
            })
    }

    pub(super) fn stuck(&mut self) {
        let open: Vec<usize> = self.world.nodes.iter().map(|n| n.open_requests()).collect();
        let bits: Vec<u64> = self
            .world
            .nodes
            .iter()
            .map(|n| n.volume.out_of_sync())
            .collect();
        for n in 0..2 {
            let node = &self.world.nodes[n];
            let text = format!(
                "counters {:?} progress {:?} conn {:?} handling {:?} events {:?}",
                node.volume.counters(),
                node.volume.resync_progress(),
                node.conn
                    .as_ref()
                    .map(|c| (c.tx.len(), c.rx.len(), c.rx_wait, c.stage)),
                node.handling,
                node.events
            );
            self.world.tell(n, || text);
        }
        let overdue = self.world.now.saturating_sub(ANSWERED_MS);
        for (node, name) in self.world.nodes.iter().zip(NAMES) {
            if let Some(token) = node.unanswered(overdue) {
                let text = format!("{name}: command {} is not answered", token.0);
                return self.world.fail(text);
            }
        }
        let text = format!(
            "stuck: a {} b {}, open requests {open:?}, bits {bits:?}",
            show(self.world.nodes[0].state()),
            show(self.world.nodes[1].state())
        );
        self.world.fail(text);
    }
}
