// SPDX-License-Identifier: GPL-2.0

//! Tests of what is asked of a peer that is left, and of what is left behind.

use std::vec::Vec;

use super::super::resize_tests::primary;
use super::super::{
    Admin,
    Effect,
    Event,
    Outgoing,
    RarePacket,
    Token, //
};
use crate::engine::meta::geometry::Layout;
use crate::engine::options::Fencing;
use crate::engine::state::{
    ConnState as C,
    DiskState as D,
    Role,
    StateChange, //
};
use crate::engine::wire::state::StateRequest;

/// What a Primary asks for when it leaves, and what it thinks of the peer's disk when that agrees.
fn left(fencing: Fencing) -> (Option<D>, D, Vec<Effect>) {
    let mut node = primary(Layout::Internal, C::Connected);
    node.resource.conn = C::WfReportParams;
    node.volumes[0].options.fencing = fencing;
    let effects = node.feed(Event::Admin(Token(1), Admin::Disconnect { force: false }));
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::Send {
            packet: Outgoing::ConnStateRequest(request),
            ..
        } => StateChange::unpack(request.mask, request.value),
        _ => None,
    });
    let effects = node.packet(RarePacket::StateReply(1));
    let asked = asked.and_then(|change| change.peer_disk);
    (asked, node.volumes[0].state.peer_disk, effects)
}

#[test]
fn a_primary_that_fences_leaves_an_outdated_peer() {
    for fencing in [Fencing::ResourceOnly, Fencing::ResourceAndStonith] {
        let (asked, peer_disk, effects) = left(fencing);
        assert_eq!((asked, peer_disk), (Some(D::Outdated), D::Outdated));
        // There is nobody left to be fenced.
        let called = |effect: &Effect| matches!(effect, Effect::CallHandler { .. });
        assert!(!effects.iter().any(called), "{effects:?}");
    }
}

#[test]
fn without_fencing_the_peer_is_left_as_it_is() {
    let (asked, peer_disk, _) = left(Fencing::DontCare);
    assert_eq!((asked, peer_disk), (None, D::DUnknown));
}

#[test]
fn who_is_left_by_a_primary_that_fences_is_outdated() {
    let mut node = primary(Layout::Internal, C::Connected);
    node.resource.conn = C::WfReportParams;
    let state = &mut node.volumes[0].state;
    (state.role, state.peer) = (Role::Secondary, Role::Primary);
    let (mask, value) = StateChange {
        conn: Some(C::Disconnecting),
        peer_disk: Some(D::Outdated),
        ..StateChange::default()
    }
    .pack();
    node.packet(RarePacket::ConnStateRequest(StateRequest { mask, value }));
    assert_eq!(node.volumes[0].state.disk, D::Outdated);
}

#[test]
fn who_is_primary_of_another_volume_is_not_outdated() {
    let mut node = primary(Layout::Internal, C::Connected);
    node.resource.conn = C::WfReportParams;
    let mut other = node.volumes[0].clone();
    other.number = 1;
    (other.state.role, other.state.peer) = (Role::Secondary, Role::Primary);
    node.volumes.push(other);
    let (mask, value) = StateChange {
        conn: Some(C::Disconnecting),
        peer_disk: Some(D::Outdated),
        ..StateChange::default()
    }
    .pack();
    node.packet(RarePacket::ConnStateRequest(StateRequest { mask, value }));
    let disks = node.volumes.iter().map(|v| v.state.disk);
    assert_eq!(disks.collect::<Vec<_>>(), [D::UpToDate; 2]);
    assert_eq!(node.resource.conn, C::WfReportParams);
}

#[test]
fn a_left_disk_with_data_of_its_own_does_not_just_miss_the_peers() {
    let misses = |bitmap| {
        let mut node = primary(Layout::Internal, C::Connected);
        let record = &mut node.volumes[0];
        if let Some(disk) = &mut record.disk {
            (disk.superblock.uuids.current, disk.superblock.uuids.bitmap) = (0x1234, bitmap);
        }
        record.left_uuid = 0x1234;
        record.misses_writes()
    };
    assert!(misses(0));
    assert!(!misses(0x5678));
}
