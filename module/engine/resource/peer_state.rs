// SPDX-License-Identifier: GPL-2.0

//! Rare packets of the peer: what it says of itself, and what it asks for.

use crate::engine::state::{
    number_of,
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
use crate::engine::wire::state::{
    StateRequest,
    SyncUuid,
    UuidFlags,
    UuidReport, //
};
use crate::engine::wire::Command;

use super::effect::{
    Effect,
    Loss, //
};
use super::ending::Why;
use super::event::RarePacket;
use super::notice::Notice;
use super::Step;

/// What the peer asks for, seen from here; `None` if it makes no sense, or is not the peer's to
/// ask: our role, and whether our I/O is suspended, are for our administrator alone. What our disk
/// is we know ourselves; only who leaves may call it Outdated.
fn mirrored(request: StateRequest) -> Option<StateChange> {
    let change = StateChange::unpack(request.mask, request.value)?.mirrored()?;
    let suspends = [change.susp, change.susp_nod, change.susp_fen] != [None; 3];
    if suspends || change.role.is_some() || change.peer == Some(Role::Unknown) {
        return None;
    }
    let leaves = change.conn == Some(ConnState::TearDown);
    Some(StateChange {
        disk: change
            .disk
            .filter(|&disk| leaves && disk == DiskState::Outdated),
        ..change
    })
}

/// Whether the peer is going to be the target of a resync. Its data is not good then, though not
/// called Inconsistent yet; also when its source is none any more.
fn prepares_target(conn: ConnState) -> bool {
    use ConnState as C;
    matches!(conn, C::StartingSyncT | C::WfBitMapT | C::WfSyncUuid)
}

/// Whether we were its source, have finished (also because there was nothing to do), and it does
/// not know yet. What it says of its disk is older than that.
fn ended_before(old: DeviceState, peer: DeviceState, real: DiskState) -> bool {
    use ConnState as C;
    use DiskState as D;
    let unaware = match real {
        D::Inconsistent => peer.conn == C::WfSyncUuid || peer.conn > C::SyncSource,
        D::Outdated => peer.conn == C::WfSyncUuid,
        _ => false,
    };
    unaware && old.conn == C::Connected && old.peer_disk == D::UpToDate
}

/// Whether both nodes want to be the source of a resync, or both the target: two disks that came at
/// the same time, each of which took the other one for missing.
fn on_one_side(ours: ConnState, peers: ConnState) -> bool {
    use ConnState as C;
    let source = |conn| matches!(conn, C::WfBitMapS | C::SyncSource | C::PausedSyncS);
    let target = |conn| matches!(conn, C::WfBitMapT | C::SyncTarget | C::PausedSyncT);
    (source(ours) && source(peers)) || (target(ours) && target(peers))
}

impl Step<'_> {
    /// A rare packet came for the volume of that number.
    pub(super) fn packet(&mut self, number: u16, packet: RarePacket) {
        if self.resource.conn != ConnState::WfReportParams {
            // On the way down, packets that were already received mean nothing any more.
            return;
        }
        match packet {
            RarePacket::Protocol(settings) => return self.peer_protocol(settings),
            RarePacket::ProtocolUpdate(settings) => return self.peer_protocol_update(settings),
            RarePacket::ConnStateRequest(request) => return self.conn_state_request(request, true),
            RarePacket::StateRequest(request) if self.is_leaving(request) => {
                return self.conn_state_request(request, false);
            }
            RarePacket::StateReply(code) => return self.state_reply(code),
            _ => {}
        }
        // The peer may have volumes that we do not know.
        let Some(volume) = self.volumes.iter().position(|v| v.number == number) else {
            return;
        };
        self.peer_has(volume);
        match packet {
            RarePacket::SyncParams(params) => self.peer_sync_params(volume, params),
            RarePacket::Sizes(report) => self.peer_sizes(volume, report),
            RarePacket::Uuids(report) => self.peer_uuids(volume, report),
            RarePacket::State(report) => match DeviceState::unpack(report.state) {
                Some(state) if state.role == Role::Unknown => {
                    self.refuse(Command::State, "who sends it knows its own role");
                }
                Some(state) => self.peer_state(volume, state),
                None => self.refuse(Command::State, "a state without meaning"),
            },
            RarePacket::SyncUuid(uuid) => self.sync_uuid(volume, uuid),
            RarePacket::StateRequest(request) => self.state_request(volume, request),
            RarePacket::Protocol(_)
            | RarePacket::ProtocolUpdate(_)
            | RarePacket::ConnStateRequest(_)
            | RarePacket::StateReply(_) => {}
        }
    }

    fn peer_uuids(&mut self, volume: usize, report: UuidReport) {
        let version = self.resource.agreed.version;
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        record.peer_uuids = Some(report);
        let state = record.state;
        if self.finds_wrong_data(volume) {
            return;
        }
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        let created = record
            .disk
            .as_ref()
            .is_some_and(|d| d.superblock.uuids.current == JUST_CREATED);
        let skip = state.conn == ConnState::Connected
            && version >= 90
            && created
            && report.flags.has(UuidFlags::SKIP_INITIAL_SYNC);
        if skip {
            if let Some(disk) = &mut record.disk {
                disk.superblock.uuids.start_as_target(report.current, false);
            }
            record.dirty = true;
            self.push(Effect::FillBitmap { volume, set: false });
            let mut wanted = state;
            wanted.disk = DiskState::UpToDate;
            wanted.peer_disk = DiskState::UpToDate;
            self.force(volume, wanted);
            // What we said of our disk when we met may reach the peer only now.
            self.send_state(volume);
        } else if state.conn >= ConnState::Connected
            && state.disk < DiskState::Inconsistent
            && state.peer_disk == DiskState::UpToDate
        {
            // What we show applications is the peer's data. (Data that is not good nobody sees.)
            record.exposed_uuid = report.current;
        }
    }

    /// A Primary without disk goes on with the data that it has shown, and with no other.
    fn finds_wrong_data(&mut self, volume: usize) -> bool {
        let Some(record) = self.volumes.get(volume) else {
            return false;
        };
        let state = record.state;
        let diskless_primary = state.disk < DiskState::Inconsistent && state.role == Role::Primary;
        let newly = state.conn < ConnState::Connected || state.peer_disk == DiskState::Diskless;
        let expected = record.exposed_uuid;
        let other = |told: UuidReport| told.current & !1 != expected & !1;
        let wrong = newly && diskless_primary && record.peer_uuids.is_some_and(other);
        if wrong {
            self.notice(volume, Notice::WrongData { expected });
            self.leave(Why::Lost(Loss::ProtocolError));
        }
        wrong
    }

    /// The peer reports its state: during a handshake, or because it changed.
    fn peer_state(&mut self, volume: usize, peer: DeviceState) {
        // It told before what it has, but our disk may have failed since.
        if peer.disk > DiskState::Failed && self.finds_wrong_data(volume) {
            return;
        }
        if let Some(record) = self.volumes.get_mut(volume) {
            // It may have found the end by itself.
            record.unheard &= peer.peer_disk < DiskState::UpToDate;
        }
        let old = self.state(volume);
        let real_disk = self.real_peer_disk(volume, peer);
        let Some(peer_disk) = self.believed_disk(volume, old, peer, real_disk) else {
            return;
        };
        let mut new = old;
        if old.conn == ConnState::WfReportParams {
            new.conn = ConnState::Connected;
        }
        // A disk that comes or goes is not behind: the peer does not know of it yet.
        if peer.conn == ConnState::Ahead && old.disk >= DiskState::Inconsistent {
            new.conn = ConnState::Behind;
        }
        let compared = self.considers_resync(volume, old, peer);
        if compared {
            match self.decide_resync(volume, peer.role, peer_disk, peer.conn) {
                Some(conn) => new.conn = conn,
                None if old.disk == DiskState::Negotiating => {
                    new.disk = DiskState::Failed;
                    new.conn = ConnState::Connected;
                }
                None => return self.refuse_peer(),
            }
            // The policies after a split brain may have demoted us.
            new.role = self.state(volume).role;
        }
        if on_one_side(new.conn, peer.conn) {
            // Both may have gone their own ways: the next handshake finds out.
            let error = StateError::ResyncRunning;
            self.notice(volume, Notice::Refused { error });
            return self.trouble(Loss::ProtocolError);
        }
        new.peer = peer.role;
        new.peer_disk = match new.conn {
            ConnState::Connected
                if prepares_target(peer.conn) && !ended_before(old, peer, real_disk) =>
            {
                peer_disk.min(DiskState::Inconsistent)
            }
            _ => peer_disk,
        };
        new.peer_isp = peer.aftr_isp || peer.user_isp;
        let settled = matches!(new.conn, ConnState::Connected | ConnState::WfBitMapS);
        // A report from before the peer knew of our disk decides nothing about it.
        let answered = compared || peer.disk < DiskState::Negotiating;
        if settled && answered && new.disk == DiskState::Negotiating {
            let record = self.volumes.get(volume);
            let negotiated = record.and_then(|v| v.negotiating);
            new.disk = negotiated.map_or(new.disk, |(disk, _)| disk);
            let behind = record.is_some_and(|v| v.peer_was_ahead() || v.misses_writes());
            if !compared && behind {
                // The peer lost its disk meanwhile, but what it serves is not what we have.
                new.disk = DiskState::Failed;
            }
        }
        if let Some(record) = self.volumes.get_mut(volume) {
            record.consider_resync = false;
        }
        self.take_over(volume, old, new, peer);
    }

    /// The data of both must not be connected. Who was only asked what would happen (`--tentative`)
    /// goes on waiting for a peer that means it.
    fn refuse_peer(&mut self) {
        if self.resource.peer_asks_only {
            self.trouble(Loss::TearDown);
        } else if self.resource.conn == ConnState::WfReportParams {
            self.leave(Why::Lost(Loss::ProtocolError));
        }
    }

    /// Puts the outcome of a state report in force.
    fn take_over(&mut self, volume: usize, old: DeviceState, new: DeviceState, peer: DeviceState) {
        let established = old.conn < ConnState::Connected && new.conn >= ConnState::Connected;
        let verdict = if established {
            self.request(volume, new)
        } else {
            self.force(volume, new);
            Ok(StateSuccess::Success)
        };
        if let Err(error) = verdict {
            self.notice(volume, Notice::Refused { error });
            return self.leave(Why::Lost(Loss::ProtocolError));
        }
        let ours = self.state(volume);
        if old.conn > ConnState::WfReportParams
            && ours.conn > ConnState::Connected
            && peer.conn <= ConnState::Connected
            && peer.disk != DiskState::Negotiating
        {
            // We want a resync that the peer has not decided upon yet.
            self.send_uuids(volume, UuidFlags::default());
            self.send_state(volume);
        }
        if established {
            if let Some(net) = &mut self.resource.net {
                net.discard_my_data = false;
            }
        }
        self.save(volume);
    }

    fn real_peer_disk(&self, volume: usize, peer: DeviceState) -> DiskState {
        if peer.disk != DiskState::Negotiating {
            return peer.disk;
        }
        let inconsistent = self
            .volumes
            .get(volume)
            .and_then(|v| v.peer_uuids)
            .is_some_and(|u| u.flags.has(UuidFlags::INCONSISTENT));
        if inconsistent {
            DiskState::Inconsistent
        } else {
            DiskState::Consistent
        }
    }

    /// What to believe of the peer's disk while a resync begins or ends. `None`: the report
    /// ended the resync and is dealt with.
    fn believed_disk(
        &mut self,
        volume: usize,
        old: DeviceState,
        peer: DeviceState,
        real: DiskState,
    ) -> Option<DiskState> {
        use ConnState as C;
        if old.conn == C::Ahead && real == DiskState::UpToDate {
            // Not any more: it does not know yet that it is behind.
            return Some(old.peer_disk);
        }
        let syncing = matches!(
            old.peer_disk,
            DiskState::Inconsistent | DiskState::Consistent
        ) && real == DiskState::UpToDate
            && old.conn > C::Connected
            && old.disk == DiskState::UpToDate;
        if syncing && peer.conn > C::Connected && peer.conn < C::SyncSource {
            // The target is still preparing; it will be inconsistent soon.
            return Some(DiskState::Inconsistent);
        }
        if syncing && old.conn >= C::SyncSource && peer.conn == C::Connected {
            let left = self.volumes.get(volume).map_or(0, |v| v.bits);
            if left == 0 {
                self.resync_finished(volume, 0);
            } else if let Some(record) = self.volumes.get_mut(volume) {
                // Its last acknowledgements are on the other socket.
                record.target_done = true;
            }
            return None;
        }
        let verified = old.conn == C::VerifyT
            && old.disk == DiskState::UpToDate
            && peer.conn == C::Connected
            && real == DiskState::UpToDate;
        if verified {
            // It reached its stop sector, of which we know nothing. Its last outcomes are on the
            // other socket.
            self.push(Effect::StopVerifyAt { volume, sector: 0 });
            return None;
        }
        Some(match ended_before(old, peer, real) {
            true => DiskState::UpToDate,
            false => real,
        })
    }

    fn considers_resync(&self, volume: usize, old: DeviceState, peer: DeviceState) -> bool {
        use ConnState as C;
        let Some(record) = self.volumes.get(volume) else {
            return false;
        };
        let possible = record.peer_uuids.is_some()
            && peer.disk >= DiskState::Negotiating
            && record.disk_at_least(DiskState::Negotiating).is_some();
        let attaching = peer.disk == DiskState::Negotiating || old.disk == DiskState::Negotiating;
        let asked = peer.conn >= C::StartingSyncS && peer.conn <= C::WfBitMapT;
        // The peer was made good by force, and its request came when our disk was not there yet.
        let forced = old.conn == C::Connected
            && old.disk == DiskState::Inconsistent
            && old.peer_disk == DiskState::Inconsistent
            && peer.disk == DiskState::UpToDate;
        possible
            && (old.conn < C::Connected
                || forced
                || (record.consider_resync && old.conn == C::Connected)
                || (old.conn == C::Connected && (attaching || asked)))
    }

    /// The source tells the generation that we carry while we are inconsistent.
    pub(super) fn sync_uuid(&mut self, volume: usize, packet: SyncUuid) {
        let conn = self.state(volume).conn;
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        if !matches!(conn, ConnState::WfSyncUuid | ConnState::Behind) {
            if conn == ConnState::Connected && self.resource.pending.is_some() {
                record.early_sync_uuid = Some(packet.uuid);
            }
            return;
        }
        let primary = record.state.role == Role::Primary;
        if let Some(disk) = &mut record.disk {
            disk.superblock.uuids.start_as_target(packet.uuid, primary);
            record.dirty = true;
        }
        self.start_resync(volume, ConnState::SyncTarget);
    }

    /// The peer asks for a change of one volume's state.
    fn state_request(&mut self, volume: usize, request: StateRequest) {
        let verdict = self.judge_request(volume, request);
        let number = self.volumes.get(volume).map_or(0, |v| v.number);
        self.push(Effect::SendStateReply {
            volume: number,
            connection: false,
            code: number_of(verdict),
        });
    }

    fn judge_request(&mut self, volume: usize, request: StateRequest) -> StateVerdict {
        if self.resource.pending.is_some() && self.resource.resolver {
            return Err(StateError::ConcurrentStChg);
        }
        let change = mirrored(request).ok_or(StateError::NotSupported)?;
        let old = self.state(volume);
        let wanted = change.apply(&old);
        if old.peer_disk > DiskState::Failed && wanted.peer_disk == DiskState::Failed {
            // The peer may give its disk up, but has not yet: should our answer get lost, it goes
            // on with it. Its own report tells when it did.
            let new = self.sanitize(volume, wanted);
            super::rules::judge(old, new, &self.context(volume))?;
            // It asked before it heard that ours is gone.
            let lives_on_it = new.peer == Role::Primary && new.disk < DiskState::UpToDate;
            return match lives_on_it {
                true => Err(StateError::NoUpToDateDisk),
                false => Ok(StateSuccess::Success),
            };
        }
        self.request(volume, wanted)
    }

    /// Whether the peer wants to leave, although it asks for a change of one volume: below version
    /// 100 that is the same.
    fn is_leaving(&self, request: StateRequest) -> bool {
        let conn = mirrored(request).and_then(|change| change.conn);
        self.resource.agreed.version < 100 && conn == Some(ConnState::TearDown)
    }

    /// The peer asks for a change of the whole connection: it leaves.
    /// `connection`: it has to be answered as a request about the connection.
    fn conn_state_request(&mut self, request: StateRequest, connection: bool) {
        let concurrent = self.resource.pending.is_some() && self.resource.resolver;
        let change = mirrored(request);
        let verdict = match change {
            _ if concurrent => Err(StateError::ConcurrentStChg),
            Some(change) if change.conn == Some(ConnState::TearDown) => self.judge_leaving(change),
            _ => Err(StateError::NotSupported),
        };
        self.push(Effect::SendStateReply {
            volume: 0,
            connection,
            code: number_of(verdict),
        });
        if verdict.is_ok() {
            self.trouble(Loss::TearDown);
        }
    }

    fn judge_leaving(&mut self, change: StateChange) -> StateVerdict {
        for volume in 0..self.volumes.len() {
            let old = self.state(volume);
            let new = self.sanitize(volume, change.apply(&old));
            super::rules::judge(old, new, &self.context(volume))?;
        }
        for volume in 0..self.volumes.len() {
            // The connection's own state follows with the teardown.
            let conn = self.state(volume).conn;
            let disks = StateChange {
                conn: None,
                ..change
            };
            let mut wanted = disks.apply(&self.state(volume));
            wanted.conn = conn;
            // As long as the two are connected, no good disk is an outdated one.
            if [change.disk, change.peer_disk].contains(&Some(DiskState::Outdated)) {
                wanted.conn = ConnState::TearDown;
            }
            self.force(volume, wanted);
        }
        Ok(StateSuccess::Success)
    }
}
