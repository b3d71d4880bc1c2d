// SPDX-License-Identifier: GPL-2.0

//! Tests of what the reports of a peer mean that changes while two nodes meet.

use super::resize_tests::{
    primary,
    Node, //
};
use super::{
    Admin,
    Effect,
    Event,
    IoKind,
    Outgoing,
    RarePacket,
    Token, //
};
use crate::engine::control::RetCode;
use crate::engine::meta::geometry::Layout;
use crate::engine::state::{
    number_of,
    ConnState as C,
    DeviceState,
    DiskState as D,
    Role,
    StateChange,
    StateError, //
};
use crate::engine::uuid::{
    compare,
    Party,
    SyncDecision,
    Terms,
    Uuids,
    JUST_CREATED, //
};
use crate::engine::wire::handshake::Features;
use crate::engine::wire::state::{
    StateReport,
    StateRequest,
    UuidFlags,
    UuidReport, //
};
use std::vec::Vec;

/// A node with a new disk that meets its peer.
fn meeting() -> Node {
    let mut node = primary(Layout::Internal, C::WfReportParams);
    node.resource.conn = C::WfReportParams;
    let record = &mut node.volumes[0];
    (record.state.role, record.state.peer) = (Role::Secondary, Role::Unknown);
    (record.state.disk, record.state.peer_disk) = (D::Inconsistent, D::DUnknown);
    if let Some(disk) = &mut record.disk {
        disk.superblock.uuids.current = JUST_CREATED;
    }
    node
}

fn uuids(current: u64, flags: UuidFlags) -> RarePacket {
    RarePacket::Uuids(UuidReport {
        current,
        bitmap: 0,
        history0: 0,
        history1: 0,
        bits_set: 0,
        flags,
    })
}

fn state(role: Role, disk: D) -> RarePacket {
    let state = DeviceState {
        role,
        peer: Role::Secondary,
        conn: C::Connected,
        disk,
        peer_disk: D::Inconsistent,
        ..DeviceState::INITIAL
    };
    RarePacket::State(StateReport {
        state: state.pack(),
    })
}

/// What a node tells of its disk.
fn told_disks(effects: &[Effect]) -> Vec<D> {
    let told = |effect: &Effect| match effect {
        Effect::Send {
            packet: Outgoing::State(report),
            ..
        } => DeviceState::unpack(report.state).map(|state| state.disk),
        _ => None,
    };
    effects.iter().filter_map(told).collect()
}

#[test]
fn a_peer_made_good_between_its_two_reports_is_the_source() {
    let mut node = meeting();
    node.packet(uuids(JUST_CREATED, UuidFlags::default()));
    node.packet(state(Role::Primary, D::UpToDate));
    assert_eq!(node.volumes[0].state.conn, C::WfBitMapT);
}

#[test]
fn a_disk_that_needs_no_first_resync_is_told_to_be_good() {
    let mut node = meeting();
    node.packet(uuids(JUST_CREATED, UuidFlags::default()));
    node.packet(state(Role::Secondary, D::Inconsistent));
    let effects = node.packet(uuids(0xA1, UuidFlags::SKIP_INITIAL_SYNC));
    assert_eq!(node.volumes[0].state.disk, D::UpToDate);
    assert_eq!(told_disks(&effects), [D::UpToDate]);
}

/// A peer asks for this, in its own words; the node's answer to that.
fn asked(node: &mut Node, change: StateChange, leaving: bool) -> Option<i32> {
    let (mask, value) = change.pack();
    let request = StateRequest { mask, value };
    let effects = node.packet(match leaving {
        true => RarePacket::ConnStateRequest(request),
        false => RarePacket::StateRequest(request),
    });
    effects.iter().find_map(|effect| match effect {
        Effect::SendStateReply { code, .. } => Some(*code),
        _ => None,
    })
}

#[test]
fn a_peer_decides_nothing_about_our_role_and_our_io() {
    let mut node = primary(Layout::Internal, C::Connected);
    node.resource.conn = C::WfReportParams;
    let before = node.volumes[0].state;
    let nothing = StateChange::default();
    for change in [Role::Unknown, Role::Primary, Role::Secondary]
        .map(|role| StateChange {
            peer: Some(role),
            ..nothing
        })
        .into_iter()
        .chain([
            StateChange {
                role: Some(Role::Unknown),
                ..nothing
            },
            StateChange {
                susp: Some(true),
                ..nothing
            },
            StateChange {
                susp_nod: Some(true),
                ..nothing
            },
            StateChange {
                susp_fen: Some(true),
                ..nothing
            },
        ])
    {
        let refused = number_of(Err(StateError::NotSupported));
        assert_eq!(asked(&mut node, change, false), Some(refused), "{change:?}");
        assert_eq!(node.volumes[0].state, before, "{change:?}");
    }
}

#[test]
fn a_peer_does_not_call_our_disk_good_or_gone() {
    for disk in [
        D::Diskless,
        D::Failed,
        D::Inconsistent,
        D::Outdated,
        D::UpToDate,
    ] {
        let mut node = primary(Layout::Internal, C::Connected);
        node.resource.conn = C::WfReportParams;
        let state = &mut node.volumes[0].state;
        (state.role, state.peer) = (Role::Secondary, Role::Secondary);
        (state.disk, state.peer_disk) = (D::Inconsistent, D::Inconsistent);
        let change = StateChange {
            peer_disk: Some(disk),
            ..StateChange::default()
        };
        asked(&mut node, change, false);
        assert_eq!(node.volumes[0].state.disk, D::Inconsistent, "{disk:?}");
        let leaves = StateChange {
            conn: Some(C::Disconnecting),
            ..change
        };
        asked(&mut node, leaves, true);
        assert!(node.volumes[0].state.disk <= D::Outdated, "{disk:?}");
        assert!(node.volumes[0].state.disk >= D::Inconsistent, "{disk:?}");
    }
}

#[test]
fn the_end_of_a_resync_is_told_behind_the_last_acknowledgements() {
    let mut node = meeting();
    let state = &mut node.volumes[0].state;
    (state.conn, state.peer_disk) = (C::SyncTarget, D::UpToDate);
    let effects = node.feed(Event::ResyncFinished {
        volume: 0,
        failed: 0,
    });
    assert_eq!(node.volumes[0].state.conn, C::Connected);
    assert!(effects.iter().any(|e| matches!(e, Effect::Ping)));
    assert_eq!(told_disks(&effects), []);
    assert_eq!(told_disks(&node.feed(Event::PingAnswered)), [D::UpToDate]);
    // Once.
    assert_eq!(told_disks(&node.feed(Event::PingAnswered)), []);
}

#[test]
fn what_a_target_says_before_it_knows_of_the_end_does_not_make_its_disk_bad() {
    // Its resync had nothing to do; it becomes Secondary while the word of that is on its way.
    let mut node = primary(Layout::Internal, C::Connected);
    node.resource.conn = C::WfReportParams;
    let report = |conn, disk| {
        let state = DeviceState {
            role: Role::Secondary,
            peer: Role::Primary,
            conn,
            disk,
            peer_disk: D::UpToDate,
            ..DeviceState::INITIAL
        };
        RarePacket::State(StateReport {
            state: state.pack(),
        })
    };
    for conn in [C::WfSyncUuid, C::SyncTarget] {
        node.packet(report(conn, D::Inconsistent));
        assert_eq!(node.volumes[0].state.peer_disk, D::UpToDate, "{conn:?}");
    }
    // But it may have lost it since.
    node.packet(report(C::Connected, D::Inconsistent));
    assert_eq!(node.volumes[0].state.peer_disk, D::Inconsistent);
}

#[test]
fn a_primary_whose_disk_fails_between_two_reports_does_not_go_on_with_other_data() {
    let met = |told| {
        let mut node = primary(Layout::Internal, C::WfReportParams);
        node.resource.conn = C::WfReportParams;
        let record = &mut node.volumes[0];
        (record.state.peer, record.state.peer_disk) = (Role::Unknown, D::DUnknown);
        record.exposed_uuid = 0xA1;
        node.packet(uuids(told, UuidFlags::default()));
        let kind = IoKind::Metadata;
        node.feed(Event::IoError { volume: 0, kind });
        node.packet(state(Role::Secondary, D::Outdated));
        node.volumes[0].state.conn
    };
    assert_eq!(met(0xA2), C::Disconnecting);
    // It has what was shown.
    assert_eq!(met(0xA0), C::Connected);
}

#[test]
fn a_frozen_primary_that_was_a_target_until_now_is_not_overwritten() {
    let ended = Uuids {
        current: 0xA1,
        bitmap: 0,
        history: [0xB0, 0xC0],
    };
    // It did not hear of the end.
    let source = Uuids {
        current: 0xA0,
        bitmap: 0xB0,
        history: [0xC0, 0xA0],
    };
    let mut report = UuidReport::default();
    report.set_uuids(source);
    let met = |owes_generation| {
        let mut node = primary(Layout::Internal, C::WfReportParams);
        node.resource.conn = C::WfReportParams;
        let record = &mut node.volumes[0];
        (record.state.peer, record.state.peer_disk) = (Role::Unknown, D::DUnknown);
        (record.owes_generation, record.state.susp_fen) = (owes_generation, true);
        if let Some(disk) = &mut record.disk {
            disk.superblock.uuids = ended;
        }
        node.packet(RarePacket::Uuids(report));
        let effects = node.packet(state(Role::Secondary, D::UpToDate));
        let saved = |effect: &Effect| matches!(effect, Effect::SaveSuperblock { .. });
        let record = &node.volumes[0];
        let uuids = record.disk.as_ref().unwrap().superblock.uuids;
        (record.state.conn, uuids, effects.iter().any(saved))
    };
    let (conn, own, saved) = met(true);
    assert_eq!((conn, own.bitmap, saved), (C::ProtocolError, 0xA1, true));
    let party = |uuids, role| Party {
        uuids,
        crashed_primary: false,
        role,
    };
    let parties = [party(own, Role::Primary), party(source, Role::Secondary)];
    let terms = Terms {
        version: 101,
        features: Features::NONE,
        resolve_conflicts: false,
    };
    let again = compare(&parties[0], &parties[1], &terms);
    assert_eq!(again.decision, SyncDecision::Source { full: false });
    // Who writes has parted long before.
    assert_eq!(met(false).0, C::Disconnecting);
}

#[test]
fn what_was_told_of_generations_holds_until_it_is_compared() {
    let mut node = primary(Layout::Internal, C::WfReportParams);
    node.resource.conn = C::WfReportParams;
    let record = &mut node.volumes[0];
    (record.state.peer, record.state.peer_disk) = (Role::Unknown, D::DUnknown);
    record.state.susp_nod = true;
    if let Some(disk) = &mut record.disk {
        disk.superblock.uuids.current = 0xA1;
    }
    let mut other = record.clone();
    (other.number, other.owes_generation) = (1, true);
    // What froze all of them is that the first one has no good data.
    record.state.disk = D::Inconsistent;
    node.volumes.push(other);
    let mut hears = |volume| {
        for packet in [
            uuids(0xA0, UuidFlags::default()),
            state(Role::Secondary, D::UpToDate),
        ] {
            node.feed(Event::Packet { volume, packet });
        }
        let record = &node.volumes[1];
        let current = record.disk.as_ref().unwrap().superblock.uuids.current;
        (record.state.conn, record.state.susp_nod, current)
    };
    assert_eq!(hears(0), (C::WfReportParams, false, 0xA1));
    assert_eq!(hears(1), (C::Connected, false, 0xA1));
}

/// How the connection is closed, if it is: gently?
fn closes(effects: &[Effect]) -> Option<bool> {
    effects.iter().find_map(|effect| match effect {
        Effect::CloseNetwork { gently } => Some(*gently),
        _ => None,
    })
}

#[test]
fn a_peer_that_is_left_for_its_data_has_time_to_find_out_the_same() {
    let meet = || {
        let mut node = primary(Layout::Internal, C::WfReportParams);
        node.resource.conn = C::WfReportParams;
        let record = &mut node.volumes[0];
        (record.state.peer, record.state.peer_disk) = (Role::Unknown, D::DUnknown);
        if let Some(disk) = &mut record.disk {
            disk.superblock.uuids.current = 0xA1;
        }
        node
    };
    let mut node = meet();
    node.packet(uuids(0xB0, UuidFlags::default()));
    let effects = node.packet(state(Role::Secondary, D::UpToDate));
    assert_eq!(node.resource.conn, C::Disconnecting);
    assert_eq!(closes(&effects), Some(true));
    let disconnect = Admin::Disconnect { force: true };
    let effects = meet().feed(Event::Admin(Token(1), disconnect));
    assert_eq!(closes(&effects), Some(false));
}

#[test]
fn a_peer_without_a_role_is_refused() {
    for (role, conn) in [
        (Role::Secondary, C::Connected),
        (Role::Unknown, C::ProtocolError),
    ] {
        let mut node = primary(Layout::Internal, C::Connected);
        node.resource.conn = C::WfReportParams;
        node.packet(state(role, D::UpToDate));
        assert_eq!(node.volumes[0].state.conn, conn);
    }
}

/// The answer to a command.
fn answer(effects: &[Effect]) -> Option<RetCode> {
    effects.iter().find_map(|effect| match effect {
        Effect::Answer(_, code) => Some(*code),
        _ => None,
    })
}

#[test]
fn a_promotion_waits_until_the_states_were_told() {
    for force in [false, true] {
        let mut node = meeting();
        node.packet(uuids(0xA0, UuidFlags::default()));
        node.packet(state(Role::Secondary, D::Inconsistent));
        node.resource.state_sent = true;
        let disk = if force { D::Inconsistent } else { D::UpToDate };
        node.volumes[0].state.disk = disk;
        let command = Admin::Promote { volume: 0, force };
        assert_eq!(answer(&node.feed(Event::Admin(Token(1), command))), None);
        assert_eq!(answer(&node.feed(Event::PingAnswered)), None);
        node.resource.state_sent = false;
        node.feed(Event::PingAnswered);
        // It is possible now: the peer is asked.
        let effects = node.packet(RarePacket::StateReply(1));
        assert!(answer(&effects).is_some_and(RetCode::is_success));
        assert_eq!(node.volumes[0].state.role, Role::Primary);
    }
}
