// SPDX-License-Identifier: GPL-2.0

//! Replies, messages of a dump, and events: header and attribute blocks.

use crate::{
    error::Refusal,
    message::Message,
    Error, //
};
use tandem_engine::control::{
    AttrBlock,
    AttrIter,
    CfgReply,
    Command,
    GenlHeader,
    RetCode, //
};

/// A message from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    command: u8,
    header: GenlHeader,
    attrs: Vec<u8>,
}

impl Reply {
    pub(crate) fn new(message: Message) -> Self {
        Self {
            command: message.command,
            header: message.header,
            attrs: message.attrs,
        }
    }

    /// A reply from bytes: DRBD's header and the attributes.
    pub fn from_body(command: Command, body: &[u8]) -> Option<Self> {
        let (header, attrs) = GenlHeader::split(body)?;
        Some(Self {
            command: command.number(),
            header,
            attrs: attrs.to_vec(),
        })
    }

    /// Its command, if the number is known.
    pub fn command(&self) -> Option<Command> {
        Command::from_number(self.command)
    }

    /// The minor it is about, or `NO_MINOR`.
    pub fn minor(&self) -> u32 {
        self.header.minor
    }

    /// The reply code.
    pub fn code(&self) -> RetCode {
        self.header.ret_code()
    }

    /// Payload of a top-level attribute.
    pub fn attrs(&self, nr: u16) -> Option<&[u8]> {
        AttrIter::new(&self.attrs)
            .filter_map(Result::ok)
            .find(|(candidate, _)| *candidate == nr)
            .map(|(_, payload)| payload)
    }

    /// A block, if it is there.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn block<B: AttrBlock>(&self) -> Result<Option<B>, Error> {
        let malformed = |error| Error::Malformed(format!("block {}: {error:?}", B::NAME));
        self.attrs(B::NR)
            .map(B::parse)
            .transpose()
            .map_err(malformed)
    }

    /// A block that must be there.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn required<B: AttrBlock>(&self) -> Result<B, Error> {
        self.block()?
            .ok_or_else(|| Error::Malformed(format!("block {} is missing", B::NAME)))
    }

    /// The kernel's words; each stands in a block of its own.
    pub fn info(&self) -> Vec<String> {
        let mut info = Vec::new();
        for (nr, payload) in AttrIter::new(&self.attrs).filter_map(Result::ok) {
            if nr != CfgReply::NR {
                continue;
            }
            for (_, text) in AttrIter::new(payload).filter_map(Result::ok) {
                let text = text.split(|byte| *byte == 0).next().unwrap_or(text);
                info.push(String::from_utf8_lossy(text).into_owned());
            }
        }
        info
    }

    /// This reply, or the refusal that it is.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        if self.code().is_success() {
            return Ok(self);
        }
        Err(Error::Refused(Refusal {
            code: self.code(),
            info: self.info(),
        }))
    }
}
