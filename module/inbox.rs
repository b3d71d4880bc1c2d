// SPDX-License-Identifier: GPL-2.0

//! The bytes that come on the data socket.
//!
//! Reads are joined: behind what is wanted, the start of the next packet is read with the same
//! call. And while there is something to read, the answers to what was read are gathered; they are
//! sent before the receiver waits for anything.
#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::resource::Resource;
use crate::send_meta::Answers;
use crate::session::Session;
use crate::sys::page::PageVec;

/// Bytes that are read ahead: the headers of some packets.
const AHEAD: usize = 128;

/// The reading end of the data socket.
pub struct Inbox<'a> {
    resource: &'a Resource,
    session: &'a Session,
    answers: Answers,
    ahead: [u8; AHEAD],
    /// What of `ahead` is not used yet.
    start: usize,
    end: usize,
    /// Bytes that somebody waits for.
    missing: usize,
}

impl<'a> Inbox<'a> {
    /// Starts to gather answers. May sleep.
    pub fn new(resource: &'a Resource, session: &'a Session) -> Result<Self> {
        let answers = Answers::new()?;
        resource.link.gather(true);
        Ok(Self {
            resource,
            session,
            answers,
            ahead: [0; AHEAD],
            start: 0,
            end: 0,
            missing: 0,
        })
    }

    /// How many bytes were being waited for when the connection ended.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Sends the answers that were gathered, and gathers no more until [`Inbox::gather`]: to be
    /// called before anything that may take a while. May sleep.
    ///
    /// Errors: the meta socket's.
    pub fn answer(&mut self) -> Result {
        self.resource.link.gather(false);
        while self.answers.send_queued(self.resource, self.session)? {}
        Ok(())
    }

    /// The waiting is over: gathers answers again.
    pub fn gather(&self) {
        self.resource.link.gather(true);
    }

    /// Receives all of `to`. May sleep.
    ///
    /// Errors: `ECONNRESET` and others of the socket: the connection is over.
    pub fn receive(&mut self, to: &mut [u8]) -> Result {
        self.missing = to.len();
        let kept = (self.end - self.start).min(to.len());
        let (head, rest) = to.split_at_mut(kept);
        head.copy_from_slice(self.take(kept)?);
        if !rest.is_empty() {
            let session = self.session;
            let there = session.data.receive_ahead(rest, &mut self.ahead);
            let got = self.keep(there, rest.len())?;
            let rest = rest.get_mut(got..).unwrap_or(&mut []);
            if !rest.is_empty() {
                self.answer()?;
                session.data.receive_exact(rest)?;
                self.gather();
            }
        }
        self.missing = 0;
        Ok(())
    }

    /// Receives all of `to`. May sleep.
    ///
    /// Errors: as for [`Inbox::receive`].
    pub fn receive_pages(&mut self, to: &mut PageVec) -> Result {
        self.missing = to.len();
        let kept = (self.end - self.start).min(to.len());
        let mut payload = to.payload_mut();
        payload.copy_in(self.take(kept)?)?;
        if payload.remaining() > 0 {
            let (session, wanted) = (self.session, payload.remaining());
            let there = session
                .data
                .receive_payload_ahead(&mut payload, &mut self.ahead);
            self.keep(there, wanted)?;
            if payload.remaining() > 0 {
                self.answer()?;
                session.data.receive_payload(&mut payload)?;
                self.gather();
            }
        }
        self.missing = 0;
        Ok(())
    }

    /// Takes `len` of the bytes that were read ahead.
    fn take(&mut self, len: usize) -> Result<&[u8]> {
        let bytes = self.ahead.get(self.start..self.start + len).ok_or(EINVAL)?;
        self.start += len;
        Ok(bytes)
    }

    /// Notes what was read beyond the `wanted` bytes; returns how many of those came.
    fn keep(&mut self, there: Result<usize>, wanted: usize) -> Result<usize> {
        let received = match there {
            Ok(received) => received,
            Err(error) if error == EAGAIN => 0,
            Err(error) => return Err(error),
        };
        self.start = 0;
        self.end = received.saturating_sub(wanted);
        Ok(received.min(wanted))
    }
}

impl Drop for Inbox<'_> {
    fn drop(&mut self) {
        self.resource.link.gather(false);
    }
}
