// SPDX-License-Identifier: GPL-2.0

//! A netlink socket that sends any bytes, and waits for what must come: an answer.

use anyhow::{ensure, Result};
use netlink_sys::{protocols::NETLINK_GENERIC, Socket as RawSocket, SocketAddr};

/// Types of netlink messages: an error or acknowledgement, and the end of a dump.
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// Length of a netlink header.
const HEADER: usize = 16;

/// What came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The code of the error or acknowledgement, or of a dump's end: 0, or a negative number.
    pub(crate) code: i32,
    /// How many messages came before it.
    pub(crate) messages: usize,
    /// All bytes of them.
    pub(crate) bytes: Vec<u8>,
}

/// The socket.
pub(crate) struct Socket {
    raw: RawSocket,
    sequence: u32,
}

impl Socket {
    /// Opens it.
    pub(crate) fn open() -> Result<Self> {
        let mut raw = RawSocket::new(NETLINK_GENERIC)?;
        raw.bind_auto()?;
        raw.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { raw, sequence: 0 })
    }

    /// Sends what `bytes` makes of a sequence number, and waits for all that is answered.
    pub(crate) fn ask(&mut self, bytes: impl FnOnce(u32) -> Vec<u8>) -> Result<Answer> {
        self.sequence += 1;
        let bytes = bytes(self.sequence);
        self.raw.send(&bytes, 0)?;
        let mut answer = Answer::default();
        loop {
            let (datagram, _) = self.raw.recv_from_full()?;
            let mut rest = datagram.as_slice();
            while !rest.is_empty() {
                let len = word(rest, 0) as usize;
                ensure!(
                    (HEADER..=rest.len()).contains(&len),
                    "a message of {len} bytes came"
                );
                let (message, behind) = rest.split_at(len);
                rest = behind.get(len.next_multiple_of(4) - len..).unwrap_or(&[]);
                if word(message, 8) != self.sequence {
                    continue;
                }
                let kind = word(message, 4) as u16;
                if kind == ERROR || kind == DONE {
                    answer.code = word(message, HEADER) as i32;
                    return Ok(answer);
                }
                answer.messages += 1;
                answer.bytes.extend(message);
            }
        }
    }
}

/// The number at a place; beyond the end there are zeroes.
fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    four.map_or(0, |four| u32::from_ne_bytes(*four))
}
