// SPDX-License-Identifier: GPL-2.0

//! What happens to a resource.

use crate::engine::broken::Invariant;
use crate::engine::ids::Instant;
use crate::engine::login::LoginError;
use crate::engine::options::{
    DiskOptions,
    NetOptions,
    ResourceOptions, //
};
use crate::engine::volume::{
    Limit,
    VerifyRange, //
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
use super::handler::Call;
use super::loss::Loss;
use super::peer_params::{
    PeerProtocol,
    PeerSyncParams, //
};
use super::record::Disk;
use super::resize::SizeWish;

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
