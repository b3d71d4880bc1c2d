// SPDX-License-Identifier: GPL-2.0

//! What a resource asks its driver to do.

use crate::engine::control::RetCode;
use crate::engine::meta::relocation::Relocation;
use crate::engine::state::{
    ConnState,
    DeviceState, //
};
use crate::engine::volume::{
    Policy,
    RequestLimits,
    ResyncLimits,
    VerifyRange,
    VerifySide, //
};
use crate::engine::wire::state::{
    SizeReport,
    StateReport,
    StateRequest,
    SyncUuid,
    UuidReport, //
};

use super::event::Token;
use super::handler::{
    Call,
    Handler, //
};
pub use super::loss::Loss;
use super::notice::Notice;
use super::write_order::WriteOrder;

/// A packet to send on the data socket, not yet encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// `P_PROTOCOL`, from the network options in force.
    Protocol,
    /// `P_PROTOCOL_UPDATE`: from here on data has the digest of the options in force.
    ProtocolUpdate,
    /// `P_SYNC_PARAM` or `P_SYNC_PARAM89`, from the options in force.
    SyncParams,
    /// `P_SIZES`
    Sizes(SizeReport),
    /// `P_UUIDS`
    Uuids(UuidReport),
    /// `P_STATE`
    State(StateReport),
    /// `P_SYNC_UUID`
    SyncUuid(SyncUuid),
    /// `P_STATE_CHG_REQ`
    StateRequest(StateRequest),
    /// `P_CONN_ST_CHG_REQ`
    ConnStateRequest(StateRequest),
}

impl Outgoing {
    /// Whether it must not be sent when the metadata could not be saved that were to be saved
    /// before it: the target of a resync would carry a generation that its source never had.
    pub fn relies_on_metadata(&self) -> bool {
        matches!(self, Outgoing::SyncUuid(_))
    }
}

/// What the driver has to do. It carries effects out in order and finishes each before the next.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Answer a command.
    Answer(Token, RetCode),
    /// A volume's state changed: tell user space and the log, and set the device's flags.
    Changed {
        /// The volume, by position.
        volume: usize,
        /// What it was.
        old: DeviceState,
        /// What it is.
        new: DeviceState,
    },
    /// There is a connection now, which is StandAlone yet: tell user space.
    ConnectionMade,
    /// The connection's own state changed (there may be no volume to tell it). The volumes were
    /// told of before.
    ConnectionChanged {
        /// What it was.
        old: ConnState,
        /// What it is.
        new: ConnState,
    },
    /// Put a policy in force.
    SetPolicy {
        /// The volume, by position.
        volume: usize,
        /// The policy.
        policy: Policy,
    },
    /// Call the volume's `connection_lost`.
    LoseConnection {
        /// The volume, by position.
        volume: usize,
    },
    /// Let the volume use the tables of the disk that was attached.
    InstallDisk {
        /// The volume, by position.
        volume: usize,
    },
    /// Let the device take requests that are no larger. With a disk, its own limits narrow them.
    SetLimits {
        /// The volume, by position.
        volume: usize,
        /// The largest requests.
        limits: RequestLimits,
    },
    /// Take the disk out of use; [`Event::DiskReleased`] when nothing uses it any more.
    ReleaseDisk {
        /// The volume, by position.
        volume: usize,
    },
    /// Give the bitmap the size of a device of `sectors` sectors; call the volume's
    /// `resize_bitmap`.
    ResizeBitmap {
        /// The volume, by position.
        volume: usize,
        /// Sectors.
        sectors: u64,
        /// Blocks that are new are out of sync.
        set_new: bool,
    },
    /// Give the activity log so many slots; call the volume's `resize_log`.
    ResizeLog {
        /// The volume, by position.
        volume: usize,
        /// Slots (`al-extents`).
        slots: u16,
    },
    /// Move the metadata, step by step. Nobody else writes metadata meanwhile; the volume's
    /// `metadata_moves` comes first. The superblock is the record's.
    MoveMetadata {
        /// The volume, by position.
        volume: usize,
        /// From where to where.
        relocation: Relocation,
    },
    /// Let the lower disk do what the record's options say now.
    TuneDisk {
        /// The volume, by position.
        volume: usize,
    },
    /// From now on the peer's writes are kept in order this way.
    SetWriteOrder {
        /// How.
        order: WriteOrder,
    },
    /// Set the size of the device, in sectors, and tell the kernel.
    SetCapacity {
        /// The volume, by position.
        volume: usize,
        /// Sectors.
        sectors: u64,
    },
    /// Write the superblock as the record has it.
    SaveSuperblock {
        /// The volume, by position.
        volume: usize,
    },
    /// Write all changed pages of the bitmap.
    SaveBitmap {
        /// The volume, by position.
        volume: usize,
    },
    /// Set (`true`) or clear all bits, and write the bitmap.
    FillBitmap {
        /// The volume, by position.
        volume: usize,
        /// Set; else clear.
        set: bool,
    },
    /// Queue a packet.
    Send {
        /// The volume's number.
        volume: u16,
        /// The packet.
        packet: Outgoing,
    },
    /// Answer a `P_STATE_CHG_REQ` on the meta socket.
    SendStateReply {
        /// The volume's number.
        volume: u16,
        /// Whether the request was `P_CONN_ST_CHG_REQ`.
        connection: bool,
        /// The number to send.
        code: i32,
    },
    /// Send the bitmap; [`Event::BitmapSent`] when it is queued.
    SendBitmap {
        /// The volume, by position.
        volume: usize,
    },
    /// Call the volume's `set_resync_limits`.
    SetResyncLimits {
        /// The volume, by position.
        volume: usize,
        /// What the options say.
        limits: ResyncLimits,
    },
    /// Call the volume's `start_resync`.
    StartResync {
        /// The volume, by position.
        volume: usize,
        /// The target asks with digests of what it has (`csums-alg`).
        tells_digests: bool,
    },
    /// Call the volume's `stop_resync`.
    StopResync {
        /// The volume, by position.
        volume: usize,
    },
    /// Call the volume's `start_verify`.
    StartVerify {
        /// The volume, by position.
        volume: usize,
        /// Our part.
        side: VerifySide,
        /// What to verify.
        range: VerifyRange,
    },
    /// Call the volume's `stop_verify_at`.
    StopVerifyAt {
        /// The volume, by position.
        volume: usize,
        /// In sectors.
        sector: u64,
    },
    /// Call the volume's `stop_verify`.
    StopVerify {
        /// The volume, by position.
        volume: usize,
    },
    /// The network options changed: those that a session may change are in force from now on.
    TuneNetwork,
    /// Ask the peer for a sign of life now.
    Ping,
    /// Start the receiver, which looks for the peer.
    StartNetwork,
    /// Close the sockets; the receiver comes down and reports [`Event::Disconnected`].
    CloseNetwork {
        /// The peer shall read first what it was sent, as far as it does so in time: it is going
        /// to find out the same.
        gently: bool,
    },
    /// The receiver shall look for the peer again, after so many milliseconds.
    LookAgain {
        /// See above.
        after_ms: u64,
    },
    /// The receiver shall end: the connection is StandAlone.
    StopNetwork,
    /// Run a handler, without waiting for it; [`Event::HandlerDone`] when it ends, unless the
    /// call is [`Call::UNHEARD`].
    CallHandler {
        /// Names the call.
        call: Call,
        /// The volume, by position; `None` for the resource.
        volume: Option<usize>,
        /// Which one.
        handler: Handler,
    },
    /// Write a line to the kernel log.
    Notice {
        /// The volume, by position; `None` for the resource.
        volume: Option<usize>,
        /// What it says.
        notice: Notice,
    },
}

impl Effect {
    /// The volume that it is for, by position. `None`: it is for the resource, or a packet, which
    /// names its volume by number.
    pub fn volume(&self) -> Option<usize> {
        match *self {
            Self::Changed { volume, .. }
            | Self::SetPolicy { volume, .. }
            | Self::LoseConnection { volume }
            | Self::InstallDisk { volume }
            | Self::SetLimits { volume, .. }
            | Self::ReleaseDisk { volume }
            | Self::ResizeBitmap { volume, .. }
            | Self::ResizeLog { volume, .. }
            | Self::MoveMetadata { volume, .. }
            | Self::TuneDisk { volume }
            | Self::SetCapacity { volume, .. }
            | Self::SaveSuperblock { volume }
            | Self::SaveBitmap { volume }
            | Self::FillBitmap { volume, .. }
            | Self::SendBitmap { volume }
            | Self::SetResyncLimits { volume, .. }
            | Self::StartResync { volume, .. }
            | Self::StopResync { volume }
            | Self::StartVerify { volume, .. }
            | Self::StopVerifyAt { volume, .. }
            | Self::StopVerify { volume } => Some(volume),
            Self::CallHandler { volume, .. } | Self::Notice { volume, .. } => volume,
            Self::Answer(..)
            | Self::Send { .. }
            | Self::SendStateReply { .. }
            | Self::ConnectionMade
            | Self::ConnectionChanged { .. }
            | Self::SetWriteOrder { .. }
            | Self::TuneNetwork
            | Self::Ping
            | Self::StartNetwork
            | Self::CloseNetwork { .. }
            | Self::LookAgain { .. }
            | Self::StopNetwork => None,
        }
    }
}

/// Takes effects, in order. The driver's queue for rare effects may allocate.
pub trait Output {
    /// Adds one.
    fn push(&mut self, effect: Effect);
}
