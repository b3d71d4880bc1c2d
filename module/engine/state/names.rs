// SPDX-License-Identifier: GPL-2.0

//! The three state enums with their numbers and names.
//!
//! Source: `include/uapi/linux/drbd.h` (`enum drbd_role`, `drbd_conns`, `drbd_disk_state`) and
//! `drivers/block/drbd/drbd_strings.c`.

/// Defines a state enum with its numbers and its user-visible names in one table.
macro_rules! named_states {
    (
        $(#[$attr:meta])*
        pub enum $ty:ident {
            $( $(#[$vattr:meta])* $variant:ident = $nr:literal => $text:literal, )*
        }
    ) => {
        $(#[$attr])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $ty {
            $( $(#[$vattr])* $variant = $nr, )*
        }

        impl $ty {
            /// All values, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )*];

            /// Returns the name that users and the kernel log see.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )*
                }
            }

            /// Returns DRBD's number of this state.
            pub const fn number(self) -> u8 {
                match self {
                    $( Self::$variant => $nr, )*
                }
            }

            /// Returns the state with DRBD's number `number`, if there is one.
            pub const fn from_u8(number: u8) -> Option<Self> {
                match number {
                    $( $nr => Some(Self::$variant), )*
                    _ => None,
                }
            }
        }
    };
}

named_states! {
    /// The role of a node for a resource.
    pub enum Role {
        /// Not known, as the peer's role is without a connection.
        Unknown = 0 => "Unknown",
        /// May be opened for reading and writing.
        Primary = 1 => "Primary",
        /// Takes the peer's writes; must not be opened.
        Secondary = 2 => "Secondary",
    }
}

named_states! {
    /// The state of the connection and of replication over it.
    ///
    /// Below `WfReportParams` there is no usable socket; from `Connected` on both nodes have
    /// introduced themselves; `SyncSource..=PausedSyncT` are the resync and verify states.
    pub enum ConnState {
        /// No network configuration is active.
        StandAlone = 0 => "StandAlone",
        /// On the way to `StandAlone`.
        Disconnecting = 1 => "Disconnecting",
        /// Between two connections, before the next attempt.
        Unconnected = 2 => "Unconnected",
        /// The peer stopped answering; on the way to `Unconnected`.
        Timeout = 3 => "Timeout",
        /// The data socket broke; on the way to `Unconnected`.
        BrokenPipe = 4 => "BrokenPipe",
        /// The network failed; on the way to `Unconnected`.
        NetworkFailure = 5 => "NetworkFailure",
        /// The peer broke the protocol; on the way to `Unconnected`.
        ProtocolError = 6 => "ProtocolError",
        /// The peer is closing the connection.
        TearDown = 7 => "TearDown",
        /// Waiting for the peer to appear.
        WfConnection = 8 => "WFConnection",
        /// Sockets are there; waiting for the peer's first packets.
        WfReportParams = 9 => "WFReportParams",
        /// In touch, and replicating when both have a disk.
        Connected = 10 => "Connected",
        /// A full sync towards the peer was asked for by the administrator.
        StartingSyncS = 11 => "StartingSyncS",
        /// A full sync from the peer was asked for by the administrator.
        StartingSyncT = 12 => "StartingSyncT",
        /// Exchanging bitmaps; this node will be the source.
        WfBitMapS = 13 => "WFBitMapS",
        /// Exchanging bitmaps; this node will be the target.
        WfBitMapT = 14 => "WFBitMapT",
        /// The target waits for the UUID of this resync.
        WfSyncUuid = 15 => "WFSyncUUID",
        /// Resync runs; this node is the source.
        SyncSource = 16 => "SyncSource",
        /// Resync runs; this node is the target.
        SyncTarget = 17 => "SyncTarget",
        /// Online verify runs; this node started it.
        VerifyS = 18 => "VerifyS",
        /// Online verify runs; the peer started it.
        VerifyT = 19 => "VerifyT",
        /// Resync is paused; this node is the source.
        PausedSyncS = 20 => "PausedSyncS",
        /// Resync is paused; this node is the target.
        PausedSyncT = 21 => "PausedSyncT",
        /// Replication is suspended by congestion; this node runs ahead.
        Ahead = 22 => "Ahead",
        /// Replication is suspended by congestion; the peer runs ahead.
        Behind = 23 => "Behind",
    }
}

named_states! {
    /// The state of the data on a disk.
    pub enum DiskState {
        /// No disk.
        Diskless = 0 => "Diskless",
        /// Reading the metadata.
        Attaching = 1 => "Attaching",
        /// Failed; becomes `Diskless` once the peer knows.
        Failed = 2 => "Failed",
        /// Attached while connected; talking to the peer about it.
        Negotiating = 3 => "Negotiating",
        /// Not usable: parts are older than others.
        Inconsistent = 4 => "Inconsistent",
        /// Consistent, but known to be old.
        Outdated = 5 => "Outdated",
        /// The peer's disk, without a connection.
        DUnknown = 6 => "DUnknown",
        /// Consistent; whether it is current shows when the peer is heard.
        Consistent = 7 => "Consistent",
        /// Current; the only state that serves applications.
        UpToDate = 8 => "UpToDate",
    }
}

impl ConnState {
    /// Returns whether a resync or verify runs or is paused (`SyncSource..=PausedSyncT`).
    pub fn is_sync(self) -> bool {
        (Self::SyncSource..=Self::PausedSyncT).contains(&self)
    }

    /// Returns the same connection state as the other node sees it in a state change request.
    ///
    /// `None` if no request for this state may come from a peer.
    pub const fn mirrored(self) -> Option<Self> {
        Some(match self {
            Self::WfReportParams => Self::WfReportParams,
            Self::Connected => Self::Connected,
            Self::StartingSyncS => Self::StartingSyncT,
            Self::StartingSyncT => Self::StartingSyncS,
            Self::Disconnecting => Self::TearDown,
            Self::VerifyS => Self::VerifyT,
            _ => return None,
        })
    }
}
