// SPDX-License-Identifier: GPL-2.0

//! The sockets of a node: its sender, and the receivers of both sockets.

use std::collections::VecDeque;

use tandem_engine::engine::life::Pings;
use tandem_engine::engine::resource::{Event, Loss};
use tandem_engine::engine::volume::Effects;
use tandem_engine::engine::wire::Command;

use crate::event::{Ev, What};
use crate::node::{Conn, Item, Net, Queued, RxWait};
use crate::packet::Packet;
use crate::world::World;

impl World {
    pub(crate) fn version(&self, n: usize) -> u32 {
        self.nodes[n].resource.agreed().version
    }

    /// Both receivers look for each other: they will meet.
    pub(crate) fn try_establish(&mut self) {
        let ready = self.link
            && self.muted == [false; 2]
            && self.nodes.iter().all(|node| {
                node.up
                    && node.net == Net::Looking
                    && node.resource.conn() == tandem_engine::engine::state::ConnState::WfConnection
            });
        if ready && !self.meeting {
            self.meeting = true;
            let delay = self.rng.within(1, 20);
            self.at(delay, Ev::Establish);
        }
    }

    pub(crate) fn establish(&mut self) {
        self.meeting = false;
        let ready = self.link
            && self.muted == [false; 2]
            && self.nodes.iter().all(|node| {
                node.up
                    && node.net == Net::Looking
                    && node.resource.conn() == tandem_engine::engine::state::ConnState::WfConnection
            });
        if !ready {
            return;
        }
        self.next_conn += 1;
        let id = self.next_conn;
        let first = self.rng.below(2) as usize;
        for n in 0..2 {
            let node = &mut self.nodes[n];
            node.net = Net::Up;
            let size = node.config.net.max_epoch_size;
            node.stream.reset(size);
            node.conn = Some(Conn {
                id,
                resolver: n == first,
                tx: VecDeque::new(),
                sending: None,
                tx_scheduled: false,
                rx: VecDeque::new(),
                rx_meta: VecDeque::new(),
                part: None,
                rx_wait: RxWait::Nothing,
                rx_scheduled: false,
                pings: Pings::default(),
                stage: 0,
                met: false,
                bitmap: None,
            });
            self.tell(n, || format!("session {id} is up"));
        }
        for n in 0..2 {
            let command = Command::ConnectionFeatures;
            let features = self.config.dialect.offer();
            let packet = Packet::new(Packet::early(), command, vec![], |o| {
                features.emit(command, o)
            });
            self.transmit(n, false, packet);
        }
    }

    /// A node leaves its peer some time to close the session.
    pub(crate) fn part(&mut self, n: usize) {
        let Some(id) = self.nodes[n].conn.as_ref().map(|conn| conn.id) else {
            return self.close(n, Loss::NetworkFailure);
        };
        let delay = self.rng.within(1, self.config.parting);
        self.after(n, delay, What::Lost(id, Loss::NetworkFailure));
    }

    /// The session of a node is over: everything of it is dropped, then the engine is told.
    pub(crate) fn close(&mut self, n: usize, loss: Loss) {
        let node = &mut self.nodes[n];
        match node.net {
            Net::Off | Net::Closing => return,
            Net::Looking => {
                node.net = Net::Closing;
                return self.post(n, Event::Disconnected(loss), false);
            }
            Net::Up => node.net = Net::Closing,
        }
        let Some(conn) = node.conn.take() else {
            return;
        };
        self.tell(n, || format!("session {} closes", conn.id));
        let view = self.volume;
        if let Some((volume, ticket)) = conn.sending {
            self.look_at(volume);
            let mut fx = Effects::new();
            self.nodes[n].vol.engine.send_done(ticket, &mut fx);
            self.finish(n, fx);
        }
        for queued in conn.tx {
            if let Item::Reply(ticket) = queued.item {
                self.look_at(queued.volume);
                let mut fx = Effects::new();
                self.nodes[n].vol.engine.peer_reply_sent(ticket, &mut fx);
                self.finish(n, fx);
            }
        }
        self.look_at(view);
        if self.config.bytes && conn.id > self.cut_conn {
            self.tear(1 - n, conn.id);
        }
        let at = self.last_arrival[n]
            .iter()
            .copied()
            .max()
            .unwrap_or(0)
            .max(self.now)
            + 1;
        let peer = 1 - n;
        self.at(
            at - self.now,
            Ev::Eof {
                to: peer,
                conn: conn.id,
            },
        );
        self.post(n, Event::Disconnected(loss), false);
    }

    /// Puts a packet on the wire.
    pub(crate) fn transmit(&mut self, n: usize, meta: bool, mut packet: Packet) {
        let Some(conn) = &self.nodes[n].conn else {
            return;
        };
        let id = conn.id;
        packet.address(self.volume);
        let delay = self.rng.within(1, self.config.wire);
        let cause = self.cause;
        let version = self.version(n);
        self.tell(n, || format!("sends {}", packet.describe(version)));
        packet.cause = core::mem::replace(&mut self.cause, cause);
        if self.config.bytes && id <= self.cut_conn {
            // The session is broken, which is not noticed yet.
            return;
        }
        let last = &mut self.last_arrival[n][usize::from(meta)];
        *last = (self.now + delay).max(*last + 1);
        let at = *last;
        self.at(
            at - self.now,
            Ev::Deliver {
                to: 1 - n,
                conn: id,
                meta,
                packet,
            },
        );
    }

    pub(crate) fn queue(&mut self, n: usize, item: Item) {
        let (volume, cause) = (self.volume, self.cause);
        match &mut self.nodes[n].conn {
            Some(conn) => {
                conn.tx.push_back(Queued {
                    item,
                    volume,
                    cause,
                });
                self.kick_sender(n);
            }
            None => {
                if let Item::Reply(ticket) = item {
                    self.after(n, 0, What::ReplyDropped(ticket));
                }
            }
        }
    }

    pub(crate) fn deliver(&mut self, to: usize, id: u64, meta: bool, packet: Packet) {
        if id <= self.cut_conn && !self.config.bytes {
            return;
        }
        let Some(conn) = self.nodes[to].conn.as_mut().filter(|c| c.id == id) else {
            return;
        };
        if meta {
            conn.rx_meta.push_back(packet);
            self.receive_meta(to, id);
        } else {
            conn.rx.push_back(packet);
            self.kick_receiver(to);
        }
    }
}
