// SPDX-License-Identifier: GPL-2.0

//! The stream of events on the multicast group.

use crate::{
    connection::Connection,
    message::Message,
    socket::Socket,
    Error,
    Family,
    Reply, //
};
use netlink_packet_core::NetlinkPayload;
use netlink_packet_generic::GenlMessage;
use std::time::Instant;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its message.
    pub reply: Reply,
    /// The kernel's number of it; numbers are without gaps unless events were lost.
    pub sequence: u32,
}

/// A socket that listens to events.
pub struct Events {
    socket: Socket,
}

impl Events {
    /// Starts to listen. What happens from now on is not missed.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub fn listen() -> Result<Self, Error> {
        let family = Connection::open()?.family();
        Self::listen_to(family)
    }

    /// Starts to listen to a family that is known already.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub fn listen_to(family: Family) -> Result<Self, Error> {
        let socket = Socket::open()?;
        socket.join(family.events_group)?;
        Ok(Self { socket })
    }

    /// Waits for the next event; `None` once `deadline` is over.
    ///
    /// # Errors
    /// [`Error::Overrun`] when events were lost (listening goes on), and failures of the socket.
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Option<Event>, Error> {
        loop {
            let packet = match self.socket.receive::<GenlMessage<Message>>(deadline) {
                Err(Error::Timeout) => return Ok(None),
                other => other?,
            };
            if let NetlinkPayload::InnerMessage(message) = packet.payload {
                return Ok(Some(Event {
                    reply: Reply::new(message.payload),
                    sequence: packet.header.sequence_number,
                }));
            }
        }
    }
}
