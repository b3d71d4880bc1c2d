// SPDX-License-Identifier: GPL-2.0

//! A volume's state changes, and what follows from it.

use crate::engine::meta::superblock::Flags;
use crate::engine::options::{
    NetOptions,
    OnNoData,
    WireProtocol, //
};
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role,
    StateSuccess,
    StateVerdict, //
};
use crate::engine::volume::{
    Conflicts,
    WantedAck, //
};
use crate::engine::wire::state::{
    SizeFlags,
    StateReport,
    SyncUuid,
    UuidFlags,
    UuidReport, //
};

use super::congestion::{
    parts_ahead,
    pulls_ahead, //
};
use super::effect::{
    Effect,
    Outgoing, //
};
use super::fencing::has_good_data;
use super::limits::peer_limits;
use super::policy::{
    ack_of,
    policy_of, //
};
use super::record::VolumeRecord;
use super::rules;
use super::Step;

/// Metadata flags that mirror the state.
fn state_flags(record: &VolumeRecord, old: Flags) -> Flags {
    let s = record.state;
    let peer_known = s.peer_disk >= DiskState::Inconsistent;
    let mut flags = old;
    flags.put(Flags::AL_CLEAN, false);
    flags.put(Flags::CRASHED_PRIMARY, record.crashed_primary);
    flags.put(
        Flags::PRIMARY,
        s.role == Role::Primary || (!peer_known && s.peer == Role::Primary),
    );
    flags.put(Flags::CONNECTED, s.conn > ConnState::WfReportParams);
    flags.put(Flags::CONSISTENT, s.disk > DiskState::Inconsistent);
    flags.put(Flags::WAS_UP_TO_DATE, s.disk > DiskState::Outdated);
    flags.put(
        Flags::PEER_OUTDATED,
        peer_known && s.peer_disk <= DiskState::Outdated,
    );
    flags
}

/// Whether the connection is established by this change.
fn establishes(old: DeviceState, new: DeviceState) -> bool {
    old.conn == ConnState::WfReportParams && new.conn >= ConnState::Connected
}

/// Whether a connection is established when our disk is gone or going: the peer may have been told
/// of a good one.
fn meets_without_disk(old: DeviceState, new: DeviceState) -> bool {
    establishes(old, new) && new.disk <= DiskState::Failed
}

impl Step<'_> {
    /// Draws the consequences of a wanted state.
    pub(super) fn sanitize(&self, volume: usize, wanted: DeviceState) -> DeviceState {
        let negotiated = self.volumes.get(volume).and_then(|v| {
            let disk = v.disk.as_ref()?;
            let exposed = v.exposed_uuid == disk.superblock.uuids.current;
            v.negotiating.filter(|_| exposed && !v.misses_writes())
        });
        rules::sanitize(
            self.state(volume),
            wanted,
            negotiated,
            &self.context(volume),
        )
    }

    /// A change that simply happens.
    pub(super) fn force(&mut self, volume: usize, wanted: DeviceState) {
        let new = self.sanitize(volume, wanted);
        self.apply(volume, new);
    }

    /// A change that somebody asks for; only if the rules allow it.
    pub(super) fn request(&mut self, volume: usize, wanted: DeviceState) -> StateVerdict {
        let old = self.state(volume);
        let new = self.sanitize(volume, wanted);
        if new == old {
            return Ok(StateSuccess::NothingToDo);
        }
        rules::judge(old, new, &self.context(volume))?;
        self.apply(volume, new);
        Ok(StateSuccess::Success)
    }

    fn apply(&mut self, volume: usize, new: DeviceState) {
        let old = self.state(volume);
        if old == new {
            return;
        }
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        record.state = new;
        record.note_change(old);
        // Who may be written to says so only when everything a write needs is in force.
        let promoted = old.role != Role::Primary && new.role == Role::Primary;
        if !promoted {
            self.push(Effect::Changed { volume, old, new });
        }
        if pulls_ahead(old, new) || self.tells_failure(volume, old, new) {
            // Before the first range, the peer has to know why it is told ranges; and before the
            // first write that our disk does not get, that it has to mark it.
            self.send_state(volume);
        }
        let fresh = self.wants_new_generation(volume, old, new);
        if fresh {
            // Nothing may be reported as done in the new generation before it is on disk.
            self.set_policy(volume, true);
            let random = self.random();
            self.new_generation(volume, random);
        }
        if self.update_flags(volume) {
            self.push(Effect::SaveBitmap { volume });
        }
        if fresh || self.volumes.get(volume).is_some_and(|v| v.dirty) {
            self.save(volume);
        }
        self.set_policy(volume, false);
        if promoted {
            self.push(Effect::Changed { volume, old, new });
        }
        if fresh && new.conn >= ConnState::Connected {
            self.send_uuids(volume, UuidFlags::default());
        }
        self.after_conn_change(volume, old, new);
        self.after_verify_change(volume, old, new);
        self.after_disk_change(volume, old, new);
        self.after_request(volume, old, new);
        self.resync_late_growth(volume);
        self.tell_no_data(volume, old, new);
        self.spread_suspension(old, new);
    }

    /// Whether the data goes its own way from here on: the peer's copy is out of reach, and
    /// somebody is writing.
    fn wants_new_generation(&mut self, volume: usize, old: DeviceState, new: DeviceState) -> bool {
        let lost = rules::lost_peer_data(old, new);
        let peer_diskless_promoted = new.peer_disk < DiskState::Inconsistent
            && old.peer != Role::Primary
            && new.peer == Role::Primary;
        // The peer was lost when there was no good disk here yet.
        let alone = new.role == Role::Primary
            && old.disk < DiskState::UpToDate
            && !rules::within_reach(new);
        let writing = new.role == Role::Primary || new.peer == Role::Primary;
        let shared = self
            .volumes
            .get(volume)
            .is_some_and(VolumeRecord::shares_generation);
        // With protocols A and B what is done may never have come to the peer's disk.
        let net = self.resource.net.as_ref();
        let frozen = new.is_suspended() && net.is_none_or(|net| net.protocol == WireProtocol::C);
        // What the peer was told of generations holds until both have compared them.
        let comparing = new.conn == ConnState::WfReportParams;
        let met = old.conn == ConnState::WfReportParams
            && new.conn >= ConnState::Connected
            && new.peer_disk >= DiskState::Inconsistent;
        let waits = frozen || comparing;
        let Some(record) = self.volumes.get_mut(volume) else {
            return false;
        };
        let disk = record.disk.as_ref();
        let ahead = disk.is_some_and(|d| parts_ahead(old, new, d.superblock.uuids.bitmap));
        // A Primary that lost its disk does not write to ours before it hears that it is good.
        let waits_for_us =
            record.unheard && new.role != Role::Primary && new.conn >= ConnState::Connected;
        let parted = (lost && writing && !waits_for_us) || peer_diskless_promoted || alone || ahead;
        // While I/O is frozen nothing is written that the peer lacks: it may come back in time.
        let due = parted || (record.owes_generation && !met);
        record.owes_generation = due && waits;
        due && !waits && shared && new.disk >= DiskState::UpToDate
    }

    /// Starts a new data generation; the bitmap counts from the old one.
    pub(super) fn new_generation(&mut self, volume: usize, random: u64) {
        let now = self.env.now;
        if let Some(record) = self.volumes.get_mut(volume) {
            let primary = record.state.role == Role::Primary;
            record.parted_at = Some(now);
            if let Some(disk) = &mut record.disk {
                disk.superblock.uuids.new_current(random, primary);
                record.exposed_uuid = disk.superblock.uuids.current;
                record.dirty = true;
            }
        }
    }

    /// Lets the metadata flags follow the state. True if the superblock stops to say Primary: a
    /// crash does not apply the log any more then, so the bitmap has to be on disk before it.
    fn update_flags(&mut self, volume: usize) -> bool {
        let Some(record) = self.volumes.get_mut(volume) else {
            return false;
        };
        // A disk that is coming or going says nothing of its data.
        let settled = record.disk_at_least(DiskState::Inconsistent);
        let Some(old) = settled.map(|disk| disk.superblock.flags) else {
            return false;
        };
        let new = state_flags(record, old);
        if let Some(disk) = &mut record.disk {
            disk.superblock.flags = new;
            record.dirty |= new != old;
        }
        old.has(Flags::PRIMARY) && !new.has(Flags::PRIMARY)
    }

    /// Writes the superblock, if there is a disk whose metadata may be written.
    pub(super) fn save(&mut self, volume: usize) {
        if let Some(record) = self.volumes.get_mut(volume) {
            record.dirty = false;
            if record.disk_at_least(DiskState::Negotiating).is_some() {
                self.push(Effect::SaveSuperblock { volume });
            }
        }
    }

    /// Puts the policy of the present state in force; `hold` until something is on disk.
    pub(super) fn set_policy(&mut self, volume: usize, hold: bool) {
        let version = self.resource.agreed.version;
        let protocol = self.resource.net.as_ref().map(|net| net.protocol);
        let patience = self.resource.net.as_ref().map(NetOptions::peer_timeout_ms);
        let on_no_data = self.resource.options.on_no_data_accessible;
        if let Some(record) = self.volumes.get(volume) {
            let mut policy = policy_of(
                record.state,
                record.unmerged,
                record.options.al_updates,
                version,
            );
            policy.hold |= hold;
            policy.ack = protocol.map_or(WantedAck::Written, ack_of);
            policy.conflicts = self.conflicts();
            policy.drain = record.drain;
            policy.balancing = record.options.read_balancing;
            policy.disk_timeout_ms = record.options.disk_timeout.saturating_mul(100);
            policy.peer_timeout_ms = patience.unwrap_or(0);
            policy.abandon = record.abandoned && record.state.disk == DiskState::Failed;
            policy.keep_failed = on_no_data == OnNoData::SuspendIo;
            policy.congestion = self.resource.congestion(record.state);
            policy.discards = record.options.discard_zeroes_if_aligned;
            policy.takes = peer_limits(self.resource.agreed, record.peer_bio_bytes);
            self.push(Effect::SetPolicy { volume, policy });
        }
    }

    /// Who decides about concurrent writes.
    fn conflicts(&self) -> Conflicts {
        let net = self.resource.net.as_ref();
        match net.is_some_and(|net| net.allow_two_primaries) {
            false => Conflicts::None,
            true if self.resource.resolver => Conflicts::Decides,
            true => Conflicts::PeerDecides,
        }
    }

    /// Puts another protocol in force.
    pub(super) fn set_policies(&mut self) {
        (0..self.volumes.len()).for_each(|volume| self.set_policy(volume, false));
    }

    fn after_conn_change(&mut self, volume: usize, old: DeviceState, new: DeviceState) {
        use ConnState as C;
        let source = |c| matches!(c, C::SyncSource | C::PausedSyncS);
        if !source(old.conn) && source(new.conn) {
            self.send_sync_uuid(volume, old.conn == C::Ahead);
        }
        if old.peer_disk == DiskState::Diskless
            && new.peer_disk > DiskState::Diskless
            && new.peer_disk != DiskState::DUnknown
        {
            self.send_uuids(volume, UuidFlags::default());
            self.send_state(volume);
        }
        if old.conn != C::WfBitMapS && new.conn == C::WfBitMapS {
            self.push(Effect::SendBitmap { volume });
        }
        let established = establishes(old, new);
        let paused = old.aftr_isp != new.aftr_isp || old.user_isp != new.user_isp;
        if established {
            self.resource.state_sent = self
                .volumes
                .iter()
                .any(|v| v.state.conn == C::WfReportParams);
        }
        let told = self.tells_failure(volume, old, new);
        if established && !told || (new.conn >= C::Connected && paused) {
            self.send_state(volume);
        }
        if established {
            self.thaw_connected();
        }
        let resynced = old.conn > C::Connected && old.conn < C::Ahead;
        if resynced && new.conn >= C::Ahead {
            self.push(Effect::SaveBitmap { volume });
        }
        if resynced && new.conn == C::Connected {
            self.push(Effect::StopResync { volume });
            self.push(Effect::SaveBitmap { volume });
        }
        if old.disk < DiskState::UpToDate && old.conn >= C::SyncSource && new.conn == C::Connected {
            self.tell_end_soon(volume);
        }
    }

    /// Whether the peer is to be told now that our disk failed.
    fn tells_failure(&self, volume: usize, old: DeviceState, new: DeviceState) -> bool {
        let failed = old.disk != DiskState::Failed && new.disk == DiskState::Failed;
        let told = failed && new.conn >= ConnState::Connected || meets_without_disk(old, new);
        told && !self.awaits_failure_handler(volume)
    }

    /// The disk that failed is given up, unless a handler is asked first.
    pub(super) fn release_failed(&mut self, volume: usize) {
        if !self.awaits_failure_handler(volume) {
            self.push(Effect::ReleaseDisk { volume });
        }
    }

    /// Whether a handler decides what becomes of the disk that failed.
    fn awaits_failure_handler(&self, volume: usize) -> bool {
        let record = self.volumes.get(volume);
        record.is_some_and(|v| v.failing.is_some())
    }

    fn after_disk_change(&mut self, volume: usize, old: DeviceState, new: DeviceState) {
        let connected = new.conn >= ConnState::Connected;
        let negotiate =
            old.disk == DiskState::Attaching && new.disk == DiskState::Negotiating && connected;
        if negotiate {
            self.send_sizes(volume, false, SizeFlags::default());
            self.send_uuids(volume, UuidFlags::default());
        }
        let entered = |d| old.disk != d && new.disk == d;
        let degraded = old.disk == DiskState::UpToDate && new.disk == DiskState::Inconsistent;
        let told = negotiate
            || entered(DiskState::Diskless)
            || (degraded && new.conn == ConnState::Connected);
        if connected && told {
            self.send_state(volume);
        }
        if entered(DiskState::Failed) && !self.volumes.get(volume).is_some_and(|v| v.parts_first) {
            self.release_failed(volume);
        }
        let came_up = matches!(old.disk, DiskState::Attaching | DiskState::Negotiating)
            && new.disk > DiskState::Negotiating;
        let reached = new.susp_nod && !has_good_data(&old) && has_good_data(&new);
        if came_up || reached {
            self.thaw_attached();
        }
    }

    fn after_request(&mut self, volume: usize, old: DeviceState, new: DeviceState) {
        let starting = |c| matches!(c, ConnState::StartingSyncS | ConnState::StartingSyncT);
        if !starting(old.conn) && starting(new.conn) {
            self.start_full_sync(volume, new.conn);
        }
    }

    /// The peer is going to hear that our disk is good. If it is Primary and has lost its own disk
    /// meanwhile, it writes to ours alone from then on: that is a generation. Not before: the peer
    /// may have its disk back first, and go on with that.
    fn part_before_it_hears(&mut self, volume: usize) {
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        let new = record.state;
        let unheard = core::mem::take(&mut record.unheard);
        let lives_on_us = new.disk == DiskState::UpToDate
            && new.conn >= ConnState::Connected
            && new.role != Role::Primary
            && new.peer == Role::Primary
            && new.peer_disk < DiskState::Inconsistent;
        if unheard && lives_on_us && record.shares_generation() {
            let random = self.random();
            self.new_generation(volume, random);
            self.save(volume);
            self.send_uuids(volume, UuidFlags::default());
        }
    }

    /// Tells the peer the present state.
    pub(super) fn send_state(&mut self, volume: usize) {
        self.part_before_it_hears(volume);
        let state = self.state(volume).pack();
        self.send(volume, Outgoing::State(StateReport { state }));
    }

    /// Tells the peer the generations of our data.
    pub(super) fn send_uuids(&mut self, volume: usize, extra: UuidFlags) {
        let discard = self
            .resource
            .net
            .as_ref()
            .is_some_and(|n| n.discard_my_data);
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        record.told_bits = record.bits;
        let inconsistent = record
            .negotiating
            .is_some_and(|(disk, _)| disk == DiskState::Inconsistent);
        let mut flags = extra;
        for (set, flag) in [
            (discard, UuidFlags::DISCARD_MY_DATA),
            (record.crashed_primary, UuidFlags::CRASHED_PRIMARY),
            (inconsistent, UuidFlags::INCONSISTENT),
        ] {
            if set {
                flags = flags.with(flag);
            }
        }
        let bits_set = record.bits;
        let Some(disk) = record.disk_at_least(DiskState::Negotiating) else {
            return;
        };
        let uuids = disk.superblock.uuids;
        let mut report = UuidReport {
            bits_set,
            flags,
            ..UuidReport::default()
        };
        report.set_uuids(uuids);
        self.send(volume, Outgoing::Uuids(report));
    }

    /// We became the source of a resync: the target will carry this generation while it is
    /// inconsistent. `again`: of one that we had interrupted; the target has its generation.
    fn send_sync_uuid(&mut self, volume: usize, again: bool) {
        let random = self.random();
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        let target = record.peer_uuids.map_or(0, |peer| peer.current);
        let Some(disk) = &mut record.disk else {
            return;
        };
        let uuids = &mut disk.superblock.uuids;
        let uuid = if again && uuids.resync_begun() {
            uuids.bitmap
        } else {
            uuids.start_as_source(random, target)
        };
        self.save(volume);
        self.send(volume, Outgoing::SyncUuid(SyncUuid { uuid }));
    }
}

impl VolumeRecord {
    /// Bookkeeping that belongs to the change from `old` to the present state.
    fn note_change(&mut self, old: DeviceState) {
        let new = self.state;
        if old.conn != new.conn {
            // A handler that is asked before a resync answers for the state that it was asked in.
            self.starting = None;
        }
        if old.conn != new.conn && new.conn == ConnState::WfBitMapT {
            self.unmerged = true;
        }
        let both =
            |s: DeviceState| s.disk == DiskState::UpToDate && s.peer_disk == DiskState::UpToDate;
        if !both(old) && both(new) {
            self.parted_at = None;
            self.crashed_primary = false;
            if let Some(peer) = &mut self.peer_uuids {
                peer.flags.0 &= !UuidFlags::CRASHED_PRIMARY.0;
            }
        }
        let shared = new.conn >= ConnState::Connected && new.peer_disk == DiskState::UpToDate;
        let writing = new.role == Role::Primary || new.peer == Role::Primary;
        let gone = new.disk < DiskState::Inconsistent;
        let failed = old.disk > DiskState::Failed && new.disk == DiskState::Failed;
        // Its resync ends when the source has lost its disk: from here on, the peer's goes on.
        let outlived = old.peer_disk < DiskState::UpToDate && gone && self.left_uuid == 0;
        if writing && shared && (failed || outlived) {
            let disk = self.disk.as_ref().map(|d| d.superblock.uuids.current);
            self.left_uuid = disk.unwrap_or(self.exposed_uuid);
        }
        if shared && gone && old.peer_disk < DiskState::UpToDate {
            // From here on applications see the peer's data, which went on from what they saw.
            let went_on = |u: &UuidReport| u.bitmap != 0 && u.bitmap & !1 == self.exposed_uuid & !1;
            let peer = self.peer_uuids.filter(went_on);
            self.exposed_uuid = peer.map_or(self.exposed_uuid, |u| u.current);
        }
        let compared = new.disk >= DiskState::Inconsistent && old.disk == DiskState::Negotiating;
        // The peer that writes has no disk either: it did not go on.
        let stopped = new.peer == Role::Primary && new.peer_disk < DiskState::Inconsistent;
        if new.conn >= ConnState::Connected && (compared || stopped) {
            self.left_uuid = 0;
        }
        if old.disk < DiskState::Consistent && new.disk >= DiskState::Consistent {
            if let Some(disk) = &self.disk {
                self.exposed_uuid = disk.superblock.uuids.current;
            }
        }
        if old.disk == DiskState::Inconsistent
            && old.peer_disk == DiskState::Inconsistent
            && old.peer == Role::Secondary
            && new.peer == Role::Primary
            && new.conn <= ConnState::Connected
        {
            self.consider_resync = true;
        }
    }
}
