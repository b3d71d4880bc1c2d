// SPDX-License-Identifier: GPL-2.0

//! Whose data is right: the decision about a resync when two nodes meet.

use crate::engine::state::{
    ConnState,
    DiskState,
    Role, //
};
use crate::engine::uuid::{
    compare,
    Party,
    SyncDecision,
    Terms,
    JUST_CREATED, //
};
use crate::engine::wire::state::UuidFlags;

use super::effect::{
    Effect,
    Loss, //
};
use super::notice::{
    FullSync,
    Notice, //
};
use super::split_brain::Loser;
use super::Step;

/// Who gets whose data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    None,
    Source { full: bool },
    Target { full: bool },
}

impl Direction {
    /// The one in which the loser's data is overwritten.
    pub(super) fn away_from(loser: Loser, full: bool) -> Self {
        match loser {
            Loser::Own => Direction::Target { full },
            Loser::Peer => Direction::Source { full },
        }
    }

    /// Whether we are the source, and whether all blocks are copied, if there is a resync.
    fn resync(self) -> Option<(bool, bool)> {
        match self {
            Direction::None => None,
            Direction::Source { full } => Some((true, full)),
            Direction::Target { full } => Some((false, full)),
        }
    }
}

impl Step<'_> {
    /// Compares generations and disks. The new connection state of the volume, or `None` when
    /// the two must not be connected.
    pub(super) fn decide_resync(
        &mut self,
        volume: usize,
        peer_role: Role,
        peer_disk: DiskState,
        peer_conn: ConnState,
    ) -> Option<ConnState> {
        let record = self.volumes.get(volume)?;
        let own_disk = match (record.state.disk, record.negotiating) {
            (DiskState::Negotiating, Some((disk, _))) => disk,
            (disk, _) => disk,
        };
        let decision = self.compare(volume, peer_role)?;
        let direction = match (
            self.direction(volume, decision, own_disk, (peer_role, peer_disk))?,
            peer_conn,
        ) {
            // The peer compared before it repaired its generations, and waits for our bitmap.
            (Direction::None, ConnState::WfBitMapS) => Direction::Target { full: false },
            (Direction::None, ConnState::WfBitMapT) => Direction::Source { full: false },
            (direction, _) => direction,
        };
        self.check_direction(volume, direction, own_disk)?;
        if self.only_asks() {
            let resync = direction.resync();
            self.notice(volume, Notice::DryRun { resync });
            return None;
        }
        let full = matches!(
            direction,
            Direction::Source { full: true } | Direction::Target { full: true }
        );
        // A bitmap that counts from fresh metadata knows nothing of what was on the disks before.
        let fresh = direction != Direction::None && self.counts_from_creation(volume);
        if full || fresh {
            let why = if fresh {
                FullSync::Fresh
            } else {
                FullSync::Generations
            };
            self.notice(volume, Notice::FullSync { why });
            self.push(Effect::FillBitmap { volume, set: true });
        }
        Some(match direction {
            Direction::Source { .. } => ConnState::WfBitMapS,
            Direction::Target { .. } => ConnState::WfBitMapT,
            Direction::None => ConnState::Connected,
        })
    }

    /// Whether somebody only wants to know what would happen.
    fn only_asks(&self) -> bool {
        let net = self.resource.net.as_ref();
        self.resource.peer_asks_only || net.is_some_and(|net| net.tentative)
    }

    fn counts_from_creation(&self, volume: usize) -> bool {
        let Some(record) = self.volumes.get(volume) else {
            return false;
        };
        let own = record.disk.as_ref().map(|d| d.superblock.uuids.bitmap);
        let peer = record.peer_uuids.map(|u| u.bitmap);
        [own, peer]
            .into_iter()
            .flatten()
            .any(|bitmap| bitmap & !1 == JUST_CREATED)
    }

    /// Compares the generations.
    fn compare(&mut self, volume: usize, peer_role: Role) -> Option<SyncDecision> {
        let terms = Terms {
            version: self.resource.agreed.version,
            features: self.resource.agreed.features,
            resolve_conflicts: self.resource.resolver,
        };
        let record = self.volumes.get_mut(volume)?;
        let report = record.peer_uuids.as_mut()?;
        let disk = record.disk.as_ref()?;
        let own = Party {
            uuids: disk.superblock.uuids,
            crashed_primary: record.crashed_primary,
            role: record.state.role,
        };
        let peer = Party {
            uuids: report.uuids(),
            crashed_primary: report.flags.has(UuidFlags::CRASHED_PRIMARY),
            role: peer_role,
        };
        let comparison = compare(&own, &peer, &terms);
        if let Some(repaired) = comparison.peer_fix {
            report.set_uuids(repaired);
        }
        let (decision, rule) = (comparison.decision, u32::from(comparison.rule));
        self.notice(
            volume,
            Notice::Compared {
                result: decision.number(),
                rule,
            },
        );
        Some(decision)
    }

    fn direction(
        &mut self,
        volume: usize,
        decision: SyncDecision,
        own_disk: DiskState,
        (peer_role, peer_disk): (Role, DiskState),
    ) -> Option<Direction> {
        let inconsistent = DiskState::Inconsistent;
        let one_sided = (own_disk == inconsistent && peer_disk > inconsistent)
            || (peer_disk == inconsistent && own_disk > inconsistent);
        let both_bad = own_disk <= inconsistent && peer_disk <= inconsistent;
        let full = matches!(
            decision,
            SyncDecision::Source { full: true }
                | SyncDecision::Target { full: true }
                | SyncDecision::AmbiguousSplitBrain
        );
        Some(match decision {
            SyncDecision::Unrelated => {
                self.notice(volume, Notice::UnrelatedData);
                return None;
            }
            SyncDecision::NeedsProtocol { version, .. } => {
                self.notice(volume, Notice::NeedsProtocol { version });
                return None;
            }
            _ if one_sided && own_disk > inconsistent => Direction::Source { full },
            _ if one_sided => Direction::Target { full },
            SyncDecision::NoSync => Direction::None,
            // Neither is good, and neither becomes so by the other.
            SyncDecision::Source { .. } | SyncDecision::Target { .. } if both_bad => {
                Direction::None
            }
            SyncDecision::Source { full } => Direction::Source { full },
            SyncDecision::Target { full } => Direction::Target { full },
            SyncDecision::SplitBrain => return self.split_brain(volume, peer_role, false),
            SyncDecision::AmbiguousSplitBrain => {
                return self.split_brain(volume, peer_role, true);
            }
        })
    }

    /// What must not happen whatever the generations say.
    fn check_direction(
        &mut self,
        volume: usize,
        direction: Direction,
        own_disk: DiskState,
    ) -> Option<()> {
        match direction {
            Direction::Source { .. } if own_disk <= DiskState::Inconsistent => {
                self.notice(volume, Notice::InconsistentSource);
                None
            }
            Direction::Target { .. } if self.parts_instead(volume) => None,
            Direction::Target { .. } if !self.may_overwrite_primary(volume) => None,
            _ => Some(()),
        }
    }

    /// A Primary that is frozen has the peer's generation and shall be its target all the same: it
    /// was that before, and the peer did not hear of the end. With its own generation, which it
    /// starts now, it is the source when they meet again.
    fn parts_instead(&mut self, volume: usize) -> bool {
        let same = self.volumes.get(volume).is_some_and(|record| {
            let own = record
                .disk
                .as_ref()
                .map(|d| d.superblock.uuids.current & !1);
            let peer = record.peer_uuids.map(|report| report.current & !1);
            record.state.role == Role::Primary && own == peer
        });
        let parts = same && !self.only_asks() && self.start_owed_generation(volume);
        if parts {
            self.trouble(Loss::ProtocolError);
        }
        parts
    }
}
