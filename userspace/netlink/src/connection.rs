// SPDX-License-Identifier: GPL-2.0

//! Requests with one reply, and dumps.

use crate::{
    message::Message,
    socket::Socket,
    Error,
    Family,
    Reply,
    Request, //
};
use netlink_packet_core::{
    NetlinkPayload,
    NLM_F_DUMP, //
};
use netlink_packet_generic::GenlMessage;
use std::time::{
    Duration,
    Instant, //
};

/// Time for a reply. Long, as the kernel may call a handler before it answers.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(120);

/// An open way to the kernel.
pub struct Connection {
    socket: Socket,
    family: Family,
}

impl Connection {
    /// Opens a socket and looks the family up.
    ///
    /// # Errors
    /// [`Error::NoFamily`] when no module is loaded.
    pub fn open() -> Result<Self, Error> {
        let mut socket = Socket::open()?;
        let family = Family::look_up(&mut socket)?;
        Ok(Self { socket, family })
    }

    /// The family's numbers.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    /// [`Error::Refused`] when the reply code is no success, and all failures of the transport.
    pub fn request(&mut self, request: &Request) -> Result<Reply, Error> {
        let sequence = self.send(request, 0)?;
        match self.next_reply(sequence)? {
            Some(reply) => reply.checked(),
            None => Err(Error::Malformed(
                "end of a dump that was not asked for".into(),
            )),
        }
    }

    /// Sends a request for a dump and returns all its messages.
    ///
    /// # Errors
    /// As [`Connection::request`].
    pub fn dump(&mut self, request: &Request) -> Result<Vec<Reply>, Error> {
        let sequence = self.send(request, NLM_F_DUMP)?;
        let mut replies = Vec::new();
        while let Some(reply) = self.next_reply(sequence)? {
            replies.push(reply);
        }
        Ok(replies)
    }

    fn send(&mut self, request: &Request, flags: u16) -> Result<u32, Error> {
        let mut message = GenlMessage::from_payload(request.message());
        message.set_resolved_family_id(self.family.id);
        self.socket.send(message, flags)
    }

    /// The next message with this sequence number; `None` at the end of a dump.
    fn next_reply(&mut self, sequence: u32) -> Result<Option<Reply>, Error> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        loop {
            let packet = self
                .socket
                .receive::<GenlMessage<Message>>(Some(deadline))?;
            if packet.header.sequence_number != sequence {
                continue;
            }
            return match packet.payload {
                NetlinkPayload::InnerMessage(message) => Ok(Some(Reply::new(message.payload))),
                NetlinkPayload::Done(done) if done.code >= 0 => Ok(None),
                NetlinkPayload::Done(done) => Err(Error::Rejected(
                    std::io::Error::from_raw_os_error(done.code.saturating_neg()),
                )),
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    Err(Error::Rejected(error.to_io()))
                }
                // An acknowledgement, which nobody asked for.
                NetlinkPayload::Error(_) | NetlinkPayload::Noop => continue,
                other => Err(Error::Malformed(format!("{other:?}"))),
            };
        }
    }
}
