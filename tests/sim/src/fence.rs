// SPDX-License-Identifier: GPL-2.0

//! The handler `fence-peer`: another way to the peer, that works also when the link does not.

use tandem_engine::engine::resource::{Admin, Call, Event, Token};
use tandem_engine::engine::state::{DeviceState, DiskState};

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
    /// Node `n` wants its peer to be fenced: all volumes are.
    pub(crate) fn fence(&mut self, n: usize, call: Call) {
        let peer = &self.nodes[1 - n];
        let delay = self.rng.within(1, PAUSE_MS);
        let verdict = match peer.serves() {
            _ if !peer.up => DEAD,
            true => ACTIVE,
            _ if self.rng.chance(10) => FAILED,
            _ => {
                let mut tokens = Vec::new();
                self.each_volume(|world| {
                    let volume = world.volume;
                    tokens.push(world.admin(1 - n, Admin::Outdate { volume }));
                });
                return self.after(n, delay, What::Fenced(call, tokens, LOOKS));
            }
        };
        self.after(n, delay, What::HandlerDone(call, verdict));
    }

    /// The handler looks at what became of its commands.
    pub(crate) fn fenced(&mut self, n: usize, call: Call, tokens: Vec<Token>, left: u8) {
        let peer = &self.nodes[1 - n];
        let mut answers = tokens.iter().map(|&token| self.answer(1 - n, token));
        let done = answers.all(|answer| answer.is_some());
        if peer.up && !done && left != 0 {
            return self.after(n, PAUSE_MS, What::Fenced(call, tokens, left - 1));
        }
        let outdated = |s: &DeviceState| s.disk == DiskState::Outdated;
        let status = match peer.states().iter().all(outdated) {
            _ if !peer.up => DEAD,
            _ if peer.serves() => ACTIVE,
            true => OUTDATED,
            false => FAILED,
        };
        self.post(n, Event::HandlerDone { call, status }, false);
    }
}
