// SPDX-License-Identifier: GPL-2.0

//! Tests of `status` as text and as JSON.

use super::*;
use crate::render::json;
use tandem_engine::control::{
    ConnectionInfo,
    ConnectionStatistics,
    DeviceInfo,
    DeviceStatistics,
    PeerDeviceInfo,
    PeerDeviceStatistics,
    ResourceInfo,
    ResourceStatistics, //
};

/// Nothing asked for.
const PLAIN: Style = Style {
    verbose: false,
    statistics: false,
    color: false,
    width: 80,
};

/// A connected pair with one volume.
fn pair() -> Resource {
    Resource {
        name: "r0".into(),
        info: ResourceInfo {
            res_role: 1,
            ..ResourceInfo::default()
        },
        statistics: ResourceStatistics {
            res_stat_write_ordering: 2,
        },
        settings: Vec::new(),
        devices: vec![Device {
            volume: 0,
            minor: 3,
            info: DeviceInfo { dev_disk_state: 8 },
            statistics: DeviceStatistics {
                dev_size: 2000,
                ..DeviceStatistics::default()
            },
            settings: Vec::new(),
        }],
        reasons: Vec::new(),
        connections: vec![Connection {
            local: None,
            peer: None,
            info: ConnectionInfo {
                conn_connection_state: 9,
                conn_role: 2,
            },
            statistics: ConnectionStatistics::default(),
            settings: Vec::new(),
            devices: vec![PeerDevice {
                volume: 0,
                info: PeerDeviceInfo {
                    peer_repl_state: 10,
                    peer_disk_state: 8,
                    ..PeerDeviceInfo::default()
                },
                statistics: PeerDeviceStatistics::default(),
            }],
        }],
    }
}

fn shown(resource: Resource, style: Style) -> String {
    text(&[resource], &style)
}

#[test]
fn a_healthy_pair_is_short() {
    assert_eq!(
        shown(pair(), PLAIN),
        "r0 role:Primary\n  disk:UpToDate\n  peer role:Secondary\n    \
         replication:Established peer-disk:UpToDate\n\n"
    );
}

#[test]
fn a_lost_peer_shows_the_connection_only() {
    let mut resource = pair();
    resource.connections[0].info = ConnectionInfo {
        conn_connection_state: 8,
        conn_role: 0,
    };
    assert_eq!(
        shown(resource, PLAIN),
        "r0 role:Primary\n  disk:UpToDate\n  peer connection:Connecting\n\n"
    );
}

#[test]
fn a_resync_shows_how_much_is_in_sync() {
    let mut resource = pair();
    let peer = &mut resource.connections[0].devices[0];
    peer.info.peer_repl_state = 16;
    peer.info.peer_disk_state = 4;
    peer.statistics.peer_dev_out_of_sync = 500;
    let text = shown(resource, PLAIN);
    assert!(
        text.contains("replication:SyncSource peer-disk:Inconsistent done:75.00\n"),
        "{text}"
    );
}

#[test]
fn a_device_without_size_has_no_percentage() {
    let mut resource = pair();
    resource.devices[0].statistics.dev_size = 0;
    assert_eq!(
        percent_in_sync(&resource.connections[0].devices[0], &resource),
        None
    );
}

#[test]
fn suspended_io_is_shown_without_being_asked_for() {
    let mut resource = pair();
    resource.info.res_susp = true;
    assert!(shown(resource, PLAIN).starts_with("r0 role:Primary suspended:user\n"));
}

#[test]
fn verbose_shows_volume_minor_and_what_is_as_it_should_be() {
    let style = Style {
        verbose: true,
        ..PLAIN
    };
    assert_eq!(
        shown(pair(), style),
        "r0 role:Primary suspended:no\n  volume:0 minor:3 disk:UpToDate blocked:no\n  \
         peer connection:Connected role:Secondary congested:no\n    \
         volume:0 replication:Established peer-disk:UpToDate resync-suspended:no\n\n"
    );
}

#[test]
fn long_lines_are_wrapped_as_drbdsetup_does() {
    let mut resource = pair();
    resource.devices[0].statistics.dev_size = 2_097_016;
    let peer = &mut resource.connections[0].devices[0];
    peer.info.peer_repl_state = 16;
    peer.info.peer_disk_state = 4;
    peer.statistics.peer_dev_out_of_sync = 2_096_952;
    let style = Style {
        verbose: true,
        statistics: true,
        ..PLAIN
    };
    assert_eq!(
        shown(resource, style),
        "r0 role:Primary suspended:no\n    write-ordering:flush\n  \
         volume:0 minor:3 disk:UpToDate\n      \
         size:1048508 read:0 written:0 al-writes:0 bm-writes:0 upper-pending:0\n      \
         lower-pending:0 al-suspended:no blocked:no\n  \
         peer connection:Connected role:Secondary congested:no\n    \
         volume:0 replication:SyncSource peer-disk:Inconsistent done:0.00\n        \
         resync-suspended:no\n        \
         received:0 sent:0 out-of-sync:1048476 pending:0 unacked:0\n\n"
    );
}

#[test]
fn figures_without_verbose_are_few() {
    let style = Style {
        statistics: true,
        ..PLAIN
    };
    assert_eq!(
        shown(pair(), style),
        "r0 role:Primary\n  disk:UpToDate\n      read:0 written:0\n  peer role:Secondary\n    \
         replication:Established peer-disk:UpToDate\n        \
         received:0 sent:0 out-of-sync:0\n\n"
    );
}

#[test]
fn a_blocked_device_is_shown_without_being_asked_for() {
    let mut resource = pair();
    resource.devices[0].statistics.dev_upper_blocked = true;
    let text = shown(resource, PLAIN);
    assert!(text.contains("  disk:UpToDate blocked:upper\n"), "{text}");
}

#[test]
fn colours_are_there_only_when_asked_for() {
    let style = Style {
        color: true,
        ..PLAIN
    };
    assert!(shown(pair(), style).contains('\u{1b}'));
    assert!(!shown(pair(), PLAIN).contains('\u{1b}'));
}

#[test]
fn json_has_the_same_facts() {
    let json = json::resources(&[pair()]);
    assert_eq!(json[0]["name"], "r0");
    assert_eq!(json[0]["devices"][0]["disk-state"], "UpToDate");
    assert_eq!(json[0]["devices"][0]["size"], 1000);
    let connection = &json[0]["connections"][0];
    assert_eq!(connection["connection-state"], "Connected");
    assert_eq!(connection["peer_devices"][0]["percent-in-sync"], 100.0);
}

#[test]
fn why_a_peer_is_gone_is_told_until_it_is_back() {
    let told = |connection_state| {
        let mut resource = pair();
        resource.connections[0].info.conn_connection_state = connection_state;
        resource.reasons = vec![crate::reasons::Reason::of_connection(
            "the network failed",
            35,
        )];
        (shown(resource.clone(), PLAIN), json::resources(&[resource]))
    };
    let (text, json) = told(8);
    let line = "  peer connection:Connecting\n      connection (35 s ago): the network failed\n";
    assert!(text.contains(line), "{text}");
    assert_eq!(json[0]["reasons"][0]["text"], "the network failed");
    assert_eq!(json[0]["reasons"][0]["seconds"], 35);
    assert!(!told(9).0.contains("failed"));
}
