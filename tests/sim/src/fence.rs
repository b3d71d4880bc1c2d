// SPDX-License-Identifier: GPL-2.0

//! The handler `fence-peer`: another way to the peer, that works also when the link does not.

use tandem_engine::engine::resource::{Admin, Call, Event, Token};
use tandem_engine::engine::state::{DiskState, Role};

use crate::event::What;
use crate::world::World;

/// The peer was outdated.
const OUTDATED: u8 = 4;

/// The peer is Primary.
const ACTIVE: u8 = 6;

/// The peer is dead.
const DEAD: u8 = 7;

/// Nobody knows.
const FAILED: u8 = 1;

/// How often the handler looks at the peer.
const LOOKS: u8 = 20;

/// How long it waits in between, in ms.
const PAUSE_MS: u64 = 10;

impl World {
    /// Node `n` wants its peer to be fenced.
    pub(crate) fn fence(&mut self, n: usize, call: Call) {
        let peer = &self.nodes[1 - n];
        let delay = self.rng.within(1, PAUSE_MS);
        let verdict = match peer.state().role {
            _ if !peer.up => DEAD,
            Role::Primary => ACTIVE,
            _ if self.rng.chance(10) => FAILED,
            _ => {
                let token = self.admin(1 - n, Admin::Outdate { volume: 0 });
                return self.after(n, delay, What::Fenced(call, token, LOOKS));
            }
        };
        self.after(n, delay, What::HandlerDone(call, verdict));
    }

    /// The handler looks at what became of its command.
    pub(crate) fn fenced(&mut self, n: usize, call: Call, token: Token, left: u8) {
        let peer = &self.nodes[1 - n];
        let done = self.answer(1 - n, token).is_some();
        if peer.up && !done && left != 0 {
            return self.after(n, PAUSE_MS, What::Fenced(call, token, left - 1));
        }
        let state = peer.state();
        let status = match state.disk {
            _ if !peer.up => DEAD,
            _ if state.role == Role::Primary => ACTIVE,
            DiskState::Outdated => OUTDATED,
            _ => FAILED,
        };
        self.post(n, Event::HandlerDone { call, status }, false);
    }
}
