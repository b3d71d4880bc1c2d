// SPDX-License-Identifier: GPL-2.0

//! A generic netlink socket with timeouts.

use crate::Error;
use netlink_packet_core::{
    NetlinkDeserializable,
    NetlinkHeader,
    NetlinkMessage,
    NetlinkPayload,
    NetlinkSerializable,
    NLM_F_REQUEST, //
};
use netlink_sys::{
    protocols::NETLINK_GENERIC,
    Socket as RawSocket,
    SocketAddr, //
};
use rustix::event::{
    poll,
    PollFd,
    PollFlags,
    Timespec, //
};
use std::{
    collections::VecDeque,
    io,
    time::{
        Duration,
        Instant, //
    }, //
};

/// Receive buffer, in bytes; as large as `drbdsetup`'s, so that bursts of events fit.
const RECEIVE_BUFFER: i32 = 1 << 20;

/// A socket bound to the kernel.
pub(crate) struct Socket {
    raw: RawSocket,
    sequence: u32,
    /// Messages of the last datagram that were not taken yet.
    pending: VecDeque<Vec<u8>>,
}

impl Socket {
    pub(crate) fn open() -> Result<Self, Error> {
        let mut raw = RawSocket::new(NETLINK_GENERIC)?;
        raw.bind_auto()?;
        raw.connect(&SocketAddr::new(0, 0))?;
        raw.set_rx_buf_sz(RECEIVE_BUFFER)?;
        Ok(Self {
            raw,
            sequence: 0,
            pending: VecDeque::new(),
        })
    }

    pub(crate) fn join(&self, group: u32) -> Result<(), Error> {
        Ok(self.raw.add_membership(group)?)
    }

    /// Sends a message and returns its sequence number.
    pub(crate) fn send<M>(&mut self, message: M, flags: u16) -> Result<u32, Error>
    where
        M: NetlinkSerializable,
    {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        self.raw.send(&bytes, 0)?;
        Ok(self.sequence)
    }

    /// Takes the next message, of whatever kind.
    pub(crate) fn receive<M>(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<NetlinkMessage<M>, Error>
    where
        M: NetlinkDeserializable,
    {
        loop {
            if let Some(bytes) = self.pending.pop_front() {
                return NetlinkMessage::deserialize(&bytes)
                    .map_err(|error| Error::Malformed(error.to_string()));
            }
            self.wait(deadline)?;
            let (datagram, _) = match self.raw.recv_from_full() {
                Ok(datagram) => datagram,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // ENOBUFS: the kernel dropped messages.
                Err(error) if error.raw_os_error() == Some(105) => return Err(Error::Overrun),
                Err(error) => return Err(error.into()),
            };
            self.pending = split(&datagram)?;
        }
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<(), Error> {
        loop {
            let left = match deadline {
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    Some(timespec(left))
                }
                None => None,
            };
            let mut fds = [PollFd::new(&self.raw, PollFlags::IN)];
            match poll(&mut fds, left.as_ref()) {
                Ok(0) => return Err(Error::Timeout),
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(Error::Socket(error.into())),
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// Splits a datagram into its messages.
fn split(datagram: &[u8]) -> Result<VecDeque<Vec<u8>>, Error> {
    let mut messages = VecDeque::new();
    let mut rest = datagram;
    while let Some((len, _)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_ne_bytes(*len)).unwrap_or(usize::MAX);
        let message = rest
            .get(..len)
            .filter(|message| message.len() >= 16)
            .ok_or_else(|| Error::Malformed("message is longer than its datagram".into()))?;
        messages.push_back(message.to_vec());
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(messages)
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
