// SPDX-License-Identifier: GPL-2.0

//! Packets as they are on the simulated wire: encoded headers, and blocks as sector names.

use std::fmt::Write as _;

use tandem_engine::engine::state::DeviceState;
use tandem_engine::engine::wire::ack::{BarrierAck, BlockAck};
use tandem_engine::engine::wire::data::{
    Barrier, BlockDesc, BlockRequest, DataHeader, TrimRequest, ID_OUT_OF_SYNC,
};
use tandem_engine::engine::wire::state::{StateReport, UuidReport};
use tandem_engine::engine::wire::{Command, Header, WireError, PROTOCOL_BEFORE_HANDSHAKE};

use crate::discard::carries_blocks;
use crate::story::Cause;
use crate::verify::ROT;
use crate::worker::show;

/// One packet: the encoded bytes, and the blocks that follow (one number per sector).
#[derive(Clone, Debug)]
pub struct Packet {
    bytes: Vec<u8>,
    header: Header,
    version: u32,
    wire_len: u64,
    /// Contents of the sectors that follow.
    pub blocks: Vec<u32>,
    /// Why it was sent.
    pub cause: Cause,
}

impl Packet {
    /// Encodes a packet.
    pub fn new(
        version: u32,
        command: Command,
        blocks: Vec<u32>,
        emit: impl FnOnce(&mut [u8]) -> Result<usize, WireError>,
    ) -> Self {
        let mut body = [0; 4096];
        let len = emit(&mut body).expect("encode");
        let mut bytes = vec![0; Header::MAX_LEN];
        let length = len + Self::blocks_bytes(command, &blocks);
        let header = Header {
            volume: 0,
            command,
            length: length as u32,
        };
        let head = header.emit(&mut bytes, version).expect("header");
        bytes.truncate(head);
        bytes.extend_from_slice(&body[..len]);
        Self {
            wire_len: (head + length) as u64,
            bytes,
            header,
            version,
            blocks,
            cause: Cause::Nothing,
        }
    }

    /// The number of the volume it is for.
    pub(crate) fn volume(&self) -> usize {
        usize::from(self.header.volume)
    }

    /// Says which volume it is for: the first one, as long as nobody says it.
    pub(crate) fn address(&mut self, volume: usize) {
        let volume = volume as u16;
        if self.header.volume != volume {
            self.header.volume = volume;
            let head = self.header.emit(&mut self.bytes, self.version);
            head.expect("header");
        }
    }

    /// A packet with any bytes behind its header.
    pub fn raw(version: u32, command: Command, body: &[u8]) -> Self {
        Self::new(version, command, vec![], |out| {
            out[..body.len()].copy_from_slice(body);
            Ok(body.len())
        })
    }

    /// How long the blocks behind a packet are on the wire.
    fn blocks_bytes(command: Command, blocks: &[u32]) -> usize {
        if carries_blocks(command) {
            512 * blocks.len()
        } else {
            0
        }
    }

    /// How long it is on the wire, in bytes.
    pub(crate) fn wire_len(&self) -> u64 {
        self.wire_len
    }

    /// Header and sub-header, as far as they are within the first `bytes` bytes.
    pub(crate) fn part(&self, bytes: usize) -> &[u8] {
        self.bytes.get(..bytes).unwrap_or(&self.bytes)
    }

    /// The version of the header: 80 before the handshake.
    pub fn early() -> u32 {
        PROTOCOL_BEFORE_HANDSHAKE
    }

    /// Decodes header and sub-header. `None` when the peer must not send this.
    pub fn open(&self, version: u32) -> Option<(Header, &[u8])> {
        let header = Header::parse(&self.bytes, version).ok()?;
        let body = self.bytes.get(Header::encoded_len(version)..)?;
        let blocks = Self::blocks_bytes(header.command, &self.blocks);
        (header.length as usize == body.len() + blocks).then_some((header, body))
    }

    /// What it is, for the story.
    pub fn describe(&self, version: u32) -> String {
        let Some((header, body)) = self.open(version).or_else(|| self.open(Self::early())) else {
            return "something without a header".into();
        };
        let command = header.command;
        let name = command.as_str();
        let range = |sector: u64, bytes: u32| format!("{name} {sector}+{}", bytes / 512);
        let told = match command {
            Command::Data | Command::DataReply | Command::RsDataReply => {
                DataHeader::parse(command, body).map(|h| {
                    let place = range(h.sector, 512 * self.blocks.len() as u32);
                    format!("{place} = {}", contents(&self.blocks))
                })
            }
            Command::Trim | Command::Zeroes => TrimRequest::parse(command, body).map(|t| {
                let place = range(t.sector, t.size);
                format!("{place} = {}", contents(&self.blocks))
            }),
            Command::DataRequest
            | Command::RsDataRequest
            | Command::RsThinReq
            | Command::OvRequest => {
                BlockRequest::parse(command, body).map(|r| range(r.sector, r.size))
            }
            Command::OvReply | Command::CsumRsRequest => {
                let head = body.get(..BlockRequest::LEN).unwrap_or_default();
                BlockRequest::parse(command, head).map(|r| range(r.sector, r.size))
            }
            Command::OvResult => BlockAck::parse(command, body).map(|a| {
                let equal = a.block_id != ID_OUT_OF_SYNC;
                format!("{} equal: {equal}", range(a.sector, a.size))
            }),
            Command::OutOfSync | Command::RsDeallocated => {
                BlockDesc::parse(command, body).map(|d| range(d.sector, d.size))
            }
            Command::Barrier => {
                Barrier::parse(command, body).map(|b| format!("{name} {}", b.barrier))
            }
            Command::BarrierAck => BarrierAck::parse(command, body)
                .map(|a| format!("{name} {} of {} writes", a.barrier, a.set_size)),
            Command::State => StateReport::parse(command, body).map(|s| {
                DeviceState::unpack(s.state).map_or(name.into(), |s| format!("{name} {}", show(s)))
            }),
            Command::Uuids => UuidReport::parse(command, body).map(|u| format!("{name} {u:x?}")),
            _ => BlockAck::parse(command, body).map(|a| range(a.sector, a.size)),
        };
        told.unwrap_or_else(|_| name.into())
    }
}

/// Contents of sectors, equal neighbours as one.
pub fn contents(sectors: &[u32]) -> String {
    let mut text = String::new();
    for run in sectors.chunk_by(|a, b| a == b) {
        let gap = if text.is_empty() { "" } else { " " };
        let _ = match run {
            [ROT] => write!(text, "{gap}rot"),
            [ROT, ..] => write!(text, "{gap}rotx{}", run.len()),
            [one] => write!(text, "{gap}{one}"),
            _ => write!(text, "{gap}{}x{}", run[0], run.len()),
        };
    }
    text
}
