// SPDX-License-Identifier: GPL-2.0

//! Netlink attributes: taking a run of them apart, and putting single values into a sink.
//!
//! An attribute is a header of two native-endian `u16` (length with header, type) and a payload,
//! padded to four bytes. Bits 14 and 15 of the type are flags; old tools set bit 14 on anything
//! ("mandatory"), new ones bit 15 on nested attributes, and both are accepted everywhere.

use crate::engine::options::{
    FixedBytes,
    FixedStr, //
};

/// Bit 15 of an attribute's type: the payload is a run of attributes.
pub const NLA_F_NESTED: u16 = 1 << 15;
/// The part of an attribute's type that is its number; the two flag bits are left out.
pub const NLA_TYPE_MASK: u16 = 0x3fff;
/// Size of an attribute's header, in bytes.
pub const NLA_HDRLEN: usize = 4;

/// Takes attributes: the kernel driver writes into a socket buffer, the tool into a vector.
///
/// Values arrive in native byte order, strings with their terminating zero.
pub trait AttrSink {
    /// Why an attribute could not be taken, such as a full buffer.
    type Error;

    /// Appends one attribute with number `nr` (without flag bits) and payload `bytes`.
    fn put(&mut self, nr: u16, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// What is wrong with an attribute that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrError {
    /// An attribute's length field points past the end, or is shorter than its own header.
    Truncated,
    /// The payload of this attribute has a length that its type cannot have.
    BadLength(&'static str),
    /// The value of this attribute is outside of its range, or no value of its list.
    BadValue(&'static str),
    /// This attribute is required and absent.
    Missing(&'static str),
    /// An attribute of this number does not exist in its block.
    Unknown(u16),
}

impl AttrError {
    /// What is wrong, in a few words, for the information text of a reply.
    pub fn as_str(self) -> &'static str {
        match self {
            AttrError::Truncated => "truncated attribute",
            AttrError::BadLength(_) => "attribute has a wrong length",
            AttrError::BadValue(_) => "attribute out of range",
            AttrError::Missing(_) => "required attribute missing",
            AttrError::Unknown(_) => "unknown attribute",
        }
    }

    /// Name of the attribute, where it is known.
    pub fn attribute(self) -> Option<&'static str> {
        match self {
            AttrError::BadLength(name) | AttrError::BadValue(name) | AttrError::Missing(name) => {
                Some(name)
            }
            AttrError::Truncated | AttrError::Unknown(_) => None,
        }
    }
}

/// Walks over a run of attributes. Ends after the first malformed one, which it reports.
#[derive(Clone, Debug)]
pub struct AttrIter<'a> {
    rest: &'a [u8],
}

impl<'a> AttrIter<'a> {
    /// Walks over `bytes`: the payload of a nested attribute, or of a message after its headers.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn split(&mut self) -> Option<(u16, &'a [u8])> {
        let (len, tail) = self.rest.split_first_chunk::<2>()?;
        let (nr, _) = tail.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_ne_bytes(*len));
        let payload = self.rest.get(NLA_HDRLEN..len)?;
        // The last attribute may come without its padding.
        let padded = len.checked_add(3)? & !3;
        self.rest = self.rest.get(padded..).unwrap_or(&[]);
        Some((u16::from_ne_bytes(*nr) & NLA_TYPE_MASK, payload))
    }
}

impl<'a> Iterator for AttrIter<'a> {
    /// Number without flag bits, and payload.
    type Item = Result<(u16, &'a [u8]), AttrError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.split() {
            Some(attr) => Some(Ok(attr)),
            None => {
                self.rest = &[];
                Some(Err(AttrError::Truncated))
            }
        }
    }
}

/// Wire type of an attribute, as a netlink policy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrType {
    /// One byte; DRBD uses it for booleans.
    U8,
    /// Four bytes, native byte order.
    U32,
    /// Four bytes, native byte order, signed.
    S32,
    /// Eight bytes, native byte order. The payload need not be aligned.
    U64,
    /// Text with a terminating zero; so many bytes at most, without it.
    Text(usize),
    /// Raw bytes; so many at most.
    Bytes(usize),
}

/// A value that one attribute carries.
pub trait AttrValue: Sized {
    /// Its wire type.
    const TYPE: AttrType;

    /// Reads the payload of an attribute; `None` when its length does not fit the type.
    fn decode(payload: &[u8]) -> Option<Self>;

    /// Appends this value as attribute `nr`. An absent value (`None`) appends nothing.
    fn put<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error>;
}

macro_rules! integer_value {
    ($($int:ty => $kind:ident),*) => {$(
        impl AttrValue for $int {
            const TYPE: AttrType = AttrType::$kind;

            fn decode(payload: &[u8]) -> Option<Self> {
                Some(<$int>::from_ne_bytes(payload.try_into().ok()?))
            }

            fn put<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error> {
                sink.put(nr, &self.to_ne_bytes())
            }
        }
    )*};
}

integer_value!(u8 => U8, u32 => U32, i32 => S32, u64 => U64);

impl AttrValue for bool {
    const TYPE: AttrType = AttrType::U8;

    fn decode(payload: &[u8]) -> Option<Self> {
        u8::decode(payload).map(|byte| byte != 0)
    }

    fn put<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error> {
        sink.put(nr, &[u8::from(*self)])
    }
}

impl<const N: usize> AttrValue for FixedStr<N> {
    const TYPE: AttrType = AttrType::Text(N);

    /// Text ends at the first zero or at the end of the payload.
    ///
    /// DRBD's buffers hold `N` bytes and a zero, its policies let one byte more pass, and its
    /// copy cuts that off. The same is done here, so that both ends agree on a secret of 64 bytes.
    fn decode(payload: &[u8]) -> Option<Self> {
        let end = payload.iter().position(|byte| *byte == 0);
        let text = payload.get(..end.unwrap_or(payload.len()))?;
        if text.len() == N.saturating_add(1) {
            return Self::new(text.get(..N)?);
        }
        Self::new(text)
    }

    fn put<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error> {
        // One buffer for all capacities: `N + 1` is no array length in stable Rust.
        let mut buffer = [0_u8; TEXT_BUFFER];
        let text = self.as_bytes();
        let len = text.len().min(TEXT_BUFFER - 1);
        for (to, from) in buffer.iter_mut().zip(text.iter().take(len)) {
            *to = *from;
        }
        sink.put(nr, buffer.get(..=len).unwrap_or(&[]))
    }
}

/// Room for the longest text attribute with its zero: paths and names, of 127 bytes.
const TEXT_BUFFER: usize = 128;

impl<const N: usize> AttrValue for FixedBytes<N> {
    const TYPE: AttrType = AttrType::Bytes(N);

    fn decode(payload: &[u8]) -> Option<Self> {
        Self::new(payload)
    }

    fn put<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error> {
        sink.put(nr, self.as_bytes())
    }
}

impl<V: AttrValue> AttrValue for Option<V> {
    const TYPE: AttrType = V::TYPE;

    fn decode(payload: &[u8]) -> Option<Self> {
        V::decode(payload).map(Some)
    }

    fn put<S: AttrSink>(&self, nr: u16, sink: &mut S) -> Result<(), S::Error> {
        match self {
            Some(value) => value.put(nr, sink),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "attr_tests.rs"]
mod tests;
