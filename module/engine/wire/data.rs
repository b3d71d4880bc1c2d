// SPDX-License-Identifier: GPL-2.0

//! Packets of the data socket that carry or ask for blocks.
//!
//! Sectors are units of 512 bytes, sizes are bytes. After `DataHeader` come the digest, if an
//! integrity algorithm is agreed, and the blocks; after `BlockRequest` in OvReply and
//! CsumRsRequest comes the digest.
//!
//! Source: `drbd_protocol.h` (`p_data`, `p_trim`, `p_block_req`, `p_block_desc`, `p_barrier`,
//! `DP_*`), `drbd_int.h` (`ID_*`).

use super::layout::{
    fixed_packet,
    newtype_field, //
};
use super::{
    Command,
    WireError,
    WireReason, //
};

/// Block id of everything that belongs to resync and verify, not to a request.
pub const ID_SYNCER: u64 = u64::MAX;
/// Block id in OvResult: the blocks are equal.
pub const ID_IN_SYNC: u64 = 4711;
/// Block id in OvResult: the blocks differ.
pub const ID_OUT_OF_SYNC: u64 = 4712;

/// How many of the `follow` bytes behind a sub-header are blocks, after a digest of `digest` bytes.
///
/// Fails if there is no room for the digest.
pub fn blocks_behind_digest(command: Command, follow: u32, digest: u32) -> Result<u32, WireError> {
    let short = WireError::new(command, WireReason::TooShort);
    follow.checked_sub(digest).ok_or(short)
}

/// How a write is to be done, as told to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DataFlags(pub u32);

impl DataFlags {
    /// The submitter waits for it (REQ_SYNC).
    pub const RW_SYNC: Self = Self(2);
    /// The write may clear its bits in the bitmap.
    pub const MAY_SET_IN_SYNC: Self = Self(4);
    /// On stable storage when complete (REQ_FUA).
    pub const FUA: Self = Self(16);
    /// Flush before (REQ_PREFLUSH).
    pub const FLUSH: Self = Self(32);
    /// A discard.
    pub const DISCARD: Self = Self(64);
    /// Protocol B: wants RecvAck. From protocol 100 on.
    pub const SEND_RECEIVE_ACK: Self = Self(128);
    /// Protocol C: wants WriteAck. From protocol 100 on.
    pub const SEND_WRITE_ACK: Self = Self(256);
    /// A write-same; no longer used.
    pub const WSAME: Self = Self(512);
    /// A write of zeroes.
    pub const ZEROES: Self = Self(1024);

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

newtype_field!(DataFlags(u32));

fixed_packet! {
    /// Sub-header of Data, DataReply and RsDataReply (24 bytes).
    ///
    /// ```text
    /// 0 sector u64   8 block id u64   16 sequence u32   20 flags u32
    /// ```
    pub struct DataHeader, pad 0 {
        /// First sector.
        pub sector: u64,
        /// The sender's handle, echoed in the answer.
        pub block_id: u64,
        /// Sequence number of the sender; 0 in replies.
        pub seq_num: u32,
        /// How to write; 0 in replies.
        pub flags: DataFlags,
    }
}

fixed_packet! {
    /// Payload of Trim and Zeroes (28 bytes): a data header and a size.
    ///
    /// ```text
    /// 0 sector u64   8 block id u64   16 sequence u32   20 flags u32   24 size u32
    /// ```
    pub struct TrimRequest, pad 0 {
        /// First sector.
        pub sector: u64,
        /// The sender's handle, echoed in the answer.
        pub block_id: u64,
        /// Sequence number of the sender.
        pub seq_num: u32,
        /// How to write.
        pub flags: DataFlags,
        /// Number of bytes.
        pub size: u32,
    }
}

fixed_packet! {
    /// Sub-header of DataRequest, RsDataRequest, RsThinReq, OvRequest, OvReply and CsumRsRequest
    /// (24 bytes).
    ///
    /// ```text
    /// 0 sector u64   8 block id u64   16 size u32   20 unused u32
    /// ```
    pub struct BlockRequest, pad 4 {
        /// First sector.
        pub sector: u64,
        /// The sender's handle, echoed in the answer; `ID_SYNCER` for resync and verify.
        pub block_id: u64,
        /// Number of bytes.
        pub size: u32,
    }
}

fixed_packet! {
    /// Payload of OutOfSync and RsDeallocated (16 bytes).
    ///
    /// ```text
    /// 0 sector u64   8 size u32   12 unused u32
    /// ```
    pub struct BlockDesc, pad 4 {
        /// First sector.
        pub sector: u64,
        /// Number of bytes.
        pub size: u32,
    }
}

fixed_packet! {
    /// Payload of Barrier (8 bytes).
    ///
    /// ```text
    /// 0 barrier u32   4 unused u32
    /// ```
    pub struct Barrier, pad 4 {
        /// The sender's handle of the epoch, echoed in BarrierAck.
        pub barrier: u32,
    }
}

fixed_packet! {
    /// Payload of DelayProbe (8 bytes), which is read and forgotten.
    ///
    /// ```text
    /// 0 sequence u32   4 offset u32
    /// ```
    pub struct DelayProbe, pad 0 {
        /// Matches the probes of the two sockets.
        pub seq_num: u32,
        /// Microseconds since a reference time.
        pub offset: u32,
    }
}
