// SPDX-License-Identifier: GPL-2.0

//! Requests: a command with its header and attribute blocks.

use crate::message::Message;
use std::convert::Infallible;
use tandem_engine::control::{
    AttrBlock,
    AttrSink,
    CfgContext,
    Command,
    GenlHeader,
    FLAG_SET_DEFAULTS,
    NLA_F_NESTED,
    NLA_HDRLEN,
    NO_MINOR, //
};

/// Bit 14 of an attribute's type, "mandatory": `drbdsetup` 8.4 sets it on nearly all it sends, so
/// that old modules refuse what they do not know. Modules of today ignore it.
const MANDATORY: u16 = 1 << 14;

/// A run of attributes in memory, as `drbdsetup` 8.4 would send them.
///
/// A payload must fit into a netlink attribute (65,531 bytes); a longer one is cut, but all that
/// the family has is far below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttrBuffer {
    bytes: Vec<u8>,
}

impl AttrBuffer {
    /// The attributes' bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there are no attributes.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes attributes without the bit for mandatory ones: the three of an attach that are no
    /// options.
    pub fn plain(&mut self) -> PlainAttrs<'_> {
        PlainAttrs(self)
    }

    fn put_raw(&mut self, nr_and_flags: u16, payload: &[u8]) {
        let len = u16::try_from(NLA_HDRLEN + payload.len()).unwrap_or(u16::MAX);
        let payload_len = usize::from(len).saturating_sub(NLA_HDRLEN);
        self.bytes.extend(len.to_ne_bytes());
        self.bytes.extend(nr_and_flags.to_ne_bytes());
        self.bytes.extend(payload.iter().take(payload_len));
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

impl AttrSink for AttrBuffer {
    type Error = Infallible;

    fn put(&mut self, nr: u16, bytes: &[u8]) -> Result<(), Infallible> {
        self.put_raw(nr | MANDATORY, bytes);
        Ok(())
    }
}

/// Takes attributes without the bit for mandatory ones.
#[derive(Debug)]
pub struct PlainAttrs<'a>(&'a mut AttrBuffer);

impl AttrSink for PlainAttrs<'_> {
    type Error = Infallible;

    fn put(&mut self, nr: u16, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.put_raw(nr, bytes);
        Ok(())
    }
}

/// A request to the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    command: Command,
    header: GenlHeader,
    attrs: AttrBuffer,
}

impl Request {
    /// A request that is not about a minor.
    pub fn new(command: Command) -> Self {
        Self::for_minor(command, NO_MINOR)
    }

    /// A request about `minor`.
    pub fn for_minor(command: Command, minor: u32) -> Self {
        Self {
            command,
            header: GenlHeader::request(minor, 0),
            attrs: AttrBuffer::default(),
        }
    }

    /// The same request, to start from the default options.
    #[must_use]
    pub fn set_defaults(mut self, yes: bool) -> Self {
        if yes {
            self.header.flags |= FLAG_SET_DEFAULTS;
        }
        self
    }

    /// The same request with a block.
    #[must_use]
    pub fn with<B: AttrBlock>(self, block: &B) -> Self {
        let mut attrs = AttrBuffer::default();
        match block.emit(&mut attrs, true) {
            Ok(()) => self.with_attrs(B::NR, &attrs),
            Err(never) => match never {},
        }
    }

    /// The same request with a block of single attributes; for options, where only those are sent
    /// that were given. A block without attributes is not sent.
    #[must_use]
    pub fn with_attrs(mut self, block: u16, attrs: &AttrBuffer) -> Self {
        if !attrs.is_empty() {
            self.attrs.put_raw(block | NLA_F_NESTED, attrs.as_bytes());
        }
        self
    }

    /// The same request, addressed. The name comes first, as `drbdsetup` has it.
    #[must_use]
    pub fn context(self, context: &CfgContext) -> Self {
        let mut attrs = AttrBuffer::default();
        let volume = CfgContext {
            ctx_volume: context.ctx_volume,
            ..CfgContext::default()
        };
        let name = CfgContext {
            ctx_resource_name: context.ctx_resource_name,
            ..CfgContext::default()
        };
        let ends = CfgContext {
            ctx_volume: None,
            ctx_resource_name: None,
            ..context.clone()
        };
        for part in [name, volume, ends] {
            match part.emit(&mut attrs, true) {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
        self.with_attrs(CfgContext::NR, &attrs)
    }

    /// The command.
    pub fn command(&self) -> Command {
        self.command
    }

    /// The minor it is about, or `NO_MINOR`.
    pub fn minor(&self) -> u32 {
        self.header.minor
    }

    /// DRBD's header and the attributes: what follows the generic netlink header.
    pub fn body(&self) -> Vec<u8> {
        let mut bytes = self.header.to_bytes().to_vec();
        bytes.extend(self.attrs.as_bytes());
        bytes
    }

    pub(crate) fn message(&self) -> Message {
        Message {
            command: self.command.number(),
            header: self.header,
            attrs: self.attrs.bytes.clone(),
        }
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
