// SPDX-License-Identifier: GPL-2.0

//! Tests of the lines of `events2`.

use super::*;
use tandem_engine::options::{
    FixedBytes,
    FixedStr, //
};
use tandem_netlink::Request;

fn event<B: AttrBlock, S: AttrBlock>(
    command: Command,
    action: NotificationType,
    info: &B,
    figures: &S,
) -> Reply {
    let header = NotificationHeader {
        nh_type: Notification {
            kind: action,
            continues: false,
        }
        .number(),
    };
    let context = CfgContext {
        ctx_resource_name: FixedStr::new(b"r0"),
        ctx_volume: (command == Command::DeviceState).then_some(0),
        ctx_peer_addr: (command == Command::ConnectionState)
            .then(|| FixedBytes::new(&[2; 16]).unwrap()),
        ..CfgContext::default()
    };
    let request = Request::for_minor(command, 3)
        .with(&context)
        .with(&header)
        .with(info)
        .with(figures);
    Reply::from_body(command, &request.body()).unwrap()
}

fn resource(action: NotificationType, role: u32) -> Reply {
    event(
        Command::ResourceState,
        action,
        &ResourceInfo {
            res_role: role,
            ..ResourceInfo::default()
        },
        &ResourceStatistics::default(),
    )
}

fn device(action: NotificationType, disk: u32) -> Reply {
    event(
        Command::DeviceState,
        action,
        &DeviceInfo {
            dev_disk_state: disk,
        },
        &DeviceStatistics::default(),
    )
}

#[test]
fn a_new_object_shows_all_keys() {
    let mut printer = Printer::new(false, false);
    assert_eq!(
        printer
            .line(&resource(NotificationType::Exists, 2))
            .unwrap(),
        "exists resource name:r0 role:Secondary suspended:no"
    );
    assert_eq!(
        printer.line(&device(NotificationType::Exists, 8)).unwrap(),
        "exists device name:r0 volume:0 minor:3 disk:UpToDate"
    );
}

#[test]
fn a_change_shows_only_what_changed() {
    let mut printer = Printer::new(false, false);
    printer.line(&resource(NotificationType::Exists, 2));
    assert_eq!(
        printer
            .line(&resource(NotificationType::Change, 1))
            .unwrap(),
        "change resource name:r0 role:Primary"
    );
    assert_eq!(printer.line(&resource(NotificationType::Change, 1)), None);
}

#[test]
fn figures_are_shown_together_when_one_changed() {
    let figures = |action, uuid| {
        event(
            Command::DeviceState,
            action,
            &DeviceInfo { dev_disk_state: 8 },
            &DeviceStatistics {
                dev_current_uuid: uuid,
                ..DeviceStatistics::default()
            },
        )
    };
    let mut printer = Printer::new(true, false);
    printer.line(&figures(NotificationType::Exists, 1));
    assert_eq!(
        printer.line(&figures(NotificationType::Change, 2)).unwrap(),
        "change device name:r0 volume:0 minor:3 size:0 read:0 written:0 al-writes:0 bm-writes:0 \
         upper-pending:0 lower-pending:0"
    );
}

#[test]
fn the_peer_has_the_name_that_drbdsetup_gives_it() {
    let info = ConnectionInfo {
        conn_connection_state: 9,
        conn_role: 2,
    };
    let reply = event(
        Command::ConnectionState,
        NotificationType::Exists,
        &info,
        &ConnectionStatistics::default(),
    );
    assert_eq!(
        Printer::new(false, false).line(&reply).unwrap(),
        "exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connected \
         role:Secondary"
    );
}

#[test]
fn a_destroyed_object_is_forgotten() {
    let mut printer = Printer::new(false, false);
    printer.line(&device(NotificationType::Create, 0));
    assert_eq!(
        printer.line(&device(NotificationType::Destroy, 0)).unwrap(),
        "destroy device name:r0 volume:0 minor:3"
    );
    assert_eq!(
        printer.line(&device(NotificationType::Change, 0)).unwrap(),
        "change device name:r0 volume:0 minor:3 disk:Diskless"
    );
}

#[test]
fn a_handler_shows_its_status_when_it_came_back() {
    let helper = HelperInfo {
        helper_name: FixedStr::new(b"fence-peer").unwrap(),
        helper_status: 4,
    };
    let line = |action| {
        Printer::new(false, false)
            .line(&event(
                Command::Helper,
                action,
                &helper,
                &CfgContext::default(),
            ))
            .unwrap()
    };
    assert!(line(NotificationType::Call).ends_with("helper:fence-peer"));
    assert!(line(NotificationType::Response).ends_with("helper:fence-peer status:4"));
}

#[test]
fn a_message_without_header_is_no_line() {
    let request = Request::for_minor(Command::DeviceState, 3);
    let reply = Reply::from_body(Command::DeviceState, &request.body()).unwrap();
    assert_eq!(Printer::new(false, false).line(&reply), None);
}

#[test]
fn timestamps_are_dates() {
    assert_eq!(timestamp(0, 0), "1970-01-01T00:00:00.000000+00:00");
    assert_eq!(
        timestamp(951_827_696, 123_456_789),
        "2000-02-29T12:34:56.123456+00:00"
    );
    assert_eq!(
        timestamp(1_798_761_599, 0),
        "2026-12-31T23:59:59.000000+00:00"
    );
}
