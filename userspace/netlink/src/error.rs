// SPDX-License-Identifier: GPL-2.0

//! What can go wrong between the tool and the kernel.

use std::{
    fmt,
    io, //
};
use tandem_engine::control::RetCode;

/// The kernel understood a request and refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its reply code.
    pub code: RetCode,
    /// Its words, if it had any.
    pub info: Vec<String>,
}

/// Why there is no good reply.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The family is not registered: no module is loaded.
    NoFamily,
    /// The family has another version or header size.
    WrongFamily {
        /// Version that the kernel announced.
        version: u32,
        /// Header size that the kernel announced, in bytes.
        header_size: u32,
    },
    /// The kernel refused the request for a reason of DRBD.
    Refused(Refusal),
    /// The kernel refused the message itself, or the right to send it.
    Rejected(io::Error),
    /// Nothing came in time.
    Timeout,
    /// The socket failed.
    Socket(io::Error),
    /// Events were lost: the socket's buffer was full.
    Overrun,
    /// A message from the kernel makes no sense.
    Malformed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoFamily => f.write_str("the kernel has no generic netlink family 'drbd'"),
            Error::WrongFamily {
                version,
                header_size,
            } => write!(
                f,
                "the kernel's family 'drbd' has version {version} and header size {header_size}, \
                 where 1 and 8 are needed"
            ),
            Error::Refused(refusal) => {
                write!(f, "({}) {}", refusal.code.0, refusal.code.text())
            }
            Error::Rejected(error) => write!(f, "the kernel rejected the message: {error}"),
            Error::Timeout => f.write_str("no reply from the kernel in time"),
            Error::Socket(error) => write!(f, "netlink socket: {error}"),
            Error::Overrun => f.write_str("the kernel sent events faster than they were read"),
            Error::Malformed(what) => write!(f, "malformed message from the kernel: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Rejected(error) | Error::Socket(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Socket(error)
    }
}
