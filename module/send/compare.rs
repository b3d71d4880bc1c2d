// SPDX-License-Identifier: GPL-2.0

//! Online verify and resync with digests: what was read, and its digest.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::digests;
use crate::engine::ids::{
    Extent,
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
        let net = self.net();
        self.verify = digests::find(&net.verify_alg)?;
        self.csums = digests::find(&net.csums_alg)?;
        Ok(())
    }

    /// Asks for resync data, with the digest of what we have (`P_CSUM_RS_REQUEST`).
    pub(super) fn request_with_digest(
        &mut self,
        volume: u16,
        device: &Arc<Device>,
        ticket: PeerTicket,
        extent: Extent,
        pages: Option<PageVec>,
    ) -> Result {
        let mut digest = [0; DIGEST_MAX];
        let made = match (&mut self.csums, &pages) {
            (Some(csums), Some(pages)) => csums.of_payload(&pages.payload(), &mut digest).ok(),
            _ => None,
        };
        let Some(size) = made.map(<[u8]>::len) else {
            device.feed(|volume, fx| volume.digest_left_out(ticket, fx));
            return Ok(());
        };
        // Given back before sending, which may wait for the peer, which may wait for us.
        drop(pages);
        if !device.feed(|volume, fx| volume.digest_made(ticket, fx)) {
            return Ok(());
        }
        let digest = digest.get(..size).unwrap_or(&[]);
        self.digest_packet(volume, Command::CsumRsRequest, extent, digest)
    }

    /// Compares a block with the digest that the target of a resync has told. True if ours is to
    /// be sent.
    pub(super) fn differs_at_target(
        &mut self,
        device: &Arc<Device>,
        ticket: PeerTicket,
        pages: &PageVec,
    ) -> bool {
        let told = device.volume.lock().told(ticket);
        let mut digest = [0; DIGEST_MAX];
        // Without a digest of our own: sending the data is always right.
        let equal = self.csums.as_mut().is_some_and(|csums| {
            let own = csums.of_payload(&pages.payload(), &mut digest);
            own.is_ok_and(|own| own == told.bytes())
        });
        device.feed(|volume, fx| volume.resync_checked(ticket, equal, fx))
    }

    /// Sends a digest behind the range that it is of.
    fn digest_packet(
        &mut self,
        volume: u16,
        command: Command,
        extent: Extent,
        digest: &[u8],
    ) -> Result {
        let request = BlockRequest {
            sector: extent.sector,
            block_id: ID_SYNCER,
            size: extent.bytes,
        };
        let follow = u32::try_from(digest.len())?;
        let len = self.encode(volume, command, follow, |c, out, _| request.emit(c, out))?;
        let end = len + digest.len();
        let place = self.packet.get_mut(len..end).ok_or(EINVAL)?;
        place.copy_from_slice(digest);
        self.put(end)
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
        let digest = digest.get(..size).ok_or(EINVAL)?;
        self.digest_packet(volume, Command::OvReply, view.extent, digest)
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
        device.feed(|desk, fx| {
            if !desk.verify_compared(ticket, equal, fx) {
                // It is read again, into the same memory.
                if let Some(pages) = pages.take() {
                    desk.put_payload(ticket, pages);
                }
            }
        });
        Ok(())
    }

    fn is_equal(&mut self, device: &Device, ticket: PeerTicket, pages: &PageVec) -> Result<bool> {
        let told = device.volume.lock().told(ticket);
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
