// SPDX-License-Identifier: GPL-2.0

//! Resync with digests.

use std::hash::{DefaultHasher, Hash, Hasher};

use tandem_engine::engine::ids::PeerTicket;
use tandem_engine::engine::volume::{Effects, PeerView};
use tandem_engine::engine::wire::data::{BlockRequest, ID_SYNCER};
use tandem_engine::engine::wire::Command;

use crate::packet::Packet;
use crate::world::World;

/// The same in every run.
fn digest_of(contents: &[u32]) -> [u8; 8] {
    let mut hasher = DefaultHasher::new();
    contents.hash(&mut hasher);
    hasher.finish().to_le_bytes()
}

/// A digest that came, as it is kept.
pub(crate) fn words_of(digest: &[u8]) -> Vec<u32> {
    let word = |c: &[u8]| c.try_into().map_or(0, u32::from_le_bytes);
    digest.chunks(4).map(word).collect()
}

impl World {
    /// The target has read what it has: asks for the source's, unless that is equal.
    pub(crate) fn request_with_digest(
        &mut self,
        n: usize,
        ticket: PeerTicket,
        view: PeerView,
        data: Vec<u32>,
    ) {
        let mut fx = Effects::new();
        let wanted = self.nodes[n].vol.engine.digest_made(ticket, &mut fx);
        self.finish(n, fx);
        if !wanted {
            return;
        }
        let command = Command::CsumRsRequest;
        let request = BlockRequest {
            sector: view.extent.sector,
            block_id: ID_SYNCER,
            size: view.extent.bytes,
        };
        let digest = digest_of(&data);
        let packet = Packet::new(self.version(n), command, vec![], |o| {
            let len = request.emit(command, o)?;
            o[len..len + digest.len()].copy_from_slice(&digest);
            Ok(len + digest.len())
        });
        self.transmit(n, false, packet);
    }

    /// The source has read its copy; true if it is to be sent.
    pub(crate) fn differs_at_target(&mut self, n: usize, ticket: PeerTicket, own: &[u32]) -> bool {
        let told = self.nodes[n].vol.told[ticket.index as usize].iter();
        let equal = told.flat_map(|word| word.to_le_bytes()).eq(digest_of(own));
        let mut fx = Effects::new();
        let differs = self.nodes[n]
            .vol
            .engine
            .resync_checked(ticket, equal, &mut fx);
        self.equal_blocks += u64::from(equal);
        self.finish(n, fx);
        differs
    }
}
