// SPDX-License-Identifier: GPL-2.0

//! The administrator's commands.

use crate::engine::backoff::Backoff;
use crate::engine::control::RetCode;
use crate::engine::ids::Instant;
use crate::engine::state::{
    number_of,
    verdict_of,
    ConnState,
    DeviceState,
    DiskState,
    Role,
    StateChange,
    StateError,
    StateSuccess,
    StateVerdict, //
};
use crate::engine::uuid::JUST_CREATED;
use crate::engine::volume::Drain;
use crate::engine::wire::state::{
    StateRequest,
    UuidFlags, //
};
use crate::engine::wire::Command;

use super::effect::{
    Effect,
    Outgoing, //
};
use super::event::{
    Admin,
    Token, //
};
use super::leave::Outdates;
use super::notice::{
    FullSync,
    Notice, //
};
use super::rules;
use super::Step;

/// A command that waits for the peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) token: Token,
    pub(super) goal: Goal,
    /// Since when.
    pub(super) since: Instant,
    /// The peer wanted something at the same time, and its request went first: ours is to be made
    /// once more.
    again: bool,
}

/// What a waiting command wants.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// This change of one volume, once the peer agreed. A change and not a state: much else may
    /// happen until then.
    State {
        volume: usize,
        change: StateChange,
        forced: bool,
    },
    /// Change the role as soon as no request is in the way.
    RoleWhenDrained {
        volume: usize,
        role: Role,
        force: bool,
    },
    /// Become Primary as soon as the peer turns out to be dead, or not to be Primary any more.
    PromoteSoon {
        volume: usize,
        force: bool,
        deadline: Instant,
    },
    /// Become Primary when the peer is fenced; `forced`: with data that is not known to be good.
    /// `calls`: how often the handler was called for it.
    Fence {
        volume: usize,
        force: bool,
        forced: bool,
        calls: u8,
    },
    /// Leave the peer.
    Disconnect { outdates: Outdates },
    /// The peer agreed (or was not asked): the receiver is coming down.
    Leaving,
    /// The peer is asked whether the disk may go.
    AskDetach { volume: usize },
    /// The disk is being taken out of use.
    Detach { volume: usize },
}

impl Pending {
    /// Whether the peer was asked, and is going to answer.
    fn awaits_reply(&self) -> bool {
        let asked = matches!(
            self.goal,
            Goal::State { .. } | Goal::AskDetach { .. } | Goal::Disconnect { .. }
        );
        asked && !self.again
    }

    /// When the command is answered at the latest, by the clock.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.goal {
            Goal::PromoteSoon { deadline, .. } => Some(deadline),
            _ => None,
        }
    }
}

impl Step<'_> {
    pub(super) fn admin(&mut self, token: Token, command: Admin) {
        match command {
            Admin::Attach {
                volume,
                disk,
                options,
            } => self.attach(token, volume, disk, options),
            Admin::Detach { volume, force } => self.detach(token, volume, force),
            Admin::DiskOptions { volume, options } => self.disk_options(token, volume, options),
            Admin::Connect { options } => self.connect(token, options),
            Admin::NetOptions { options } if self.peer_cannot_follow(&options) => {
                self.answer(token, RetCode::ERR_NEED_APV_100);
            }
            Admin::NetOptions { options } => {
                self.resource.net = self.resource.net.as_ref().map(|_| options);
                self.push(Effect::TuneNetwork);
                self.tell_options();
                self.set_policies();
                (0..self.volumes.len()).for_each(|volume| self.set_resync_limits(volume));
                self.answer(token, RetCode::NO_ERROR);
            }
            Admin::ResourceOptions { options } => {
                self.resource.options = options;
                self.answer(token, RetCode::NO_ERROR);
            }
            Admin::Disconnect { force } => self.disconnect(token, force),
            Admin::Promote { volume, force } => self.promote(token, volume, force),
            Admin::Demote { volume } => self.demote(token, volume),
            Admin::Outdate { volume } => self.outdate(token, volume),
            Admin::Suspend { volume, on } => self.suspend_all(token, volume, on),
            Admin::PauseSync { volume, on } => self.pause_sync(token, volume, on),
            Admin::Invalidate { volume, remote } => self.invalidate(token, volume, remote),
            Admin::Verify { volume, range } => self.verify(token, volume, range),
            Admin::Resize { volume, wish } => self.resize_on_demand(token, volume, wish),
            Admin::NewCurrentUuid {
                volume,
                clear_bitmap,
            } => self.new_current_uuid(token, volume, clear_bitmap),
        }
    }

    /// The command is answered as soon as it reaches `goal`.
    pub(super) fn wait_for(&mut self, token: Token, goal: Goal) {
        self.resource.pending = Some(Pending {
            token,
            goal,
            since: self.env.now,
            again: false,
        });
    }

    pub(super) fn answer(&mut self, token: Token, code: RetCode) {
        self.push(Effect::Answer(token, code));
    }

    pub(super) fn answer_state(&mut self, token: Token, verdict: StateVerdict) {
        self.answer(token, RetCode(number_of(verdict)));
    }

    /// The command's deadline has passed, perhaps not for the first time.
    pub(super) fn give_up(&mut self, token: Token) {
        match self.resource.pending {
            Some(Pending {
                goal: Goal::Fence { .. },
                since,
                ..
            }) if self.is_fencing() => self.give_up_fencing(since),
            Some(pending) if pending.token == token => {
                self.resource.pending = None;
                if pending.awaits_reply() {
                    self.resource.late_replies = self.resource.late_replies.saturating_add(1);
                }
                if let Goal::RoleWhenDrained { volume, .. } = pending.goal {
                    self.drain(volume, Drain::None);
                }
                self.answer_state(token, Err(StateError::CwFailedByPeer));
            }
            _ => {}
        }
    }

    /// Nobody waits for the command any more. A promotion would still happen, whenever the handler
    /// comes back.
    pub(super) fn abandon_command(&mut self, token: Token) {
        let fences = |p: &mut Pending| p.token == token && matches!(p.goal, Goal::Fence { .. });
        match self.resource.pending.take_if(fences) {
            Some(_) => self.answer_state(token, Err(StateError::CwFailedByPeer)),
            None => self.give_up(token),
        }
    }

    /// A change without anything around it.
    pub(super) fn simple(
        &mut self,
        token: Token,
        volume: usize,
        change: impl FnOnce(DeviceState) -> DeviceState,
    ) {
        let wanted = change(self.state(volume));
        let verdict = self.request(volume, wanted);
        self.answer_state(token, verdict);
    }

    fn connect(&mut self, token: Token, options: crate::engine::options::NetOptions) {
        if self.resource.net.is_some() {
            return self.answer(token, RetCode::ERR_NET_CONFIGURED);
        }
        if options.discard_my_data && self.any_primary() {
            return self.answer(token, RetCode::ERR_DISCARD_IMPOSSIBLE);
        }
        self.resource.net = Some(options);
        // What failed with the settings before says nothing of these.
        self.resource.backoff = Backoff::default();
        self.push(Effect::ConnectionMade);
        self.set_conn(ConnState::Unconnected);
        self.push(Effect::StartNetwork);
        self.answer(token, RetCode::NO_ERROR);
    }

    /// Tells the peer the states of all volumes that are connected.
    fn tell_states(&mut self) {
        for volume in 0..self.volumes.len() {
            if self.state(volume).conn >= ConnState::Connected {
                self.send_state(volume);
            }
        }
    }

    /// The connection has become StandAlone.
    pub(super) fn left(&mut self) {
        self.finish_if(|goal| matches!(goal, Goal::Leaving));
    }

    /// A detach waits until nothing uses the disk any more.
    pub(super) fn detaching(&mut self, token: Token, volume: usize) {
        self.wait_for(token, Goal::Detach { volume });
    }

    /// Asks the peer whether it can do without our disk.
    pub(super) fn ask_to_detach(&mut self, token: Token, volume: usize, wanted: DeviceState) {
        let (mask, value) = difference(self.state(volume), wanted).pack();
        self.wait_for(token, Goal::AskDetach { volume });
        self.send(volume, Outgoing::StateRequest(StateRequest { mask, value }));
    }

    /// The disk of a volume is out of use.
    pub(super) fn detached(&mut self, gone: usize) {
        self.finish_if(|goal| matches!(goal, Goal::Detach { volume } if *volume == gone));
    }

    /// Answers the waiting command, if it has reached its goal.
    fn finish_if(&mut self, reached: impl FnOnce(&Goal) -> bool) {
        if let Some(pending) = self.resource.pending.take_if(|p| reached(&p.goal)) {
            self.answer_state(pending.token, Ok(StateSuccess::Success));
        }
    }

    /// The connection is gone; a command that waited for the peer goes on without it.
    pub(super) fn peer_is_gone(&mut self) {
        match self.resource.pending {
            Some(Pending {
                token,
                goal: Goal::State { .. },
                ..
            }) => {
                self.resource.pending = None;
                self.answer_state(token, Err(StateError::CwFailedByPeer));
            }
            Some(Pending {
                token,
                goal: Goal::AskDetach { volume },
                ..
            }) => {
                self.resource.pending = None;
                self.detach(token, volume, false);
            }
            Some(Pending {
                token,
                goal: Goal::Disconnect { .. },
                ..
            }) => self.start_leaving(token),
            _ => self.promote_now(),
        }
    }

    /// The peer answered our request for a state change.
    pub(super) fn state_reply(&mut self, code: i32) {
        if let Some(left) = self.resource.late_replies.checked_sub(1) {
            // Nobody wants it any more, and the peer may have changed for it.
            self.resource.late_replies = left;
            return self.tell_states();
        }
        let Some(pending) = &mut self.resource.pending else {
            return self.refuse(Command::StateChgReply, "nothing was asked");
        };
        let Pending { token, goal, .. } = *pending;
        let verdict = verdict_of(code);
        if verdict == Err(StateError::ConcurrentStChg) {
            pending.again = true;
            return;
        }
        let agreed = verdict.is_ok();
        match goal {
            Goal::State {
                volume,
                change,
                forced,
            } => {
                self.resource.pending = None;
                if !agreed {
                    return self.answer_state(token, Err(StateError::CwFailedByPeer));
                }
                let wanted = change.apply(&self.state(volume));
                let verdict = self.carry_out(volume, wanted, forced);
                self.answer_state(token, verdict.map(|_| StateSuccess::ClusterWide));
            }
            Goal::AskDetach { volume } => {
                self.resource.pending = None;
                if agreed {
                    self.detach_agreed(token, volume);
                } else {
                    self.answer_state(token, Err(StateError::CwFailedByPeer));
                }
            }
            Goal::Disconnect {
                outdates: Outdates::Nobody,
            } if !agreed && !self.any_primary() => self.ask_to_leave(token, Outdates::Us),
            Goal::Disconnect { .. } if !agreed => {
                self.resource.pending = None;
                self.answer_state(token, Err(StateError::CwFailedByPeer));
            }
            Goal::Disconnect { outdates } => self.leave_agreed(token, outdates),
            Goal::Leaving
            | Goal::Detach { .. }
            | Goal::PromoteSoon { .. }
            | Goal::Fence { .. }
            | Goal::RoleWhenDrained { .. } => {}
        }
    }

    /// Time has passed since the peer put its own request before ours: makes ours once more, for
    /// the state that there is now.
    pub(super) fn ask_again(&mut self) {
        let Some(Pending { token, goal, .. }) = self.resource.pending.take_if(|p| p.again) else {
            return;
        };
        match goal {
            Goal::State {
                volume,
                change,
                forced,
            } => {
                let wanted = change.apply(&self.state(volume));
                self.ask(token, volume, wanted, forced);
            }
            Goal::AskDetach { volume } => self.detach(token, volume, false),
            Goal::Disconnect { outdates } => self.ask_to_leave(token, outdates),
            Goal::Leaving
            | Goal::Detach { .. }
            | Goal::PromoteSoon { .. }
            | Goal::Fence { .. }
            | Goal::RoleWhenDrained { .. } => self.wait_for(token, goal),
        }
    }

    /// Makes a change, after asking the peer where that is needed.
    pub(super) fn ask(&mut self, token: Token, volume: usize, wanted: DeviceState, forced: bool) {
        let old = self.state(volume);
        let new = self.sanitize(volume, wanted);
        if new == old {
            return self.answer_state(token, Ok(StateSuccess::NothingToDo));
        }
        if let Err(error) = rules::judge(old, new, &self.context(volume)) {
            return self.answer_state(token, Err(error));
        }
        if !rules::needs_peer(old, new) {
            let verdict = self.carry_out(volume, wanted, forced);
            return self.answer_state(token, verdict);
        }
        let change = difference(old, wanted);
        self.wait_for(
            token,
            Goal::State {
                volume,
                change,
                forced,
            },
        );
        if let Some(record) = self.volumes.get_mut(volume) {
            record.early_sync_uuid = None;
        }
        let (mask, value) = change.pack();
        self.send(volume, Outgoing::StateRequest(StateRequest { mask, value }));
    }

    /// Makes a change that was found possible, with what belongs to a change of role.
    fn carry_out(&mut self, volume: usize, wanted: DeviceState, forced: bool) -> StateVerdict {
        let old = self.state(volume);
        let promoted = old.role != Role::Primary && wanted.role == Role::Primary;
        let demoted = old.role == Role::Primary && wanted.role == Role::Secondary;
        rules::judge(old, self.sanitize(volume, wanted), &self.context(volume))?;
        if promoted {
            self.prepare_promotion(volume, forced);
        }
        let verdict = self.request(volume, wanted)?;
        if demoted || promoted {
            self.mark_role(volume, promoted);
            if forced {
                self.notice(volume, Notice::Forced);
            }
            if self.state(volume).conn >= ConnState::WfReportParams {
                if forced {
                    self.send_uuids(volume, UuidFlags::default());
                }
                self.send_state(volume);
            }
        }
        Ok(verdict)
    }

    fn suspend_all(&mut self, token: Token, volume: usize, on: bool) {
        // The one that was named first: user space is told of that one.
        let others = (0..self.volumes.len()).filter(|other| *other != volume);
        for volume in core::iter::once(volume).chain(others) {
            let mut wanted = self.state(volume);
            wanted.susp = on;
            if !on {
                wanted.susp_nod = false;
                wanted.susp_fen = false;
            }
            self.force(volume, wanted);
        }
        self.answer_state(token, Ok(StateSuccess::Success));
    }

    fn pause_sync(&mut self, token: Token, volume: usize, on: bool) {
        let state = self.state(volume);
        if state.user_isp == on {
            return self.answer(
                token,
                if on {
                    RetCode::ERR_PAUSE_IS_SET
                } else {
                    why_paused(state)
                },
            );
        }
        // Whatever else comes of it, as the C module.
        let _ = self.request(
            volume,
            DeviceState {
                user_isp: on,
                ..state
            },
        );
        self.answer(token, RetCode::NO_ERROR);
    }

    fn invalidate(&mut self, token: Token, volume: usize, remote: bool) {
        let old = self.state(volume);
        // Without a connection only the copy that nobody uses can be given up; it is copied in full
        // when the nodes meet.
        let alone = old.conn == ConnState::StandAlone;
        if alone && (old.role == Role::Primary) == remote {
            let why = FullSync::Invalidated;
            self.notice(volume, Notice::FullSync { why });
            self.push(Effect::FillBitmap { volume, set: true });
            return self.simple(token, volume, |mut s| {
                let disk = if remote {
                    &mut s.peer_disk
                } else {
                    &mut s.disk
                };
                *disk = DiskState::Inconsistent;
                s
            });
        }
        let conn = if remote {
            ConnState::StartingSyncS
        } else {
            ConnState::StartingSyncT
        };
        self.ask(token, volume, DeviceState { conn, ..old }, false);
    }

    fn new_current_uuid(&mut self, token: Token, volume: usize, clear: bool) {
        let state = self.state(volume);
        let created = self
            .volumes
            .get(volume)
            .and_then(|v| v.disk.as_ref())
            .is_some_and(|d| d.superblock.uuids.current == JUST_CREATED);
        let skip = clear
            && created
            && state.conn == ConnState::Connected
            && self.resource.agreed.version >= 90;
        if state.conn != ConnState::StandAlone && !skip {
            return self.answer(token, RetCode::ERR_CONNECTED);
        }
        let random = self.random();
        if let Some(record) = self.volumes.get_mut(volume) {
            if let Some(disk) = &mut record.disk {
                disk.superblock.uuids.clear_bitmap();
            }
        }
        self.new_generation(volume, random);
        if clear {
            self.push(Effect::FillBitmap { volume, set: false });
        }
        if skip {
            if let Some(disk) = self.volumes.get_mut(volume).and_then(|v| v.disk.as_mut()) {
                disk.superblock.uuids.bitmap = 0;
            }
            self.send_uuids(volume, UuidFlags::SKIP_INITIAL_SYNC);
            let mut wanted = self.state(volume);
            wanted.disk = DiskState::UpToDate;
            wanted.peer_disk = DiskState::UpToDate;
            self.force(volume, wanted);
        }
        self.save(volume);
        self.answer(token, RetCode::NO_ERROR);
    }
}

/// Why a resync does not go on although this node's administrator did not pause it.
fn why_paused(state: DeviceState) -> RetCode {
    let paused = matches!(state.conn, ConnState::PausedSyncS | ConnState::PausedSyncT);
    if paused && state.aftr_isp {
        RetCode::ERR_PIC_AFTER_DEP
    } else if paused && state.peer_isp {
        RetCode::ERR_PIC_PEER_DEP
    } else {
        RetCode::ERR_PAUSE_IS_CLEAR
    }
}

/// The fields in which two states differ.
fn difference(old: DeviceState, new: DeviceState) -> StateChange {
    StateChange {
        role: (old.role != new.role).then_some(new.role),
        conn: (old.conn != new.conn).then_some(new.conn),
        disk: (old.disk != new.disk).then_some(new.disk),
        peer_disk: (old.peer_disk != new.peer_disk).then_some(new.peer_disk),
        ..StateChange::default()
    }
}
