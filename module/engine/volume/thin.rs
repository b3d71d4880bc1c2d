// SPDX-License-Identifier: GPL-2.0

//! Thin resync: the target asks for whole units of its discards, and the source may say that one is
//! all zeroes instead of sending it.

use crate::engine::ids::{
    Extent,
    PeerTicket, //
};

use super::effect::Effects;
use super::remote::PeerRequestError;
use super::slot::Operation;
use super::{
    Storage,
    Volume, //
};

impl<S: Storage> Volume<S> {
    /// The largest request, in bytes. All requests are within multiples of that.
    pub(super) fn request_bytes(&self) -> u32 {
        let limits = self.pace.limits();
        match limits.thin_bytes {
            0 => limits.request_bytes,
            // What has another size is never told to be all zeroes.
            thin => limits.request_bytes.min(thin),
        }
    }

    /// Whether it may be answered that the whole range is zeroes.
    pub(super) fn asks_thin(&self, extent: Extent) -> bool {
        extent.bytes == self.pace.limits().thin_bytes && !self.resync.tells_digests
    }

    /// The source says that what we asked for is all zeroes (`P_RS_DEALLOCATED`). `Ok(None)`: as in
    /// [`Volume::resync_data`].
    pub fn resync_zeroes(
        &mut self,
        extent: Extent,
        fx: &mut Effects,
    ) -> Result<Option<PeerTicket>, PeerRequestError> {
        let thin = |index: &u32| self.peers.get(*index).is_some_and(|peer| peer.thin);
        let index = self
            .find_wanted(extent)
            .filter(thin)
            .ok_or(PeerRequestError::Unexpected)?;
        self.resync_came(index, extent, Operation::Discard, fx)
    }
}
