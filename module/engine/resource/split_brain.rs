// SPDX-License-Identifier: GPL-2.0

//! Split brain: both nodes changed their data independently. Which changes are lost, if any.

use crate::engine::options::{
    AfterSplitBrain0,
    AfterSplitBrain1,
    AfterSplitBrain2,
    NetOptions,
    RoleResyncConflict, //
};
use crate::engine::state::{
    DeviceState,
    DiskState,
    Role, //
};
use crate::engine::wire::state::UuidFlags;

use super::ending::Changes;
use super::handler::Handler;
use super::handshake::Direction;
use super::notice::Notice;
use super::rules;
use super::Step;

/// Who loses its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loser {
    Own,
    Peer,
}

/// What the policies look at, as this node sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides {
    /// We were Primary when the data sets parted (bit 0 of the bitmap's UUID).
    pub(super) own_was_primary: bool,
    /// The peer was.
    pub(super) peer_was_primary: bool,
    /// Blocks that we changed.
    pub(super) own_changes: u64,
    /// Blocks that the peer changed.
    pub(super) peer_changes: u64,
    /// Of two equal nodes, this one gives way.
    pub(super) resolver: bool,
}

impl Sides {
    /// The tie-break: both nodes have it once each.
    fn tie(&self) -> Loser {
        if self.resolver {
            Loser::Own
        } else {
            Loser::Peer
        }
    }

    fn least_changes(&self) -> Loser {
        match self.own_changes.cmp(&self.peer_changes) {
            core::cmp::Ordering::Less => Loser::Own,
            core::cmp::Ordering::Greater => Loser::Peer,
            core::cmp::Ordering::Equal => self.tie(),
        }
    }

    fn zero_changes(&self) -> Option<Loser> {
        match (self.own_changes, self.peer_changes) {
            (0, 0) => Some(self.tie()),
            (_, 0) => Some(Loser::Peer),
            (0, _) => Some(Loser::Own),
            _ => None,
        }
    }

    /// By the time at which the nodes became Primary; if that tells nothing, by their changes.
    fn by_age(&self, younger_loses: bool) -> Loser {
        match (self.own_was_primary, self.peer_was_primary) {
            // The generation parted while the older Primary was one.
            (false, true) if younger_loses => Loser::Own,
            (true, false) if younger_loses => Loser::Peer,
            (false, true) => Loser::Peer,
            (true, false) => Loser::Own,
            _ => self.zero_changes().unwrap_or_else(|| self.least_changes()),
        }
    }
}

/// `after-sb-0pri`.
pub(super) fn without_primary(policy: AfterSplitBrain0, sides: &Sides) -> Option<Loser> {
    match policy {
        AfterSplitBrain0::Disconnect => None,
        AfterSplitBrain0::DiscardYoungerPrimary => Some(sides.by_age(true)),
        AfterSplitBrain0::DiscardOlderPrimary => Some(sides.by_age(false)),
        AfterSplitBrain0::DiscardZeroChanges => sides.zero_changes(),
        AfterSplitBrain0::DiscardLeastChanges => Some(sides.least_changes()),
        AfterSplitBrain0::DiscardLocal => Some(Loser::Own),
        AfterSplitBrain0::DiscardRemote => Some(Loser::Peer),
    }
}

/// `after-sb-1pri`, where it does not ask a handler. `primary`: the Primary is this node.
pub(super) fn with_one_primary(
    policy: AfterSplitBrain1,
    primary: bool,
    by_changes: Option<Loser>,
) -> Option<Loser> {
    let secondary_loses = if primary { Loser::Peer } else { Loser::Own };
    match policy {
        AfterSplitBrain1::Disconnect => None,
        AfterSplitBrain1::Consensus => by_changes.filter(|loser| *loser == secondary_loses),
        AfterSplitBrain1::DiscardSecondary => Some(secondary_loses),
        AfterSplitBrain1::CallPriLost | AfterSplitBrain1::ViolentlyAs0Primary => by_changes,
    }
}

impl Step<'_> {
    /// Both nodes changed their data; `ambiguous`: the generations do not even tell since when.
    ///
    /// `None`: unresolved, the two must not be connected.
    pub(super) fn split_brain(
        &mut self,
        volume: usize,
        peer_role: Role,
        ambiguous: bool,
    ) -> Option<Direction> {
        self.tell_handler(volume, Handler::InitialSplitBrain);
        let net = self.resource.net.clone()?;
        let primaries = u32::from(self.state(volume).role == Role::Primary)
            + u32::from(peer_role == Role::Primary);
        let by_policy = if !ambiguous || net.always_asbp {
            self.loser_by_policy(volume, &net, primaries)
        } else {
            None
        };
        if let Some(loser) = by_policy {
            self.notice(
                volume,
                Notice::SplitBrainSolved {
                    primaries,
                    from_peer: loser == Loser::Own,
                },
            );
            return Some(Direction::away_from(loser, ambiguous));
        }
        if let Some(loser) = self.loser_by_hand(volume, &net) {
            let from_peer = loser == Loser::Own;
            self.notice(volume, Notice::SplitBrainByHand { from_peer });
            return Some(Direction::away_from(loser, false));
        }
        let (own, peer) = self.changes(volume, peer_role)?;
        self.notice(volume, Notice::SplitBrain { own, peer });
        self.tell_handler(volume, Handler::SplitBrain);
        None
    }

    /// Exactly one of the nodes was told to give its changes up.
    fn loser_by_hand(&self, volume: usize, net: &NetOptions) -> Option<Loser> {
        let report = self.volumes.get(volume)?.peer_uuids?;
        match (
            net.discard_my_data,
            report.flags.has(UuidFlags::DISCARD_MY_DATA),
        ) {
            (true, false) => Some(Loser::Own),
            (false, true) => Some(Loser::Peer),
            _ => None,
        }
    }

    fn loser_by_policy(
        &mut self,
        volume: usize,
        net: &NetOptions,
        primaries: u32,
    ) -> Option<Loser> {
        let sides = self.sides(volume)?;
        let by_changes = without_primary(net.after_sb_0pri, &sides);
        let primary = self.state(volume).role == Role::Primary;
        let (loser, asks) = match primaries {
            0 => (by_changes, false),
            1 => (
                with_one_primary(net.after_sb_1pri, primary, by_changes),
                net.after_sb_1pri == AfterSplitBrain1::CallPriLost,
            ),
            _ => match net.after_sb_2pri {
                AfterSplitBrain2::Disconnect => (None, false),
                AfterSplitBrain2::ViolentlyAs0Primary => (by_changes, false),
                AfterSplitBrain2::CallPriLost => (by_changes, true),
            },
        };
        if asks && primary && loser == Some(Loser::Own) && !self.give_up_role(volume) {
            self.tell_handler(volume, Handler::PriLostAfterSb);
            return None;
        }
        loser
    }

    /// What people have to know to decide whose changes are to be lost.
    fn changes(&self, volume: usize, peer_role: Role) -> Option<(Changes, Changes)> {
        let sides = self.sides(volume)?;
        let record = self.volumes.get(volume)?;
        let since = record.parted_at.map(|at| self.env.now.since(at));
        let own = Changes {
            role: record.state.role,
            was_primary: sides.own_was_primary,
            blocks: sides.own_changes,
            since_ms: since,
        };
        let peer = Changes {
            role: peer_role,
            was_primary: sides.peer_was_primary,
            blocks: sides.peer_changes,
            since_ms: None,
        };
        Some((own, peer))
    }

    fn sides(&self, volume: usize) -> Option<Sides> {
        let record = self.volumes.get(volume)?;
        let report = record.peer_uuids?;
        let own = record.disk.as_ref()?.superblock.uuids.bitmap;
        Some(Sides {
            own_was_primary: own & 1 != 0,
            peer_was_primary: report.bitmap & 1 != 0,
            own_changes: record.told_bits,
            peer_changes: report.bits_set,
            resolver: self.resource.resolver,
        })
    }

    /// Demotes this node, if nobody uses the device. (The C module calls the handler in any case:
    /// its rules refuse every change in the middle of a handshake.)
    fn give_up_role(&mut self, volume: usize) -> bool {
        let wanted = DeviceState {
            role: Role::Secondary,
            ..self.state(volume)
        };
        if rules::check_state(wanted, &self.context(volume)).is_err() {
            return false;
        }
        self.force(volume, wanted);
        self.notice(volume, Notice::GaveUpRole);
        true
    }

    /// A Primary with usable data would become the target of a resync: whether it may.
    pub(super) fn may_overwrite_primary(&mut self, volume: usize) -> bool {
        let state = self.state(volume);
        if state.role != Role::Primary || state.disk < DiskState::Consistent {
            return true;
        }
        let policy = self.resource.net.as_ref().map(|net| net.rr_conflict);
        match policy {
            Some(RoleResyncConflict::Violently) => {
                self.notice(volume, Notice::OverwritesPrimary);
                return true;
            }
            Some(RoleResyncConflict::CallPriLost) => self.tell_handler(volume, Handler::PriLost),
            Some(RoleResyncConflict::Disconnect) | None => {}
        }
        self.notice(volume, Notice::PrimaryWouldBeTarget);
        false
    }
}

#[cfg(test)]
#[path = "split_brain_tests.rs"]
mod tests;
