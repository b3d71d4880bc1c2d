// SPDX-License-Identifier: GPL-2.0

//! What will happen, and whose turn it is when it does.

use tandem_engine::engine::ids::{PeerTicket, Ticket};
use tandem_engine::engine::resource::{Call, Event, IoKind, Loss, Token};
use tandem_engine::engine::state::ConnState;
use tandem_engine::engine::volume::{Effects, Volume};

use crate::disk::Flush;
use crate::node::{App, Net};
use crate::packet::{contents, Packet};
use crate::world::World;
use crate::Heap;

/// Something that will happen on one node.
pub enum What {
    /// A turn of the resource's thread.
    Worker,
    /// Metadata writes completed.
    MetaDone(u64),
    /// A disk that is given up may be unused now.
    TryRelease,
    /// The resource looks at the clock.
    Tick,
    /// The receiver begins to look for the peer.
    Connecting,
    /// A turn of the sender.
    Sender(u64),
    /// The payload of a write is on the wire.
    SendDone(u64, Ticket),
    /// A turn of the receiver.
    RxData(u64),
    /// Flushes of all volumes' disks for the peer's barrier completed.
    EpochFlushed(u64, Vec<(usize, Flush)>),
    /// A reply cannot be sent any more.
    ReplyDropped(PeerTicket),
    /// Somebody looks whether the disk still answers.
    Watch,
    /// The receiver notices that the connection is gone.
    Lost(u64, Loss),
    /// A ping was not answered; unless the link was mended since.
    Unanswered(u64, u64),
    /// A local write completed.
    LocalWrite(Ticket, u64),
    /// A local flush completed.
    LocalFlush(Ticket, Flush),
    /// A local read of a slot completed.
    LocalRead(Ticket),
    /// A local read without slot completed.
    DirectRead(Box<App>),
    /// A local read without slot failed.
    DirectReadFailed(Box<App>),
    /// A local I/O has failed.
    LocalFailed(Ticket),
    /// A write at the disk failed, of the application or of the peer.
    WriteFailed(Result<Ticket, PeerTicket>, u64),
    /// Metadata writes failed.
    MetaFailed(u64),
    /// The lower device could not be read, written, or keep its metadata.
    DiskTrouble(IoKind),
    /// A write of the peer completed.
    PeerWrite(PeerTicket, u64),
    /// A read for the peer completed.
    PeerRead(PeerTicket),
    /// An I/O for the peer failed.
    PeerFailed(PeerTicket),
    /// The activity log is to be written.
    WriteLog,
    /// The target has heard all outcomes of that verify.
    VerifyTold(u64),
    /// Parked requests may find a slot.
    Unpark,
    /// The resync may ask for more.
    Resync,
    /// The administrator's patience with a command is over.
    GiveUp(Token),
    /// A handler came back.
    HandlerDone(Call, u8),
    /// The handler `fence-peer` looks whether the peer has obeyed; how often it will look again.
    Fenced(Call, Vec<Token>, u8),
}

impl What {
    /// Whether it is an answer of the disk for data.
    fn is_of_disk(&self) -> bool {
        matches!(
            self,
            What::LocalWrite(..)
                | What::LocalFlush(..)
                | What::LocalRead(_)
                | What::DirectRead(_)
                | What::PeerWrite(..)
                | What::PeerRead(_)
        )
    }
}

/// Something that will happen.
pub enum Ev {
    /// On one node, if it did not crash since.
    Node {
        /// The node.
        n: usize,
        /// Its life.
        life: u32,
        /// The volume that it is about.
        volume: usize,
        /// What.
        what: What,
    },
    /// A packet arrives.
    Deliver {
        /// Where.
        to: usize,
        /// The session.
        conn: u64,
        /// On the meta socket.
        meta: bool,
        /// The packet.
        packet: Packet,
    },
    /// The end of the peer's stream arrives.
    Eof {
        /// Where.
        to: usize,
        /// The session.
        conn: u64,
    },
    /// The two nodes meet.
    Establish,
    /// The scenario goes on.
    Script,
}

/// Whether a resync or a verify is going on.
fn syncs(volume: &Volume<Heap>) -> bool {
    volume.resync_progress().is_some() || volume.verify_progress().is_some()
}

impl World {
    /// Something is due on a node; unless its disk hangs, and would have to answer.
    pub(crate) fn turn(&mut self, n: usize, what: What) {
        if self.hung[n] && what.is_of_disk() {
            let volume = self.volume;
            self.stuck[n].push((volume, what));
        } else {
            self.happen(n, what);
        }
    }

    fn happen(&mut self, n: usize, what: What) {
        match what {
            What::Worker => self.worker(n),
            What::Watch => self.watch_disk(n),
            What::MetaDone(op) => self.meta_done(n, op),
            What::TryRelease => self.try_release(n),
            What::Tick => {
                self.nodes[n].timer = None;
                self.post(n, Event::Tick, false);
            }
            What::Connecting => {
                if self.nodes[n].net == Net::Looking {
                    self.post(n, Event::Connecting, false);
                }
            }
            What::Sender(id) => self.sender(n, id),
            What::SendDone(id, ticket) => self.send_done(n, id, ticket),
            What::RxData(id) => self.receive_data(n, id),
            What::EpochFlushed(id, flushed) => self.epoch_flushed(n, id, &flushed),
            What::ReplyDropped(ticket) => {
                let mut fx = Effects::new();
                self.nodes[n].vol.engine.peer_reply_sent(ticket, &mut fx);
                self.finish(n, fx);
            }
            What::Unanswered(id, mutings) => self.unanswered(n, id, mutings),
            What::Lost(id, loss) => self.lost(n, id, loss),
            What::LocalWrite(ticket, op) => {
                self.write_done(n, op);
                self.local_done(n, ticket, true);
            }
            What::LocalFlush(ticket, flushed) => {
                self.nodes[n].vol.disk.end_flush(flushed);
                self.local_done(n, ticket, true);
            }
            What::LocalRead(ticket) => {
                self.nodes[n].vol.fill_read(ticket);
                self.local_done(n, ticket, true);
            }
            What::DirectRead(mut app) => {
                self.nodes[n].vol.direct_reads -= 1;
                app.data = self.nodes[n].vol.disk.read(app.extent);
                self.completed(n, *app, true);
            }
            What::LocalFailed(ticket) => self.local_done(n, ticket, false),
            What::PeerWrite(ticket, op) => {
                self.write_done(n, op);
                self.peer_io_done(n, ticket, true);
                self.kick_resync(n);
            }
            What::PeerRead(ticket) => {
                let vol = &mut self.nodes[n].vol;
                if let Some(view) = vol.engine.peer_view(ticket) {
                    vol.payloads[ticket.index as usize] = Some(vol.disk.read(view.extent));
                }
                self.peer_io_done(n, ticket, true);
            }
            What::PeerFailed(ticket) => self.peer_io_done(n, ticket, false),
            What::WriteLog => {
                if !self.nodes[n].vol.log_busy {
                    self.log_begin(n);
                }
            }
            What::VerifyTold(round) => self.verify_told(n, round),
            What::Unpark => self.unpark(n),
            What::Resync => self.resync_turn(n),
            What::GiveUp(token) => self.give_up(n, token),
            What::HandlerDone(call, status) => {
                self.post(n, Event::HandlerDone { call, status }, false);
            }
            What::Fenced(call, tokens, left) => self.fenced(n, call, tokens, left),
            What::DiskTrouble(kind) => {
                let volume = self.volume;
                self.post(n, Event::IoError { volume, kind }, false);
            }
            What::DirectReadFailed(app) => self.direct_read_failed(n, *app),
            What::WriteFailed(whose, op) => {
                let Self { nodes, rng, .. } = self;
                nodes[n].vol.disk.fail(op, rng);
                match whose {
                    Ok(ticket) => self.local_done(n, ticket, false),
                    Err(ticket) => self.peer_io_done(n, ticket, false),
                }
                self.kick_resync(n);
            }
            What::MetaFailed(op) => self.meta_failed(n, op),
        }
    }

    /// The disk is done with a request of the application.
    fn local_done(&mut self, n: usize, ticket: Ticket, ok: bool) {
        let mut fx = Effects::new();
        self.nodes[n].vol.engine.local_done(ticket, ok, &mut fx);
        self.finish(n, fx);
    }

    /// The disk is done with a request of the peer.
    fn peer_io_done(&mut self, n: usize, ticket: PeerTicket, ok: bool) {
        let mut fx = Effects::new();
        self.nodes[n].vol.engine.peer_io_done(ticket, ok, &mut fx);
        self.finish(n, fx);
    }

    /// Resync or verify ask for more.
    fn resync_turn(&mut self, n: usize) {
        self.nodes[n].vol.resync_tick = false;
        let now = self.clock(n);
        self.nodes[n].vol.engine.sync_tick(now, 0);
        loop {
            let mut fx = Effects::new();
            let more = self.nodes[n].vol.engine.resync_more(&mut fx);
            self.finish(n, fx);
            if !more {
                break;
            }
        }
        self.verify_on(n);
        let node = &self.nodes[n];
        let asks = match node.state().conn {
            ConnState::SyncTarget => node.vol.engine.resync_progress().is_some(),
            ConnState::VerifyS => node.vol.engine.verify_progress().is_some(),
            // Who answers gives way to the application, too.
            _ => self.config.settings && syncs(&node.vol.engine),
        };
        if asks {
            self.nodes[n].vol.resync_tick = true;
            self.after(n, 20, What::Resync);
        }
    }

    pub(crate) fn write_done(&mut self, n: usize, op: u64) {
        if let Some(extent) = self.nodes[n].vol.disk.complete(op) {
            let content = self
                .story
                .is_some()
                .then(|| self.nodes[n].vol.disk.read(extent));
            let content = content.unwrap_or_default();
            self.tell(n, || {
                format!(
                    "disk wrote {}+{}: {}",
                    extent.sector,
                    content.len(),
                    contents(&content)
                )
            });
        }
    }

    pub(crate) fn lost(&mut self, n: usize, id: u64, loss: Loss) {
        if self.nodes[n].conn.as_ref().is_some_and(|c| c.id == id) {
            self.tell(n, || format!("session {id} is lost"));
            let loss = self.noticed(n, loss);
            self.close(n, loss);
        }
    }

    pub(crate) fn kick_resync(&mut self, n: usize) {
        let volume = &self.nodes[n].vol.engine;
        if !self.nodes[n].vol.resync_tick && syncs(volume) {
            self.nodes[n].vol.resync_tick = true;
            self.after(n, 1, What::Resync);
        }
    }
}
