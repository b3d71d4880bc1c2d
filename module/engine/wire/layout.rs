// SPDX-License-Identifier: GPL-2.0

//! Fixed packet layouts from one table: struct, `parse`, `emit` and length.

use crate::engine::bytes::{
    BytesError,
    Reader,
    Writer, //
};

/// A value with a fixed place and size in a packet.
pub(super) trait WireField: Copy {
    /// Size on the wire in bytes.
    const LEN: usize;
    /// Takes the value off the front of the reader.
    fn get(r: &mut Reader<'_>) -> Result<Self, BytesError>;
    /// Appends the value.
    fn put(self, w: &mut Writer<'_>) -> Result<(), BytesError>;
}

macro_rules! integer_fields {
    ($( $ty:ident )*) => {
        $(
            impl WireField for $ty {
                const LEN: usize = core::mem::size_of::<$ty>();

                fn get(r: &mut Reader<'_>) -> Result<Self, BytesError> {
                    r.$ty()
                }

                fn put(self, w: &mut Writer<'_>) -> Result<(), BytesError> {
                    w.$ty(self)
                }
            }
        )*
    };
}

integer_fields!(u8 u16 u32 u64);

impl WireField for i32 {
    const LEN: usize = 4;

    fn get(r: &mut Reader<'_>) -> Result<Self, BytesError> {
        r.array().map(Self::from_be_bytes)
    }

    fn put(self, w: &mut Writer<'_>) -> Result<(), BytesError> {
        w.bytes(&self.to_be_bytes())
    }
}

/// Makes a newtype around an unsigned integer a packet field.
macro_rules! newtype_field {
    ($ty:ident($inner:ty)) => {
        impl $crate::engine::wire::layout::WireField for $ty {
            const LEN: usize = <$inner as $crate::engine::wire::layout::WireField>::LEN;

            fn get(
                r: &mut $crate::engine::bytes::Reader<'_>,
            ) -> Result<Self, $crate::engine::bytes::BytesError> {
                <$inner as $crate::engine::wire::layout::WireField>::get(r).map(Self)
            }

            fn put(
                self,
                w: &mut $crate::engine::bytes::Writer<'_>,
            ) -> Result<(), $crate::engine::bytes::BytesError> {
                $crate::engine::wire::layout::WireField::put(self.0, w)
            }
        }
    };
}
pub(super) use newtype_field;

/// Defines a packet payload of fixed size, `pad` zero bytes at its end included.
///
/// Padding is written as zeroes and not looked at when read.
macro_rules! fixed_packet {
    (
        $(#[$attr:meta])*
        pub struct $name:ident, pad $pad:literal {
            $( $(#[$fattr:meta])* pub $field:ident : $fty:ty, )*
        }
    ) => {
        $(#[$attr])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$fattr])* pub $field: $fty, )*
        }

        impl $name {
            /// Length in bytes.
            pub const LEN: usize =
                $pad $( + <$fty as $crate::engine::wire::layout::WireField>::LEN )*;

            /// Reads the payload of a packet `command`; it must be `LEN` bytes long.
            pub fn parse(
                command: $crate::engine::wire::Command,
                payload: &[u8],
            ) -> Result<Self, $crate::engine::wire::WireError> {
                use $crate::engine::wire::{
                    layout::WireField,
                    WireError,
                    WireReason, //
                };
                if payload.len() > Self::LEN {
                    return Err(WireError::new(command, WireReason::TooLong));
                }
                let error = WireError::of(command);
                let mut r = $crate::engine::bytes::Reader::new(payload);
                let packet = Self {
                    $( $field: <$fty as WireField>::get(&mut r).map_err(&error)?, )*
                };
                r.skip($pad).map_err(&error)?;
                Ok(packet)
            }

            /// Writes the payload of a packet `command` to the start of `out`; returns `LEN`.
            pub fn emit(
                &self,
                command: $crate::engine::wire::Command,
                out: &mut [u8],
            ) -> Result<usize, $crate::engine::wire::WireError> {
                let error = $crate::engine::wire::WireError::of(command);
                let mut w = $crate::engine::bytes::Writer::new(out);
                $(
                    $crate::engine::wire::layout::WireField::put(self.$field, &mut w)
                        .map_err(&error)?;
                )*
                w.zeros($pad).map_err(&error)?;
                Ok(w.len())
            }

            /// Returns the length in bytes.
            pub const fn encoded_len(&self) -> usize {
                Self::LEN
            }
        }
    };
}
pub(super) use fixed_packet;
