// SPDX-License-Identifier: GPL-2.0

//! Tests of `show`.

use super::*;
use crate::model::Connection;
use tandem_engine::control::{
    AttrBlock,
    ConnectionInfo,
    ConnectionStatistics,
    DeviceInfo,
    DeviceStatistics,
    DiskConf,
    NetAddress,
    NetConf,
    ResourceInfo,
    ResourceStatistics, //
};
use tandem_netlink::AttrBuffer;

fn attrs<B: AttrBlock>(block: &B) -> Vec<u8> {
    let mut attrs = AttrBuffer::default();
    let Ok(()) = block.emit(&mut attrs, true);
    attrs.as_bytes().to_vec()
}

fn resource(disk: &DiskConf, net: &NetConf) -> Resource {
    let end = |last| NetAddress::V4 {
        addr: [10, 99, 0, last],
        port: 7789,
    };
    Resource {
        name: "r0".into(),
        info: ResourceInfo::default(),
        statistics: ResourceStatistics::default(),
        settings: Vec::new(),
        devices: vec![Device {
            volume: 0,
            minor: 3,
            info: DeviceInfo::default(),
            statistics: DeviceStatistics::default(),
            settings: attrs(disk),
        }],
        reasons: Vec::new(),
        connections: vec![Connection {
            local: Some(end(1)),
            peer: Some(end(2)),
            info: ConnectionInfo::default(),
            statistics: ConnectionStatistics::default(),
            settings: attrs(net),
            devices: Vec::new(),
        }],
    }
}

fn disk(index: i32) -> DiskConf {
    DiskConf {
        backing_dev: FixedStr::new(b"/dev/data1"),
        meta_dev: FixedStr::new(b"/dev/data2"),
        meta_dev_idx: Some(index),
        ..DiskConf::default()
    }
}

#[test]
fn only_what_is_no_default_is_shown() {
    let mut disk = disk(-3);
    disk.options.c_max_rate = 4096;
    let mut net = NetConf::default();
    net.options.verify_alg = FixedStr::new(b"crc32c").unwrap();
    assert_eq!(
        text(&resource(&disk, &net), false),
        "resource r0 {\n    options {\n    }\n    \
         net {\n        verify-alg      \t\"crc32c\";\n    }\n    \
         _remote_host {\n        address\t\t\tipv4 10.99.0.2:7789;\n    }\n    \
         _this_host {\n        address\t\t\tipv4 10.99.0.1:7789;\n        \
         volume 0 {\n            device\t\t\tminor 3;\n            \
         disk\t\t\t\"/dev/data1\";\n            meta-disk\t\t\tinternal;\n            \
         disk {\n                c-max-rate      \t4096k; # bytes/second\n            }\n        \
         }\n    }\n}\n"
    );
}

#[test]
fn defaults_are_shown_when_asked_for() {
    let text = text(&resource(&disk(-3), &NetConf::default()), true);
    assert!(text.contains("protocol        \tC; # default\n"), "{text}");
    assert!(!text.contains("tentative"), "{text}");
    assert!(text.contains("resync-after    \t-1; # default\n"), "{text}");
}

#[test]
fn places_of_metadata() {
    let shown = |index| text(&resource(&disk(index), &NetConf::default()), false);
    assert!(shown(-2).contains("meta-disk\t\t\t\"/dev/data2\";"));
    assert!(shown(4).contains("meta-disk\t\t\t\"/dev/data2\" [ 4 ];"));
}

#[test]
fn text_is_quoted_so_that_it_can_be_read_back() {
    assert_eq!(quoted(b"a\"b\\c"), "\"a\\\"b\\\\c\"");
}
