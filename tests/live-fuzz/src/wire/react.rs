// SPDX-License-Identifier: GPL-2.0

//! What an honest peer answers.

use tandem_engine::{
    options::WireProtocol,
    state::{ConnState, DiskState},
    wire::{
        ack::{BarrierAck, BlockAck},
        data::{
            Barrier, BlockDesc, BlockRequest, DataFlags, DataHeader, TrimRequest, ID_IN_SYNC,
            ID_OUT_OF_SYNC, ID_SYNCER,
        },
        params::ProtocolSettings,
        state::{StateReply, SyncUuid},
        Command,
    },
};

use super::{
    packet::{payload, Incoming, Packet},
    peer::Peer,
};

/// `SS_SUCCESS`, and some refusals, of `enum drbd_state_rv`.
const VERDICTS: &[i32] = &[1, 1, 1, 1, 1, 1, -1, -2, -18, -19];

impl Peer {
    /// Takes a packet of a session that is up, or about to be.
    pub(super) fn react(&mut self, came: &Incoming) -> Vec<Packet> {
        let (command, bytes) = (came.command, came.payload.as_slice());
        match command {
            Command::Protocol | Command::ProtocolUpdate => self.their_settings(command, bytes),
            Command::Sizes | Command::Uuids | Command::State => self.told(came),
            Command::Bitmap | Command::CompressedBitmap => self.bitmap(came),
            Command::SyncUuid => self.target(came.volume),
            Command::Data | Command::Trim | Command::Zeroes => self.written(came),
            Command::Barrier => self.barrier_came(bytes),
            Command::DataRequest
            | Command::RsDataRequest
            | Command::RsThinReq
            | Command::CsumRsRequest => self.asked(came),
            Command::OvRequest => self.digest_asked(came),
            Command::OvReply => self.compared(came),
            Command::RsDataReply | Command::RsDeallocated => self.resynced(came),
            Command::StateChgReq => self.verdict(came.volume, Command::StateChgReply),
            Command::ConnStChgReq => self.verdict(0, Command::ConnStChgReply),
            Command::StateChgReply => {
                let agreed = StateReply::parse(command, bytes).is_ok_and(|it| it.retcode >= 1);
                if let Some(volume) = self.volume(came.volume) {
                    volume.verifies |= agreed && volume.own.conn == ConnState::VerifyS;
                }
                Vec::new()
            }
            Command::Ping => vec![Packet::meta(0, Command::PingAck, Vec::new())],
            _ => Vec::new(),
        }
    }

    fn their_settings(&mut self, command: Command, bytes: &[u8]) -> Vec<Packet> {
        let version = self.agreed.version;
        if let Ok(settings) = ProtocolSettings::parse(command, bytes, version) {
            self.integrity = !settings.integrity_alg.is_empty();
        }
        Vec::new()
    }

    fn told(&mut self, came: &Incoming) -> Vec<Packet> {
        let (agreed, up) = (self.agreed, self.stage == super::peer::Stage::Up);
        let Some(volume) = self.volume(came.volume) else {
            return Vec::new();
        };
        match came.command {
            Command::Sizes => volume.sizes(&came.payload, agreed.features),
            Command::Uuids => volume.generations(&came.payload),
            _ => {
                volume.state(&came.payload);
                if up {
                    return self.followed(came.volume);
                }
            }
        }
        Vec::new()
    }

    /// The module's state has changed: the peer's own does, too.
    fn followed(&mut self, number: u16) -> Vec<Packet> {
        let agreed = self.agreed;
        let mut rng = self.rng.fork();
        let Some(volume) = self.volume(number) else {
            return Vec::new();
        };
        let conn = match volume.conn() {
            ConnState::WfBitMapS => ConnState::WfBitMapT,
            ConnState::WfBitMapT => ConnState::WfBitMapS,
            ConnState::Connected => ConnState::Connected,
            _ => return Vec::new(),
        };
        if volume.own.conn == conn {
            return Vec::new();
        }
        volume.own.conn = conn;
        let mut packets = vec![volume.state_packet()];
        if conn == ConnState::WfBitMapS && !volume.bitmap_sent {
            packets.extend(volume.bitmap_packets(agreed, &mut rng));
        }
        packets
    }

    fn bitmap(&mut self, came: &Incoming) -> Vec<Packet> {
        let agreed = self.agreed;
        let mut rng = self.rng.fork();
        let Some(volume) = self.volume(came.volume) else {
            return Vec::new();
        };
        if !volume.bitmap_part(came.command, &came.payload, agreed.version) {
            return Vec::new();
        }
        if !volume.bitmap_sent {
            return volume.bitmap_packets(agreed, &mut rng);
        }
        volume.bitmap_sent = false;
        if volume.own.conn != ConnState::WfBitMapS {
            return Vec::new();
        }
        volume.own.conn = ConnState::SyncSource;
        volume.own.disk = DiskState::UpToDate;
        volume.own.peer_disk = DiskState::Inconsistent;
        let uuid = SyncUuid {
            uuid: rng.u64(..) & !1,
        };
        let bytes = payload(|out| uuid.emit(Command::SyncUuid, out));
        vec![
            Packet::data(came.volume, Command::SyncUuid, bytes),
            volume.state_packet(),
        ]
    }

    /// A resync from the module begins.
    fn target(&mut self, number: u16) -> Vec<Packet> {
        let Some(volume) = self.volume(number) else {
            return Vec::new();
        };
        volume.is_target = true;
        volume.bitmap_sent = false;
        volume.own.conn = ConnState::SyncTarget;
        volume.own.disk = DiskState::Inconsistent;
        vec![volume.state_packet()]
    }

    fn ack(&mut self, volume: u16, command: Command, sector: u64, id: u64, size: u32) -> Packet {
        self.sequence = self.sequence.wrapping_add(1);
        let ack = BlockAck {
            sector,
            block_id: id,
            size,
            seq_num: self.sequence,
        };
        Packet::meta(volume, command, payload(|out| ack.emit(command, out)))
    }

    /// A write of the module's application.
    fn written(&mut self, came: &Incoming) -> Vec<Packet> {
        let data = came.payload.get(..DataHeader::LEN).unwrap_or(&[]);
        let Ok(data) = DataHeader::parse(Command::Data, data) else {
            return Vec::new();
        };
        let size = match came.command {
            Command::Data => {
                let digest = if self.integrity { 4 } else { 0 };
                (came.payload.len() - DataHeader::LEN).saturating_sub(digest) as u32
            }
            _ => TrimRequest::parse(came.command, &came.payload).map_or(0, |trim| trim.size),
        };
        self.writes += 1;
        let (wants_write_ack, wants_receive_ack) = match self.agreed.version {
            100.. => (
                data.flags.has(DataFlags::SEND_WRITE_ACK),
                data.flags.has(DataFlags::SEND_RECEIVE_ACK),
            ),
            _ => (
                self.net.protocol == WireProtocol::C,
                self.net.protocol == WireProtocol::B,
            ),
        };
        let mut answers = Vec::new();
        if wants_receive_ack {
            answers.push(self.ack(
                came.volume,
                Command::RecvAck,
                data.sector,
                data.block_id,
                size,
            ));
        }
        if wants_write_ack {
            let command = match self.rng.u32(..40) {
                0 => Command::NegAck,
                _ => Command::WriteAck,
            };
            answers.push(self.ack(came.volume, command, data.sector, data.block_id, size));
        }
        answers
    }

    fn barrier_came(&mut self, bytes: &[u8]) -> Vec<Packet> {
        let command = Command::BarrierAck;
        let Ok(barrier) = Barrier::parse(Command::Barrier, bytes) else {
            return Vec::new();
        };
        let ack = BarrierAck {
            barrier: barrier.barrier,
            set_size: core::mem::take(&mut self.writes),
        };
        vec![Packet::meta(
            0,
            command,
            payload(|out| ack.emit(command, out)),
        )]
    }

    /// The module wants blocks.
    fn asked(&mut self, came: &Incoming) -> Vec<Packet> {
        let fixed = came.payload.get(..BlockRequest::LEN).unwrap_or(&[]);
        let Ok(request) = BlockRequest::parse(came.command, fixed) else {
            return Vec::new();
        };
        let (volume, sector, id, size) =
            (came.volume, request.sector, request.block_id, request.size);
        let resync = came.command != Command::DataRequest;
        let answer = match (came.command, self.rng.u32(..24)) {
            (Command::DataRequest, 0) => self.ack(volume, Command::NegDReply, sector, id, size),
            (_, 0) if resync => self.ack(volume, Command::NegRsDReply, sector, ID_SYNCER, size),
            (_, 1) if resync && self.agreed.version >= 96 => {
                self.ack(volume, Command::RsCancel, sector, ID_SYNCER, size)
            }
            (Command::CsumRsRequest, 2..14) => {
                self.ack(volume, Command::RsIsInSync, sector, ID_SYNCER, size)
            }
            (Command::RsThinReq, 2..14) => {
                let desc = BlockDesc { sector, size };
                let bytes = payload(|out| desc.emit(Command::RsDeallocated, out));
                Packet::data(volume, Command::RsDeallocated, bytes)
            }
            _ => self.blocks(volume, resync, sector, id, size),
        };
        vec![answer]
    }

    /// Blocks that the module wants.
    fn blocks(&mut self, volume: u16, resync: bool, sector: u64, id: u64, size: u32) -> Packet {
        let command = match resync {
            true => Command::RsDataReply,
            false => Command::DataReply,
        };
        let header = DataHeader {
            sector,
            block_id: id,
            ..DataHeader::default()
        };
        // A request for more than there can be gets no more than fits.
        let blocks = vec![self.rng.u8(..3); size.min(1 << 20) as usize];
        let mut bytes = payload(|out| header.emit(command, out));
        bytes.extend(self.digest(&blocks));
        bytes.extend(blocks);
        Packet::data(volume, command, bytes)
    }

    /// The module verifies, and wants a digest.
    fn digest_asked(&mut self, came: &Incoming) -> Vec<Packet> {
        let Ok(request) = BlockRequest::parse(came.command, &came.payload) else {
            return Vec::new();
        };
        let equal = self.rng.bool();
        let digest = match equal {
            true => crc32c::crc32c(&vec![0; request.size.min(1 << 20) as usize]),
            false => self.rng.u32(..),
        };
        let mut bytes = payload(|out| request.emit(Command::OvReply, out));
        bytes.extend(digest.to_le_bytes());
        vec![Packet::data(came.volume, Command::OvReply, bytes)]
    }

    /// The module answers for a block of the peer's verify.
    fn compared(&mut self, came: &Incoming) -> Vec<Packet> {
        let fixed = came.payload.get(..BlockRequest::LEN).unwrap_or(&[]);
        let Ok(reply) = BlockRequest::parse(came.command, fixed) else {
            return Vec::new();
        };
        let outcome = if self.rng.bool() {
            ID_IN_SYNC
        } else {
            ID_OUT_OF_SYNC
        };
        vec![self.ack(
            came.volume,
            Command::OvResult,
            reply.sector,
            outcome,
            reply.size,
        )]
    }

    /// Blocks of a resync from the module.
    fn resynced(&mut self, came: &Incoming) -> Vec<Packet> {
        let (sector, size) = if came.command == Command::RsDeallocated {
            let Ok(desc) = BlockDesc::parse(came.command, &came.payload) else {
                return Vec::new();
            };
            (desc.sector, desc.size)
        } else {
            let fixed = came.payload.get(..DataHeader::LEN).unwrap_or(&[]);
            let Ok(data) = DataHeader::parse(came.command, fixed) else {
                return Vec::new();
            };
            let digest = if self.integrity { 4 } else { 0 };
            let size = (came.payload.len() - DataHeader::LEN).saturating_sub(digest);
            (data.sector, size as u32)
        };
        let command = match self.rng.u32(..24) {
            0 => Command::NegAck,
            _ => Command::RsWriteAck,
        };
        vec![self.ack(came.volume, command, sector, ID_SYNCER, size)]
    }

    fn verdict(&mut self, volume: u16, command: Command) -> Vec<Packet> {
        let reply = StateReply {
            retcode: VERDICTS[self.rng.usize(..VERDICTS.len())],
        };
        vec![Packet::meta(
            volume,
            command,
            payload(|out| reply.emit(command, out)),
        )]
    }
}
