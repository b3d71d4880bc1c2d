// SPDX-License-Identifier: GPL-2.0

//! Packets about the state of a volume: state, state changes, UUIDs, sizes.
//!
//! Source: `drbd_protocol.h` (`p_state`, `p_req_state`, `p_req_state_reply`, `p_uuids`,
//! `p_rs_uuid`, `p_sizes`, `o_qlim`), `drbd_main.c` (their senders), `drbd_int.h` (`dds_flags`).

use super::{
    handshake::Features,
    layout::{
        fixed_packet,
        newtype_field, //
    },
    Command,
    WireError,
    WireReason, //
};
use crate::engine::ids::MAX_SECTORS;
use crate::engine::state::StateBits;

newtype_field!(StateBits(u32));

fixed_packet! {
    /// Payload of State (4 bytes).
    ///
    /// ```text
    /// 0 packed state u32
    /// ```
    pub struct StateReport, pad 0 {
        /// The sender's state; unpack with `DeviceState::unpack`.
        pub state: StateBits,
    }
}

fixed_packet! {
    /// Payload of StateChgReq and ConnStChgReq (8 bytes).
    ///
    /// ```text
    /// 0 mask u32   4 value u32
    /// ```
    pub struct StateRequest, pad 0 {
        /// The bits of the fields to change.
        pub mask: StateBits,
        /// Their new values.
        pub value: StateBits,
    }
}

fixed_packet! {
    /// Payload of StateChgReply and ConnStChgReply (4 bytes).
    ///
    /// ```text
    /// 0 result i32
    /// ```
    pub struct StateReply, pad 0 {
        /// A number of `enum drbd_state_rv`; read it with `state::verdict_of`.
        pub retcode: i32,
    }
}

/// Flags that travel with the UUIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UuidFlags(pub u64);

impl UuidFlags {
    /// The sender wants to lose its changes (`discard-my-data`).
    pub const DISCARD_MY_DATA: Self = Self(1);
    /// The sender was Primary when it crashed.
    pub const CRASHED_PRIMARY: Self = Self(2);
    /// The sender's disk becomes Inconsistent.
    pub const INCONSISTENT: Self = Self(4);
    /// Both nodes are just created; skip the first sync.
    pub const SKIP_INITIAL_SYNC: Self = Self(8);

    /// Returns whether all flags of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the flags of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

newtype_field!(UuidFlags(u64));

fixed_packet! {
    /// Payload of Uuids (48 bytes).
    ///
    /// ```text
    /// 0 current u64   8 bitmap u64   16 history u64   24 older history u64   32 bits set u64
    /// 40 flags u64
    /// ```
    pub struct UuidReport, pad 0 {
        /// Generation of the data.
        pub current: u64,
        /// Generation that the bitmap counts from; 0 if the bitmap is not in use.
        pub bitmap: u64,
        /// The generation before.
        pub history0: u64,
        /// The generation before that.
        pub history1: u64,
        /// Number of set bits in the sender's bitmap.
        pub bits_set: u64,
        /// Flags.
        pub flags: UuidFlags,
    }
}

fixed_packet! {
    /// Payload of SyncUuid (8 bytes).
    ///
    /// ```text
    /// 0 uuid u64
    /// ```
    pub struct SyncUuid, pad 0 {
        /// The UUID that the target takes as its current one.
        pub uuid: u64,
    }
}

/// Flags of a size report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SizeFlags(pub u16);

impl SizeFlags {
    /// Resize although the peer may have less room.
    pub const FORCED: Self = Self(1);
    /// Do not resync the new space.
    pub const NO_RESYNC: Self = Self(2);

    /// Returns whether all flags of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

newtype_field!(SizeFlags(u16));

fixed_packet! {
    /// First part of Sizes (32 bytes), all that there is without `Features::WSAME`.
    ///
    /// ```text
    /// 0 disk u64   8 user u64   16 current u64   24 largest bio u32   28 order u16   30 flags u16
    /// ```
    pub struct SizeNumbers, pad 0 {
        /// Largest size that the sender's disk allows, in sectors; 0 if it has none.
        pub disk_size: u64,
        /// Size that the user configured, in sectors; 0 if none.
        pub user_size: u64,
        /// Size of the sender's device now, in sectors; 0 asks for an answer.
        pub current_size: u64,
        /// Largest write that the sender can take, in bytes.
        pub max_bio_size: u32,
        /// Not in use; 0.
        pub queue_order_type: u16,
        /// Flags.
        pub flags: SizeFlags,
    }
}

fixed_packet! {
    /// Second part of Sizes (24 bytes), with `Features::WSAME`.
    ///
    /// ```text
    /// 0 physical block u32   4 logical block u32   8 alignment u32   12 smallest I/O u32
    /// 16 best I/O u32   20 discard u8   21 discard zeroes u8   22 write-same u8   23 unused u8
    /// ```
    pub struct QueueLimits, pad 1 {
        /// Physical block size in bytes.
        pub physical_block_size: u32,
        /// Logical block size in bytes.
        pub logical_block_size: u32,
        /// Alignment offset in bytes.
        pub alignment_offset: u32,
        /// Smallest preferred I/O in bytes.
        pub io_min: u32,
        /// Best I/O size in bytes.
        pub io_opt: u32,
        /// 1 if the disk can discard.
        pub discard_enabled: u8,
        /// Not in use; 0.
        pub discard_zeroes_data: u8,
        /// Not in use; 0.
        pub write_same_capable: u8,
    }
}

/// Payload of Sizes (32 or 56 bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeReport {
    /// Sizes.
    pub sizes: SizeNumbers,
    /// Queue limits; there if and only if `Features::WSAME` is agreed.
    pub limits: Option<QueueLimits>,
}

impl SizeReport {
    /// Reads the payload; its length must fit the agreed `features`.
    ///
    /// No size is larger than [`MAX_SECTORS`]: a node without a disk takes it as it is.
    pub fn parse(payload: &[u8], features: Features) -> Result<Self, WireError> {
        let command = Command::Sizes;
        let with_limits = features.has(Features::WSAME);
        let (head, tail) = payload
            .split_at_checked(SizeNumbers::LEN)
            .filter(|_| with_limits)
            .unwrap_or((payload, &[]));
        let sizes = SizeNumbers::parse(command, head)?;
        let told = [sizes.disk_size, sizes.user_size, sizes.current_size];
        if told.iter().any(|&size| size > MAX_SECTORS) {
            return Err(WireError::new(command, WireReason::BadValue));
        }
        let limits = with_limits.then(|| QueueLimits::parse(command, tail));
        Ok(Self {
            sizes,
            limits: limits.transpose()?,
        })
    }

    /// Writes the payload to the start of `out`; returns its length.
    pub fn emit(&self, out: &mut [u8]) -> Result<usize, WireError> {
        let len = self.sizes.emit(Command::Sizes, out)?;
        match (&self.limits, out.get_mut(len..)) {
            (Some(limits), Some(rest)) => {
                Ok(len.saturating_add(limits.emit(Command::Sizes, rest)?))
            }
            _ => Ok(len),
        }
    }

    /// Returns the length in bytes.
    pub const fn encoded_len(&self) -> usize {
        match self.limits {
            Some(_) => SizeNumbers::LEN + QueueLimits::LEN,
            None => SizeNumbers::LEN,
        }
    }
}
