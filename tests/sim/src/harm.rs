// SPDX-License-Identifier: GPL-2.0

//! The world's harm: links and power that fail, and come back.

use tandem_engine::engine::resource::Loss;
use tandem_engine::engine::state::Role;

use crate::event::What;
use crate::story::OUTSIDE;
use crate::world::World;

impl World {
    /// Cuts the link: packets on their way are lost.
    pub fn cut(&mut self) {
        if !self.link {
            return;
        }
        self.tell(OUTSIDE, || "LINK CUT".into());
        self.link = false;
        self.break_session();
    }

    pub(crate) fn break_session(&mut self) {
        self.cut_conn = self.next_conn;
        for n in 0..2 {
            if let Some(conn) = &self.nodes[n].conn {
                let id = conn.id;
                let delay = self.rng.within(1, self.config.notice);
                if self.config.bytes {
                    let arrives = self.tear(n, id);
                    let delay = delay.max(arrives + 1);
                    self.after(n, delay, What::Lost(id, Loss::NetworkFailure));
                    continue;
                }
                // Who has got a part of a packet says that the peer broke the rules.
                let loss = match self.config.tears && self.rng.chance(50) {
                    true => Loss::ProtocolError,
                    false => Loss::NetworkFailure,
                };
                self.after(n, delay, What::Lost(id, loss));
            }
        }
    }

    /// From now on nothing arrives of what a node sends. Pings go unanswered, and both notice it
    /// after a while, each for itself.
    pub fn mute(&mut self, n: usize) {
        if self.muted[n] {
            return;
        }
        self.tell(n, || "IS NOT HEARD ANY MORE".into());
        self.muted[n] = true;
        self.mutings += 1;
        for n in 0..2 {
            if let Some(conn) = &self.nodes[n].conn {
                let id = conn.id;
                let delay = self
                    .rng
                    .within(self.config.notice / 2, 2 * self.config.notice);
                self.after(n, delay, What::Unanswered(id, self.mutings));
            }
        }
    }

    pub(crate) fn unanswered(&mut self, n: usize, session: u64, mutings: u64) {
        if self.mutings == mutings {
            self.lost(n, session, Loss::Timeout);
        }
    }

    /// Both nodes are heard again. What was sent meanwhile arrives, if its session still lives.
    pub fn unmute(&mut self) {
        if self.muted == [false; 2] {
            return;
        }
        self.tell(OUTSIDE, || "BOTH ARE HEARD".into());
        self.muted = [false; 2];
        self.mutings += 1;
        let mut held = core::mem::take(&mut self.held);
        held.extend(self.take_arriving());
        for ev in held {
            self.at(0, ev);
        }
        self.try_establish();
    }

    /// Mends the link.
    pub fn heal(&mut self) {
        if !self.link {
            self.tell(OUTSIDE, || "LINK UP".into());
            self.link = true;
            self.try_establish();
        }
    }

    /// Breaks the present session, but leaves the link.
    pub fn reset_session(&mut self) {
        self.tell(OUTSIDE, || "SESSION BROKEN".into());
        self.break_session();
    }

    /// A node loses power.
    pub fn crash(&mut self, n: usize) {
        if !self.nodes[n].up {
            return;
        }
        self.tell(n, || "CRASH".into());
        self.stop_timer(n);
        self.stuck[n].clear();
        let conn = self.nodes[n].conn.as_ref().map(|c| c.id);
        let peer = 1 - n;
        self.each_volume(|world| world.crash_disk(n));
        self.nodes[n] = self.nodes[n].after_crash();
        let view = self.volume;
        self.nodes[n].look_at(view);
        if let (Some(id), Some(_)) = (conn, &self.nodes[peer].conn) {
            let mut delay = self.rng.within(1, self.config.notice);
            if self.config.bytes && id > self.cut_conn {
                delay = delay.max(self.tear(peer, id) + 1);
            }
            self.after(peer, delay, What::Lost(id, Loss::NetworkFailure));
        }
    }

    /// The power of a node's disk is lost, and with it what of its writes nobody knows.
    fn crash_disk(&mut self, n: usize) {
        // What waits behind the first write was not begun.
        let waiting = core::mem::take(&mut self.nodes[n].vol.meta);
        if let Some(op) = waiting.into_values().next() {
            if self.rng.chance(50) {
                let text = format!("perhaps torn on disk: {}", op.describe());
                self.tell(n, || text);
                let disk = &mut self.nodes[n].vol.disk;
                disk.end_flush(op.flush);
                for write in &op.writes {
                    disk.write_meta(write, Some(&mut self.rng));
                }
            }
        }
        self.nodes[n].vol.disk.crash(&mut self.rng);
        let primary = self.nodes[n].state().role == Role::Primary;
        let peer = 1 - n;
        // A promotion that was not through does not make a Primary.
        let served = primary && !self.oracle.torn;
        self.oracle.torn |= primary;
        self.oracle.weak[n] = true;
        self.oracle.weak_peer[n] = !served || self.oracle.dual;
        if !primary && self.nodes[peer].up && !self.oracle.behind[peer] {
            self.oracle.behind[n] = true;
        }
    }

    /// A node's disks do not answer any more.
    pub fn hang_disk(&mut self, n: usize) {
        self.tell(n, || "DISK HANGS".into());
        self.hung[n] = true;
    }

    /// It answers everything.
    pub fn wake_disk(&mut self, n: usize) {
        self.tell(n, || "DISK ANSWERS".into());
        self.hung[n] = false;
        let view = self.volume;
        for (volume, what) in core::mem::take(&mut self.stuck[n]) {
            self.look_at(volume);
            self.after(n, 0, what);
        }
        self.look_at(view);
    }

    /// A node gets power again; nothing is configured.
    pub fn power_on(&mut self, n: usize) {
        if !self.nodes[n].up {
            self.tell(n, || "POWER ON".into());
            self.nodes[n].up = true;
        }
    }
}
