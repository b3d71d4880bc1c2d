// SPDX-License-Identifier: GPL-2.0

//! Tests of the bytes that requests have.

use super::*;
use tandem_engine::{
    control::{
        DiskConf,
        SetRoleParms, //
    },
    options::FixedStr, //
};

#[test]
fn blocks_are_nested_and_padded() {
    let request = Request::for_minor(Command::Primary, 3).with(&SetRoleParms {
        assume_uptodate: Some(true),
    });
    let mut expected = vec![3, 0, 0, 0, 0, 0, 0, 0];
    expected.extend([12, 0, 6, 0x80]);
    expected.extend([5, 0, 1, 0x40, 1, 0, 0, 0]);
    assert_eq!(request.body(), expected);
}

#[test]
fn a_request_without_minor_says_so() {
    let request = Request::new(Command::NewResource).context(&CfgContext {
        ctx_resource_name: FixedStr::new(b"r0"),
        ..CfgContext::default()
    });
    let mut expected = vec![0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    expected.extend([12, 0, 2, 0x80]);
    expected.extend([7, 0, 2, 0x40, b'r', b'0', 0, 0]);
    assert_eq!(request.body(), expected);
}

#[test]
fn an_empty_block_is_not_sent() {
    let request = Request::for_minor(Command::ChgDiskOpts, 0)
        .set_defaults(true)
        .with_attrs(DiskConf::NR, &AttrBuffer::default());
    assert_eq!(request.body(), [0, 0, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn plain_attributes_have_no_flag() {
    let mut attrs = AttrBuffer::default();
    let Ok(()) = attrs.plain().put(3, &[1, 0, 0, 0]);
    assert_eq!(attrs.as_bytes(), [8, 0, 3, 0, 1, 0, 0, 0]);
}
