// SPDX-License-Identifier: GPL-2.0

//! The sockets of a node: its sender, and the receivers of both sockets.

use std::collections::VecDeque;

use tandem_engine::engine::bitmap_code::{encode, Decoder, TransferCursor};
use tandem_engine::engine::ids::{Extent, Instant, Ticket, ID_SYNCER};
use tandem_engine::engine::resource::{Event, Loss, RarePacket};
use tandem_engine::engine::volume::{
    AckKind, Effects, Operation, PeerRequestError, WantedAck, WriteFlags,
};
use tandem_engine::engine::wire::ack::{BarrierAck, BlockAck};
use tandem_engine::engine::wire::bitmap::{max_payload, CompressedBitmap};
use tandem_engine::engine::wire::data::{Barrier, BlockDesc, BlockRequest, DataFlags, DataHeader};
use tandem_engine::engine::wire::handshake::ConnectionFeatures;
use tandem_engine::engine::wire::params::{ProtocolSettings, SyncParams};
use tandem_engine::engine::wire::state::{
    SizeReport, StateReply, StateReport, StateRequest, SyncUuid, UuidReport,
};
use tandem_engine::engine::wire::{Command, WireError};

use crate::node::{Conn, Item, Net, RxWait};
use crate::packet::Packet;
use crate::world::{Ev, What, World};

/// Why a packet cannot be taken.
enum Trouble {
    /// Not now: the receiver waits.
    Wait(RxWait),
    /// The peer broke the protocol.
    Protocol(String),
}

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        Trouble::Protocol(format!("{error:?}"))
    }
}

impl World {
    pub(crate) fn version(&self, n: usize) -> u32 {
        self.nodes[n].resource.agreed().version
    }

    /// Both receivers look for each other: they will meet.
    pub(crate) fn try_establish(&mut self) {
        let ready = self.link
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
                rx_wait: RxWait::Nothing,
                rx_scheduled: false,
                stage: 0,
                bitmap: None,
            });
            self.tell(n, || format!("session {id} is up"));
        }
        for n in 0..2 {
            let command = Command::ConnectionFeatures;
            let features = ConnectionFeatures::OWN;
            let packet = Packet::new(Packet::early(), command, vec![], |o| {
                features.emit(command, o)
            });
            self.transmit(n, false, packet);
        }
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
        if let Some(ticket) = conn.sending {
            let mut fx = Effects::new();
            self.nodes[n].volume.send_done(ticket, &mut fx);
            self.finish(n, fx);
        }
        for item in conn.tx {
            if let Item::Reply(ticket) = item {
                let mut fx = Effects::new();
                self.nodes[n].volume.peer_reply_sent(ticket, &mut fx);
                self.finish(n, fx);
            }
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
    pub(crate) fn transmit(&mut self, n: usize, meta: bool, packet: Packet) {
        let Some(conn) = &self.nodes[n].conn else {
            return;
        };
        let id = conn.id;
        let delay = self.rng.within(1, self.config.wire);
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
        match &mut self.nodes[n].conn {
            Some(conn) => {
                conn.tx.push_back(item);
                self.kick_sender(n);
            }
            None => {
                if let Item::Reply(ticket) = item {
                    self.after(n, 0, What::ReplyDropped(ticket));
                }
            }
        }
    }

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
            Some(item) => item,
            None => match node.stream.take_barrier() {
                Some(number) => Item::Barrier(number),
                None => return,
            },
        };
        self.send_item(n, id, item);
        self.kick_sender(n);
    }

    fn send_item(&mut self, n: usize, id: u64, item: Item) {
        let version = self.version(n);
        let now = Instant(self.now);
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
                let Some(view) = self.nodes[n].volume.send_begin(ticket, 0, now) else {
                    return;
                };
                self.block_request(n, Command::DataRequest, view.extent, ticket.block_id());
                let mut fx = Effects::new();
                self.nodes[n].volume.send_done(ticket, &mut fx);
                self.finish(n, fx);
            }
            Item::Write(ticket, epoch) => {
                let Some(view) = self.nodes[n].volume.send_begin(ticket, epoch, now) else {
                    return;
                };
                let data = self.nodes[n].requests[ticket.index as usize]
                    .as_ref()
                    .map_or(Vec::new(), |app| app.data.clone());
                let mut flags = DataFlags::SEND_WRITE_ACK;
                if view.may_set_in_sync {
                    flags = flags.with(DataFlags::MAY_SET_IN_SYNC);
                }
                let header = DataHeader {
                    sector: view.extent.sector,
                    block_id: ticket.block_id(),
                    seq_num: view.sequence,
                    flags,
                };
                let packet = Packet::new(version, Command::Data, data, |o| {
                    header.emit(Command::Data, o)
                });
                self.transmit(n, false, packet);
                if let Some(conn) = &mut self.nodes[n].conn {
                    conn.sending = Some(ticket);
                }
                let delay = self.rng.below(2 * self.config.wire);
                self.after(n, delay, What::SendDone(id, ticket));
            }
            Item::Reply(ticket) => {
                let view = self.nodes[n].volume.peer_view(ticket);
                let data = self.nodes[n].payloads[ticket.index as usize].take();
                if let (Some(view), Some(data)) = (view, data) {
                    let command = if view.resync {
                        Command::RsDataReply
                    } else {
                        Command::DataReply
                    };
                    let header = DataHeader {
                        sector: view.extent.sector,
                        block_id: view.block_id,
                        ..DataHeader::default()
                    };
                    let packet = Packet::new(version, command, data, |o| header.emit(command, o));
                    self.transmit(n, false, packet);
                }
                let mut fx = Effects::new();
                self.nodes[n].volume.peer_reply_sent(ticket, &mut fx);
                self.finish(n, fx);
            }
            Item::Bitmap => self.send_bitmap(n, version),
        }
    }

    fn send_bitmap(&mut self, n: usize, version: u32) {
        let bits = self.nodes[n].volume.bitmap().map_or(0, |b| b.bits());
        let mut cursor = TransferCursor::new(bits);
        while !cursor.is_done() {
            let mut code = [0; 64];
            let Some(bitmap) = self.nodes[n].volume.bitmap() else {
                return;
            };
            let encoded = encode(&mut code, cursor.bit(), bits, |from, set| {
                bitmap.run_end(from, set)
            });
            let packet = if let Some(encoded) = encoded {
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
        self.post(n, Event::BitmapSent { volume: 0 }, false);
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
        self.nodes[n].volume.send_done(ticket, &mut fx);
        self.finish(n, fx);
        self.kick_sender(n);
    }

    pub(crate) fn queue_ack(&mut self, n: usize, kind: AckKind, extent: Extent, block_id: u64) {
        let command = match kind {
            AckKind::Write => Command::WriteAck,
            AckKind::ResyncWrite => Command::RsWriteAck,
            AckKind::Negative => Command::NegAck,
            AckKind::NegativeRead => Command::NegDReply,
            AckKind::NegativeResyncRead => Command::NegRsDReply,
        };
        let ack = BlockAck {
            sector: extent.sector,
            block_id,
            size: extent.bytes,
            seq_num: 0,
        };
        let version = self.version(n);
        let packet = Packet::new(version, command, vec![], |o| ack.emit(command, o));
        self.transmit(n, true, packet);
    }

    pub(crate) fn deliver(&mut self, to: usize, id: u64, meta: bool, packet: Packet) {
        if id <= self.cut_conn {
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

    pub(crate) fn kick_receiver(&mut self, n: usize) {
        let delay = self.rng.below(self.config.step + 1);
        if let Some(conn) = &mut self.nodes[n].conn {
            if !conn.rx_scheduled && !conn.rx.is_empty() {
                conn.rx_scheduled = true;
                let id = conn.id;
                self.after(n, delay, What::RxData(id));
            }
        }
    }

    pub(crate) fn receive_data(&mut self, n: usize, id: u64) {
        let Some(conn) = self.nodes[n].conn.as_mut().filter(|c| c.id == id) else {
            return;
        };
        conn.rx_scheduled = false;
        if matches!(conn.rx_wait, RxWait::Resource | RxWait::Barrier) {
            return;
        }
        conn.rx_wait = RxWait::Nothing;
        let Some(packet) = conn.rx.front().cloned() else {
            return;
        };
        let taken = if conn.stage == 0 {
            self.features(n, &packet)
        } else {
            self.data_packet(n, &packet)
        };
        let Some(conn) = self.nodes[n].conn.as_mut().filter(|c| c.id == id) else {
            return;
        };
        match taken {
            Ok(wait) => {
                conn.rx.pop_front();
                conn.rx_wait = wait;
            }
            Err(Trouble::Wait(wait)) => {
                conn.rx_wait = wait;
                return;
            }
            Err(Trouble::Protocol(text)) => {
                self.fail(format!("{}: protocol error: {text}", ["a", "b"][n]));
                return;
            }
        }
        if self.nodes[n]
            .conn
            .as_ref()
            .is_some_and(|c| c.rx_wait == RxWait::Nothing)
        {
            self.kick_receiver(n);
        }
    }

    fn features(&mut self, n: usize, packet: &Packet) -> Result<RxWait, Trouble> {
        let (header, body) = packet
            .open(Packet::early())
            .ok_or(Trouble::Protocol("header".into()))?;
        let features = ConnectionFeatures::parse(header.command, body)?;
        let resolver = self.nodes[n].conn.as_ref().is_some_and(|c| c.resolver);
        self.post(n, Event::Features(features), false);
        self.post(n, Event::Handshaken { resolver }, true);
        if let Some(conn) = &mut self.nodes[n].conn {
            conn.stage = 2;
        }
        Ok(RxWait::Resource)
    }

    fn data_packet(&mut self, n: usize, packet: &Packet) -> Result<RxWait, Trouble> {
        let version = self.version(n);
        let features = self.nodes[n].resource.agreed().features;
        let (header, body) = packet
            .open(version)
            .ok_or(Trouble::Protocol("header".into()))?;
        let command = header.command;
        let allowed = command
            .on_data_socket(version, features)
            .is_some_and(|rule| rule.allows(header.length));
        if !allowed {
            return Err(Trouble::Protocol(format!(
                "{command:?} length {}",
                header.length
            )));
        }
        let rare = match command {
            Command::Data => return self.receive_write(n, command, body, &packet.blocks),
            Command::DataReply => {
                let h = DataHeader::parse(command, body)?;
                let ticket = Ticket::from_block_id(h.block_id);
                if self.nodes[n].volume.remote_read(ticket).is_none() {
                    return Err(Trouble::Protocol("data reply to nothing".into()));
                }
                if let Some(app) = &mut self.nodes[n].requests[ticket.index as usize] {
                    app.data.clone_from(&packet.blocks);
                }
                let mut fx = Effects::new();
                let taken = self.nodes[n]
                    .volume
                    .peer_answered(ticket, true, false, &mut fx);
                self.finish(n, fx);
                taken.map_err(|e| Trouble::Protocol(format!("{e:?}")))?;
                return Ok(RxWait::Nothing);
            }
            Command::RsDataReply => {
                let h = DataHeader::parse(command, body)?;
                let extent = Extent::new(h.sector, 512 * packet.blocks.len() as u32);
                let mut fx = Effects::new();
                let taken = self.nodes[n].volume.resync_data(extent, &mut fx);
                if let Ok(Some(ticket)) = taken {
                    self.nodes[n].payloads[ticket.index as usize] = Some(packet.blocks.clone());
                    self.nodes[n].resynced += u64::from(extent.bytes / 4096);
                }
                self.finish(n, fx);
                taken.map_err(|e| Trouble::Protocol(format!("resync data {extent:?}: {e:?}")))?;
                self.kick_resync(n);
                return Ok(RxWait::Nothing);
            }
            Command::DataRequest | Command::RsDataRequest => {
                return self.receive_request(n, command, body)
            }
            Command::Barrier => return self.receive_barrier(n, Barrier::parse(command, body)?),
            Command::OutOfSync => {
                let desc = BlockDesc::parse(command, body)?;
                if let Some(bitmap) = self.nodes[n].volume.bitmap() {
                    bitmap.set_out_of_sync(Extent::new(desc.sector, desc.size));
                }
                return Ok(RxWait::Nothing);
            }
            Command::Bitmap | Command::CompressedBitmap => {
                return self.receive_bitmap(n, command, body)
            }
            Command::Protocol => {
                ProtocolSettings::parse(command, body, version)?;
                return Ok(RxWait::Nothing);
            }
            Command::SyncParam | Command::SyncParam89 => {
                SyncParams::parse(body, version)?;
                return Ok(RxWait::Nothing);
            }
            Command::Sizes => RarePacket::Sizes(SizeReport::parse(body, features)?),
            Command::Uuids => RarePacket::Uuids(UuidReport::parse(command, body)?),
            Command::State => RarePacket::State(StateReport::parse(command, body)?),
            Command::SyncUuid => RarePacket::SyncUuid(SyncUuid::parse(command, body)?),
            Command::StateChgReq => RarePacket::StateRequest(StateRequest::parse(command, body)?),
            Command::ConnStChgReq => {
                RarePacket::ConnStateRequest(StateRequest::parse(command, body)?)
            }
            other => return Err(Trouble::Protocol(format!("{other:?}"))),
        };
        let event = Event::Packet {
            volume: header.volume,
            packet: rare,
        };
        self.post(n, event, true);
        Ok(RxWait::Resource)
    }

    fn receive_write(
        &mut self,
        n: usize,
        command: Command,
        body: &[u8],
        blocks: &[u32],
    ) -> Result<RxWait, Trouble> {
        let h = DataHeader::parse(command, body)?;
        let extent = Extent::new(h.sector, 512 * blocks.len() as u32);
        if !self.nodes[n].volume.has_peer_room() {
            return Err(Trouble::Wait(RxWait::Room));
        }
        self.nodes[n].stream.peer_write_started();
        let mut fx = Effects::new();
        let taken = self.nodes[n].volume.peer_write(
            Operation::Write,
            extent,
            WriteFlags::default(),
            h.block_id,
            WantedAck::Written,
            h.flags.has(DataFlags::MAY_SET_IN_SYNC),
            &mut fx,
        );
        if let Ok(ticket) = taken {
            self.nodes[n].payloads[ticket.index as usize] = Some(blocks.to_vec());
        }
        self.finish(n, fx);
        match taken {
            Ok(_) => Ok(RxWait::Nothing),
            Err(PeerRequestError::NoDisk) => {
                self.queue_ack(n, AckKind::Negative, extent, h.block_id);
                self.peer_write_finished(n);
                Ok(RxWait::Nothing)
            }
            Err(error) => Err(Trouble::Protocol(format!("write {extent:?}: {error:?}"))),
        }
    }

    fn receive_request(
        &mut self,
        n: usize,
        command: Command,
        body: &[u8],
    ) -> Result<RxWait, Trouble> {
        let request = BlockRequest::parse(command, body)?;
        let extent = Extent::new(request.sector, request.size);
        let resync = command == Command::RsDataRequest;
        let mut fx = Effects::new();
        let taken = self.nodes[n]
            .volume
            .peer_read(extent, request.block_id, resync, &mut fx);
        self.finish(n, fx);
        match taken {
            Ok(_) => Ok(RxWait::Nothing),
            Err(PeerRequestError::Full) => Err(Trouble::Wait(RxWait::Room)),
            Err(PeerRequestError::NoDisk) => {
                let kind = if resync {
                    AckKind::NegativeResyncRead
                } else {
                    AckKind::NegativeRead
                };
                self.queue_ack(n, kind, extent, request.block_id);
                Ok(RxWait::Nothing)
            }
            Err(error) => Err(Trouble::Protocol(format!("request {extent:?}: {error:?}"))),
        }
    }

    fn receive_barrier(&mut self, n: usize, barrier: Barrier) -> Result<RxWait, Trouble> {
        match self.nodes[n].stream.peer_barrier(barrier.barrier) {
            Ok(true) => self.flush_epoch(n),
            Ok(false) => {}
            Err(error) => return Err(Trouble::Protocol(format!("{error:?}"))),
        }
        Ok(RxWait::Barrier)
    }

    pub(crate) fn peer_write_finished(&mut self, n: usize) {
        if self.nodes[n].stream.peer_write_finished() {
            self.flush_epoch(n);
        }
    }

    fn flush_epoch(&mut self, n: usize) {
        let Some(conn) = &self.nodes[n].conn else {
            return;
        };
        let id = conn.id;
        let flushed = self.nodes[n].disk.begin_flush();
        let delay = self.rng.within(1, self.config.disk);
        self.after(n, delay, What::EpochFlushed(id, flushed));
    }

    pub(crate) fn epoch_flushed(&mut self, n: usize, id: u64, flushed: &[(u64, u32)]) {
        self.nodes[n].disk.end_flush(flushed);
        let Some(conn) = self.nodes[n].conn.as_mut().filter(|c| c.id == id) else {
            return;
        };
        conn.rx_wait = RxWait::Nothing;
        if let Some((barrier, set_size)) = self.nodes[n].stream.peer_epoch_flushed() {
            let command = Command::BarrierAck;
            let ack = BarrierAck { barrier, set_size };
            let version = self.version(n);
            let packet = Packet::new(version, command, vec![], |o| ack.emit(command, o));
            self.transmit(n, true, packet);
        }
        self.kick_receiver(n);
    }

    fn receive_bitmap(
        &mut self,
        n: usize,
        command: Command,
        body: &[u8],
    ) -> Result<RxWait, Trouble> {
        let version = self.version(n);
        let node = &mut self.nodes[n];
        let (Some(bitmap), Some(conn)) = (node.volume.bitmap(), &mut node.conn) else {
            return Ok(RxWait::Nothing);
        };
        let cursor = conn
            .bitmap
            .get_or_insert(TransferCursor::new(bitmap.bits()));
        let bad = |e| Trouble::Protocol(format!("bitmap: {e:?}"));
        if command == Command::Bitmap {
            let words = cursor
                .check_plain(body.len(), max_payload(version))
                .map_err(bad)?;
            bitmap.merge_words(cursor.word(), body);
            cursor.skip_words(words);
        } else {
            let packet = CompressedBitmap::parse(body, version)?;
            let decoder =
                Decoder::new(packet.code, packet.pad_bits, packet.first_set).map_err(bad)?;
            cursor
                .take_code(decoder, |first, count| {
                    bitmap.set_range(first, count);
                })
                .map_err(bad)?;
        }
        if !cursor.is_done() {
            return Ok(RxWait::Nothing);
        }
        conn.bitmap = None;
        self.post(n, Event::BitmapReceived { volume: 0 }, true);
        Ok(RxWait::Resource)
    }

    fn receive_meta(&mut self, n: usize, id: u64) {
        while let Some(packet) = self.nodes[n]
            .conn
            .as_mut()
            .filter(|c| c.id == id)
            .and_then(|c| c.rx_meta.pop_front())
        {
            if let Err(Trouble::Protocol(text)) = self.meta_packet(n, &packet) {
                self.fail(format!("{}: meta socket: {text}", ["a", "b"][n]));
            }
        }
    }

    fn meta_packet(&mut self, n: usize, packet: &Packet) -> Result<(), Trouble> {
        let version = self.version(n);
        let (header, body) = packet
            .open(version)
            .ok_or(Trouble::Protocol("header".into()))?;
        let command = header.command;
        if command.on_meta_socket() != Some(header.length) {
            return Err(Trouble::Protocol(format!("{command:?}")));
        }
        match command {
            Command::BarrierAck => {
                let ack = BarrierAck::parse(command, body)?;
                self.nodes[n]
                    .stream
                    .barrier_acked(ack.barrier, ack.set_size)
                    .map_err(|e| Trouble::Protocol(format!("{e:?}")))?;
                loop {
                    let mut fx = Effects::new();
                    let done = self.nodes[n].volume.barrier_acked(ack.barrier, &mut fx);
                    self.finish(n, fx);
                    if done {
                        return Ok(());
                    }
                }
            }
            Command::StateChgReply | Command::ConnStChgReply => {
                let reply = StateReply::parse(command, body)?;
                let event = Event::Packet {
                    volume: header.volume,
                    packet: RarePacket::StateReply(reply.retcode),
                };
                self.post(n, event, false);
                return Ok(());
            }
            _ => {}
        }
        let ack = BlockAck::parse(command, body)?;
        let extent = Extent::new(ack.sector, ack.size);
        let ticket = Ticket::from_block_id(ack.block_id);
        let resync = ack.block_id == ID_SYNCER;
        let mut fx = Effects::new();
        let volume = &mut self.nodes[n].volume;
        let taken = match command {
            Command::RsWriteAck if resync => {
                volume.resync_acked(extent, true, &mut fx);
                Ok(())
            }
            Command::NegAck if resync => {
                volume.resync_acked(extent, false, &mut fx);
                Ok(())
            }
            Command::WriteAck => volume.peer_answered(ticket, true, false, &mut fx),
            Command::RsWriteAck => volume.peer_answered(ticket, true, true, &mut fx),
            Command::NegAck | Command::NegDReply => {
                volume.peer_answered(ticket, false, false, &mut fx)
            }
            Command::NegRsDReply => volume.resync_refused(extent, true, &mut fx),
            Command::RsCancel => volume.resync_refused(extent, false, &mut fx),
            other => return Err(Trouble::Protocol(format!("{other:?}"))),
        };
        self.finish(n, fx);
        taken.map_err(|e| Trouble::Protocol(format!("{command:?} {extent:?} {ticket:?}: {e:?}")))
    }
}
