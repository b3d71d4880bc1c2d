// SPDX-License-Identifier: GPL-2.0

//! Packets on their way out, and the bytes that come in taken apart.

use tandem_engine::wire::{Command, Header, WireError};

/// Longest payload that the module may send: blocks, their digest and a sub-header.
const LONGEST: u32 = (1 << 20) + 128;

/// Which of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    /// Requests, data, barriers, states.
    Data,
    /// Acknowledgements and pings.
    Meta,
}

impl Socket {
    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Socket::Data => Socket::Meta,
            Socket::Meta => Socket::Data,
        }
    }
}

/// A packet that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Where it goes.
    pub(crate) socket: Socket,
    /// The volume in its header.
    pub(crate) volume: u16,
    /// What it is; any number.
    pub(crate) command: u16,
    /// What follows the header.
    pub(crate) payload: Vec<u8>,
    /// The length that the header tells, if that is a lie.
    pub(crate) told: Option<u32>,
}

impl Packet {
    /// A packet of the data socket.
    pub(crate) fn data(volume: u16, command: Command, payload: Vec<u8>) -> Self {
        Self {
            socket: Socket::Data,
            volume,
            command: command.number(),
            payload,
            told: None,
        }
    }

    /// A packet of the meta socket.
    pub(crate) fn meta(volume: u16, command: Command, payload: Vec<u8>) -> Self {
        Self {
            socket: Socket::Meta,
            ..Self::data(volume, command, payload)
        }
    }

    /// Header and payload, as protocol `version` has them.
    pub(crate) fn bytes(&self, version: u32) -> Vec<u8> {
        let mut header = Header {
            volume: self.volume,
            command: Command::from_u16(self.command),
            length: self.told.unwrap_or(self.payload.len() as u32),
        };
        let mut head = [0; Header::MAX_LEN];
        let len = header.emit(&mut head, version).unwrap_or_else(|_| {
            // The header has no room for such a length, so it tells another one.
            header.length &= 0xffff;
            header.emit(&mut head, version).unwrap_or(0)
        });
        let mut bytes = head[..len].to_vec();
        bytes.extend(&self.payload);
        bytes
    }
}

/// The payload that a codec of the engine writes.
pub(crate) fn payload(emit: impl FnOnce(&mut [u8]) -> Result<usize, WireError>) -> Vec<u8> {
    let mut out = vec![0; 512];
    let len = emit(&mut out).unwrap_or(0);
    out.truncate(len);
    out
}

/// A packet that came.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    /// The volume in its header.
    pub(crate) volume: u16,
    /// What it is.
    pub(crate) command: Command,
    /// What followed the header.
    pub(crate) payload: Vec<u8>,
}

/// Takes the first packet off the bytes that came, if it is complete.
///
/// Errors: what came is no packet of that version, which the module must never send.
pub(crate) fn take(
    socket: Socket,
    came: &mut Vec<u8>,
    version: u32,
) -> Result<Option<Incoming>, String> {
    let head = Header::encoded_len(version);
    if came.len() < head {
        return Ok(None);
    }
    let header = Header::parse(came, version)
        .map_err(|error| format!("{} on {socket:?} in version {version}", error.as_str()))?;
    if header.length > LONGEST {
        return Err(format!(
            "a {} of {} bytes",
            header.command.as_str(),
            header.length
        ));
    }
    let end = head + header.length as usize;
    if came.len() < end {
        return Ok(None);
    }
    let payload = came[head..end].to_vec();
    came.drain(..end);
    Ok(Some(Incoming {
        volume: header.volume,
        command: header.command,
        payload,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_taken_when_it_is_complete() {
        for version in [80, 90, 95, 101] {
            let sent = Packet::data(0, Command::Barrier, vec![1, 2, 3, 4, 0, 0, 0, 0]);
            let bytes = sent.bytes(version);
            let mut came = bytes[..bytes.len() - 1].to_vec();
            assert!(take(Socket::Data, &mut came, version).unwrap().is_none());
            came.push(0);
            let got = take(Socket::Data, &mut came, version).unwrap().unwrap();
            assert_eq!((got.command, got.payload), (Command::Barrier, sent.payload));
            assert!(came.is_empty());
        }
    }

    #[test]
    fn garbage_of_the_module_is_told() {
        let mut came = vec![0xee; 64];
        assert!(take(Socket::Meta, &mut came, 101).is_err());
    }
}
