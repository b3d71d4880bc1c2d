// SPDX-License-Identifier: GPL-2.0

//! The sender of the data socket, and what is put on the meta socket.

use tandem_engine::engine::bitmap_code::{encode, TransferCursor};
use tandem_engine::engine::ids::{Extent, PeerTicket, Ticket};
use tandem_engine::engine::resource::Event;
use tandem_engine::engine::volume::{AckKind, Answer, Effects};
use tandem_engine::engine::wire::ack::BlockAck;
use tandem_engine::engine::wire::bitmap::{max_payload, CompressedBitmap};
use tandem_engine::engine::wire::data::{Barrier, BlockRequest, DataHeader, TrimRequest};
use tandem_engine::engine::wire::Command;

use crate::event::What;
use crate::node::Item;
use crate::packet::Packet;
use crate::verify::outcome_id;
use crate::world::World;

impl World {
    pub(crate) fn kick_sender(&mut self, n: usize) {
        let delay = self.rng.below(self.config.step + 1);
        if let Some(conn) = &mut self.nodes[n].conn {
            if !conn.tx_scheduled && conn.sending.is_none() {
                conn.tx_scheduled = true;
                let id = conn.id;
                self.after(n, delay, What::Sender(id));
            }
        }
    }

    pub(crate) fn sender(&mut self, n: usize, id: u64) {
        let node = &mut self.nodes[n];
        let Some(conn) = node.conn.as_mut().filter(|c| c.id == id) else {
            return;
        };
        conn.tx_scheduled = false;
        if conn.sending.is_some() || conn.stage < 2 {
            return;
        }
        let item = match conn.tx.pop_front() {
            Some(queued) => {
                self.cause = queued.cause;
                self.look_at(queued.volume);
                queued.item
            }
            None => match node.stream.take_barrier() {
                Some(number) => Item::Barrier(number),
                None => return,
            },
        };
        self.send_item(n, id, item);
        self.kick_sender(n);
    }

    pub(crate) fn send_item(&mut self, n: usize, id: u64, item: Item) {
        let version = self.version(n);
        let now = self.clock(n);
        match item {
            Item::Packet(packet) => self.transmit(n, false, packet),
            Item::Barrier(barrier) => {
                let command = Command::Barrier;
                let packet = Packet::new(version, command, vec![], |o| {
                    Barrier { barrier }.emit(command, o)
                });
                self.transmit(n, false, packet);
            }
            Item::Read(ticket) => {
                let Some(view) = self.nodes[n].vol.engine.send_begin(ticket, 0, now) else {
                    return;
                };
                self.block_request(n, Command::DataRequest, view.extent, ticket.block_id());
                let mut fx = Effects::new();
                self.nodes[n].vol.engine.send_done(ticket, &mut fx);
                self.finish(n, fx);
            }
            Item::Write(ticket, epoch) => {
                let Some(view) = self.nodes[n].vol.engine.send_begin(ticket, epoch, now) else {
                    return;
                };
                let app = self.nodes[n].vol.requests[ticket.index as usize].as_mut();
                let data = app.map_or(Vec::new(), |app| {
                    app.sent = Some(view.ack);
                    app.data.clone()
                });
                let (command, flags) = view.packet(self.nodes[n].resource.agreed());
                let (sector, block_id, seq_num) =
                    (view.extent.sector, ticket.block_id(), view.sequence);
                let packet = Packet::new(version, command, data, |o| match command {
                    Command::Data => DataHeader {
                        sector,
                        block_id,
                        seq_num,
                        flags,
                    }
                    .emit(command, o),
                    _ => TrimRequest {
                        sector,
                        block_id,
                        seq_num,
                        flags,
                        size: view.extent.bytes,
                    }
                    .emit(command, o),
                });
                self.transmit(n, false, packet);
                let volume = self.volume;
                if let Some(conn) = &mut self.nodes[n].conn {
                    conn.sending = Some((volume, ticket));
                }
                let delay = self.rng.below(2 * self.config.wire);
                self.after(n, delay, What::SendDone(id, ticket));
            }
            Item::Reply(ticket) => self.send_reply(n, version, ticket),
            Item::Bitmap => self.send_bitmap(n, version),
        }
    }

    /// Gives the peer what was read for it.
    fn send_reply(&mut self, n: usize, version: u32, ticket: PeerTicket) {
        let view = self.nodes[n].vol.engine.peer_view(ticket);
        let data = self.nodes[n].vol.payloads[ticket.index as usize].take();
        if let Some(view) = view {
            let data = data.unwrap_or_default();
            let command = match view.answer {
                Answer::Compare { .. } => return self.compare(n, ticket, view, &data),
                Answer::Digest { .. } => Command::OvReply,
                Answer::Request => return self.request_with_digest(n, ticket, view, data),
                Answer::Check if !self.differs_at_target(n, ticket, &data) => return,
                Answer::ThinData if self.tells_zeroes(n, view, &data) => Command::RsDeallocated,
                Answer::Check | Answer::ThinData | Answer::ResyncData => Command::RsDataReply,
                _ => Command::DataReply,
            };
            let header = DataHeader {
                sector: view.extent.sector,
                block_id: view.block_id,
                ..DataHeader::default()
            };
            match command {
                Command::OvReply => self.send_digest(n, view, &data),
                Command::RsDeallocated => {}
                _ if data.is_empty() => {}
                _ => {
                    let packet = Packet::new(version, command, data, |o| header.emit(command, o));
                    self.transmit(n, false, packet);
                }
            }
        }
        let mut fx = Effects::new();
        self.nodes[n].vol.engine.peer_reply_sent(ticket, &mut fx);
        self.finish(n, fx);
    }

    pub(crate) fn send_bitmap(&mut self, n: usize, version: u32) {
        let bits = self.nodes[n].vol.engine.bitmap().map_or(0, |b| b.bits());
        let rle = self.nodes[n].config.net.use_rle && version >= 90;
        let mut cursor = TransferCursor::new(bits);
        while !cursor.is_done() {
            let mut code = [0; 64];
            let Some(bitmap) = self.nodes[n].vol.engine.bitmap() else {
                return;
            };
            let encoded = encode(&mut code, cursor.bit(), bits, |from, set| {
                bitmap.run_end(from, set)
            });
            let coded = encoded.filter(|_| rle);
            let packet = if let Some(encoded) = coded {
                let packet = CompressedBitmap {
                    first_set: encoded.first_set,
                    pad_bits: encoded.pad_bits,
                    code: &code[..encoded.code_len],
                };
                cursor.skip_bits(encoded.covered).expect("covered");
                Packet::new(version, Command::CompressedBitmap, vec![], |o| {
                    packet.emit(o)
                })
            } else {
                let words = cursor.plain_words(max_payload(version));
                let first = cursor.word();
                cursor.skip_words(words);
                Packet::new(version, Command::Bitmap, vec![], |o| {
                    Ok(bitmap.get_words(first, &mut o[..words as usize * 8]))
                })
            };
            self.transmit(n, false, packet);
        }
        self.post(
            n,
            Event::BitmapSent {
                volume: self.volume,
            },
            false,
        );
    }

    pub(crate) fn block_request(&mut self, n: usize, command: Command, extent: Extent, id: u64) {
        let request = BlockRequest {
            sector: extent.sector,
            block_id: id,
            size: extent.bytes,
        };
        let version = self.version(n);
        let packet = Packet::new(version, command, vec![], |o| request.emit(command, o));
        self.transmit(n, false, packet);
    }

    pub(crate) fn send_done(&mut self, n: usize, id: u64, ticket: Ticket) {
        let Some(conn) = self.nodes[n].conn.as_mut().filter(|c| c.id == id) else {
            return;
        };
        conn.sending = None;
        let mut fx = Effects::new();
        self.nodes[n].vol.engine.send_done(ticket, &mut fx);
        self.finish(n, fx);
        self.kick_sender(n);
    }

    pub(crate) fn queue_ack(
        &mut self,
        n: usize,
        kind: AckKind,
        extent: Extent,
        block_id: u64,
        seq_num: u32,
    ) {
        let command = match kind {
            AckKind::Write => Command::WriteAck,
            AckKind::Received => Command::RecvAck,
            AckKind::ResyncWrite => Command::RsWriteAck,
            AckKind::ResyncEqual => Command::RsIsInSync,
            AckKind::Negative => Command::NegAck,
            AckKind::Superseded => Command::Superseded,
            AckKind::Retry => Command::RetryWrite,
            AckKind::NegativeRead => Command::NegDReply,
            AckKind::NegativeResyncRead => Command::NegRsDReply,
            AckKind::ResyncCancelled => Command::RsCancel,
            AckKind::VerifyEqual | AckKind::VerifyDifferent => Command::OvResult,
        };
        let block_id = match kind {
            AckKind::VerifyEqual | AckKind::VerifyDifferent => {
                outcome_id(kind == AckKind::VerifyEqual)
            }
            _ => block_id,
        };
        let ack = BlockAck {
            sector: extent.sector,
            block_id,
            size: extent.bytes,
            seq_num,
        };
        let version = self.version(n);
        let packet = Packet::new(version, command, vec![], |o| ack.emit(command, o));
        self.transmit(n, true, packet);
    }

    /// The peer put our write of that epoch off.
    pub(crate) fn put_off(&mut self, n: usize, epoch: u32) {
        if let Err(invariant) = self.nodes[n].stream.put_off(epoch) {
            self.broke(n, invariant);
        }
        self.kick_sender(n);
    }
}
