// SPDX-License-Identifier: GPL-2.0

//! Packets as they are on the simulated wire: encoded headers, and blocks as sector names.

use tandem_engine::engine::wire::{Command, Header, WireError, PROTOCOL_BEFORE_HANDSHAKE};

/// One packet: the encoded bytes, and the blocks that follow (one number per sector).
#[derive(Clone, Debug)]
pub struct Packet {
    bytes: Vec<u8>,
    /// Contents of the sectors that follow.
    pub blocks: Vec<u32>,
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
        let header = Header {
            volume: 0,
            command,
            length: (len + 512 * blocks.len()) as u32,
        };
        let head = header.emit(&mut bytes, version).expect("header");
        bytes.truncate(head);
        bytes.extend_from_slice(&body[..len]);
        Self { bytes, blocks }
    }

    /// The version of the header: 80 before the handshake.
    pub fn early() -> u32 {
        PROTOCOL_BEFORE_HANDSHAKE
    }

    /// Decodes header and sub-header. `None` when the peer must not send this.
    pub fn open(&self, version: u32) -> Option<(Header, &[u8])> {
        let header = Header::parse(&self.bytes, version).ok()?;
        let body = self.bytes.get(Header::encoded_len(version)..)?;
        (header.length as usize == body.len() + 512 * self.blocks.len()).then_some((header, body))
    }
}
