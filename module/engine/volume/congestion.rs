// SPDX-License-Identifier: GPL-2.0

//! A peer that is too slow (`on-congestion`): how much is on its way to it, and when that is too
//! much. While we are ahead of it, ranges are told instead of data; when all that was sent before
//! has arrived, a resync may begin.

use crate::engine::ids::Extent;

use super::effect::{
    Effects,
    Report,
    VolumeEffect, //
};
use super::peer::{
    PeerKind,
    PEER_ACTIVE,
    PEER_WAITING, //
};
use super::policy::Lead;
use super::slot::QUEUED;
use super::{
    Storage,
    Volume, //
};

/// How much may be on its way to the peer before it counts as too slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Congestion {
    /// Sectors that were sent and are not on the peer's stable storage (`congestion-fill`); 0: no
    /// limit.
    pub fill: u32,
    /// Extents of the activity log in use (`congestion-extents`).
    pub extents: u32,
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `congestion-fill`.
    Fill,
    /// `congestion-extents`.
    Extents,
}

impl Limit {
    /// The end of the option's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::Fill => "fill",
            Limit::Extents => "extents",
        }
    }
}

/// What is on its way to the peer.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// Sectors of writes that were sent, up to the acknowledgement of the barrier behind them.
    sectors: u64,
    /// The resource was told, and has not said yet what follows.
    told: bool,
}

impl<S: Storage> Volume<S> {
    /// A write is being sent.
    pub(super) fn takes_off(&mut self, index: u32) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.in_flight = true;
            self.flight.sectors += u64::from(slot.extent.bytes / 512);
        }
    }

    /// A write that was sent is on the peer's stable storage, or never will be.
    pub(super) fn lands(&mut self, index: u32) {
        let slot = self.slots.get_mut(index);
        if let Some(slot) = slot.filter(|slot| slot.in_flight) {
            slot.in_flight = false;
            let sectors = u64::from(slot.extent.bytes / 512);
            self.flight.sectors = self.flight.sectors.saturating_sub(sectors);
        }
    }

    /// Sectors that were sent and are not on the peer's stable storage yet.
    pub fn sectors_in_flight(&self) -> u64 {
        self.flight.sectors
    }

    /// Another policy is in force: what was told is answered.
    pub(super) fn forget_told_congestion(&mut self) {
        self.flight.told = false;
    }

    /// A write is about to join those on their way: tells when there are too many, once.
    pub(super) fn look_for_congestion(&mut self, fx: &mut Effects) {
        let Some(limits) = self.policy.congestion.filter(|_| !self.flight.told) else {
            return;
        };
        let used = self.disk.as_ref().map_or(0, |disk| disk.log.used());
        let limit = if limits.fill != 0 && self.flight.sectors >= u64::from(limits.fill) {
            Limit::Fill
        } else if used >= limits.extents {
            Limit::Extents
        } else {
            return;
        };
        self.flight.told = true;
        fx.push(VolumeEffect::Report(Report::Congested(limit)));
    }

    /// Whether we are ahead of the peer.
    pub(super) fn is_ahead(&self) -> bool {
        self.policy.lead == Lead::Ahead
    }

    /// While we are ahead of the target, bits of what it got of the resync are to be set on both
    /// nodes again: a part of it may have changed since, and bits that only one of them has would
    /// keep the next resync from its end.
    pub(super) fn tell_as_ahead(&mut self, extent: Extent, fx: &mut Effects) {
        if self.is_ahead() {
            self.mark(extent);
            fx.push(VolumeEffect::QueueOutOfSync(extent));
        }
    }

    /// While we are ahead: tells, once, when nothing is on its way any more. (Resync data may be,
    /// and will be sent again.)
    pub(super) fn look_for_relief(&mut self, fx: &mut Effects) {
        let open = self.flight.sectors != 0 || self.slots.first(QUEUED).is_some();
        let busy = open || self.forgetting || self.serves_resync();
        if !self.is_ahead() || self.flight.told || busy {
            return;
        }
        if fx.room() == 0 {
            self.retry = true;
            return;
        }
        self.flight.told = true;
        fx.push(VolumeEffect::Report(Report::Relieved));
    }

    /// Whether resync data is being read for the peer.
    fn serves_resync(&self) -> bool {
        [PEER_WAITING, PEER_ACTIVE].into_iter().any(|list| {
            let mut next = self.peers.first(list);
            while let Some(index) = next {
                let kind = self.peers.get(index).map(|peer| peer.kind);
                let reads = matches!(
                    kind,
                    Some(PeerKind::ResyncRead | PeerKind::ResyncCheck { .. })
                );
                if reads {
                    return true;
                }
                next = self.peers.after(index);
            }
            false
        })
    }
}

#[cfg(test)]
#[path = "congestion_tests.rs"]
mod tests;
