// SPDX-License-Identifier: GPL-2.0

//! What a peer does by itself in a session that is up: each step is allowed at that moment.

use tandem_engine::{
    state::{ConnState, DeviceState, DiskState, Role, StateBits},
    wire::{
        data::{
            Barrier, BlockDesc, BlockRequest, DataFlags, DataHeader, DelayProbe, TrimRequest,
            ID_SYNCER,
        },
        handshake::Features,
        state::StateRequest,
        Command,
    },
};

use super::{
    packet::{payload, Packet},
    peer::{Peer, Stage},
};

/// The field of a connection state in a packed state, all ones.
const CONN: u32 = 0x1f << 4;

impl Peer {
    /// The next thing that it does.
    pub(crate) fn act(&mut self) -> Vec<Packet> {
        if self.stage != Stage::Up {
            return Vec::new();
        }
        let at = self.rng.usize(..self.volumes.len());
        let volume = &self.volumes[at];
        if !volume.met || volume.capacity < 2048 {
            return vec![Packet::meta(0, Command::Ping, Vec::new())];
        }
        let (number, verifies) = (volume.number, volume.verifies);
        let target = volume.is_target;
        match self.rng.u32(..100) {
            0..=39 if target => self.wants(at),
            40..=41 if target => self.finished(at),
            0..=39 if verifies => self.verify(at),
            0..=33 => self.writes(at),
            34..=43 => self.discards(at),
            44..=51 => self.barrier(at),
            52..=57 => vec![self.request(at, Command::DataRequest)],
            58..=63 => self.marked(at),
            64..=73 => self.begin_verify(at),
            74..=76 => self.change(at),
            77..=79 => vec![self.volumes[at].state_packet()],
            80..=82 => vec![self.sync_params(number)],
            83..=84 if self.agreed.version >= 100 => {
                let mut settings = self.settings(Command::ProtocolUpdate);
                // What follows an update has the digest that it names.
                settings.told = None;
                self.integrity = !self.net.data_integrity_alg.is_empty();
                vec![settings]
            }
            85..=88 => vec![Packet::data(number, Command::UnplugRemote, Vec::new())],
            89..=90 => {
                let probe = DelayProbe::default();
                let bytes = payload(|out| probe.emit(Command::DelayProbe, out));
                vec![Packet::data(0, Command::DelayProbe, bytes)]
            }
            91 => vec![self.volumes[at].size_packet(self.agreed.features)],
            92 => self.leave(),
            _ => vec![Packet::meta(0, Command::Ping, Vec::new())],
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn flags(&mut self) -> DataFlags {
        let choice = [
            DataFlags::RW_SYNC,
            DataFlags::MAY_SET_IN_SYNC,
            DataFlags::FUA,
            DataFlags::FLUSH,
        ];
        let mut flags = DataFlags::default();
        if self.rng.u32(..3) == 0 && self.agreed.version >= 95 {
            flags = choice[self.rng.usize(..choice.len())];
        }
        if self.agreed.version >= 100 {
            let ack = [
                DataFlags::default(),
                DataFlags::SEND_RECEIVE_ACK,
                DataFlags::SEND_WRITE_ACK,
            ];
            flags = flags.with(ack[self.rng.usize(..ack.len())]);
        }
        flags
    }

    /// Some writes, one right behind the other; now and then of the same blocks.
    fn writes(&mut self, at: usize) -> Vec<Packet> {
        let count = self.rng.u32(1..6);
        let largest: u32 = match self.agreed.version {
            ..=94 => 32 << 10,
            95..=99 => 128 << 10,
            _ => 1 << 20,
        };
        (0..count)
            .map(|_| {
                let bytes = match self.rng.u32(..30) {
                    0 => largest,
                    1 => 512,
                    2 => 0,
                    _ => self.rng.u32(1..5) * 4096,
                };
                let mut flags = self.flags();
                if bytes == 0 {
                    flags = flags.with(DataFlags::FLUSH);
                }
                let header = DataHeader {
                    sector: self.volumes[at].place(&mut self.rng, bytes.max(512)),
                    block_id: self.rng.u64(..),
                    seq_num: self.next_sequence(),
                    flags,
                };
                let blocks = vec![self.rng.u8(..); bytes as usize];
                let mut bytes = payload(|out| header.emit(Command::Data, out));
                bytes.extend(self.digest(&blocks));
                bytes.extend(blocks);
                self.volumes[at].open_epoch = true;
                Packet::data(self.volumes[at].number, Command::Data, bytes)
            })
            .collect()
    }

    fn discards(&mut self, at: usize) -> Vec<Packet> {
        let features = self.agreed.features;
        let (command, feature, flag) = match self.rng.bool() {
            true => (Command::Trim, Features::TRIM, DataFlags::DISCARD),
            false => (Command::Zeroes, Features::WZEROES, DataFlags::ZEROES),
        };
        if !features.has(feature) {
            return Vec::new();
        }
        let size = self.rng.u32(1..64) * 4096;
        let trim = TrimRequest {
            sector: self.volumes[at].place(&mut self.rng, size),
            block_id: self.rng.u64(..),
            seq_num: self.next_sequence(),
            flags: self.flags().with(flag),
            size,
        };
        self.volumes[at].open_epoch = true;
        let bytes = payload(|out| trim.emit(command, out));
        vec![Packet::data(self.volumes[at].number, command, bytes)]
    }

    fn barrier(&mut self, at: usize) -> Vec<Packet> {
        if !core::mem::take(&mut self.volumes[at].open_epoch) {
            return Vec::new();
        }
        self.barrier = self.barrier.wrapping_add(1);
        let barrier = Barrier {
            barrier: self.barrier,
        };
        let bytes = payload(|out| barrier.emit(Command::Barrier, out));
        vec![Packet::data(0, Command::Barrier, bytes)]
    }

    fn request(&mut self, at: usize, command: Command) -> Packet {
        let size = self.rng.u32(1..9) * 4096;
        let request = BlockRequest {
            sector: self.volumes[at].place(&mut self.rng, size),
            block_id: match command {
                Command::DataRequest => self.rng.u64(..),
                _ => ID_SYNCER,
            },
            size,
        };
        let mut bytes = payload(|out| request.emit(command, out));
        if matches!(command, Command::CsumRsRequest) {
            let digest = match self.rng.bool() {
                true => crc32c::crc32c(&vec![0; size as usize]),
                false => self.rng.u32(..),
            };
            bytes.extend(digest.to_le_bytes());
        }
        Packet::data(self.volumes[at].number, command, bytes)
    }

    /// A target's requests.
    fn wants(&mut self, at: usize) -> Vec<Packet> {
        let count = self.rng.u32(1..5);
        (0..count)
            .map(|_| {
                let thin = self.agreed.features.has(Features::THIN_RESYNC);
                let csums = self.agreed.version >= 89 && !self.net.csums_alg.is_empty();
                let command = match self.rng.u32(..3) {
                    0 if thin => Command::RsThinReq,
                    1 if csums => Command::CsumRsRequest,
                    _ => Command::RsDataRequest,
                };
                self.request(at, command)
            })
            .collect()
    }

    /// A target's end of a resync.
    fn finished(&mut self, at: usize) -> Vec<Packet> {
        let volume = &mut self.volumes[at];
        volume.is_target = false;
        volume.own.conn = ConnState::Connected;
        volume.own.disk = DiskState::UpToDate;
        vec![volume.state_packet()]
    }

    fn marked(&mut self, at: usize) -> Vec<Packet> {
        if self.agreed.version < 96 {
            return Vec::new();
        }
        let size = self.rng.u32(1..32) * 4096;
        let desc = BlockDesc {
            sector: self.volumes[at].place(&mut self.rng, size),
            size,
        };
        let bytes = payload(|out| desc.emit(Command::OutOfSync, out));
        vec![Packet::data(
            self.volumes[at].number,
            Command::OutOfSync,
            bytes,
        )]
    }

    fn change_request(&self, command: Command, number: u16, mask: u32, value: u32) -> Packet {
        let request = StateRequest {
            mask: StateBits(mask),
            value: StateBits(value),
        };
        Packet::data(number, command, payload(|out| request.emit(command, out)))
    }

    fn conn_change(&self, at: usize, conn: ConnState) -> Packet {
        let value = DeviceState {
            conn,
            ..DeviceState::INITIAL
        };
        let bits = value.pack().0 & CONN;
        self.change_request(Command::StateChgReq, self.volumes[at].number, CONN, bits)
    }

    fn begin_verify(&mut self, at: usize) -> Vec<Packet> {
        let idle = self.volumes[at].conn() == ConnState::Connected;
        if !idle || self.net.verify_alg.is_empty() || self.agreed.version < 88 {
            return Vec::new();
        }
        self.volumes[at].own.conn = ConnState::VerifyS;
        vec![self.conn_change(at, ConnState::VerifyS)]
    }

    fn verify(&mut self, at: usize) -> Vec<Packet> {
        if self.rng.u32(..12) == 0 {
            let volume = &mut self.volumes[at];
            volume.verifies = false;
            volume.own.conn = ConnState::Connected;
            return vec![volume.state_packet()];
        }
        (0..3)
            .map(|_| self.request(at, Command::OvRequest))
            .collect()
    }

    /// Asks for a change of the volume's state.
    fn change(&mut self, at: usize) -> Vec<Packet> {
        let number = self.volumes[at].number;
        let role = DeviceState {
            role: if self.rng.bool() {
                Role::Primary
            } else {
                Role::Secondary
            },
            ..DeviceState::INITIAL
        };
        let disk = DeviceState {
            disk: [DiskState::Failed, DiskState::Outdated, DiskState::UpToDate]
                [self.rng.usize(..3)],
            ..DeviceState::INITIAL
        };
        let request = Command::StateChgReq;
        vec![match self.rng.u32(..4) {
            0 => self.conn_change(at, ConnState::StartingSyncS),
            1 => self.conn_change(at, ConnState::StartingSyncT),
            2 => self.change_request(request, number, 3, role.pack().0 & 3),
            _ => self.change_request(request, number, 0xf << 9, disk.pack().0 & (0xf << 9)),
        }]
    }

    /// Asks to leave.
    fn leave(&mut self) -> Vec<Packet> {
        let command = match self.agreed.version {
            100.. => Command::ConnStChgReq,
            _ => Command::StateChgReq,
        };
        let value = (ConnState::Disconnecting as u32) << 4;
        vec![self.change_request(command, 0, CONN, value)]
    }
}
