// SPDX-License-Identifier: GPL-2.0

//! What the peer says of its settings.

use crate::engine::options::{
    FixedStr,
    OPTION_TEXT_MAX, //
};
use crate::engine::wire::params::{
    ConnFlags,
    ControllerParams,
    ProtocolSettings,
    SyncParams, //
};

/// What the peer says of its side of the connection (`P_PROTOCOL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerProtocol {
    /// 1, 2, 3 for protocol A, B, C.
    pub protocol: u32,
    /// Policies after a split brain with 0, 1 and 2 Primaries, in DRBD's numbers.
    pub after_split_brain: [u32; 3],
    /// Not 0 if two Primaries are allowed.
    pub two_primaries: u32,
    /// What else it wants.
    pub flags: ConnFlags,
    /// Algorithm of the digests of all data.
    pub integrity_alg: FixedStr<OPTION_TEXT_MAX>,
}

impl From<ProtocolSettings<'_>> for PeerProtocol {
    fn from(settings: ProtocolSettings<'_>) -> Self {
        Self {
            protocol: settings.protocol,
            after_split_brain: [
                settings.after_sb_0p,
                settings.after_sb_1p,
                settings.after_sb_2p,
            ],
            two_primaries: settings.two_primaries,
            flags: settings.flags,
            integrity_alg: FixedStr::new(settings.integrity_alg).unwrap_or(FixedStr::EMPTY),
        }
    }
}

/// What the peer says of resync and verify (`P_SYNC_PARAM`, `P_SYNC_PARAM89`): the digests it
/// compares data with, and how fast it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerSyncParams {
    /// For verify; `None` below protocol 88.
    pub verify_alg: Option<FixedStr<OPTION_TEXT_MAX>>,
    /// For resync; `None` below protocol 89.
    pub csums_alg: Option<FixedStr<OPTION_TEXT_MAX>>,
    /// The fixed rate, in KiB/s.
    pub resync_rate: u32,
    /// What its controller aims at; `None` below protocol 95.
    pub controller: Option<ControllerParams>,
}

impl PeerSyncParams {
    /// What `params` say in protocol `version`.
    pub fn new(params: &SyncParams<'_>, version: u32) -> Self {
        let told = |since: u32, name: &[u8]| {
            let name = FixedStr::new(name).unwrap_or(FixedStr::EMPTY);
            (version >= since).then_some(name)
        };
        Self {
            verify_alg: told(88, params.verify_alg),
            csums_alg: told(89, params.csums_alg),
            resync_rate: params.resync_rate,
            controller: params.controller,
        }
    }
}
