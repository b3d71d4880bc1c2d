// SPDX-License-Identifier: GPL-2.0

//! Socket addresses of a connection's two ends, as netlink carries them: a `sockaddr`.

use super::AttrSink;

/// Family number of IPv4.
const AF_INET: u16 = 2;
/// Family number of IPv6.
const AF_INET6: u16 = 10;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetAddress {
    /// IPv4.
    V4 {
        /// Address, in the order it is written.
        addr: [u8; 4],
        /// Port.
        port: u16,
    },
    /// IPv6.
    V6 {
        /// Address, in the order it is written.
        addr: [u8; 16],
        /// Port.
        port: u16,
        /// Flow label; 0 as a rule.
        flowinfo: u32,
        /// Interface of a link-local address; 0 otherwise.
        scope_id: u32,
    },
}

impl NetAddress {
    /// Size of the longer form, in bytes.
    pub const MAX_LEN: usize = 28;

    /// Reads a `sockaddr_in` or `sockaddr_in6`; `None` for other families and short bytes.
    pub fn from_sockaddr(bytes: &[u8]) -> Option<Self> {
        let (family, rest) = bytes.split_first_chunk::<2>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let port = u16::from_be_bytes(*port);
        match u16::from_ne_bytes(*family) {
            AF_INET => {
                let (addr, _) = rest.split_first_chunk::<4>()?;
                Some(NetAddress::V4 { addr: *addr, port })
            }
            AF_INET6 => {
                let (flowinfo, rest) = rest.split_first_chunk::<4>()?;
                let (addr, rest) = rest.split_first_chunk::<16>()?;
                let (scope_id, _) = rest.split_first_chunk::<4>()?;
                Some(NetAddress::V6 {
                    addr: *addr,
                    port,
                    flowinfo: u32::from_be_bytes(*flowinfo),
                    scope_id: u32::from_ne_bytes(*scope_id),
                })
            }
            _ => None,
        }
    }

    /// The bytes of a `sockaddr_in` (16) or `sockaddr_in6` (28), and how many they are.
    pub fn to_sockaddr(self) -> ([u8; Self::MAX_LEN], usize) {
        let mut out = [0_u8; Self::MAX_LEN];
        let (family, port, len) = match self {
            NetAddress::V4 { port, .. } => (AF_INET, port, 16),
            NetAddress::V6 { port, .. } => (AF_INET6, port, 28),
        };
        fill(&mut out, 0, &family.to_ne_bytes());
        fill(&mut out, 2, &port.to_be_bytes());
        match self {
            NetAddress::V4 { addr, .. } => fill(&mut out, 4, &addr),
            NetAddress::V6 {
                addr,
                flowinfo,
                scope_id,
                ..
            } => {
                fill(&mut out, 4, &flowinfo.to_be_bytes());
                fill(&mut out, 8, &addr);
                fill(&mut out, 24, &scope_id.to_ne_bytes());
            }
        }
        (out, len)
    }

    /// The port.
    pub fn port(self) -> u16 {
        match self {
            NetAddress::V4 { port, .. } | NetAddress::V6 { port, .. } => port,
        }
    }

    /// Appends this address as attribute `nr`.
    ///
    /// # Errors
    /// What the sink returned.
    pub fn put<S: AttrSink>(self, nr: u16, sink: &mut S) -> Result<(), S::Error> {
        let (bytes, len) = self.to_sockaddr();
        sink.put(nr, bytes.get(..len).unwrap_or(&bytes))
    }
}

/// Copies `from` into `out` at `at`; all callers stay inside.
fn fill(out: &mut [u8], at: usize, from: &[u8]) {
    for (to, byte) in out.iter_mut().skip(at).zip(from) {
        *to = *byte;
    }
}
