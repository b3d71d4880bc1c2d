// SPDX-License-Identifier: GPL-2.0

//! The peer's digests: of blocks that we verify, and of what it has of those that it resyncs.
#![forbid(unsafe_code)]

use crate::engine::ids::{
    Extent,
    MAX_REQUEST_BYTES, //
};
use crate::engine::volume::PeerRequestError;
use crate::engine::wire::data::BlockRequest;
use crate::engine::wire::Header;
use crate::told::Told;
use crate::words::Problem;

use super::{
    keep_payload,
    Outcome,
    Receiver,
    Stop, //
};

impl Receiver<'_> {
    /// The target of a resync wants data unless ours has the digest that it tells.
    pub(super) fn checked_request(&mut self, header: Header, follow: u32) -> Outcome {
        let mut told = Told::with_len(follow as usize);
        self.inbox.receive(told.bytes_mut())?;
        self.request(header, Some(told))
    }

    /// The digest of a block comes: our own copy is to be compared with it.
    pub(super) fn verify_answer(&mut self, header: Header, follow: u32) -> Outcome {
        let device = self.device(header)?;
        let answer = Self::parse(
            header,
            BlockRequest::parse(header.command, self.bytes(BlockRequest::LEN as u32)),
        )?;
        let mut told = Told::with_len(follow as usize);
        self.inbox.receive(told.bytes_mut())?;
        let extent = Extent::new(answer.sector, answer.size);
        let capacity = device.volume.lock().capacity();
        if answer.size == 0 || !extent.fits(capacity, MAX_REQUEST_BYTES) {
            let problem = Problem::Request(PeerRequestError::OutOfRange);
            return Err(Stop::refused(header.command, problem));
        }
        let mut payload = Some(self.memory(answer.size)?);
        device
            .feed(|desk, fx| {
                if let Some(ticket) = desk.verify_answered(extent, fx)? {
                    keep_payload(desk, ticket, &mut payload);
                    desk.put_told(ticket, told);
                }
                Ok(())
            })
            .map_err(|error| Stop::refused(header.command, Problem::Request(error)))
    }
}
