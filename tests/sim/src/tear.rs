// SPDX-License-Identifier: GPL-2.0

//! Sessions that end at any byte: of what was on its way to a node, so many bytes arrive on each
//! socket as chance says, and nothing behind them.

use tandem_engine::engine::ids::Ticket;
use tandem_engine::engine::resource::Loss;
use tandem_engine::engine::wire::data::DataHeader;
use tandem_engine::engine::wire::{Command, Header};

use crate::event::{Ev, What};
use crate::node::RxWait;
use crate::packet::Packet;
use crate::world::World;

impl World {
    /// How many bytes are on their way to a node on the data socket.
    pub fn bytes_on_way(&self, to: usize) -> u64 {
        let sizes = self.on_way(to, self.next_conn, false);
        sizes.iter().map(|(_, len)| len).sum()
    }

    /// Cuts the link: of what is on its way to `to` on the data socket the first `bytes` bytes
    /// arrive, and nothing else.
    pub fn cut_at(&mut self, to: usize, bytes: u64) {
        let session = self.next_conn;
        self.tear_at(to, session, false, bytes);
        for (node, meta) in [(to, true), (1 - to, false), (1 - to, true)] {
            self.tear_at(node, session, meta, 0);
        }
        self.link = false;
        self.cut_conn = session;
        for n in 0..2 {
            let arrives = self.last_arrival[1 - n].iter().max();
            let wait = arrives.map_or(0, |at| at.saturating_sub(self.now));
            let delay = wait + self.rng.within(1, self.config.notice);
            self.after(n, delay, What::Lost(session, Loss::NetworkFailure));
        }
    }

    /// The session of that number ends for what is on its way to node `to`: it arrives up to some
    /// byte of each socket. Returns how long that takes, in ms.
    pub(crate) fn tear(&mut self, to: usize, session: u64) -> u64 {
        let mut last = self.now;
        if self.nodes[to].conn.as_ref().is_none_or(|c| c.id != session) {
            return 0;
        }
        let gone = |ev: &Ev| matches!(ev, Ev::Deliver { conn, .. } if *conn == session);
        self.held.retain(|ev| !gone(ev));
        for meta in [false, true] {
            let on_way = self.on_way(to, session, meta);
            let all = on_way.iter().map(|(_, len)| len).sum();
            let at = match self.muted[1 - to] {
                true => 0,
                false => self.rng.within(0, all),
            };
            last = last.max(self.tear_at(to, session, meta, at));
        }
        last - self.now
    }

    /// Of what is on its way to a node on one socket, only the first `left` bytes arrive. Returns
    /// when the last of them do.
    pub(crate) fn tear_at(&mut self, to: usize, session: u64, meta: bool, mut left: u64) -> u64 {
        let mut last = self.now;
        for (key, len) in self.on_way(to, session, meta) {
            if left >= len {
                left -= len;
                last = key.0;
                continue;
            }
            let Some((_, Ev::Deliver { packet, .. })) = self.take_event(key) else {
                continue;
            };
            let (version, cause) = (self.version(to), self.cause);
            self.tell(to, || {
                format!("gets {left} of {len} bytes of {}", packet.describe(version))
            });
            self.cause = cause;
            if let Some(conn) = self.nodes[to].conn.as_mut().filter(|_| !meta) {
                conn.part = Some((packet, left as usize));
            }
            self.drop_behind(to, session, meta, key);
            break;
        }
        last
    }

    /// Nothing arrives behind what would have come then.
    fn drop_behind(&mut self, to: usize, session: u64, meta: bool, key: (u64, u64)) {
        for (behind, _) in self.on_way(to, session, meta) {
            if behind > key {
                self.take_event(behind);
            }
        }
    }

    /// Why a node thinks that its session is over, which it notices now.
    pub(crate) fn noticed(&mut self, n: usize, loss: Loss) -> Loss {
        let conn = self.nodes[n].conn.as_mut();
        let Some(conn) = conn.filter(|conn| conn.part.is_some()) else {
            return loss;
        };
        let reads = conn.rx.is_empty() && conn.rx_wait == RxWait::Nothing && conn.stage == 2;
        // Who reads the meta socket may be the first, and has no word for a part of a packet.
        let part = conn.part.take().filter(|_| reads && self.rng.chance(50));
        part.and_then(|(packet, bytes)| self.receive_part(n, &packet, bytes))
            .unwrap_or(loss)
    }

    /// The receiver of the data socket has the first bytes of a packet when the session is over.
    /// What it says of that, as the module's (`receive/mod.rs`): the engine hears nothing of a
    /// packet that is not whole; it is only asked for the read that a reply is for.
    fn receive_part(&mut self, n: usize, packet: &Packet, bytes: usize) -> Option<Loss> {
        let version = self.version(n);
        let features = self.nodes[n].resource.agreed().features;
        let part = packet.part(bytes);
        let header = Header::parse(part, version).ok()?;
        let command = header.command;
        let rule = command.on_data_socket(version, features)?;
        let body = part.get(Header::encoded_len(version)..)?;
        if let Some(fixed) = body.get(..rule.fixed as usize) {
            if command == Command::DataReply {
                let reply = DataHeader::parse(command, fixed).ok()?;
                self.look_at(usize::from(header.volume).min(self.volumes() - 1));
                let ticket = Ticket::from_block_id(reply.block_id);
                self.nodes[n].vol.engine.remote_read(ticket);
            }
        }
        Some(Loss::ProtocolError)
    }
}
