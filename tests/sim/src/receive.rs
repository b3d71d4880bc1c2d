// SPDX-License-Identifier: GPL-2.0

//! The receiver of the data socket.

use tandem_engine::engine::bitmap_code::{Decoder, TransferCursor};
use tandem_engine::engine::broken::Invariant;
use tandem_engine::engine::ids::{Extent, Ticket};
use tandem_engine::engine::options::WireProtocol;
use tandem_engine::engine::resource::{
    Event, IoKind, Loss, PeerSyncParams, RarePacket, VolumeRecord, WriteOrder,
};
use tandem_engine::engine::stream::{BarrierStep, EpochStep};
use tandem_engine::engine::volume::{
    AckKind, Effects, Operation, PeerRequestError, ReadFor, WantedAck, WriteFlags, WritePlace,
};
use tandem_engine::engine::wire::ack::BarrierAck;
use tandem_engine::engine::wire::bitmap::{max_payload, CompressedBitmap};
use tandem_engine::engine::wire::data::{
    Barrier, BlockDesc, BlockRequest, DataFlags, DataHeader, TrimRequest,
};
use tandem_engine::engine::wire::handshake::ConnectionFeatures;
use tandem_engine::engine::wire::params::{ProtocolSettings, SyncParams};
use tandem_engine::engine::wire::state::{
    SizeReport, StateReport, StateRequest, SyncUuid, UuidReport,
};
use tandem_engine::engine::wire::{Command, Header, WireError};

use crate::digest::words_of;
use crate::disk::Flush;
use crate::event::What;
use crate::node::RxWait;
use crate::packet::Packet;
use crate::world::World;

/// Why a packet cannot be taken.
pub(crate) enum Trouble {
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

/// What the peer tells of its settings.
fn told(command: Command, body: &[u8], version: u32) -> Result<RarePacket, Trouble> {
    Ok(match command {
        Command::Protocol => {
            RarePacket::Protocol(ProtocolSettings::parse(command, body, version)?.into())
        }
        Command::ProtocolUpdate => {
            RarePacket::ProtocolUpdate(ProtocolSettings::parse(command, body, version)?.into())
        }
        _ => {
            let params = SyncParams::parse(body, version)?;
            RarePacket::SyncParams(PeerSyncParams::new(&params, version))
        }
    })
}

impl World {
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
        // What came there during the handshake.
        self.receive_meta(n, id);
        if self.nodes[n].records.iter().any(VolumeRecord::holds_peer) {
            // Until a handler has answered; `event_done` goes on.
            return;
        }
        let Some(conn) = self.nodes[n].conn.as_mut() else {
            return;
        };
        if matches!(conn.rx_wait, RxWait::Resource | RxWait::Barrier) {
            return;
        }
        conn.rx_wait = RxWait::Nothing;
        let Some(packet) = conn.rx.front().cloned() else {
            return;
        };
        let stage = conn.stage;
        self.cause = packet.cause;
        self.tell_taken(n, &packet);
        let taken = if stage == 0 {
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
                if wait == RxWait::Later {
                    conn.rx_scheduled = true;
                    self.after(n, 100, What::RxData(id));
                }
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

    pub(crate) fn tell_taken(&mut self, n: usize, packet: &Packet) {
        let volume = packet.volume();
        if volume < self.volumes() {
            self.look_at(volume);
        }
        let version = self.version(n);
        self.tell(n, || format!("takes {}", packet.describe(version)));
    }

    pub(crate) fn features(&mut self, n: usize, packet: &Packet) -> Result<RxWait, Trouble> {
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

    /// What follows is about the volume that a packet is for.
    pub(crate) fn look_at_volume_of(&mut self, header: &Header) -> Result<(), Trouble> {
        let volume = usize::from(header.volume);
        if volume >= self.volumes() {
            return Err(Trouble::Protocol(format!("no volume {volume}")));
        }
        self.look_at(volume);
        Ok(())
    }

    pub(crate) fn data_packet(&mut self, n: usize, packet: &Packet) -> Result<RxWait, Trouble> {
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
        self.look_at_volume_of(&header)?;
        let rare = match command {
            Command::Data | Command::Trim | Command::Zeroes => {
                return self.receive_write(n, command, body, &packet.blocks);
            }
            Command::DataReply => return self.receive_read(n, body, &packet.blocks),
            Command::RsDataReply => return self.receive_resync(n, body, &packet.blocks),
            Command::DataRequest
            | Command::RsDataRequest
            | Command::RsThinReq
            | Command::OvRequest
            | Command::CsumRsRequest => {
                return self.receive_request(n, command, body);
            }
            Command::OvReply => return self.receive_digest(n, body),
            Command::Barrier => return self.receive_barrier(n, Barrier::parse(command, body)?),
            Command::OutOfSync => return self.receive_mark(n, BlockDesc::parse(command, body)?),
            Command::RsDeallocated => {
                let desc = BlockDesc::parse(command, body)?;
                self.receive_zeroes(n, desc, &packet.blocks)?;
                return Ok(RxWait::Nothing);
            }
            Command::Bitmap | Command::CompressedBitmap => {
                return self.receive_bitmap(n, command, body)
            }
            Command::Protocol
            | Command::ProtocolUpdate
            | Command::SyncParam
            | Command::SyncParam89 => match told(command, body, version)? {
                settings if self.config.settings => settings,
                _ => return Ok(RxWait::Nothing),
            },
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

    /// Data that a resync wanted.
    fn receive_resync(&mut self, n: usize, body: &[u8], blocks: &[u32]) -> Result<RxWait, Trouble> {
        let h = DataHeader::parse(Command::RsDataReply, body)?;
        let extent = Extent::new(h.sector, 512 * blocks.len() as u32);
        let mut fx = Effects::new();
        let vol = &mut self.nodes[n].vol;
        let taken = vol.engine.resync_data(extent, &mut fx);
        if let Ok(Some(ticket)) = taken {
            vol.payloads[ticket.index as usize] = Some(blocks.to_vec());
            vol.resynced += u64::from(extent.bytes / 4096);
        }
        self.finish(n, fx);
        taken.map_err(|e| Trouble::Protocol(format!("resync data {extent:?}: {e:?}")))?;
        self.kick_resync(n);
        Ok(RxWait::Nothing)
    }

    /// Data that the application reads through the peer.
    fn receive_read(&mut self, n: usize, body: &[u8], blocks: &[u32]) -> Result<RxWait, Trouble> {
        let h = DataHeader::parse(Command::DataReply, body)?;
        let ticket = Ticket::from_block_id(h.block_id);
        if self.nodes[n].vol.engine.remote_read(ticket).is_none() {
            return Err(Trouble::Protocol("data reply to nothing".into()));
        }
        if let Some(app) = &mut self.nodes[n].vol.requests[ticket.index as usize] {
            app.data = blocks.to_vec();
        }
        let mut fx = Effects::new();
        let volume = &mut self.nodes[n].vol.engine;
        let taken = volume.peer_answered(ticket, true, false, &mut fx);
        self.finish(n, fx);
        taken.map_err(|e| Trouble::Protocol(format!("{e:?}")))?;
        Ok(RxWait::Nothing)
    }

    fn receive_mark(&mut self, n: usize, desc: BlockDesc) -> Result<RxWait, Trouble> {
        let extent = Extent::new(desc.sector, desc.size);
        self.nodes[n]
            .vol
            .engine
            .peer_marked(extent)
            .map_err(|e| Trouble::Protocol(format!("out of sync: {e:?}")))?;
        Ok(RxWait::Nothing)
    }

    pub(crate) fn receive_write(
        &mut self,
        n: usize,
        command: Command,
        body: &[u8],
        blocks: &[u32],
    ) -> Result<RxWait, Trouble> {
        let agreed = self.nodes[n].resource.agreed();
        let (h, operation) = match command {
            Command::Data => (DataHeader::parse(command, body)?, Operation::Write),
            _ => {
                let trim = TrimRequest::parse(command, body)?;
                let header = DataHeader {
                    sector: trim.sector,
                    block_id: trim.block_id,
                    seq_num: trim.seq_num,
                    flags: trim.flags,
                };
                (header, Operation::of_packet(command, trim.flags, agreed))
            }
        };
        let extent = Extent::new(h.sector, 512 * blocks.len() as u32);
        if !self.nodes[n].vol.engine.has_or_makes_peer_room() {
            return Err(Trouble::Wait(RxWait::Room));
        }
        let place = WritePlace {
            epoch: self.nodes[n].stream.peer_write_started(),
            sequence: h.seq_num,
        };
        let protocol = self.nodes[n].resource.net().map(|net| net.protocol);
        let ack = WantedAck::of_packet(h.flags, agreed.version, || {
            protocol.unwrap_or(WireProtocol::C)
        });
        let mut fx = Effects::new();
        let taken = self.nodes[n].vol.engine.peer_write(
            operation,
            extent,
            WriteFlags::of_packet(h.flags),
            h.block_id,
            ack,
            h.flags.has(DataFlags::MAY_SET_IN_SYNC),
            place,
            &mut fx,
        );
        if let Ok(ticket) = taken {
            self.nodes[n].vol.payloads[ticket.index as usize] = Some(blocks.to_vec());
        }
        self.finish(n, fx);
        match taken {
            Ok(_) => Ok(RxWait::Nothing),
            Err(PeerRequestError::Early) => {
                // As if it had not come yet.
                self.peer_write_put_off(n, place.epoch);
                Err(Trouble::Wait(RxWait::Early))
            }
            Err(PeerRequestError::Full) => {
                self.peer_write_put_off(n, place.epoch);
                Err(Trouble::Wait(RxWait::Room))
            }
            Err(PeerRequestError::NoDisk) => {
                self.refuse(n, AckKind::Negative, extent, h.block_id);
                self.peer_write_finished(n, place.epoch);
                Ok(RxWait::Nothing)
            }
            Err(error) => Err(Trouble::Protocol(format!("write {extent:?}: {error:?}"))),
        }
    }

    pub(crate) fn receive_request(
        &mut self,
        n: usize,
        command: Command,
        body: &[u8],
    ) -> Result<RxWait, Trouble> {
        let (request, digest) = body.split_at(BlockRequest::LEN.min(body.len()));
        let request = BlockRequest::parse(command, request)?;
        let extent = Extent::new(request.sector, request.size);
        let purpose = match command {
            Command::RsDataRequest => ReadFor::Resync,
            Command::RsThinReq => ReadFor::ResyncThin,
            Command::OvRequest => ReadFor::Verify,
            Command::CsumRsRequest => ReadFor::ResyncCheck,
            _ => ReadFor::Application,
        };
        let mut fx = Effects::new();
        let taken = self.nodes[n]
            .vol
            .engine
            .peer_read(extent, request.block_id, purpose, &mut fx);
        if let Ok(ticket) = taken {
            self.nodes[n].vol.told[ticket.index as usize] = words_of(digest);
        }
        self.finish(n, fx);
        match taken {
            Ok(_) => Ok(RxWait::Nothing),
            Err(PeerRequestError::Full) => Err(Trouble::Wait(RxWait::Room)),
            Err(PeerRequestError::Later) => Err(Trouble::Wait(RxWait::Later)),
            Err(PeerRequestError::NoDisk) => {
                let kind = match purpose {
                    ReadFor::Application => AckKind::NegativeRead,
                    ReadFor::Resync
                    | ReadFor::ResyncThin
                    | ReadFor::ResyncCheck
                    | ReadFor::Verify => AckKind::NegativeResyncRead,
                };
                self.refuse(n, kind, extent, request.block_id);
                Ok(RxWait::Nothing)
            }
            Err(error) => Err(Trouble::Protocol(format!("request {extent:?}: {error:?}"))),
        }
    }

    pub(crate) fn receive_barrier(
        &mut self,
        n: usize,
        barrier: Barrier,
    ) -> Result<RxWait, Trouble> {
        let waits = self.nodes[n].resource.write_order() != WriteOrder::None;
        match self.nodes[n].stream.peer_barrier(barrier.barrier, waits) {
            Ok(BarrierStep::Flush) => self.flush_epoch(n),
            Ok(BarrierStep::Wait) => {}
            Ok(BarrierStep::GoOn) => {
                self.answer_done_epochs(n);
                return Ok(RxWait::Nothing);
            }
            Err(error) => return Err(Trouble::Protocol(format!("{error:?}"))),
        }
        Ok(RxWait::Barrier)
    }

    fn refuse(&mut self, n: usize, kind: AckKind, extent: Extent, block_id: u64) {
        let mut fx = Effects::new();
        let volume = &mut self.nodes[n].vol.engine;
        volume.refuse_peer(kind, extent, block_id, &mut fx);
        self.finish(n, fx);
    }

    pub(crate) fn peer_write_finished(&mut self, n: usize, epoch: u32) {
        let step = self.nodes[n].stream.peer_write_finished(epoch);
        self.go_on_with_epochs(n, step);
    }

    pub(crate) fn peer_write_put_off(&mut self, n: usize, epoch: u32) {
        let step = self.nodes[n].stream.peer_write_put_off(epoch);
        self.go_on_with_epochs(n, step);
    }

    fn go_on_with_epochs(&mut self, n: usize, step: Result<EpochStep, Invariant>) {
        match step {
            Ok(step) => {
                if step.done {
                    self.answer_done_epochs(n);
                }
                if step.drained {
                    self.flush_epoch(n);
                }
            }
            Err(invariant) => self.broke(n, invariant),
        }
    }

    fn answer_done_epochs(&mut self, n: usize) {
        while let Some((barrier, set_size)) = self.nodes[n].stream.peer_epoch_done() {
            self.answer_barrier(n, barrier, set_size);
        }
    }

    fn answer_barrier(&mut self, n: usize, barrier: u32, set_size: u32) {
        let ack = BarrierAck { barrier, set_size };
        let version = self.version(n);
        let packet = Packet::new(version, Command::BarrierAck, vec![], |o| {
            ack.emit(Command::BarrierAck, o)
        });
        self.transmit(n, true, packet);
    }

    pub(crate) fn flush_epoch(&mut self, n: usize) {
        let Some(conn) = &self.nodes[n].conn else {
            return;
        };
        let id = conn.id;
        let delay = self.rng.within(1, self.config.disk);
        let (mut flushes, mut failed) = (Vec::new(), false);
        self.each_volume(|world| {
            flushes.push((world.volume, world.nodes[n].vol.disk.begin_flush()));
            if world.disk_fails(n) {
                // What the barrier is for cannot be promised.
                failed = true;
                world.after(n, 0, What::DiskTrouble(IoKind::Metadata));
            }
        });
        if failed {
            return self.after(n, delay, What::Lost(id, Loss::NetworkFailure));
        }
        self.each_volume(|world| world.nodes[n].vol.flushes += 1);
        self.after(n, delay, What::EpochFlushed(id, flushes));
    }

    pub(crate) fn epoch_flushed(&mut self, n: usize, id: u64, flushes: &[(usize, Flush)]) {
        for &(volume, flushed) in flushes {
            self.look_at(volume);
            self.nodes[n].vol.disk.end_flush(flushed);
            self.nodes[n].vol.flushes -= 1;
        }
        let Some(conn) = self.nodes[n].conn.as_mut().filter(|c| c.id == id) else {
            return;
        };
        conn.rx_wait = RxWait::Nothing;
        self.answer_done_epochs(n);
        if let Some((barrier, set_size)) = self.nodes[n].stream.peer_epoch_flushed() {
            self.answer_barrier(n, barrier, set_size);
        }
        self.kick_receiver(n);
    }

    pub(crate) fn receive_bitmap(
        &mut self,
        n: usize,
        command: Command,
        body: &[u8],
    ) -> Result<RxWait, Trouble> {
        let version = self.version(n);
        let node = &mut self.nodes[n];
        let bits = node.vol.engine.bitmap().map_or(0, |bitmap| bitmap.bits());
        let Some(conn) = &mut node.conn else {
            return Ok(RxWait::Nothing);
        };
        let at = self.volume;
        if !node.records[at].awaits_bitmap() {
            conn.bitmap = None;
            return Ok(RxWait::Nothing);
        }
        let volume = &mut node.vol.engine;
        let (of, cursor) = conn.bitmap.get_or_insert((at, TransferCursor::new(bits)));
        if *of != at {
            return Err(Trouble::Protocol("two bitmaps at once".into()));
        }
        let bad = |e| Trouble::Protocol(format!("bitmap: {e:?}"));
        if command == Command::Bitmap {
            let words = cursor
                .check_plain(body.len(), max_payload(version))
                .map_err(bad)?;
            volume.merge_bitmap(cursor.word(), body);
            cursor.skip_words(words);
        } else {
            let packet = CompressedBitmap::parse(body, version)?;
            let decoder =
                Decoder::new(packet.code, packet.pad_bits, packet.first_set).map_err(bad)?;
            cursor
                .take_code(decoder, |first, count| volume.set_bits(first, count))
                .map_err(bad)?;
        }
        if !cursor.is_done() {
            return Ok(RxWait::Nothing);
        }
        conn.bitmap = None;
        self.post(
            n,
            Event::BitmapReceived {
                volume: self.volume,
            },
            true,
        );
        Ok(RxWait::Resource)
    }
}
