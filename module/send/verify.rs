// SPDX-License-Identifier: GPL-2.0

//! Online verify: the digests of what was read.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::digests;
use crate::engine::ids::{
    PeerTicket,
    ID_SYNCER, //
};
use crate::engine::volume::{
    Answer,
    PeerView, //
};
use crate::engine::wire::data::BlockRequest;
use crate::engine::wire::Command;
use crate::sys::digest::{
    Digest,
    DIGEST_MAX, //
};
use crate::sys::page::PageVec;

use super::Sender;

impl Sender<'_> {
    /// Looks for the digests that the options name: a verify begins. May load a module.
    pub(super) fn find_digests(&mut self) -> Result {
        self.verify = digests::find(&self.net().verify_alg)?;
        Ok(())
    }

    fn verify_digest(&mut self) -> Result<&mut Digest> {
        if self.verify.is_none() {
            self.resource.complain(format_args!(
                "the peer verifies, but this node has no verify-alg: set it alike on both nodes"
            ));
        }
        self.verify.as_mut().ok_or(ENOENT)
    }

    /// Tells the peer the digest of a block that it verifies.
    pub(super) fn digest(
        &mut self,
        volume: u16,
        view: PeerView,
        pages: Option<&PageVec>,
    ) -> Result {
        // Zeroes are no digest of anything: what could not be read differs.
        let mut digest = [0; DIGEST_MAX];
        let verify = self.verify_digest()?;
        let size = verify.size();
        if let (Answer::Digest { failed: false }, Some(pages)) = (view.answer, pages) {
            verify.of_payload(&pages.payload(), &mut digest)?;
        }
        let answer = BlockRequest {
            sector: view.extent.sector,
            block_id: ID_SYNCER,
            size: view.extent.bytes,
        };
        let follow = u32::try_from(size)?;
        let len = self.encode(volume, Command::OvReply, follow, |c, out, _| {
            answer.emit(c, out)
        })?;
        let place = self.packet.get_mut(len..len + size).ok_or(EINVAL)?;
        place.copy_from_slice(digest.get(..size).ok_or(EINVAL)?);
        self.send_encoded(len + size, false)
    }

    /// Compares a block that we verify with the peer's digest.
    pub(super) fn compare(
        &mut self,
        device: &Arc<Device>,
        ticket: PeerTicket,
        view: PeerView,
        pages: Option<PageVec>,
    ) -> Result {
        let equal = match (view.answer, &pages) {
            (Answer::Compare { failed: false }, Some(pages)) => {
                self.is_equal(device, ticket, pages)
            }
            _ => Ok(false),
        };
        let Ok(equal) = equal else {
            device.feed(|volume, fx| volume.peer_reply_sent(ticket, fx));
            return equal.map(drop);
        };
        let mut pages = pages;
        device.feed(|volume, fx| {
            if !volume.verify_compared(ticket, equal, fx) {
                // It is read again, into the same memory.
                if let Some(pages) = pages.take() {
                    device.put_payload(ticket, pages);
                }
            }
        });
        Ok(())
    }

    fn is_equal(&mut self, device: &Device, ticket: PeerTicket, pages: &PageVec) -> Result<bool> {
        let told = device.told(ticket);
        let size = self.verify_digest()?.size();
        if told.bytes().len() != size {
            self.resource.complain(format_args!(
                "the peer's digest has another length: make verify-alg equal on both nodes"
            ));
            return Err(EINVAL);
        }
        let mut digest = [0; DIGEST_MAX];
        let own = self.verify_digest()?;
        Ok(own.of_payload(&pages.payload(), &mut digest)? == told.bytes())
    }
}
