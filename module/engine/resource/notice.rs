// SPDX-License-Identifier: GPL-2.0

//! What the resource wants people to know.

use crate::engine::broken::Invariant;
use crate::engine::options::{
    FixedStr,
    OPTION_TEXT_MAX, //
};
use crate::engine::state::{
    ConnState,
    StateError, //
};
use crate::engine::volume::Limit;
use crate::engine::wire::Command;

use super::ending::Changes;

use super::write_order::WriteOrder;

/// What an administrator should read in the kernel log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The peer's protocol versions do not fit ours.
    VersionMismatch {
        /// The peer's lowest.
        min: u32,
        /// The peer's highest.
        max: u32,
    },
    /// Both agreed on this version and these features.
    Agreed {
        /// Protocol version.
        version: u32,
        /// Feature flags.
        features: u32,
    },
    /// The peer knows the secret.
    LoggedIn {
        /// Length of its answer, in bytes.
        bytes: u32,
    },
    /// The UUIDs of both nodes were compared; the number of the rule that decided.
    Compared {
        /// DRBD's number for the result (`uuid_compare()=`).
        result: i32,
        /// DRBD's number for the rule.
        rule: u32,
    },
    /// Both nodes are configured differently; the option that has to be made equal.
    Incompatible(&'static str),
    /// The digests of both nodes differ where they have to be equal.
    DifferentDigest {
        /// The option.
        option: &'static str,
        /// Its value here.
        own: FixedStr<OPTION_TEXT_MAX>,
        /// Its value at the peer.
        peer: FixedStr<OPTION_TEXT_MAX>,
    },
    /// From here on the peer's digest is used.
    UsingDigest {
        /// The option.
        option: &'static str,
        /// Its value.
        name: FixedStr<OPTION_TEXT_MAX>,
    },
    /// A verify ended.
    VerifyDone,
    /// Only a newer protocol could tell whose data is right.
    NeedsProtocol {
        /// The version that both nodes would need.
        version: u32,
    },
    /// The peer's protocol version knows volume 0 only, and there are others.
    OnlyVolumeZero {
        /// The version.
        version: u32,
    },
    /// The data sets have nothing in common.
    UnrelatedData,
    /// Both nodes changed their data independently.
    SplitBrain {
        /// What is known of our changes.
        own: Changes,
        /// What is known of the peer's.
        peer: Changes,
    },
    /// Both nodes only wanted to know what would happen (`--tentative`): no resync, or one.
    DryRun {
        /// We would be its source, and all blocks would be copied.
        resync: Option<(bool, bool)>,
    },
    /// The states of both nodes do not go together.
    Refused {
        /// Why not.
        error: StateError,
    },
    /// This node would have to throw data away that it is serving.
    PrimaryWouldBeTarget,
    /// This node's data is needed but inconsistent.
    InconsistentSource,
    /// The peer's disk is smaller than the device in use, in sectors.
    PeerTooSmall {
        /// What the device would become.
        possible: u64,
        /// What it is.
        current: u64,
    },
    /// The administrator wants a larger volume than is possible, in sectors.
    SizeTooBig {
        /// What was asked for.
        wanted: u64,
        /// What is possible.
        possible: u64,
    },
    /// The size changed, in sectors.
    Resized {
        /// What it was.
        from: u64,
        /// What it is.
        to: u64,
    },
    /// What is new after growing is resynced.
    GrowthIsSynced,
    /// What is new after growing is not resynced (`--assume-clean`).
    GrowthIsClean,
    /// A request came before it was known that the peer takes none so large.
    TooLarge,
    /// The peer sent something that makes no sense.
    BadPacket {
        /// Which packet.
        command: Command,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A full resync is necessary.
    FullSync {
        /// Why.
        why: FullSync,
    },
    /// The peer is too slow: a limit of what may be on its way to it was reached.
    Congested {
        /// Which one.
        limit: Limit,
    },
    /// A resync began; blocks of 4 KiB to sync.
    ResyncStarted {
        /// Blocks out of sync.
        blocks: u64,
    },
    /// A resync ended.
    ResyncDone {
        /// Blocks that failed.
        failed: u64,
    },
    /// The peer is Primary on other data than this node exposes.
    WrongData {
        /// The generation that would be right.
        expected: u64,
    },
    /// The local data was declared good by force.
    Forced,
    /// The peer has not said what had to come next for too long; the connection begins anew.
    Overdue {
        /// The state that did not end.
        state: ConnState,
    },
    /// The peer leaves writes unanswered for longer than `timeout` x `ko-count`.
    Unanswered,
    /// The peer does not have this volume.
    Absent,
    /// The disk failed and is given up.
    DiskFailed,
    /// The disk leaves something unanswered for longer than `disk-timeout`.
    DiskTimeout,
    /// Writes of the peer are ordered in another way from now on.
    WriteOrder {
        /// How.
        order: WriteOrder,
    },
    /// A split brain was resolved by policy.
    SplitBrainSolved {
        /// How many of the nodes were Primary.
        primaries: u32,
        /// The peer's data is kept; else ours.
        from_peer: bool,
    },
    /// A split brain was resolved by the administrator.
    SplitBrainByHand {
        /// The peer's data is kept; else ours.
        from_peer: bool,
    },
    /// This Primary lost by policy and gave its role up.
    GaveUpRole,
    /// This Primary's data is going to be overwritten, as configured.
    OverwritesPrimary,
    /// The handler before a resync forbids it.
    ResyncForbidden {
        /// Its exit code.
        status: u8,
    },
    /// The peer is not fenced, as this node's own data is not good.
    UnfitToFence,
    /// What the handler `fence-peer` said is of an earlier connection.
    FenceIgnored,
    /// The handler `fence-peer` came back.
    Fenced {
        /// Its exit code.
        status: u8,
        /// What that means.
        reason: &'static str,
    },
    /// The handler `fence-peer` gave an exit code without meaning.
    FenceBroken {
        /// Its exit code.
        status: u8,
    },
    /// Became Primary though nobody knows whether the peer is.
    ForcedSplitBrain,
    /// A bug of ours, for the first time; what is not certain any more is given up.
    Broken {
        /// What must never be.
        invariant: Invariant,
    },
}

/// Why all blocks count as out of sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullSync {
    /// The metadata says so: its bitmap was not on disk yet when it was last written.
    Marked,
    /// The disk failed under a Primary, and lacks the marks of what it misses.
    Failed,
    /// A Primary crashed that kept no activity log.
    NoLog,
    /// The generations of both nodes have too little in common for the bitmap to be of use.
    Generations,
    /// One of the disks was never in sync with another one.
    Fresh,
    /// The administrator invalidated one side's data.
    Invalidated,
}

impl FullSync {
    /// The reason, for the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Marked => "the metadata says that all blocks are out of sync",
            Self::Failed => "the disk failed under a Primary and lacks its marks",
            Self::NoLog => "a Primary without activity log (al-updates no) crashed",
            Self::Generations => "the bitmap does not reach back to what both nodes share",
            Self::Fresh => "one of the disks was never in sync before",
            Self::Invalidated => "it was invalidated",
        }
    }
}
