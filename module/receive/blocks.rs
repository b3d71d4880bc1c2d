// SPDX-License-Identifier: GPL-2.0

//! The blocks behind a packet: memory for them, and the digest before them
//! (`data-integrity-alg`).
#![forbid(unsafe_code)]

use crate::digests;
use crate::engine::fault::Fault;
use crate::engine::ids::{
    Extent,
    MAX_REQUEST_BYTES, //
};
use crate::engine::resource::{
    Event,
    PeerProtocol,
    RarePacket, //
};
use crate::engine::wire::data::blocks_behind_digest;
use crate::engine::wire::params::ProtocolSettings;
use crate::engine::wire::Header;
use crate::fault_injection;
use crate::sys::digest::{
    Digest,
    DIGEST_MAX, //
};
use crate::sys::page::PageVec;
use crate::words::Problem;

use super::{
    Outcome,
    Receiver,
    Stop,
    MEMORY_MS, //
};

impl Receiver<'_> {
    /// Memory for `bytes` bytes of payload; waits for it while the session lives.
    pub(super) fn memory(&mut self, bytes: u32) -> core::result::Result<PageVec, Stop> {
        if bytes > MAX_REQUEST_BYTES {
            return Err(Stop::Network);
        }
        if let Some(pages) = self.session.pool.try_take(bytes as usize) {
            return Ok(pages);
        }
        self.inbox.answer()?;
        while !self.session.is_down() {
            if let Some(pages) = self.session.pool.take(bytes as usize, MEMORY_MS) {
                return Ok(pages);
            }
        }
        Err(Stop::Network)
    }

    /// Whether a fault on demand hits the volume that a packet is for.
    pub(super) fn strikes(&self, header: Header, fault: Fault) -> bool {
        if !fault_injection::is_enabled(fault) {
            return false;
        }
        let device = self.resource.link.device(header.volume);
        device.is_some_and(|device| fault_injection::strikes(fault, device.minor))
    }

    pub(super) fn payload(&mut self, bytes: u32) -> core::result::Result<PageVec, Stop> {
        let mut pages = self.memory(bytes)?;
        self.inbox.receive_pages(&mut pages)?;
        Ok(pages)
    }

    /// Receives what follows a data header: the digest, if one is configured, and the blocks. The
    /// blocks are the whole range of `sector`, and are what the digest says.
    pub(super) fn blocks(
        &mut self,
        header: Header,
        sector: u64,
        follow: u32,
    ) -> core::result::Result<PageVec, Stop> {
        let size = self.integrity.as_ref().map_or(0, Digest::size);
        let bytes = Self::parse(
            header,
            blocks_behind_digest(header.command, follow, size as u32),
        )?;
        if bytes > MAX_REQUEST_BYTES {
            return Err(Stop::refused(header.command, Problem::TooLong(bytes)));
        }
        let mut told = [0; DIGEST_MAX];
        let told = told.get_mut(..size).ok_or(Stop::Network)?;
        self.inbox.receive(told)?;
        if self.strikes(header, Fault::PeerMemory) {
            return Err(Stop::Network);
        }
        let mut pages = self.payload(bytes)?;
        if pages.len() != 0 && self.strikes(header, Fault::Receive) {
            let mut first = [0];
            pages.copy_out(0, &mut first)?;
            pages.copy_in(0, &first.map(|byte: u8| !byte))?;
        }
        if let Some(digest) = &mut self.integrity {
            let mut found = [0; DIGEST_MAX];
            if digest.of_payload(&pages.payload(), &mut found)? != told {
                let extent = Extent::new(sector, bytes);
                return Err(Stop::refused(header.command, Problem::Digest(extent)));
            }
        }
        Ok(pages)
    }

    /// The peer changed its settings: what comes from here on has another digest.
    pub(super) fn protocol_update(&mut self, header: Header) -> Outcome {
        let version = self.session.version();
        let bytes = self.bytes(header.length);
        let settings = Self::parse(
            header,
            ProtocolSettings::parse(header.command, bytes, version),
        )?;
        let settings = PeerProtocol::from(settings);
        self.integrity = digests::find(&settings.integrity_alg)
            .map_err(|_| Stop::refused(header.command, Problem::NoDigest))?;
        self.resource.post(Event::Packet {
            volume: header.volume,
            packet: RarePacket::ProtocolUpdate(settings),
        });
        Ok(())
    }
}
