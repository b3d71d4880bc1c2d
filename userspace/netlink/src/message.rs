// SPDX-License-Identifier: GPL-2.0

//! A message of the family, as netlink-packet-generic frames it.

use netlink_packet_core::{
    DecodeError,
    Emitable,
    ParseableParametrized, //
};
use netlink_packet_generic::{
    GenlFamily,
    GenlHeader as PacketHeader, //
};
use tandem_engine::control::{
    GenlHeader,
    FAMILY_NAME,
    FAMILY_VERSION,
    GENL_HEADER_LEN, //
};

/// DRBD's header and attributes, for one command number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Command number.
    pub(crate) command: u8,
    /// Minor, and flags or reply code.
    pub(crate) header: GenlHeader,
    /// All attributes, as they stand in the message.
    pub(crate) attrs: Vec<u8>,
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        FAMILY_NAME
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        FAMILY_VERSION
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        GENL_HEADER_LEN + self.attrs.len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        let bytes = self
            .header
            .to_bytes()
            .into_iter()
            .chain(self.attrs.iter().copied());
        for (to, byte) in buffer.iter_mut().zip(bytes) {
            *to = byte;
        }
    }
}

impl ParseableParametrized<[u8], PacketHeader> for Message {
    fn parse_with_param(bytes: &[u8], packet: PacketHeader) -> Result<Self, DecodeError> {
        let (header, attrs) = GenlHeader::split(bytes)
            .ok_or_else(|| DecodeError::from("no room for the family's header"))?;
        Ok(Self {
            command: packet.cmd,
            header,
            attrs: attrs.to_vec(),
        })
    }
}
