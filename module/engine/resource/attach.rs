// SPDX-License-Identifier: GPL-2.0

//! A disk comes and goes.

use crate::engine::control::RetCode;
use crate::engine::meta::activity_log_block::Ring;
use crate::engine::meta::superblock::Flags;
use crate::engine::options::{
    DiskOptions,
    Fencing,
    OnIoError, //
};
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role,
    StateError,
    StateSuccess, //
};

use super::effect::{
    Effect,
    Loss,
    Outgoing, //
};
use super::event::Token;
use super::notice::{
    FullSync,
    Notice, //
};
use super::record::{
    Disk,
    VolumeRecord, //
};
use super::resize::Change;
use super::rules;
use super::size::agreed_size;
use super::Step;

/// What kind of I/O failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoKind {
    /// A read of data.
    Read,
    /// A write of data.
    Write,
    /// Metadata: superblock, activity log, bitmap.
    Metadata,
    /// Something was not answered within `disk-timeout`.
    Timeout,
}

/// No more extents are active at a time than the disk's log can tell of.
fn fit_log(options: &mut DiskOptions, ring: Ring) {
    let room = u32::from(ring.max_slots());
    options.al_extents = options.al_extents.min(room);
}

impl Step<'_> {
    /// A disk whose superblock and bitmap were read shall be used.
    pub(super) fn attach(&mut self, token: Token, volume: usize, disk: Disk, options: DiskOptions) {
        let Some(record) = self.volumes.get(volume) else {
            return self.answer(token, RetCode::ERR_MINOR_INVALID);
        };
        if record.state.disk != DiskState::Diskless {
            return self.answer(token, RetCode::ERR_DISK_CONFIGURED);
        }
        if let Err(code) = check_attach(record, &disk, &options) {
            return self.answer(token, code);
        }
        let attaching = DeviceState {
            disk: DiskState::Attaching,
            ..record.state
        };
        if let Err(error) = self.request(volume, attaching) {
            return self.answer_state(token, Err(error));
        }
        let flags = disk.superblock.flags;
        self.take_disk(volume, disk, options);
        self.push(Effect::InstallDisk { volume });
        self.push(Effect::TuneDisk { volume });
        self.set_limits(volume);
        self.choose_write_order();
        self.first_size(volume);
        let record = self.volumes.get(volume);
        let crashed = record.is_some_and(|v| v.crashed_primary);
        let unmarked = record.is_some_and(|v| v.left_unmarked && v.misses_writes());
        let why = if flags.has(Flags::FULL_SYNC) {
            Some(FullSync::Marked)
        } else if unmarked {
            Some(FullSync::Failed)
        } else if crashed && flags.has(Flags::AL_DISABLED) {
            Some(FullSync::NoLog)
        } else {
            None
        };
        if let Some(why) = why {
            self.notice(volume, Notice::FullSync { why });
            self.push(Effect::FillBitmap { volume, set: true });
            // The bitmap says it from now on; the superblock is saved after it.
            if let Some(disk) = self.volumes.get_mut(volume).and_then(|v| v.disk.as_mut()) {
                disk.superblock.flags.put(Flags::FULL_SYNC, false);
            }
        }
        self.come_up(volume, flags);
        self.answer(token, RetCode::NO_ERROR);
    }

    fn take_disk(&mut self, volume: usize, mut disk: Disk, mut options: DiskOptions) {
        fit_log(&mut options, disk.geometry.ring);
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        let flags = disk.superblock.flags;
        disk.superblock
            .flags
            .put(Flags::AL_DISABLED, !options.al_updates);
        // A Primary without its peer may have written what that one lacks, in the generation that
        // both have: while its requests wait for fencing it begins no other one.
        let state = record.state;
        let served = state.role == Role::Primary && state.conn >= ConnState::Connected;
        record.crashed_primary =
            flags.has(Flags::CRASHED_PRIMARY) || (flags.has(Flags::PRIMARY) && !served);
        record.options = options;
        record.parted_at = None;
        record.disk = Some(disk);
    }

    /// The volume gets the size that its disk allows. What the peer has grown meanwhile is resynced
    /// when the disk has come up.
    fn first_size(&mut self, volume: usize) {
        let plan = self
            .volumes
            .get(volume)
            .and_then(|v| v.plan(None, v.terms(v.options.size)));
        let Some(plan) = plan else {
            return;
        };
        let grew = self.put_in_force(volume, plan, false) == Change::Grew;
        if let Some(record) = self.volumes.get_mut(volume) {
            record.grew_alone |= grew;
        }
    }

    /// The disk's first state: from its flags, or from a negotiation with the peer.
    fn come_up(&mut self, volume: usize, flags: Flags) {
        let old = self.state(volume);
        let mut new = old;
        new.disk = match (
            flags.has(Flags::CONSISTENT),
            flags.has(Flags::WAS_UP_TO_DATE),
        ) {
            (true, true) => DiskState::Consistent,
            (true, false) => DiskState::Outdated,
            _ => DiskState::Inconsistent,
        };
        if flags.has(Flags::PEER_OUTDATED) {
            new.peer_disk = DiskState::Outdated;
        }
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        if record.misses_writes() {
            // Not only Outdated: if the peer crashed before its new generation was on disk, nothing
            // else tells that it has to be the source.
            new.disk = DiskState::Inconsistent;
        }
        let trusted =
            new.peer_disk == DiskState::Outdated || record.options.fencing == Fencing::DontCare;
        if new.disk == DiskState::Consistent && trusted {
            new.disk = DiskState::UpToDate;
        }
        if old.conn == ConnState::Connected {
            record.negotiating = Some((new.disk, new.peer_disk));
            record.peer_uuids = None;
            new = old;
            new.disk = DiskState::Negotiating;
        }
        self.force(volume, new);
        let primary = self.state(volume).role == Role::Primary;
        if let Some(disk) = self.volumes.get_mut(volume).and_then(|v| v.disk.as_mut()) {
            disk.superblock.uuids.mark_role(primary);
        }
        self.save(volume);
    }

    pub(super) fn disk_options(&mut self, token: Token, volume: usize, mut options: DiskOptions) {
        let before = self.volumes.get(volume).map(|v| v.options.al_extents);
        if let Some(record) = self.volumes.get_mut(volume) {
            if let Some(disk) = &mut record.disk {
                fit_log(&mut options, disk.geometry.ring);
                disk.superblock
                    .flags
                    .put(Flags::AL_DISABLED, !options.al_updates);
            }
            record.options = options;
        }
        self.save(volume);
        self.push(Effect::TuneDisk { volume });
        self.resize_log(volume, before);
        self.choose_write_order();
        self.set_policy(volume, false);
        self.set_resync_limits(volume);
        if self.state(volume).conn >= ConnState::Connected {
            self.send(volume, Outgoing::SyncParams);
        }
        self.answer(token, RetCode::NO_ERROR);
    }

    /// As many extents may be active as the options say; `before`: as many as were.
    fn resize_log(&mut self, volume: usize, before: Option<u32>) {
        let record = self.volumes.get(volume).filter(|v| v.disk.is_some());
        let now = record.map(|record| record.options.al_extents);
        let slots = now.filter(|_| now != before).map(u16::try_from);
        if let Some(Ok(slots)) = slots {
            self.push(Effect::ResizeLog { volume, slots });
        }
    }

    /// The own data is declared out of date. What is worse does not become that by it, nor good
    /// because the peer is connected.
    pub(super) fn outdate(&mut self, token: Token, volume: usize) {
        let worse = [
            DiskState::Failed,
            DiskState::Negotiating,
            DiskState::Inconsistent,
        ];
        if worse.contains(&self.state(volume).disk) {
            return self.answer_state(token, Err(StateError::LowerThanOutdated));
        }
        self.simple(token, volume, |s| DeviceState {
            disk: DiskState::Outdated,
            ..s
        });
    }

    /// The administrator takes the disk away. The answer comes when it is out of use.
    pub(super) fn detach(&mut self, token: Token, volume: usize, force: bool) {
        let old = self.state(volume);
        if old.disk == DiskState::Diskless {
            return self.answer_state(token, Ok(StateSuccess::NothingToDo));
        }
        if force {
            return self.detach_by_force(token, volume);
        }
        let wanted = DeviceState {
            disk: DiskState::Failed,
            ..old
        };
        let allowed = self.judge_detach(volume, wanted).is_ok();
        if allowed && rules::needs_peer(old, self.sanitize(volume, wanted)) {
            // The peer may be Primary and live on our disk.
            return self.ask_to_detach(token, volume, wanted);
        }
        self.detach_agreed(token, volume);
    }

    /// A Primary keeps the last good disk. (What a Secondary is left with is its peer's business.)
    fn judge_detach(&self, volume: usize, wanted: DeviceState) -> Result<(), StateError> {
        let old = self.state(volume);
        if old.role != Role::Primary {
            return Ok(());
        }
        rules::judge(old, self.sanitize(volume, wanted), &self.context(volume)).map(drop)
    }

    /// The disk goes at once, whatever the peer says and whether or not the lower device answers.
    fn detach_by_force(&mut self, token: Token, volume: usize) {
        self.abandon(volume);
        let wanted = DeviceState {
            disk: DiskState::Failed,
            ..self.state(volume)
        };
        self.force(volume, wanted);
        self.leave_unmarked(volume);
        // It may have failed already, and be waited for; or its handler does not come back.
        self.disk_failed_told(volume);
        self.set_policy(volume, false);
        if wanted.role == Role::Secondary && self.resource.conn == ConnState::WfReportParams {
            // The peer may wait for what the disk does not answer.
            self.trouble(Loss::NetworkFailure);
        }
        self.answer_state(token, Ok(StateSuccess::Success));
    }

    /// Until its bitmap is saved, a disk does not know what it misses. (The peer marks what it
    /// could not give a Secondary, but not what a Primary lost.)
    fn leave_unmarked(&mut self, volume: usize) {
        if let Some(record) = self.volumes.get_mut(volume) {
            let failed = record.state.disk == DiskState::Failed;
            record.left_unmarked = failed && record.state.role == Role::Primary;
        }
    }

    /// From now on nobody waits for the disk, which is about to be given up.
    fn abandon(&mut self, volume: usize) {
        if let Some(record) = self.volumes.get_mut(volume) {
            record.abandoned = true;
        }
    }

    /// The peer has nothing against it that the disk goes. What it agreed to may not be good any
    /// more: we may have pulled ahead of it meanwhile.
    pub(super) fn detach_agreed(&mut self, token: Token, volume: usize) {
        let mut wanted = self.state(volume);
        if wanted.disk <= DiskState::Failed {
            return self.answer_state(token, Ok(StateSuccess::NothingToDo));
        }
        wanted.disk = DiskState::Failed;
        if let Err(error) = self.judge_detach(volume, wanted) {
            return self.answer_state(token, Err(error));
        }
        self.force(volume, wanted);
        self.leave_unmarked(volume);
        self.detaching(token, volume);
    }

    /// The lower device reported an error, or nothing for too long.
    pub(super) fn io_error(&mut self, volume: usize, kind: IoKind) {
        if self.state(volume).disk > DiskState::Failed {
            self.disk_fails(volume, kind);
        } else if kind == IoKind::Timeout {
            self.abandon(volume);
        }
        // Failed requests may wait for the word that it changes nothing for them.
        self.set_policy(volume, false);
    }

    fn disk_fails(&mut self, volume: usize, kind: IoKind) {
        let old = self.state(volume);
        let policy = self
            .volumes
            .get(volume)
            .map_or(OnIoError::Detach, |v| v.options.on_io_error);
        let mut wanted = old;
        wanted.disk = match (policy, kind) {
            (OnIoError::PassOn, IoKind::Read | IoKind::Write) => {
                old.disk.min(DiskState::Inconsistent)
            }
            _ => DiskState::Failed,
        };
        if kind == IoKind::Timeout {
            self.notice(volume, Notice::DiskTimeout);
            self.abandon(volume);
        }
        if wanted.disk == DiskState::Failed {
            self.notice(volume, Notice::DiskFailed);
            if policy == OnIoError::CallHelper {
                self.ask_after_io_error(volume);
            }
        }
        let parts = wanted.disk == DiskState::Failed && old.role == Role::Secondary;
        self.part_first(volume, parts);
        self.force(volume, wanted);
        self.leave_unmarked(volume);
        if parts {
            // What the peer wrote may have been lost with the disk's cache, and there is no way
            // to take back that we have it but the end of the connection. Not later than the disk
            // is released: without a disk a barrier of the peer would be answered at once.
            self.trouble(Loss::NetworkFailure);
            self.part_first(volume, false);
            self.release_failed(volume);
        }
    }

    fn part_first(&mut self, volume: usize, parts: bool) {
        if let Some(record) = self.volumes.get_mut(volume) {
            record.parts_first = parts;
        }
    }

    /// Nothing uses the disk any more.
    ///
    /// `saved`: its bitmap was written in the end, and knows what the disk misses.
    pub(super) fn disk_released(&mut self, volume: usize, saved: bool) {
        let mut wanted = self.state(volume);
        if wanted.disk != DiskState::Failed {
            return;
        }
        wanted.disk = DiskState::Diskless;
        self.force(volume, wanted);
        if let Some(record) = self.volumes.get_mut(volume) {
            record.disk = None;
            record.negotiating = None;
            record.abandoned = false;
            record.left_unmarked &= !saved;
            // From here on applications see the peer's data.
            let peer = record.peer_uuids.filter(|_| {
                wanted.conn >= ConnState::Connected && wanted.peer_disk == DiskState::UpToDate
            });
            if let Some(peer) = peer {
                record.exposed_uuid = peer.current;
            }
        }
        self.detached(volume);
    }
}

/// What forbids a disk.
fn check_attach(record: &VolumeRecord, disk: &Disk, options: &DiskOptions) -> Result<(), RetCode> {
    let superblock = &disk.superblock;
    let state = record.state;
    if disk.max_capacity < options.size || disk.max_capacity < record.capacity {
        return Err(RetCode::ERR_DISK_TOO_SMALL);
    }
    let writing = state.role == Role::Primary || state.peer == Role::Primary;
    let current = superblock.uuids.current & !1;
    let other_data = record.exposed_uuid & !1 != current;
    // The peer has started a generation of its own, but did not tell it any more.
    let left = record.left_uuid != 0 && record.left_uuid & !1 == current;
    if state.role == Role::Primary && state.peer_disk != DiskState::UpToDate && left {
        return Err(RetCode::ERR_DATA_NOT_CURRENT);
    }
    if state.peer_disk != DiskState::UpToDate && record.exposed_uuid != 0 && writing && other_data {
        return Err(RetCode::ERR_DATA_NOT_CURRENT);
    }
    let terms = record.terms(options.size);
    let size = agreed_size(disk.max_capacity, superblock.last_size, terms);
    let consistent = superblock.flags.has(Flags::CONSISTENT);
    if consistent && size < superblock.last_size && size != options.size {
        return Err(RetCode::ERR_IMPLICIT_SHRINK);
    }
    Ok(())
}

#[cfg(test)]
#[path = "attach_tests.rs"]
mod tests;
