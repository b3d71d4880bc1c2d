// SPDX-License-Identifier: GPL-2.0

//! What happens to a resource, and what it asks its driver to do.

use crate::engine::broken::Invariant;
use crate::engine::control::RetCode;
use crate::engine::ids::Instant;
use crate::engine::login::LoginError;
use crate::engine::meta::relocation::Relocation;
use crate::engine::options::{
    DiskOptions,
    NetOptions,
    ResourceOptions, //
};
use crate::engine::state::{
    ConnState,
    DeviceState, //
};
use crate::engine::volume::{
    Limit,
    Policy,
    RequestLimits,
    ResyncLimits,
    VerifyRange,
    VerifySide, //
};
use crate::engine::wire::handshake::ConnectionFeatures;
use crate::engine::wire::state::{
    SizeReport,
    StateReport,
    StateRequest,
    SyncUuid,
    UuidReport, //
};

use super::attach::IoKind;
use super::handler::{
    Call,
    Handler, //
};
pub use super::loss::Loss;
use super::notice::Notice;
use super::peer_params::{
    PeerProtocol,
    PeerSyncParams, //
};
use super::record::Disk;
use super::resize::SizeWish;
use super::write_order::WriteOrder;

/// What the engine may not find out by itself.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// The time.
    pub now: Instant,
    /// A fresh random number.
    pub random: u64,
}

/// Names the administrator's command that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u32);

/// A command of the administrator.
#[derive(Clone, Debug)]
pub enum Admin {
    /// Attach a disk whose superblock and bitmap were read.
    Attach {
        /// The volume, by position.
        volume: usize,
        /// The disk.
        disk: Disk,
        /// Its options.
        options: DiskOptions,
    },
    /// Give the disk up.
    Detach {
        /// The volume, by position.
        volume: usize,
        /// Do not ask the peer, and do not wait for the lower device.
        force: bool,
    },
    /// Change the disk options.
    DiskOptions {
        /// The volume, by position.
        volume: usize,
        /// The new ones.
        options: DiskOptions,
    },
    /// Begin to look for the peer.
    Connect {
        /// The network options.
        options: NetOptions,
    },
    /// Change the network options.
    NetOptions {
        /// The new ones.
        options: NetOptions,
    },
    /// Stop looking for the peer, or leave it.
    Disconnect {
        /// Do not ask the peer.
        force: bool,
    },
    /// Change the resource options.
    ResourceOptions {
        /// The new ones.
        options: ResourceOptions,
    },
    /// Become Primary.
    Promote {
        /// The volume, by position.
        volume: usize,
        /// Even if the data is not known to be good.
        force: bool,
    },
    /// Become Secondary.
    Demote {
        /// The volume, by position.
        volume: usize,
    },
    /// Declare the own data out of date.
    Outdate {
        /// The volume, by position.
        volume: usize,
    },
    /// Suspend or resume I/O.
    Suspend {
        /// The volume, by position.
        volume: usize,
        /// Suspend; else resume.
        on: bool,
    },
    /// Pause or resume resync.
    PauseSync {
        /// The volume, by position.
        volume: usize,
        /// Pause; else resume.
        on: bool,
    },
    /// Throw the own data (`remote`: the peer's) away and resync it completely.
    Invalidate {
        /// The volume, by position.
        volume: usize,
        /// The peer's data instead of the own.
        remote: bool,
    },
    /// Compare our data with the peer's; while that is going on: only set where it stops.
    Verify {
        /// The volume, by position.
        volume: usize,
        /// What to compare.
        range: VerifyRange,
    },
    /// Give the volume another size, or its activity log another shape.
    Resize {
        /// The volume, by position.
        volume: usize,
        /// What is wanted.
        wish: SizeWish,
    },
    /// Start a new data generation.
    NewCurrentUuid {
        /// The volume, by position.
        volume: usize,
        /// Also declare everything in sync.
        clear_bitmap: bool,
    },
}

/// A rare packet, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RarePacket {
    /// `P_PROTOCOL`
    Protocol(PeerProtocol),
    /// `P_PROTOCOL_UPDATE`
    ProtocolUpdate(PeerProtocol),
    /// `P_SYNC_PARAM` or `P_SYNC_PARAM89`
    SyncParams(PeerSyncParams),
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
    /// `P_STATE_CHG_REPLY` or `P_CONN_ST_CHG_REPLY`, with the number in it.
    StateReply(i32),
}

/// Something happened that the resource has to decide about.
#[expect(
    clippy::large_enum_variant,
    reason = "an event is made and handled once; a box would be an allocation"
)]
#[derive(Clone, Debug)]
pub enum Event {
    /// The administrator asks for something and waits for [`Effect::Answer`].
    Admin(Token, Admin),
    /// The administrator's patience with a command is over.
    GiveUp(Token),
    /// Whoever gave a command is gone, and waits for nothing any more.
    Abandon(Token),
    /// The receiver begins to look for the peer.
    Connecting,
    /// The peer told its protocol versions and features.
    Features(ConnectionFeatures),
    /// The login ended: how many bytes the peer's answer has, or why it was not let in. Not fed
    /// when none is configured, nor when the network failed meanwhile.
    Login(Result<u32, LoginError>),
    /// The login is done: tell the peer everything. `resolver`: of two conflicting requests, this
    /// node's gives way to nobody (it accepted the meta socket).
    Handshaken {
        /// See above.
        resolver: bool,
    },
    /// A rare packet came. `volume` is its number in the header.
    Packet {
        /// The volume's number.
        volume: u16,
        /// What it says.
        packet: RarePacket,
    },
    /// The peer's bitmap was received completely.
    BitmapReceived {
        /// The volume, by position.
        volume: usize,
    },
    /// Our bitmap was put into the send queue completely.
    BitmapSent {
        /// The volume, by position.
        volume: usize,
    },
    /// The connection is in trouble: give it up.
    Trouble(Loss),
    /// The connection is down: sockets closed, nothing is sent or received any more.
    Disconnected(Loss),
    /// A volume finished its part of a resync. `failed`: blocks that could not be synced.
    ResyncFinished {
        /// The volume, by position.
        volume: usize,
        /// Blocks that could not be synced.
        failed: u64,
    },
    /// A volume compared all that was to be verified.
    VerifyFinished {
        /// The volume, by position.
        volume: usize,
    },
    /// The peer answered an [`Effect::Ping`]: it has dealt with all that was sent on the meta
    /// socket before that.
    PingAnswered,
    /// The lower device of a volume failed.
    IoError {
        /// The volume, by position.
        volume: usize,
        /// What failed.
        kind: IoKind,
    },
    /// A lower device says that it cannot be flushed.
    FlushUnsupported,
    /// Something that must never be was found in the data path of a volume, or around it.
    Broken {
        /// The volume, by position.
        volume: usize,
        /// What must never be.
        invariant: Invariant,
    },
    /// So much is on its way to the peer of a volume that it is too slow.
    Congested {
        /// The volume, by position.
        volume: usize,
        /// Which limit was reached.
        limit: Limit,
    },
    /// Nothing is on its way any more to a peer that was too slow.
    Relieved {
        /// The volume, by position.
        volume: usize,
    },
    /// A resync of this volume has to wait for another device's (`resync-after`), or not any more.
    Depends {
        /// The volume, by position.
        volume: usize,
        /// It has to wait.
        waits: bool,
    },
    /// The requests that a policy's `drain` names are gone.
    Drained {
        /// The volume, by position.
        volume: usize,
    },
    /// The peer leaves writes of this volume unanswered for longer than `timeout` x `ko-count`.
    Unanswered {
        /// The volume, by position.
        volume: usize,
    },
    /// The data path of a volume has a request that the peer does not take.
    TooLarge {
        /// The volume, by position.
        volume: usize,
    },
    /// The disk is no longer in use.
    DiskReleased {
        /// The volume, by position.
        volume: usize,
        /// Its bitmap could be written: the disk knows what it misses.
        saved: bool,
    },
    /// A handler came back.
    HandlerDone {
        /// Which call of it.
        call: Call,
        /// Its exit code; 0 also if it could not be run.
        status: u8,
    },
    /// Some time has passed; comes about once a second.
    Tick,
}

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
    CloseNetwork,
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
            | Self::CloseNetwork
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
