// SPDX-License-Identifier: GPL-2.0

//! Tests of when a peer is too slow. How two nodes get over it is in `tests/sim`.

use super::*;
use crate::engine::options::NetOptions;
use crate::engine::resource::{
    Effect,
    Env,
    Event,
    Output,
    RarePacket,
    VolumeRecord, //
};
use crate::engine::wire::state::StateReport;

struct Ignore;

impl Output for Ignore {
    fn push(&mut self, _: Effect) {}
}

/// Feeds an event to a connected resource whose volume has that state; returns what it becomes.
fn feed(state: DeviceState, event: Event) -> DeviceState {
    let mut resource = resource(OnCongestion::PullAhead, WireProtocol::A, 101);
    resource.conn = ConnState::WfReportParams;
    let mut record = VolumeRecord::new(0, 0);
    record.state = state;
    let mut records = [record];
    let env = Env {
        now: Instant(0),
        random: 1,
    };
    resource.handle(&mut records, env, event, &mut Ignore);
    records[0].state
}

fn resource(on_congestion: OnCongestion, protocol: WireProtocol, version: u32) -> Resource {
    let mut resource = Resource {
        net: Some(NetOptions {
            on_congestion,
            protocol,
            congestion_fill: 100,
            ..NetOptions::default()
        }),
        ..Resource::default()
    };
    resource.agreed.version = version;
    resource
}

fn state(conn: ConnState, disk: DiskState, peer_disk: DiskState) -> DeviceState {
    DeviceState {
        role: Role::Primary,
        peer: Role::Secondary,
        conn,
        disk,
        peer_disk,
        ..DeviceState::INITIAL
    }
}

#[test]
fn only_protocol_a_may_leave_the_peer_behind() {
    use OnCongestion as On;
    use WireProtocol as P;
    let healthy = state(
        ConnState::Connected,
        DiskState::UpToDate,
        DiskState::UpToDate,
    );
    let limits =
        |policy, protocol, version| resource(policy, protocol, version).congestion(healthy);
    assert_eq!(limits(On::PullAhead, P::A, 101).map(|l| l.fill), Some(100));
    assert!(limits(On::Disconnect, P::A, 96).is_some());
    assert!(limits(On::PullAhead, P::A, 95).is_none());
    assert!(limits(On::Block, P::A, 101).is_none());
    assert!(limits(On::PullAhead, P::C, 101).is_none());
}

#[test]
fn only_who_has_good_data_and_mirrors_it_may_leave_the_peer_behind() {
    use ConnState as C;
    use DiskState as D;
    let resource = resource(OnCongestion::PullAhead, WireProtocol::A, 101);
    let may = |conn, disk, peer| resource.congestion(state(conn, disk, peer)).is_some();
    assert!(may(C::SyncSource, D::UpToDate, D::Inconsistent));
    assert!(!may(C::Connected, D::Inconsistent, D::UpToDate));
    assert!(!may(C::Connected, D::UpToDate, D::Diskless));
    assert!(!may(C::WfBitMapS, D::UpToDate, D::Consistent));
    assert!(!may(C::Ahead, D::UpToDate, D::Outdated));
    assert!(!may(C::WfConnection, D::UpToDate, D::DUnknown));
}

#[test]
fn a_generation_begins_when_we_pull_ahead_unless_the_bitmap_counts_already() {
    let old = state(
        ConnState::Connected,
        DiskState::UpToDate,
        DiskState::UpToDate,
    );
    let new = DeviceState {
        conn: ConnState::Ahead,
        ..old
    };
    assert!(parts_ahead(old, new, 0));
    assert!(!parts_ahead(old, new, 5));
    assert!(!parts_ahead(new, new, 0));
}

#[test]
fn who_is_behind_is_not_good_when_the_other_gives_up() {
    let behind = DeviceState {
        role: Role::Secondary,
        peer: Role::Primary,
        ..state(ConnState::Behind, DiskState::Outdated, DiskState::UpToDate)
    };
    let lost = DeviceState {
        peer_disk: DiskState::Failed,
        ..behind
    };
    let new = rules::sanitize(behind, lost, None, &rules::Context::default());
    assert_eq!(
        (new.conn, new.disk),
        (ConnState::Connected, DiskState::Inconsistent)
    );
}

#[test]
fn the_end_of_a_resync_is_not_heard_ahead_of_the_peer() {
    for conn in [ConnState::Ahead, ConnState::Behind] {
        let good = DiskState::UpToDate;
        let (disk, peer_disk) = match conn {
            ConnState::Ahead => (good, DiskState::Inconsistent),
            _ => (DiskState::Inconsistent, good),
        };
        let old = state(conn, disk, peer_disk);
        let (volume, failed) = (0, 0);
        assert_eq!(feed(old, Event::ResyncFinished { volume, failed }), old);
    }
}

#[test]
fn a_disk_that_is_being_attached_is_not_behind() {
    let told = state(ConnState::Ahead, DiskState::UpToDate, DiskState::Outdated).pack();
    let report = |disk| {
        let old = state(ConnState::Connected, disk, DiskState::UpToDate);
        let packet = RarePacket::State(StateReport { state: told });
        feed(old, Event::Packet { volume: 0, packet }).conn
    };
    assert_eq!(report(DiskState::Negotiating), ConnState::Connected);
    assert_eq!(report(DiskState::Diskless), ConnState::Connected);
    assert_eq!(report(DiskState::UpToDate), ConnState::Behind);
}
