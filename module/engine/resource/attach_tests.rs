// SPDX-License-Identifier: GPL-2.0

//! What an attach makes of the options that it is given; what follows from a disk that fails.

use super::super::resize_tests::primary;
use super::super::verify_tests::Node;
use super::super::{
    Admin,
    Event,
    Outgoing,
    RarePacket, //
};
use super::*;
use crate::engine::meta::geometry::Layout;
use crate::engine::wire::state::StateReport;

#[test]
fn no_more_extents_are_active_than_the_log_can_tell_of() {
    let mut options = DiskOptions {
        al_extents: 65534,
        ..DiskOptions::default()
    };
    fit_log(&mut options, Ring::DEFAULT);
    assert_eq!(options.al_extents, 6433);
    options.al_extents = 67;
    fit_log(&mut options, Ring::DEFAULT);
    assert_eq!(options.al_extents, 67);
}

fn fails(role: Role) -> Vec<Effect> {
    let mut node = Node::connected("");
    let peer = match role {
        Role::Primary => Role::Secondary,
        _ => Role::Primary,
    };
    (node.volumes[0].state.role, node.volumes[0].state.peer) = (role, peer);
    let kind = IoKind::Write;
    node.feed(Event::IoError { volume: 0, kind })
}

fn place(effects: &[Effect], wanted: impl Fn(&Effect) -> bool) -> Option<usize> {
    effects.iter().position(wanted)
}

#[test]
fn the_peer_hears_that_a_disk_failed_before_it_gets_what_that_does_not_get() {
    let effects = fails(Role::Primary);
    let told = place(&effects, |effect| {
        let packet = match effect {
            Effect::Send { packet, .. } => packet,
            _ => return false,
        };
        matches!(packet, Outgoing::State(_))
    });
    let without_disk = place(&effects, |e| matches!(e, Effect::SetPolicy { .. }));
    assert!(told.is_some() && told < without_disk, "{effects:?}");
}

#[test]
fn the_connection_ends_before_the_disk_of_a_secondary_that_failed_is_released() {
    let effects = fails(Role::Secondary);
    let ends = place(&effects, |e| matches!(e, Effect::CloseNetwork { .. }));
    let released = place(&effects, |e| matches!(e, Effect::ReleaseDisk { .. }));
    assert!(ends.is_some() && ends < released, "{effects:?}");
}

#[test]
fn a_disk_that_failed_in_a_resync_misses_what_its_target_gets_from_then_on() {
    let mut node = Node::connected("");
    let record = &mut node.volumes[0];
    record.state.role = Role::Primary;
    record.state.conn = ConnState::SyncSource;
    record.state.peer_disk = DiskState::Inconsistent;
    record.exposed_uuid = 0x1234;
    node.feed(Event::IoError {
        volume: 0,
        kind: IoKind::Read,
    });
    // The target's end may still be on its way; without it, the disk is the only good one.
    assert_eq!(node.volumes[0].left_uuid, 0);
    let ended = DeviceState {
        disk: DiskState::UpToDate,
        ..node.volumes[0].state
    };
    let seen_there = DeviceState {
        role: Role::Secondary,
        peer: Role::Primary,
        conn: ConnState::Connected,
        peer_disk: DiskState::UpToDate,
        ..ended
    };
    node.feed(Event::Packet {
        volume: 0,
        packet: RarePacket::State(StateReport {
            state: seen_there.pack(),
        }),
    });
    assert_eq!(node.volumes[0].state.peer_disk, DiskState::UpToDate);
    assert_eq!(node.volumes[0].left_uuid, 0x1234);
}

#[test]
fn a_disk_that_is_worse_does_not_become_good_by_being_outdated() {
    for worse in [
        DiskState::Failed,
        DiskState::Negotiating,
        DiskState::Inconsistent,
    ] {
        let mut node = Node::connected("");
        node.volumes[0].state.disk = worse;
        node.feed(Event::Admin(Token(1), Admin::Outdate { volume: 0 }));
        assert_eq!(node.volumes[0].state.disk, worse);
    }
}

#[test]
fn a_detach_that_the_peer_agreed_to_is_not_carried_out_when_it_was_left_behind_meanwhile() {
    for behind in [false, true] {
        let mut node = Node::connected("");
        let state = &mut node.volumes[0].state;
        (state.role, state.peer) = (Role::Primary, Role::Secondary);
        node.feed(Event::Admin(
            Token(1),
            Admin::Detach {
                volume: 0,
                force: false,
            },
        ));
        let state = &mut node.volumes[0].state;
        assert_eq!(state.disk, DiskState::UpToDate);
        if behind {
            (state.conn, state.peer_disk) = (ConnState::Ahead, DiskState::Consistent);
        }
        node.feed(Event::Packet {
            volume: 0,
            packet: RarePacket::StateReply(1),
        });
        let kept = node.volumes[0].state.disk == DiskState::UpToDate;
        assert_eq!(kept, behind);
    }
}

/// Attaches the disk of a Primary again; `conn`: what became of the connection. Returns whether it
/// counts as that of a crashed Primary.
fn attached_by_a_primary(conn: ConnState) -> bool {
    let mut node = primary(Layout::Internal, conn);
    node.resource.conn = conn;
    node.volumes[0].state.disk = DiskState::Diskless;
    let mut disk = node.volumes[0].disk.take().unwrap();
    disk.superblock.flags.put(Flags::PRIMARY, true);
    let options = DiskOptions::default();
    node.feed(Event::Admin(
        Token(1),
        Admin::Attach {
            volume: 0,
            disk,
            options,
        },
    ));
    assert!(node.volumes[0].disk.is_some(), "not attached");
    node.volumes[0].crashed_primary
}

#[test]
fn a_primary_without_its_peer_may_have_written_in_the_generation_of_both() {
    assert!(attached_by_a_primary(ConnState::WfConnection));
    assert!(!attached_by_a_primary(ConnState::Connected));
}
