// SPDX-License-Identifier: GPL-2.0

//! What leaves: attribute blocks into messages, and the reply to one request.
#![forbid(unsafe_code)]

use core::fmt::{
    self,
    Write, //
};

use kernel::prelude::*;

use crate::engine::control::{
    AttrBlock,
    AttrSink,
    CfgContext,
    CfgReply,
    GenlHeader,
    RetCode,
    NLA_F_NESTED, //
};
use crate::engine::options::FixedStr;
use crate::sys::genl::{
    Builder,
    Header,
    Message,
    Request,
    MESSAGE_SIZE, //
};

/// Longest text that explains a refusal, in bytes.
const TEXT_MAX: usize = 127;

/// Room beside the context for everything about a device and its connection.
const REPLY_SIZE: usize = MESSAGE_SIZE;

/// Puts single attributes of a block into a message.
struct Sink<'a>(&'a mut Builder);

impl AttrSink for Sink<'_> {
    type Error = Error;

    fn put(&mut self, nr: u16, bytes: &[u8]) -> Result {
        self.0.put(nr, bytes)
    }
}

/// Puts a block into a message; secrets are left empty unless `secrets`.
///
/// Errors: `EMSGSIZE` if there is no room.
pub fn put_block<B: AttrBlock>(to: &mut Builder, block: &B, secrets: bool) -> Result {
    to.nest(B::NR | NLA_F_NESTED, |to| {
        block.emit(&mut Sink(to), secrets)
    })
}

/// What stands in front of a message about `minor`.
pub fn header(minor: u32, code: RetCode) -> Header {
    let header = GenlHeader::reply(minor, code);
    Header {
        minor: header.minor,
        code: header.flags,
    }
}

/// A short text in the making; what is too long is cut off.
struct Text {
    bytes: [u8; TEXT_MAX],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..).unwrap_or(&mut []);
        for (to, from) in room.iter_mut().zip(more.as_bytes()) {
            *to = *from;
            self.len += 1;
        }
        Ok(())
    }
}

/// The reply to a request, in the making.
pub struct Reply<'a> {
    request: &'a Request<'a>,
    message: Message,
}

impl<'a> Reply<'a> {
    /// Starts a reply that tells again what the request was addressed to. May sleep.
    pub fn new(request: &'a Request<'a>, context: Option<&[u8]>) -> Result<Self> {
        let mut message = request.new_reply(REPLY_SIZE)?;
        if let Some(context) = context {
            message.body().put(CfgContext::NR | NLA_F_NESTED, context)?;
        }
        Ok(Self { request, message })
    }

    /// The message, for blocks.
    pub fn body(&mut self) -> &mut Builder {
        self.message.body()
    }

    /// Adds words for the administrator. A reply without room goes without them.
    pub fn say(&mut self, text: &str) {
        self.explain(format_args!("{}", text));
    }

    /// Adds words for the administrator, made from parts.
    pub fn explain(&mut self, text: fmt::Arguments<'_>) {
        let mut buffer = Text {
            bytes: [0; TEXT_MAX],
            len: 0,
        };
        let _ = buffer.write_fmt(text);
        let block = CfgReply {
            info_text: buffer.bytes.get(..buffer.len).and_then(FixedStr::new),
        };
        let _ = put_block(self.body(), &block, true);
    }

    /// Sends it. May sleep.
    pub fn finish(mut self, code: RetCode) -> Result {
        let minor = self.request.header().minor;
        self.body().set_header(header(minor, code));
        self.request.reply(self.message)
    }
}
