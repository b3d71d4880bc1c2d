// SPDX-License-Identifier: GPL-2.0

//! Tests of the bytes that commands send: DRBD's header (minor, flags) and the attributes, on a
//! little-endian machine.

use super::*;
use crate::cli::{
    self,
    Tool, //
};
use std::ffi::OsString;

/// The bytes that a command line sends after the generic netlink header.
fn body(line: &str) -> Vec<u8> {
    let args = format!("drbdsetup {line}");
    match cli::parse(args.split_whitespace().map(OsString::from)) {
        Ok(Tool::Setup(setup)) => change(&setup).unwrap().request.body(),
        other => panic!("{line}: {other:?}"),
    }
}

/// One attribute with its padding.
fn attr(nr: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(payload.len() + 4)
        .unwrap()
        .to_le_bytes()
        .to_vec();
    bytes.extend(nr.to_le_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A nested attribute.
fn nest(nr: u16, attrs: &[Vec<u8>]) -> Vec<u8> {
    attr(nr | 0x8000, &attrs.concat())
}

/// A whole message.
fn message(minor: u32, flags: u32, blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = minor.to_le_bytes().to_vec();
    bytes.extend(flags.to_le_bytes());
    bytes.extend(blocks.concat());
    bytes
}

const NONE: u32 = u32::MAX;

#[test]
fn new_resource() {
    assert_eq!(
        body("new-resource r0 --on-no-data-accessible=suspend-io"),
        message(
            NONE,
            0,
            &[
                nest(2, &[attr(2, b"r0\0")]),
                nest(4, &[attr(2, &[1, 0, 0, 0])])
            ]
        )
    );
}

#[test]
fn new_minor() {
    assert_eq!(
        body("new-minor r0 5 1"),
        message(
            5,
            0,
            &[nest(2, &[attr(1, &[1, 0, 0, 0]), attr(2, b"r0\0")])]
        )
    );
}

#[test]
fn connect() {
    let end = |last| {
        let mut bytes = vec![2, 0, 0x1e, 0x6d, 10, 99, 0, last];
        bytes.resize(16, 0);
        bytes
    };
    assert_eq!(
        body("connect r0 ipv4:10.99.0.1:7789 10.99.0.2:7789 --protocol=B --tentative"),
        message(
            NONE,
            0,
            &[
                nest(2, &[attr(2, b"r0\0"), attr(3, &end(1)), attr(4, &end(2))]),
                nest(5, &[attr(28, &[1]), attr(6, &[2, 0, 0, 0])])
            ]
        )
    );
}

#[test]
fn primary_with_and_without_force() {
    assert_eq!(body("primary 0"), message(0, 0, &[nest(6, &[])]));
    assert_eq!(
        body("primary 0 --force"),
        message(0, 0, &[nest(6, &[attr(1, &[1])])])
    );
}

#[test]
fn commands_without_parameters_are_only_a_header() {
    for command in [
        "secondary",
        "del-minor",
        "invalidate",
        "outdate",
        "resume-io",
    ] {
        assert_eq!(
            body(&format!("{command} 9")),
            message(9, 0, &[]),
            "{command}"
        );
    }
}

#[test]
fn changes_of_options_carry_the_flag_for_defaults() {
    assert_eq!(
        body("disk-options 0 --set-defaults --c-max-rate=4M"),
        message(0, 1, &[nest(3, &[attr(14, &4096_u32.to_le_bytes())])])
    );
    assert_eq!(
        body("resource-options r0"),
        message(NONE, 0, &[nest(2, &[attr(2, b"r0\0")]), nest(4, &[])])
    );
}

#[test]
fn disconnect_names_both_ends() {
    let bytes = body("disconnect 10.99.0.1:7789 10.99.0.2:7789 --force");
    assert!(bytes.ends_with(&nest(12, &[attr(1, &[1])])));
}

#[test]
fn resize_and_verify_send_what_was_given() {
    assert_eq!(
        body("resize 0 --size=1M --assume-clean"),
        message(
            0,
            0,
            &[nest(7, &[attr(1, &2048_u64.to_le_bytes()), attr(3, &[1])])]
        )
    );
    assert_eq!(
        body("verify 0 --start=8s"),
        message(0, 0, &[nest(9, &[attr(1, &8_u64.to_le_bytes())])])
    );
}

#[test]
fn a_disk_is_sent_as_paths_and_place() {
    let disk = NewDisk {
        lower: tandem_engine::options::FixedStr::new(b"/dev/data1").unwrap(),
        meta: tandem_engine::options::FixedStr::new(b"/dev/data1").unwrap(),
        place: crate::intent::MetaPlace::Internal,
    };
    let expected = [
        attr(1, b"/dev/data1\0"),
        attr(2, b"/dev/data1\0"),
        attr(3, &(-3_i32).to_le_bytes()),
    ];
    assert_eq!(disk_attrs(&disk).as_bytes(), expected.concat());
}

#[test]
fn a_bad_name_is_refused_before_the_kernel_is_asked() {
    for name in ["a/b", ""] {
        assert!(resource_context(name).is_err(), "{name}");
    }
    assert!(resource_context(&"x".repeat(128)).is_err());
    assert!(resource_context(&"x".repeat(127)).is_ok());
}
