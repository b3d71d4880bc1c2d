// SPDX-License-Identifier: GPL-2.0

//! Tests of the family's tables and blocks.

use super::*;
use crate::engine::options::{
    FixedBytes,
    FixedStr, //
};
use std::vec::Vec;

/// Builds a run of attributes.
#[derive(Default)]
pub(super) struct Run(pub(super) Vec<u8>);

impl AttrSink for Run {
    type Error = ();

    fn put(&mut self, nr: u16, bytes: &[u8]) -> Result<(), ()> {
        let len = u16::try_from(bytes.len() + NLA_HDRLEN).unwrap();
        self.0.extend(len.to_ne_bytes());
        self.0.extend(nr.to_ne_bytes());
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        Ok(())
    }
}

pub(super) fn emitted<B: AttrBlock>(block: &B) -> Vec<u8> {
    let mut run = Run::default();
    block.emit(&mut run, true).unwrap();
    run.0
}

#[test]
fn a_context_has_the_bytes_of_the_kernel() {
    let context = CfgContext {
        ctx_volume: Some(3),
        ctx_resource_name: FixedStr::new(b"r0"),
        ..CfgContext::default()
    };
    let mut expected = Vec::new();
    expected.extend([8, 0, 1, 0, 3, 0, 0, 0]);
    expected.extend([7, 0, 2, 0, b'r', b'0', 0, 0]);
    assert_eq!(emitted(&context), expected);
}

#[test]
fn blocks_survive_a_round_trip() {
    let info = StateInfo {
        sib_reason: Some(SibReason::GetStatusReply.number()),
        current_state: Some(0x1234),
        uuids: FixedBytes::new(&[7; 32]),
        bits_oos: Some(u64::MAX),
        ..StateInfo::default()
    };
    assert_eq!(StateInfo::parse(&emitted(&info)), Ok(info.clone()));
    assert_eq!(info.uuid(3), Some(0x0707_0707_0707_0707));
    assert_eq!(info.uuid(4), None);
    let statistics = DeviceStatistics {
        dev_size: 2048,
        dev_al_suspended: true,
        history_uuids: FixedBytes::new(&[1; 32]).unwrap(),
        ..DeviceStatistics::default()
    };
    assert_eq!(
        DeviceStatistics::parse(&emitted(&statistics)),
        Ok(statistics)
    );
}

#[test]
fn attach_requires_devices_and_index() {
    let conf = DiskConf {
        backing_dev: FixedStr::new(b"/dev/x"),
        meta_dev: FixedStr::new(b"/dev/x"),
        ..DiskConf::default()
    };
    assert_eq!(
        DiskConf::parse_request(&emitted(&conf)),
        Err(AttrError::Missing("meta_dev_idx"))
    );
    let conf = DiskConf {
        meta_dev_idx: Some(-3),
        ..conf
    };
    assert_eq!(DiskConf::parse_request(&emitted(&conf)), Ok(conf));
}

#[test]
fn an_update_changes_only_what_it_carries() {
    let mut conf = DiskConf::default();
    conf.options.c_max_rate = 4096;
    let mut run = Run::default();
    run.put(10, &100_u32.to_ne_bytes()).unwrap();
    conf.update(&run.0).unwrap();
    assert_eq!(
        (conf.options.al_extents, conf.options.c_max_rate),
        (100, 4096)
    );
}

#[test]
fn requests_refuse_unknown_attributes_and_the_tool_ignores_them() {
    let mut run = Run::default();
    run.put(77, &[1]).unwrap();
    assert_eq!(
        SetRoleParms::parse_request(&run.0),
        Err(AttrError::Unknown(77))
    );
    assert_eq!(SetRoleParms::parse(&run.0), Ok(SetRoleParms::default()));
}

#[test]
fn every_truncation_of_a_block_is_an_error_or_a_smaller_block() {
    let bytes = emitted(&NetConf::default());
    for end in 0..bytes.len() {
        let _ = NetConf::parse_request(&bytes[..end]);
    }
}

#[test]
fn commands_have_the_numbers_of_the_header() {
    assert_eq!(Command::ALL.len(), 38);
    for (number, command) in [
        (2, Command::GetStatus),
        (7, Command::NewResource),
        (12, Command::Attach),
        (27, Command::Down),
        (38, Command::GetInitialState),
        (41, Command::InitialStateDone),
    ] {
        assert_eq!(command.number(), number);
        assert_eq!(Command::from_number(number), Some(command));
    }
    assert_eq!(Command::from_number(3), None);
    assert_eq!(Command::from_number(39), None);
}

#[test]
fn the_operation_table_is_that_of_the_kernel() {
    let operations: usize = Command::ALL
        .iter()
        .map(|c| usize::from(c.has_do()) + usize::from(c.has_dump()))
        .sum();
    assert_eq!(operations, 32);
    assert_eq!(Command::StartOv.blocks(), [StartOvParms::NR]);
    assert_eq!(Command::Primary.max_attr(), SetRoleParms::NR);
    assert!(!Command::GetStatus.needs_admin());
}

#[test]
fn reply_codes_have_names_texts_and_outcomes() {
    for code in RetCode::ALL {
        assert!(code.name().is_some());
        assert_ne!(code.text(), "unknown reply code", "{code:?}");
    }
    assert_eq!(RetCode(162), RetCode::ERR_INVALID_REQUEST);
    assert!(RetCode::NO_ERROR.is_success());
    assert!(RetCode::SS_NOTHING_TO_DO.is_success());
    assert!(!RetCode::SS_UNKNOWN_ERROR.is_success());
    assert!(!RetCode::SS_DEVICE_IN_USE.is_success());
    assert!(!RetCode(999).is_success());
    assert_eq!(RetCode(999).name(), None);
}

#[test]
fn a_negative_reply_code_survives_the_header() {
    let header = GenlHeader::reply(3, RetCode::SS_DEVICE_IN_USE);
    let bytes = header.to_bytes();
    let (copy, rest) = GenlHeader::split(&bytes).unwrap();
    assert_eq!(copy.ret_code(), RetCode(-12));
    assert!(rest.is_empty());
    assert_eq!(GenlHeader::split(&bytes[..7]), None);
}

#[test]
fn addresses_are_socket_addresses() {
    let four = NetAddress::V4 {
        addr: [10, 99, 0, 1],
        port: 7789,
    };
    let (bytes, len) = four.to_sockaddr();
    assert_eq!(len, 16);
    assert_eq!(bytes[..8], [2, 0, 0x1e, 0x6d, 10, 99, 0, 1]);
    assert_eq!(NetAddress::from_sockaddr(&bytes[..len]), Some(four));
    assert_eq!(NetAddress::from_sockaddr(&bytes[..7]), None);
    let six = NetAddress::V6 {
        addr: [0xfe; 16],
        port: 1,
        flowinfo: 0,
        scope_id: 2,
    };
    let (bytes, len) = six.to_sockaddr();
    assert_eq!(len, 28);
    assert_eq!(NetAddress::from_sockaddr(&bytes), Some(six));
}

#[test]
fn notifications_tell_whether_more_follows() {
    let note = Notification {
        kind: NotificationType::Change,
        continues: true,
    };
    assert_eq!(note.number(), 0x8002);
    assert_eq!(Notification::from_number(0x8002), Some(note));
    assert_eq!(Notification::from_number(6), None);
}
