// SPDX-License-Identifier: GPL-2.0

//! A peer that is too slow (`on-congestion`): with protocol A we may pull ahead of it.
//!
//! Ahead means that the peer is told which ranges change, and not the data (`P_OUT_OF_SYNC`); it
//! is Behind, and its disk outdated, meanwhile. When all that was sent before has arrived, it is
//! resynced. The data goes its own way while we are ahead, so a generation begins, as without a
//! peer.

use crate::engine::ids::Instant;
use crate::engine::options::{
    OnCongestion,
    WireProtocol, //
};
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role, //
};
use crate::engine::volume::{
    Congestion,
    Limit, //
};

use super::ending::Why;
use super::notice::Notice;
use super::rules;
use super::{
    Resource,
    Step, //
};

/// How long the peer may rest after the last of what was sent before arrived, in milliseconds.
const REST_MS: u64 = 1000;

/// The protocol version that has `P_OUT_OF_SYNC`.
const VERSION: u32 = 96;

/// Whether a change of state pulls ahead of the peer.
pub(super) fn pulls_ahead(old: DeviceState, new: DeviceState) -> bool {
    old.conn != ConnState::Ahead && new.conn == ConnState::Ahead
}

/// Whether the data goes its own way because we pull ahead. (If the bitmap counts already, it
/// does.)
pub(super) fn parts_ahead(old: DeviceState, new: DeviceState, bitmap_uuid: u64) -> bool {
    pulls_ahead(old, new) && new.role == Role::Primary && bitmap_uuid == 0
}

impl Resource {
    /// When a volume in that state counts the peer as too slow; `None`: never.
    pub(super) fn congestion(&self, state: DeviceState) -> Option<Congestion> {
        use ConnState as C;
        let net = self.net.as_ref()?;
        let wanted = net.on_congestion != OnCongestion::Block && net.protocol == WireProtocol::A;
        let mirrored = matches!(state.conn, C::Connected | C::SyncSource | C::PausedSyncS)
            && rules::within_reach(state);
        let possible = self.agreed.version >= VERSION && state.disk == DiskState::UpToDate;
        (wanted && mirrored && possible).then_some(Congestion {
            fill: net.congestion_fill,
            extents: net.congestion_extents,
        })
    }
}

impl Step<'_> {
    /// A volume found too much on its way to the peer.
    pub(super) fn congested(&mut self, volume: usize, limit: Limit) {
        let state = self.state(volume);
        let policy = self.resource.net.as_ref().map(|net| net.on_congestion);
        if self.resource.congestion(state).is_none() {
            // Meanwhile it does not matter any more.
            return self.set_policy(volume, false);
        }
        self.notice(volume, Notice::Congested { limit });
        if policy == Some(OnCongestion::Disconnect) {
            return self.leave(Why::Command);
        }
        if let Some(record) = self.volumes.get_mut(volume) {
            record.relieved = None;
        }
        let conn = ConnState::Ahead;
        self.force(volume, DeviceState { conn, ..state });
    }

    /// All that was sent before we pulled ahead has arrived.
    pub(super) fn relieved(&mut self, volume: usize) {
        let now = self.env.now;
        if let Some(record) = self.volumes.get_mut(volume) {
            let ahead = record.state.conn == ConnState::Ahead;
            record.relieved = ahead.then_some(now);
        }
    }

    /// Time has passed: peers that had their rest are resynced.
    pub(super) fn catch_up(&mut self) {
        for volume in 0..self.volumes.len() {
            let due = self
                .volumes
                .get(volume)
                .and_then(|record| record.rest_ends())
                .is_some_and(|end| self.env.now >= end);
            if due {
                if let Some(record) = self.volumes.get_mut(volume) {
                    record.relieved = None;
                }
                self.start_resync(volume, ConnState::SyncSource);
            }
        }
    }
}

impl super::VolumeRecord {
    /// When the peer that we are ahead of had its rest.
    pub(super) fn rest_ends(&self) -> Option<Instant> {
        let ahead = self.state.conn == ConnState::Ahead;
        self.relieved
            .filter(|_| ahead)
            .map(|since| since.plus(REST_MS))
    }
}

#[cfg(test)]
#[path = "congestion_tests.rs"]
mod tests;
