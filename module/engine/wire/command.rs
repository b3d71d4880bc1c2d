// SPDX-License-Identifier: GPL-2.0

//! The commands of the protocol and how long their payloads may be.
//!
//! Source: `drivers/block/drbd/drbd_protocol.h` (`enum drbd_packet`), `drbd_main.c` (`cmdname`),
//! `drbd_receiver.c` (`drbd_cmd_handler`, `ack_receiver_tbl`).

use super::handshake::Features;

/// Defines the open command enum from one table of numbers and names.
macro_rules! commands {
    ($( $(#[$attr:meta])* $name:ident = $nr:literal => $text:literal, )*) => {
        /// What a packet is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Command {
            $( $(#[$attr])* $name, )*
            /// A number without meaning in this protocol.
            Unknown(u16),
        }

        impl Command {
            /// All known commands.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];

            /// Returns the command with the number `number`.
            pub const fn from_u16(number: u16) -> Self {
                match number {
                    $( $nr => Self::$name, )*
                    other => Self::Unknown(other),
                }
            }

            /// Returns the command's number.
            pub const fn number(self) -> u16 {
                match self {
                    $( Self::$name => $nr, )*
                    Self::Unknown(other) => other,
                }
            }

            /// Returns the name that the kernel log shows.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$name => $text, )*
                    Self::Unknown(_) => "Unknown",
                }
            }
        }
    };
}

commands! {
    /// A write of the peer; blocks follow.
    Data = 0x00 => "Data",
    /// Blocks read for `DataRequest`.
    DataReply = 0x01 => "DataReply",
    /// Blocks read for resync.
    RsDataReply = 0x02 => "RSDataReply",
    /// End of an epoch of writes.
    Barrier = 0x03 => "Barrier",
    /// A part of the bitmap, plain.
    Bitmap = 0x04 => "ReportBitMap",
    /// Obsolete; nobody handles it.
    BecomeSyncTarget = 0x05 => "BecomeSyncTarget",
    /// Obsolete; nobody handles it.
    BecomeSyncSource = 0x06 => "BecomeSyncSource",
    /// A hint to start queued I/O.
    UnplugRemote = 0x07 => "UnplugRemote",
    /// Asks for blocks on behalf of an application.
    DataRequest = 0x08 => "DataRequest",
    /// Asks for blocks for resync.
    RsDataRequest = 0x09 => "RSDataRequest",
    /// Resync settings, up to protocol 88.
    SyncParam = 0x0a => "SyncParam",
    /// Connection settings that both must share.
    Protocol = 0x0b => "ReportProtocol",
    /// Generation UUIDs of the data.
    Uuids = 0x0c => "ReportUUIDs",
    /// Sizes and queue limits.
    Sizes = 0x0d => "ReportSizes",
    /// The state of a volume.
    State = 0x0e => "ReportState",
    /// The UUID of the resync that starts.
    SyncUuid = 0x0f => "ReportSyncUUID",
    /// A challenge of the login.
    AuthChallenge = 0x10 => "AuthChallenge",
    /// The answer to a challenge.
    AuthResponse = 0x11 => "AuthResponse",
    /// Asks for a state change of one volume.
    StateChgReq = 0x12 => "StateChgRequest",
    /// Are you there?
    Ping = 0x13 => "Ping",
    /// Yes.
    PingAck = 0x14 => "PingAck",
    /// A write arrived (protocol B).
    RecvAck = 0x15 => "RecvAck",
    /// A write is on disk (protocol C).
    WriteAck = 0x16 => "WriteAck",
    /// A resync write is on disk.
    RsWriteAck = 0x17 => "RSWriteAck",
    /// A write lost against a concurrent one (two Primaries).
    Superseded = 0x18 => "Superseded",
    /// A write failed.
    NegAck = 0x19 => "NegAck",
    /// A read failed.
    NegDReply = 0x1a => "NegDReply",
    /// A resync read failed.
    NegRsDReply = 0x1b => "NegRSDReply",
    /// All writes of an epoch are on disk.
    BarrierAck = 0x1c => "BarrierAck",
    /// The answer to `StateChgReq`.
    StateChgReply = 0x1d => "StateChgReply",
    /// Asks for a checksum of blocks (verify).
    OvRequest = 0x1e => "OVRequest",
    /// A checksum of blocks (verify).
    OvReply = 0x1f => "OVReply",
    /// Whether the blocks were equal (verify).
    OvResult = 0x20 => "OVResult",
    /// Asks for blocks for resync unless their checksum is equal.
    CsumRsRequest = 0x21 => "CsumRSRequest",
    /// The checksum was equal.
    RsIsInSync = 0x22 => "CsumRSIsInSync",
    /// Resync settings, from protocol 89 on.
    SyncParam89 = 0x23 => "SyncParam89",
    /// A part of the bitmap, run-length coded.
    CompressedBitmap = 0x24 => "CBitmap",
    /// Obsolete; skipped in silence on both sockets.
    DelayProbe = 0x27 => "DelayProbe",
    /// Blocks were changed without sending them (Ahead).
    OutOfSync = 0x28 => "OutOfSync",
    /// The resync source gives up a block.
    RsCancel = 0x29 => "RSCancel",
    /// Asks for a state change of the connection.
    ConnStChgReq = 0x2a => "conn_st_chg_req",
    /// The answer to `ConnStChgReq`.
    ConnStChgReply = 0x2b => "conn_st_chg_reply",
    /// A write conflicts with a concurrent one and must be retried.
    RetryWrite = 0x2c => "retry_write",
    /// New connection settings while connected.
    ProtocolUpdate = 0x2d => "protocol_update",
    /// A discard of the peer.
    Trim = 0x31 => "Trim",
    /// Like `RsDataRequest`; may be answered by `RsDeallocated`.
    RsThinReq = 0x32 => "rs_thin_req",
    /// The blocks hold zeroes only.
    RsDeallocated = 0x33 => "rs_deallocated",
    /// Removed from the protocol; nobody handles it.
    Wsame = 0x34 => "WriteSame",
    /// A write of zeroes of the peer.
    Zeroes = 0x36 => "Zeroes",
    /// First packet on the meta socket.
    InitialMeta = 0xfff1 => "InitialMeta",
    /// First packet on the data socket.
    InitialData = 0xfff2 => "InitialData",
    /// Protocol versions and features.
    ConnectionFeatures = 0xfffe => "ConnectionFeatures",
}

/// How long the payload of a packet may be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadRule {
    /// Length of the sub-header, always there.
    pub fixed: u32,
    /// Most bytes that may follow the sub-header (text, digest, blocks, bitmap).
    pub follow: u32,
}

impl PayloadRule {
    const fn exact(fixed: u32) -> Self {
        Self { fixed, follow: 0 }
    }

    const fn with(fixed: u32, follow: u32) -> Self {
        Self { fixed, follow }
    }

    /// Returns whether a payload of `length` bytes is allowed.
    pub const fn allows(&self, length: u32) -> bool {
        match length.checked_sub(self.fixed) {
            Some(follow) => follow <= self.follow,
            None => false,
        }
    }
}

const BLOCK_REQ: u32 = 24;
const BLOCK_DESC: u32 = 16;
const BLOCK_ACK: u32 = 24;
const DATA: u32 = 24;
const TRIM: u32 = 28;
/// An algorithm name with its NUL.
const NAME: u32 = 64;

impl Command {
    /// Whether the agreed version and features have the command: a peer that uses another one has
    /// not understood what was agreed.
    const fn is_agreed(self, version: u32, features: Features) -> bool {
        match self {
            Self::SyncParam => version < 89,
            Self::OvRequest | Self::OvReply | Self::OvResult => version >= 88,
            Self::SyncParam89 | Self::CsumRsRequest | Self::RsIsInSync => version >= 89,
            Self::CompressedBitmap => version >= 90,
            Self::OutOfSync | Self::RsCancel => version >= 96,
            Self::ConnStChgReq | Self::ConnStChgReply | Self::RetryWrite | Self::ProtocolUpdate => {
                version >= 100
            }
            Self::Trim => features.has(Features::TRIM),
            Self::RsThinReq | Self::RsDeallocated => features.has(Features::THIN_RESYNC),
            Self::Zeroes => features.has(Features::WZEROES),
            _ => true,
        }
    }

    /// Returns the length rule of the command on the data socket of a connection.
    ///
    /// `None` if the command must not come there once the connection is up: that is a protocol
    /// error. `version` is the agreed protocol version, `features` the agreed features.
    pub const fn on_data_socket(self, version: u32, features: Features) -> Option<PayloadRule> {
        let blocks = super::MAX_DIGEST_SIZE + super::MAX_BIO_SIZE;
        let header = super::HeaderKind::length_in(version) as u32;
        let bitmap = (super::SOCKET_BUFFER_SIZE as u32).saturating_sub(header);
        if !self.is_agreed(version, features) {
            return None;
        }
        Some(match self {
            Self::Data | Self::DataReply | Self::RsDataReply => PayloadRule::with(DATA, blocks),
            Self::Trim | Self::Zeroes => PayloadRule::exact(TRIM),
            Self::Barrier | Self::StateChgReq | Self::ConnStChgReq => PayloadRule::exact(8),
            Self::SyncUuid | Self::DelayProbe => PayloadRule::exact(8),
            Self::Bitmap => PayloadRule::with(0, bitmap),
            Self::CompressedBitmap => PayloadRule::with(2, bitmap.saturating_sub(2)),
            Self::UnplugRemote => PayloadRule::exact(0),
            Self::DataRequest | Self::RsDataRequest | Self::OvRequest | Self::RsThinReq => {
                PayloadRule::exact(BLOCK_REQ)
            }
            Self::OvReply | Self::CsumRsRequest => {
                PayloadRule::with(BLOCK_REQ, super::MAX_DIGEST_SIZE)
            }
            Self::SyncParam | Self::SyncParam89 => match version {
                0..=87 => PayloadRule::exact(4),
                88 => PayloadRule::with(4, NAME),
                89..=94 => PayloadRule::exact(4 + 2 * NAME),
                _ => PayloadRule::exact(4 + 2 * NAME + 16),
            },
            Self::Protocol | Self::ProtocolUpdate => match version {
                0..=86 => PayloadRule::exact(24),
                _ => PayloadRule::with(24, NAME),
            },
            Self::Uuids => PayloadRule::exact(48),
            Self::Sizes if features.has(Features::WSAME) => PayloadRule::exact(32 + 24),
            Self::Sizes => PayloadRule::exact(32),
            Self::State => PayloadRule::exact(4),
            Self::OutOfSync | Self::RsDeallocated => PayloadRule::exact(BLOCK_DESC),
            _ => return None,
        })
    }

    /// Returns the payload length of the command on the meta socket of a connection.
    ///
    /// `None` if the command must not come there in protocol `version`: that is a protocol error.
    pub const fn on_meta_socket(self, version: u32) -> Option<u32> {
        if !self.is_agreed(version, Features::NONE) {
            return None;
        }
        Some(match self {
            Self::Ping | Self::PingAck => 0,
            Self::RecvAck
            | Self::WriteAck
            | Self::RsWriteAck
            | Self::Superseded
            | Self::NegAck
            | Self::NegDReply
            | Self::NegRsDReply
            | Self::OvResult
            | Self::RsIsInSync
            | Self::RsCancel
            | Self::RetryWrite => BLOCK_ACK,
            Self::BarrierAck | Self::DelayProbe => 8,
            Self::StateChgReply | Self::ConnStChgReply => 4,
            _ => return None,
        })
    }
}
