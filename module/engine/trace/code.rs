// SPDX-License-Identifier: GPL-2.0

//! Arguments of events as bytes, and back.
//!
//! The tables below name every field and every variant, so that a new one is an error of the
//! compiler until it is written down too. Numbers are big-endian; an enum is one byte and its
//! fields.

use crate::engine::bytes::{
    Reader,
    Writer, //
};
use crate::engine::ids::{
    Extent,
    Instant,
    PeerTicket,
    Ticket, //
};
use crate::engine::options::ReadBalancing;
use crate::engine::volume::{
    AckKind,
    Conflicts,
    Congestion,
    DiscardLimits,
    Drain,
    Lead,
    Limit,
    LocalUse,
    MirrorUse,
    Operation,
    Policy,
    ReadFor,
    RequestLimits,
    ResyncLimits,
    ResyncUse,
    VerifyRange,
    VerifySide,
    WantedAck,
    WriteFlags,
    WritePlace, //
};

use super::Written;

/// A value that can be an argument of a recorded event.
pub trait Code: Sized {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// There is no room.
    fn put(&self, w: &mut Writer<'_>) -> Written;

    /// Reads it; `None` if it is garbled.
    fn get(r: &mut Reader<'_>) -> Option<Self>;
}

macro_rules! code_integers {
    ($($int:ident)*) => {$(
        impl Code for $int {
            fn put(&self, w: &mut Writer<'_>) -> Written {
                w.bytes(&self.to_be_bytes())
            }

            fn get(r: &mut Reader<'_>) -> Option<Self> {
                r.array().ok().map(Self::from_be_bytes)
            }
        }
    )*};
}

code_integers!(u8 u16 u32 u64 i32);

impl Code for usize {
    fn put(&self, w: &mut Writer<'_>) -> Written {
        // No machine of ours has more than 64 bits.
        w.u64(*self as u64)
    }

    fn get(r: &mut Reader<'_>) -> Option<Self> {
        usize::try_from(r.u64().ok()?).ok()
    }
}

impl Code for bool {
    fn put(&self, w: &mut Writer<'_>) -> Written {
        w.u8(u8::from(*self))
    }

    fn get(r: &mut Reader<'_>) -> Option<Self> {
        match r.u8().ok()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<T: Code> Code for Option<T> {
    fn put(&self, w: &mut Writer<'_>) -> Written {
        self.is_some().put(w)?;
        self.as_ref().map_or(Ok(()), |value| value.put(w))
    }

    fn get(r: &mut Reader<'_>) -> Option<Self> {
        Some(if bool::get(r)? {
            Some(T::get(r)?)
        } else {
            None
        })
    }
}

impl<T: Code, E: Code> Code for Result<T, E> {
    fn put(&self, w: &mut Writer<'_>) -> Written {
        self.is_ok().put(w)?;
        match self {
            Ok(value) => value.put(w),
            Err(error) => error.put(w),
        }
    }

    fn get(r: &mut Reader<'_>) -> Option<Self> {
        Some(if bool::get(r)? {
            Ok(T::get(r)?)
        } else {
            Err(E::get(r)?)
        })
    }
}

impl<T: Code + Default + Copy, const N: usize> Code for [T; N] {
    fn put(&self, w: &mut Writer<'_>) -> Written {
        self.iter().try_for_each(|value| value.put(w))
    }

    fn get(r: &mut Reader<'_>) -> Option<Self> {
        let mut array = [T::default(); N];
        for value in &mut array {
            *value = T::get(r)?;
        }
        Some(array)
    }
}

/// Structs with all their fields.
macro_rules! code_structs {
    ($( $name:ident { $($field:ident),* $(,)? } )*) => {$(
        impl $crate::engine::trace::Code for $name {
            fn put(
                &self,
                w: &mut $crate::engine::bytes::Writer<'_>,
            ) -> $crate::engine::trace::Written {
                let Self { $($field),* } = self;
                $($field.put(w)?;)*
                Ok(())
            }

            fn get(r: &mut $crate::engine::bytes::Reader<'_>) -> Option<Self> {
                $(let $field = $crate::engine::trace::Code::get(r)?;)*
                Some(Self { $($field),* })
            }
        }
    )*};
}
pub(super) use code_structs;

/// Structs around one value.
macro_rules! code_newtypes {
    ($($name:ident)*) => {$(
        impl $crate::engine::trace::Code for $name {
            fn put(
                &self,
                w: &mut $crate::engine::bytes::Writer<'_>,
            ) -> $crate::engine::trace::Written {
                self.0.put(w)
            }

            fn get(r: &mut $crate::engine::bytes::Reader<'_>) -> Option<Self> {
                $crate::engine::trace::Code::get(r).map(Self)
            }
        }
    )*};
}
pub(super) use code_newtypes;

/// Enums with all their variants, numbered, and all their fields.
macro_rules! code_enums {
    ($(
        $name:ident {
            $( $nr:literal $variant:ident $(($($item:ident),*))? $({ $($field:ident),* })? ,)*
        }
    )*) => {$(
        impl $crate::engine::trace::Code for $name {
            fn put(
                &self,
                w: &mut $crate::engine::bytes::Writer<'_>,
            ) -> $crate::engine::trace::Written {
                match self {
                    $(
                        Self::$variant $(($($item),*))? $({ $($field),* })? => {
                            w.u8($nr)?;
                            $($($item.put(w)?;)*)?
                            $($($field.put(w)?;)*)?
                        }
                    )*
                }
                Ok(())
            }

            fn get(r: &mut $crate::engine::bytes::Reader<'_>) -> Option<Self> {
                match r.u8().ok()? {
                    $(
                        $nr => {
                            $($(let $item = $crate::engine::trace::Code::get(r)?;)*)?
                            $($(let $field = $crate::engine::trace::Code::get(r)?;)*)?
                            Some(Self::$variant $(($($item),*))? $({ $($field),* })?)
                        }
                    )*
                    _ => None,
                }
            }
        }
    )*};
}
pub(super) use code_enums;

code_newtypes!(Instant);

code_structs! {
    Extent { sector, bytes }
    Ticket { index, generation }
    PeerTicket { index }
    WriteFlags { fua, preflush, sync }
    WritePlace { epoch, sequence }
    ResyncLimits {
        in_flight, request_bytes, thin_bytes, rate, plan_ahead, fill_target, delay_target,
        max_rate, min_rate,
    }
    VerifyRange { start, stop }
    Policy {
        local, mirror, resync, peer_readable, hold, primary, log, only_disk, peer_writes,
        good_data, meeting, ack, tells_ack, peer_log, conflicts, drain, balancing, disk_timeout_ms,
        peer_timeout_ms, abandon, keep_failed, congestion, lead, discards, takes,
    }
    Congestion { fill, extents }
    RequestLimits { write, discard, zeroes }
    DiscardLimits { most, granularity, alignment }
}

code_enums! {
    Operation {
        0 Write,
        1 Discard,
        2 Zeroes { unmap },
        3 Flush,
        4 Read,
    }
    WantedAck {
        0 None,
        1 Received,
        2 Written,
    }
    ReadFor {
        0 Application,
        1 Resync,
        2 Verify,
        3 ResyncCheck,
        4 ResyncThin,
    }
    VerifySide {
        0 Source,
        1 Target,
    }
    LocalUse {
        0 None,
        1 WriteMostly,
        3 WriteOnly,
        2 Full,
    }
    MirrorUse {
        0 Mark,
        1 MarkAndTell,
        2 Send,
    }
    ResyncUse {
        0 None,
        1 Source,
        2 Target,
    }
    Lead {
        0 None,
        1 Ahead,
        2 Behind,
    }
    Limit {
        0 Fill,
        1 Extents,
    }
    Drain {
        0 None,
        1 Own,
        2 Peer,
    }
    ReadBalancing {
        0 PreferLocal,
        1 PreferRemote,
        2 RoundRobin,
        3 LeastPending,
        4 WhenCongestedRemote,
        5 Striping32K,
        6 Striping64K,
        7 Striping128K,
        8 Striping256K,
        9 Striping512K,
        10 Striping1M,
    }
    Conflicts {
        0 None,
        1 Decides,
        2 PeerDecides,
    }
    AckKind {
        0 Write,
        1 Received,
        2 ResyncWrite,
        3 ResyncEqual,
        4 Negative,
        5 NegativeRead,
        6 NegativeResyncRead,
        7 VerifyEqual,
        8 VerifyDifferent,
        9 Superseded,
        10 Retry,
        11 ResyncCancelled,
    }
}
