// SPDX-License-Identifier: GPL-2.0

//! Results of state change requests, with DRBD's numbers and texts.
//!
//! The numbers travel in P_STATE_CHG_REPLY and in netlink replies; the texts reach users through
//! the kernel log and `drbdsetup`.
//!
//! Source: `include/uapi/linux/drbd.h` (`enum drbd_state_rv`),
//! `drivers/block/drbd/drbd_strings.c`.

/// Why a state change was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// 0: failed for a reason without a number.
    Unknown,
    /// -1: a second Primary is not allowed.
    TwoPrimaries,
    /// -2: no UpToDate data within reach.
    NoUpToDateDisk,
    /// -4: resync needs a local disk.
    NoLocalDisk,
    /// -5: resync needs the peer's disk.
    NoRemoteDisk,
    /// -6: not to be outdated while connected.
    ConnectedOutdates,
    /// -7: not Primary while the peer is not outdated.
    PrimaryNop,
    /// -8: resync or verify runs already.
    ResyncRunning,
    /// -9: nothing to disconnect.
    AlreadyStandAlone,
    /// -10: the peer refused.
    CwFailedByPeer,
    /// -11: needs a disk.
    IsDiskless,
    /// -12: somebody holds the device open.
    DeviceInUse,
    /// -13: no network configuration.
    NoNetConfig,
    /// -14: no verify algorithm configured.
    NoVerifyAlg,
    /// -15: verify and resync need a connection.
    NeedConnection,
    /// -16: the disk state is lower than Outdated.
    LowerThanOutdated,
    /// -17: the peer's protocol does not know this.
    NotSupported,
    /// -18: try again after the next state change.
    InTransientState,
    /// -19: both nodes started a change at once.
    ConcurrentStChg,
    /// -20: another volume is Primary on the peer.
    OVolPeerPri,
    /// -21: outdating the peer needs a connection.
    OutdateWithoutConn,
}

impl StateError {
    /// All errors that have a negative number, from -1 downwards.
    pub const ALL: &'static [Self] = &[
        Self::TwoPrimaries,
        Self::NoUpToDateDisk,
        Self::NoLocalDisk,
        Self::NoRemoteDisk,
        Self::ConnectedOutdates,
        Self::PrimaryNop,
        Self::ResyncRunning,
        Self::AlreadyStandAlone,
        Self::CwFailedByPeer,
        Self::IsDiskless,
        Self::DeviceInUse,
        Self::NoNetConfig,
        Self::NoVerifyAlg,
        Self::NeedConnection,
        Self::LowerThanOutdated,
        Self::NotSupported,
        Self::InTransientState,
        Self::ConcurrentStChg,
        Self::OVolPeerPri,
        Self::OutdateWithoutConn,
    ];

    /// Returns DRBD's number (`SS_*`).
    pub const fn number(self) -> i32 {
        match self {
            Self::Unknown => 0,
            Self::TwoPrimaries => -1,
            Self::NoUpToDateDisk => -2,
            Self::NoLocalDisk => -4,
            Self::NoRemoteDisk => -5,
            Self::ConnectedOutdates => -6,
            Self::PrimaryNop => -7,
            Self::ResyncRunning => -8,
            Self::AlreadyStandAlone => -9,
            Self::CwFailedByPeer => -10,
            Self::IsDiskless => -11,
            Self::DeviceInUse => -12,
            Self::NoNetConfig => -13,
            Self::NoVerifyAlg => -14,
            Self::NeedConnection => -15,
            Self::LowerThanOutdated => -16,
            Self::NotSupported => -17,
            Self::InTransientState => -18,
            Self::ConcurrentStChg => -19,
            Self::OVolPeerPri => -20,
            Self::OutdateWithoutConn => -21,
        }
    }

    /// Returns the text that users know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown error",
            Self::TwoPrimaries => "Multiple primaries not allowed by config",
            Self::NoUpToDateDisk => "Need access to UpToDate data",
            Self::NoLocalDisk => "Can not resync without local disk",
            Self::NoRemoteDisk => "Can not resync without remote disk",
            Self::ConnectedOutdates => "Refusing to be Outdated while Connected",
            Self::PrimaryNop => "Refusing to be Primary while peer is not outdated",
            Self::ResyncRunning => "Can not start OV/resync since it is already active",
            Self::AlreadyStandAlone => "Can not disconnect a StandAlone device",
            Self::CwFailedByPeer => "State change was refused by peer node",
            Self::IsDiskless => "Device is diskless, the requested operation requires a disk",
            Self::DeviceInUse => "Device is held open by someone",
            Self::NoNetConfig => "Have no net/connection configuration",
            Self::NoVerifyAlg => "Need a verify algorithm to start online verify",
            Self::NeedConnection => "Need a connection to start verify or resync",
            Self::LowerThanOutdated => "Disk state is lower than outdated",
            Self::NotSupported => "Peer does not support protocol",
            Self::InTransientState => "In transient state, retry after next state change",
            Self::ConcurrentStChg => "Concurrent state changes detected and aborted",
            Self::OVolPeerPri => "Other vol primary on peer not allowed by config",
            Self::OutdateWithoutConn => "Need a connection for a graceful disconnect/outdate peer",
        }
    }
}

/// How a state change succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateSuccess {
    /// 1: done.
    Success,
    /// 2: the state was so already.
    NothingToDo,
    /// 3: done, cluster-wide.
    ClusterWide,
    /// 4: done; the peer need not be asked.
    ClusterWideNoNeed,
}

impl StateSuccess {
    /// Returns DRBD's number (`SS_*`).
    pub const fn number(self) -> i32 {
        match self {
            Self::Success => 1,
            Self::NothingToDo => 2,
            Self::ClusterWide => 3,
            Self::ClusterWideNoNeed => 4,
        }
    }
}

/// A state change result as it travels in packets and replies.
pub type StateVerdict = Result<StateSuccess, StateError>;

/// Returns the number of `verdict`, as put into P_STATE_CHG_REPLY and netlink replies.
pub const fn number_of(verdict: StateVerdict) -> i32 {
    match verdict {
        Ok(success) => success.number(),
        Err(error) => error.number(),
    }
}

/// Reads a number that a peer sent; unknown numbers become success (> 0) or failure (<= 0).
pub fn verdict_of(number: i32) -> StateVerdict {
    match number {
        2 => Ok(StateSuccess::NothingToDo),
        3 => Ok(StateSuccess::ClusterWide),
        4 => Ok(StateSuccess::ClusterWideNoNeed),
        n if n > 0 => Ok(StateSuccess::Success),
        n => Err(StateError::ALL
            .iter()
            .copied()
            .find(|error| error.number() == n)
            .unwrap_or(StateError::Unknown)),
    }
}
