// SPDX-License-Identifier: GPL-2.0

//! Tests of the bytes that commands send, against a recording.

use super::*;
use crate::cli::{
    self,
    Tool, //
};
use std::ffi::OsString;

/// What drbdsetup-84 of drbd-utils 9.22 sends on x86-64, after the generic netlink header:
/// recorded with strace beside the kernel's own module.
const RECORDED: &[(&str, &str)] = &[
    (
        "new-resource r1",
        "ff ff ff ff 00 00 00 00 0c 00 02 80 07 00 02 40 72 31 00 00",
    ),
    (
        "new-resource r2 --on-no-data-accessible=suspend-io --cpu-mask=3",
        "ff ff ff ff 00 00 00 00 0c 00 02 80 07 00 02 40 72 32 00 00 14 00 04 80 \
         08 00 02 40 01 00 00 00 06 00 01 40 33 00 00 00",
    ),
    (
        "resource-options r2 --set-defaults",
        "ff ff ff ff 01 00 00 00 0c 00 02 80 07 00 02 40 72 32 00 00",
    ),
    (
        "new-minor r1 11 1",
        "0b 00 00 00 00 00 00 00 14 00 02 80 07 00 02 40 72 31 00 00 08 00 01 40 \
         01 00 00 00",
    ),
    (
        "disk-options 0 --c-max-rate=4M",
        "00 00 00 00 00 00 00 00 0c 00 03 80 08 00 0e 40 00 10 00 00",
    ),
    ("disk-options 0 --set-defaults", "00 00 00 00 01 00 00 00"),
    (
        "net-options ipv4:10.99.0.1:7789 ipv4:10.99.0.2:7789 --max-buffers=4000",
        "ff ff ff ff 00 00 00 00 2c 00 02 80 14 00 03 40 02 00 1e 6d 0a 63 00 01 \
         00 00 00 00 00 00 00 00 14 00 04 40 02 00 1e 6d 0a 63 00 02 00 00 00 00 \
         00 00 00 00 0c 00 05 80 08 00 0e 40 a0 0f 00 00",
    ),
    (
        "connect r1 ipv4:10.99.0.1:7790 ipv4:10.99.0.2:7790 --protocol=B --tentative",
        "ff ff ff ff 00 00 00 00 34 00 02 80 07 00 02 40 72 31 00 00 14 00 03 40 \
         02 00 1e 6e 0a 63 00 01 00 00 00 00 00 00 00 00 14 00 04 40 02 00 1e 6e \
         0a 63 00 02 00 00 00 00 00 00 00 00 14 00 05 80 08 00 06 40 02 00 00 00 \
         05 00 1c 40 01 00 00 00",
    ),
    (
        "disconnect ipv4:10.99.0.1:7790 ipv4:10.99.0.2:7790",
        "ff ff ff ff 00 00 00 00 2c 00 02 80 14 00 03 40 02 00 1e 6e 0a 63 00 01 \
         00 00 00 00 00 00 00 00 14 00 04 40 02 00 1e 6e 0a 63 00 02 00 00 00 00 \
         00 00 00 00",
    ),
    (
        "disconnect ipv4:10.99.0.1:7790 ipv4:10.99.0.2:7790 --force",
        "ff ff ff ff 00 00 00 00 2c 00 02 80 14 00 03 40 02 00 1e 6e 0a 63 00 01 \
         00 00 00 00 00 00 00 00 14 00 04 40 02 00 1e 6e 0a 63 00 02 00 00 00 00 \
         00 00 00 00 0c 00 0c 80 05 00 01 40 01 00 00 00",
    ),
    ("primary 11", "0b 00 00 00 00 00 00 00"),
    (
        "primary 11 --force",
        "0b 00 00 00 00 00 00 00 0c 00 06 80 05 00 01 40 01 00 00 00",
    ),
    ("secondary 11", "0b 00 00 00 00 00 00 00"),
    ("detach 11", "0b 00 00 00 00 00 00 00"),
    (
        "detach 11 --force",
        "0b 00 00 00 00 00 00 00 0c 00 0d 80 05 00 01 40 01 00 00 00",
    ),
    (
        "new-current-uuid 11 --clear-bitmap",
        "0b 00 00 00 00 00 00 00 0c 00 0a 80 05 00 01 40 01 00 00 00",
    ),
    (
        "verify 11 --start=8s --stop=16",
        "0b 00 00 00 00 00 00 00 1c 00 09 80 0c 00 01 40 08 00 00 00 00 00 00 00 \
         0c 00 02 40 10 00 00 00 00 00 00 00",
    ),
    (
        "resize 11 --size=1G --assume-clean",
        "0b 00 00 00 00 00 00 00 18 00 07 80 0c 00 01 40 00 00 20 00 00 00 00 00 \
         05 00 03 40 01 00 00 00",
    ),
    ("resize 11", "0b 00 00 00 00 00 00 00"),
    ("del-minor 11", "0b 00 00 00 00 00 00 00"),
    (
        "del-resource r1",
        "ff ff ff ff 00 00 00 00 0c 00 02 80 07 00 02 40 72 31 00 00",
    ),
];

/// What it sends for `attach 11 /dev/data2 /dev/data2 internal --size=10M`, inside the block.
const RECORDED_DISK: &str = "0c 00 04 40 00 50 00 00 00 00 00 00 \
    0f 00 01 00 2f 64 65 76 2f 64 61 74 61 32 00 00 \
    0f 00 02 00 2f 64 65 76 2f 64 61 74 61 32 00 00 08 00 03 00 fd ff ff ff";

fn parsed(line: &str) -> Setup {
    let args = format!("drbdsetup {line}");
    match cli::parse(args.split_whitespace().map(OsString::from)) {
        Ok(Tool::Setup(setup)) => setup,
        other => panic!("{line}: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}

#[test]
fn requests_have_the_bytes_that_drbdsetup_sends() {
    for (line, recorded) in RECORDED {
        let change = change(&parsed(line)).unwrap();
        assert_eq!(hex(&change.request.body()), *recorded, "{line}");
    }
}

#[test]
fn a_disk_has_the_bytes_that_drbdsetup_sends() {
    let path = tandem_engine::options::FixedStr::new(b"/dev/data2").unwrap();
    let disk = NewDisk {
        lower: path,
        meta: path,
        place: crate::intent::MetaPlace::Internal,
    };
    let attach = parsed("attach 11 /dev/data2 /dev/data2 internal --size=10M");
    let Setup::Attach { options, .. } = attach else {
        panic!("{attach:?}");
    };
    let mut attrs = options.attrs();
    append_disk(&disk, &mut attrs);
    assert_eq!(hex(attrs.as_bytes()), RECORDED_DISK);
}

#[test]
fn commands_without_parameters_are_only_a_header() {
    for command in [
        "secondary",
        "invalidate",
        "invalidate-remote",
        "pause-sync",
        "resume-sync",
        "suspend-io",
        "resume-io",
        "outdate",
        "del-minor",
    ] {
        let change = change(&parsed(&format!("{command} 9"))).unwrap();
        assert_eq!(change.request.body(), [9, 0, 0, 0, 0, 0, 0, 0], "{command}");
    }
}

#[test]
fn a_bad_name_is_refused_before_the_kernel_is_asked() {
    for name in ["a/b", ""] {
        assert!(resource_context(name).is_err(), "{name}");
    }
    assert!(resource_context(&"x".repeat(128)).is_err());
    assert!(resource_context(&"x".repeat(127)).is_ok());
}
