// SPDX-License-Identifier: GPL-2.0

//! The roles: who may become Primary or Secondary, and what has to be over before.

use crate::engine::ids::Instant;
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role,
    StateError,
    StateSuccess, //
};
use crate::engine::volume::Drain;

use super::admin::{
    Goal,
    Pending, //
};
use super::effect::Effect;
use super::event::Token;
use super::fencing::Fencer;
use super::notice::Notice;
use super::rules;
use super::Step;

/// How much longer than a ping's answer may take a promotion waits for it, in milliseconds: the
/// receiver has to notice, and to come down.
const PING_GRACE_MS: u64 = 1500;

/// How often a promotion calls `fence-peer` until the peer is known not to be Primary.
const FENCE_CALLS: u8 = 4;

/// How long a promotion waits for `fence-peer` to come back, in milliseconds: to cut a machine's
/// power may take minutes.
const FENCE_MS: u64 = 600_000;

/// Whether a promotion fails only because nobody knows whether the peer is Primary.
fn is_unsure(error: Option<StateError>, old: DeviceState) -> bool {
    match error {
        Some(StateError::PrimaryNop) => true,
        Some(StateError::NoUpToDateDisk) => old.disk == DiskState::Consistent,
        _ => false,
    }
}

/// Whether a promotion that fails so may be possible in a moment: the peer is Primary, but maybe
/// dead; or the nodes are about to tell each other their states.
fn may_change_soon(verdict: Result<(), StateError>) -> bool {
    matches!(
        verdict,
        Err(StateError::TwoPrimaries | StateError::InTransientState)
    )
}

impl Step<'_> {
    /// Becomes Secondary, when the peer has all that was written on its stable storage: a
    /// Secondary starts no generation of its own when it loses its peer, so what the peer could
    /// still lose would never be found.
    pub(super) fn demote(&mut self, token: Token, volume: usize) {
        let old = self.state(volume);
        let secondary = DeviceState {
            role: Role::Secondary,
            ..old
        };
        let new = self.sanitize(volume, secondary);
        match rules::judge(old, new, &self.context(volume)) {
            Err(error) => self.answer_state(token, Err(error)),
            Ok(()) if new == old => self.answer_state(token, Ok(StateSuccess::NothingToDo)),
            Ok(()) => self.role_when_drained(token, volume, Role::Secondary, false),
        }
    }

    pub(super) fn role_when_drained(
        &mut self,
        token: Token,
        volume: usize,
        role: Role,
        force: bool,
    ) {
        self.wait_for(
            token,
            Goal::RoleWhenDrained {
                volume,
                role,
                force,
            },
        );
        let drain = if role == Role::Primary {
            Drain::Peer
        } else {
            Drain::Own
        };
        self.drain(volume, drain);
    }

    pub(super) fn drain(&mut self, volume: usize, drain: Drain) {
        if let Some(record) = self.volumes.get_mut(volume) {
            record.drain = drain;
        }
        self.set_policy(volume, false);
    }

    /// The requests that were waited for are gone.
    pub(super) fn drained(&mut self, drained: usize) {
        if let Some(record) = self.volumes.get_mut(drained) {
            record.drain = Drain::None;
        }
        let Some(Pending {
            token,
            goal:
                Goal::RoleWhenDrained {
                    volume,
                    role,
                    force,
                },
            ..
        }) = self.resource.pending
        else {
            return;
        };
        if volume != drained {
            return;
        }
        self.resource.pending = None;
        if role == Role::Primary {
            self.promote_drained(token, volume, force);
        } else {
            self.change_role(token, volume, role);
        }
    }

    /// Becomes Primary. Without a peer, what it sent before it was lost may still be on its way to
    /// our disk, and would change what a Primary has already read.
    pub(super) fn promote(&mut self, token: Token, volume: usize, force: bool) {
        if self.state(volume).conn < ConnState::Connected {
            self.role_when_drained(token, volume, Role::Primary, force);
        } else {
            self.promote_drained(token, volume, force);
        }
    }

    pub(super) fn promote_drained(&mut self, token: Token, volume: usize, force: bool) {
        let old = self.state(volume);
        let mut wanted = DeviceState {
            role: Role::Primary,
            ..old
        };
        let context = self.context(volume);
        let mut verdict = rules::judge(old, self.sanitize(volume, wanted), &context);
        let usable = old.disk >= DiskState::Inconsistent && old.disk < DiskState::UpToDate;
        let forced = force && usable && verdict == Err(StateError::NoUpToDateDisk);
        if forced {
            wanted.disk = DiskState::UpToDate;
            verdict = rules::judge(old, self.sanitize(volume, wanted), &context);
        }
        let unsure = is_unsure(verdict.err(), old);
        let apart = self.resource.conn < ConnState::WfReportParams;
        if unsure && apart && self.resource.pending.is_none() {
            return self.promote_after_fencing(
                token,
                Goal::Fence {
                    volume,
                    force,
                    forced,
                    calls: 1,
                },
            );
        }
        if may_change_soon(verdict) && self.resource.pending.is_none() {
            return self.promote_soon(token, volume, force);
        }
        self.ask(token, volume, wanted, forced);
    }

    /// Nobody knows whether the peer is Primary: it has to be fenced first.
    pub(super) fn promote_after_fencing(&mut self, token: Token, goal: Goal) {
        self.wait_for(token, goal);
        match self.fence_peer() {
            Fencer::Called => {}
            Fencer::NotWanted => self.promote_fenced(true),
            Fencer::Unfit => self.promote_unfenced(),
        }
    }

    /// A promotion waits for the handler `fence-peer` since then. It takes its time, as the
    /// administrator wrote it, but one that never comes back has not fenced anybody.
    pub(super) fn give_up_fencing(&mut self, since: Instant) {
        if self.env.now.since(since) >= FENCE_MS {
            self.promote_unfenced();
        }
    }

    /// The handler cannot be called for a promotion, now or later.
    fn promote_unfenced(&mut self) {
        if let Some(Pending {
            goal: Goal::Fence { calls, .. },
            ..
        }) = &mut self.resource.pending
        {
            *calls = FENCE_CALLS;
        }
        self.promote_fenced(false);
    }

    /// A promotion that waited for the peer to be fenced goes on.
    pub(super) fn promote_fenced(&mut self, fenced: bool) {
        let Some(Pending {
            token,
            goal:
                Goal::Fence {
                    volume,
                    force,
                    forced,
                    calls,
                },
            ..
        }) = self.resource.pending
        else {
            return;
        };
        self.resource.pending = None;
        let old = self.state(volume);
        let mut wanted = DeviceState {
            role: Role::Primary,
            ..old
        };
        if forced || (fenced && old.disk == DiskState::Consistent) {
            wanted.disk = DiskState::UpToDate;
        }
        let verdict = rules::check_state(self.sanitize(volume, wanted), &self.context(volume));
        let again = !fenced && !force && is_unsure(verdict.err(), old) && calls < FENCE_CALLS;
        if again && self.resource.conn < ConnState::WfReportParams {
            let calls = calls + 1;
            let goal = Goal::Fence {
                volume,
                force,
                forced,
                calls,
            };
            return self.promote_after_fencing(token, goal);
        }
        if !fenced && force && verdict == Err(StateError::PrimaryNop) {
            self.notice(volume, Notice::ForcedSplitBrain);
            wanted.peer_disk = DiskState::Outdated;
        }
        self.ask(token, volume, wanted, forced);
    }

    /// The peer is Primary, as far as we know: perhaps it is dead and nobody noticed yet. A ping
    /// will tell. Or its answer comes when the peer has told its state.
    pub(super) fn promote_soon(&mut self, token: Token, volume: usize, force: bool) {
        let answer_ms = self
            .resource
            .net
            .as_ref()
            .map_or(0, |net| u64::from(net.ping_timeout) * 100);
        self.wait_for(
            token,
            Goal::PromoteSoon {
                volume,
                force,
                deadline: self.env.now.plus(answer_ms + PING_GRACE_MS),
            },
        );
        self.push(Effect::Ping);
    }

    /// Time has passed, the ping was answered, or the connection is gone.
    pub(super) fn promote_now(&mut self) {
        let Some(Pending {
            token,
            goal:
                Goal::PromoteSoon {
                    volume,
                    force,
                    deadline,
                },
            ..
        }) = self.resource.pending
        else {
            return;
        };
        let promoted = DeviceState {
            role: Role::Primary,
            ..self.state(volume)
        };
        let new = self.sanitize(volume, promoted);
        let verdict = rules::judge(self.state(volume), new, &self.context(volume));
        let late = self.env.now >= deadline;
        match verdict {
            Err(error) if may_change_soon(verdict) && late => {
                self.resource.pending = None;
                self.answer_state(token, Err(error));
            }
            _ if may_change_soon(verdict) => {}
            _ => {
                self.resource.pending = None;
                self.promote(token, volume, force);
            }
        }
    }

    pub(super) fn change_role(&mut self, token: Token, volume: usize, role: Role) {
        let wanted = DeviceState {
            role,
            ..self.state(volume)
        };
        self.ask(token, volume, wanted, false);
    }

    /// A Primary without peer, or one made by force, starts a generation of its own; that is on
    /// disk before the first write is let in.
    pub(super) fn prepare_promotion(&mut self, volume: usize, forced: bool) {
        if let Some(net) = &mut self.resource.net {
            net.discard_my_data = false;
        }
        let Some(record) = self.volumes.get(volume) else {
            return;
        };
        let state = record.state;
        let alone = state.conn < ConnState::Connected || state.peer_disk <= DiskState::Failed;
        if (alone && record.shares_generation()) || forced {
            let random = self.random();
            self.new_generation(volume, random);
            if forced {
                self.overrule_peer(volume);
            }
            self.save(volume);
        }
    }

    /// A peer without good data is to get ours, whatever its own came from.
    fn overrule_peer(&mut self, volume: usize) {
        if let Some(record) = self.volumes.get_mut(volume) {
            let met = record.state.conn >= ConnState::Connected;
            if let (Some(disk), Some(peer), true) = (&mut record.disk, record.peer_uuids, met) {
                disk.superblock.uuids.overrule(peer.current);
            }
        }
    }

    /// Bit 0 of the current UUID tells whether the node was Primary.
    pub(super) fn mark_role(&mut self, volume: usize, primary: bool) {
        if let Some(record) = self.volumes.get_mut(volume) {
            if let Some(disk) = &mut record.disk {
                disk.superblock.uuids.mark_role(primary);
                record.exposed_uuid = disk.superblock.uuids.current;
            }
        }
        self.save(volume);
    }
}
