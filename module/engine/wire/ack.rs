// SPDX-License-Identifier: GPL-2.0

//! Packets of the meta socket that answer for blocks and epochs.
//!
//! Ping and PingAck have no payload.
//!
//! Source: `drbd_protocol.h` (`p_block_ack`, `p_barrier_ack`).

use super::layout::fixed_packet;

fixed_packet! {
    /// Payload of RecvAck, WriteAck, RsWriteAck, Superseded, RetryWrite, NegAck, NegDReply,
    /// NegRsDReply, RsCancel, OvResult and RsIsInSync (24 bytes).
    ///
    /// ```text
    /// 0 sector u64   8 block id u64   16 size u32   20 sequence u32
    /// ```
    pub struct BlockAck, pad 0 {
        /// First sector.
        pub sector: u64,
        /// The handle of the packet that is answered, or one of the `ID_*` numbers.
        pub block_id: u64,
        /// Number of bytes.
        pub size: u32,
        /// Sequence number of the sender.
        pub seq_num: u32,
    }
}

fixed_packet! {
    /// Payload of BarrierAck (8 bytes).
    ///
    /// ```text
    /// 0 barrier u32   4 number of writes u32
    /// ```
    pub struct BarrierAck, pad 0 {
        /// The handle out of the Barrier packet.
        pub barrier: u32,
        /// Number of writes in the epoch.
        pub set_size: u32,
    }
}
