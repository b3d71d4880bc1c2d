// SPDX-License-Identifier: GPL-2.0

//! What the peer plays and knows of one volume.

use fastrand::Rng;
use tandem_engine::{
    bitmap_code::{encode, Decoder, TransferCursor},
    state::{ConnState, DeviceState, DiskState, Role},
    wire::{
        bitmap::{max_payload, CompressedBitmap},
        handshake::{Agreement, Features},
        state::{
            QueueLimits, SizeFlags, SizeNumbers, SizeReport, StateReport, UuidFlags, UuidReport,
        },
        Command,
    },
};

use super::packet::{payload, Packet};

/// The generation of metadata that was just created.
const JUST_CREATED: u64 = 4;

/// Sectors that one bit of the bitmap stands for.
const SECTORS_PER_BIT: u64 = 8;

/// What the peer's data is to the module's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The same.
    Equal,
    /// The peer's disk is new.
    Fresh,
    /// The peer went on alone.
    Ahead,
    /// The module went on alone, or says so.
    Behind,
    /// Both went on alone.
    SplitBrain,
    /// Nothing in common.
    Unrelated,
    /// The peer has no disk.
    Diskless,
}

const RELATIONS: &[Relation] = &[
    Relation::Equal,
    Relation::Equal,
    Relation::Equal,
    Relation::Equal,
    Relation::Equal,
    Relation::Equal,
    Relation::Equal,
    Relation::Fresh,
    Relation::Fresh,
    Relation::Ahead,
    Relation::Ahead,
    Relation::Ahead,
    Relation::Behind,
    Relation::SplitBrain,
    Relation::Unrelated,
    Relation::Diskless,
];

/// One volume.
pub(crate) struct Volume {
    /// Its number.
    pub(crate) number: u16,
    pub(crate) relation: Relation,
    /// Sectors, as far as the module has told.
    pub(crate) capacity: u64,
    /// The size that the module's administrator wants; the peer's wants the same.
    wanted: u64,
    uuids: Option<UuidReport>,
    /// What the module says of itself.
    pub(crate) module: Option<DeviceState>,
    /// What the peer says of itself.
    pub(crate) own: DeviceState,
    /// The introduction is over on both sides.
    pub(crate) met: bool,
    cursor: Option<TransferCursor>,
    pub(crate) bitmap_sent: bool,
    /// The resync that the module is the source of has begun.
    pub(crate) is_target: bool,
    /// The module has agreed to a verify.
    pub(crate) verifies: bool,
    /// The peer has written, and no barrier since.
    pub(crate) open_epoch: bool,
}

impl Volume {
    /// What the session's seed makes of it.
    pub(crate) fn new(number: u16, rng: &mut Rng) -> Self {
        let relation = RELATIONS[rng.usize(..RELATIONS.len())];
        let disk = match (relation, rng.u32(..8)) {
            (Relation::Diskless, _) => DiskState::Diskless,
            (Relation::Fresh, _) => DiskState::Inconsistent,
            (Relation::Equal, 1..) => DiskState::UpToDate,
            (_, 0) => DiskState::Outdated,
            (_, 1) => DiskState::Consistent,
            (_, 2) => DiskState::Inconsistent,
            _ => DiskState::UpToDate,
        };
        Self {
            number,
            relation,
            capacity: 0,
            wanted: 0,
            uuids: None,
            module: None,
            own: DeviceState {
                role: if rng.u32(..3) == 0 {
                    Role::Primary
                } else {
                    Role::Secondary
                },
                peer: Role::Unknown,
                conn: ConnState::WfReportParams,
                disk,
                ..DeviceState::INITIAL
            },
            met: false,
            cursor: None,
            bitmap_sent: false,
            is_target: false,
            verifies: false,
            open_epoch: false,
        }
    }

    /// Whether the module has told all of its introduction.
    pub(crate) fn is_introduced(&self) -> bool {
        self.module.is_some()
    }

    pub(crate) fn conn(&self) -> ConnState {
        self.module
            .map_or(ConnState::WfReportParams, |state| state.conn)
    }

    /// The module told its sizes.
    pub(crate) fn sizes(&mut self, bytes: &[u8], features: Features) {
        if let Ok(report) = SizeReport::parse(bytes, features) {
            let sizes = report.sizes;
            self.wanted = sizes.user_size;
            self.capacity = match sizes.current_size {
                0 => sizes.disk_size,
                now => now,
            };
        }
    }

    /// The module told its generations.
    pub(crate) fn generations(&mut self, bytes: &[u8]) {
        self.uuids = UuidReport::parse(Command::Uuids, bytes).ok();
    }

    /// The module told its state.
    pub(crate) fn state(&mut self, bytes: &[u8]) {
        let report = StateReport::parse(Command::State, bytes).ok();
        if let Some(state) = report.and_then(|report| DeviceState::unpack(report.state)) {
            self.own.peer = state.role;
            self.own.peer_disk = state.disk;
            self.met |= state.conn >= ConnState::Connected;
            self.module = Some(state);
        }
    }

    /// The peer's own sizes: as large as the module's.
    pub(crate) fn size_packet(&self, features: Features) -> Packet {
        let disk = match self.own.disk {
            DiskState::Diskless => 0,
            _ => self.capacity,
        };
        let report = SizeReport {
            sizes: SizeNumbers {
                disk_size: disk,
                user_size: self.wanted,
                current_size: self.capacity,
                max_bio_size: 1 << 20,
                queue_order_type: 0,
                flags: SizeFlags::default(),
            },
            limits: features.has(Features::WSAME).then(|| QueueLimits {
                physical_block_size: 512,
                logical_block_size: 512,
                io_min: 512,
                discard_enabled: 1,
                ..QueueLimits::default()
            }),
        };
        Packet::data(self.number, Command::Sizes, payload(|out| report.emit(out)))
    }

    /// The peer's own generations, as its relation wants them.
    pub(crate) fn uuid_packet(&self, rng: &mut Rng) -> Option<Packet> {
        let theirs = self.uuids.unwrap_or(UuidReport {
            current: JUST_CREATED,
            ..UuidReport::default()
        });
        let new = rng.u64(..) & !1;
        let mut own = UuidReport {
            flags: match rng.u32(..10) {
                0 => UuidFlags::CRASHED_PRIMARY,
                1 => UuidFlags::DISCARD_MY_DATA,
                2 => UuidFlags::SKIP_INITIAL_SYNC,
                _ => UuidFlags::default(),
            },
            bits_set: rng.u64(..64),
            ..theirs
        };
        match self.relation {
            Relation::Equal => own.bitmap = 0,
            Relation::Fresh => {
                (own.current, own.bitmap, own.history0, own.history1) = (JUST_CREATED, 0, 0, 0);
            }
            Relation::Ahead => (own.current, own.bitmap) = (new, theirs.current),
            Relation::Behind => {
                let older = [theirs.bitmap, theirs.history0, theirs.history1];
                own.current = older.into_iter().find(|&uuid| uuid != 0).unwrap_or(new);
                own.bitmap = 0;
            }
            Relation::SplitBrain => {
                own.current = new;
                if own.bitmap == 0 {
                    own.bitmap = theirs.current;
                }
            }
            Relation::Unrelated => {
                (own.current, own.bitmap) = (new, 0);
                (own.history0, own.history1) = (new ^ 2, new ^ 4);
            }
            Relation::Diskless => return None,
        }
        let bytes = payload(|out| own.emit(Command::Uuids, out));
        Some(Packet::data(self.number, Command::Uuids, bytes))
    }

    /// The peer's own state.
    pub(crate) fn state_packet(&self) -> Packet {
        let report = StateReport {
            state: self.own.pack(),
        };
        let bytes = payload(|out| report.emit(Command::State, out));
        Packet::data(self.number, Command::State, bytes)
    }

    /// A part of the module's bitmap came; whether it was the last one.
    pub(crate) fn bitmap_part(&mut self, command: Command, bytes: &[u8], version: u32) -> bool {
        let mut cursor = self
            .cursor
            .take()
            .unwrap_or(TransferCursor::new(self.bits()));
        if command == Command::CompressedBitmap {
            let decoder = CompressedBitmap::parse(bytes, version)
                .ok()
                .and_then(|part| Decoder::new(part.code, part.pad_bits, part.first_set).ok());
            if let Some(decoder) = decoder {
                let _ = cursor.take_code(decoder, |_, _| {});
            }
        } else {
            cursor.skip_words(bytes.len() as u64 / 8);
        }
        let done = cursor.is_done();
        if !done {
            self.cursor = Some(cursor);
        }
        done
    }

    fn bits(&self) -> u64 {
        self.capacity.div_ceil(SECTORS_PER_BIT)
    }

    /// The peer's bitmap: runs of bits by chance, in code or plain.
    pub(crate) fn bitmap_packets(&mut self, agreed: Agreement, rng: &mut Rng) -> Vec<Packet> {
        self.bitmap_sent = true;
        let bits = self.bits();
        let stride = rng.u64(1..200);
        let is_set = |bit: u64| bit / stride % 2 == 1;
        if rng.bool() && agreed.version >= 90 {
            let mut code = vec![0; max_payload(agreed.version) - 1];
            let run_end =
                |from: u64, set: bool| (from..bits).find(|&bit| is_set(bit) != set).unwrap_or(bits);
            let coded = encode(&mut code, 0, bits, run_end).filter(|coded| coded.covered == bits);
            if let Some(coded) = coded {
                let part = CompressedBitmap {
                    first_set: coded.first_set,
                    pad_bits: coded.pad_bits,
                    code: &code[..coded.code_len],
                };
                let mut bytes = vec![0; part.encoded_len()];
                let _ = part.emit(&mut bytes);
                return vec![Packet::data(self.number, Command::CompressedBitmap, bytes)];
            }
        }
        let words: Vec<u8> = (0..bits.div_ceil(64) * 8)
            .map(|byte| (0..8).fold(0, |all, at| all | u8::from(is_set(byte * 8 + at)) << at))
            .collect();
        let room = max_payload(agreed.version) & !7;
        let parts = words.chunks(room).map(<[u8]>::to_vec).chain([Vec::new()]);
        parts
            .map(|part| Packet::data(self.number, Command::Bitmap, part))
            .collect()
    }

    /// A place in the volume, of so many bytes.
    pub(crate) fn place(&self, rng: &mut Rng, bytes: u32) -> u64 {
        let sectors = u64::from(bytes / 512);
        let room = self.capacity.saturating_sub(sectors);
        // Aligned to what a bit of the bitmap stands for.
        rng.u64(..=room) / SECTORS_PER_BIT * SECTORS_PER_BIT
    }
}
