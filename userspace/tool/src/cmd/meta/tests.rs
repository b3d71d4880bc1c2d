// SPDX-License-Identifier: GPL-2.0

//! Tests on image files.

use super::*;
use std::{
    fs::File,
    path::PathBuf, //
};
use tandem_engine::meta::activity_log_block::Transaction;

pub(super) const FORCED: Consent = Consent {
    force: true,
    ignore_sanity_checks: false,
};

/// An image file that goes away with its test.
pub(super) struct Image(pub(super) PathBuf);

impl Image {
    pub(super) fn new(name: &str, bytes: u64) -> Self {
        let path = std::env::temp_dir().join(format!("tandem-meta-{}-{name}", std::process::id()));
        File::create(&path).unwrap().set_len(bytes).unwrap();
        Self(path)
    }

    pub(super) fn open(&self) -> MetaDevice {
        self.open_as(Layout::Internal)
    }

    pub(super) fn open_as(&self, layout: Layout) -> MetaDevice {
        MetaDevice::open(&self.0, layout).unwrap()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn created(name: &str) -> (Image, MetaDevice) {
    let image = Image::new(name, 64 << 20);
    let device = image.open();
    create::run(&device, Consent::default()).unwrap();
    (image, device)
}

#[test]
fn new_metadata_is_clean_and_of_no_generation() {
    let (_image, device) = created("new");
    let found = find(&device).unwrap();
    assert!(found.superblock.clean);
    assert_eq!(generations(&found.superblock).uuids, [4, 0, 0, 0]);
    assert_eq!(disk_state(found.superblock.flags), "Inconsistent");
    // The places where drbdmeta puts them on a device of 64 MiB.
    assert_eq!(found.geometry.superblock * 512, 67_104_768);
    assert_eq!(found.geometry.log_sector(0).unwrap() * 512, 67_072_000);
    assert_eq!(
        found.geometry.bitmap_page_sector(0).unwrap() * 512,
        67_067_904
    );
}

#[test]
fn metadata_in_place_is_kept_without_force() {
    let (_image, device) = created("kept");
    let before = find(&device).unwrap().superblock;
    let failure = create::run(&device, Consent::default()).unwrap_err();
    assert_eq!(failure.exit(), Exit::Metadata);
    assert_eq!(find(&device).unwrap().superblock, before);
    assert_eq!(create::run(&device, FORCED).unwrap(), Exit::Success);
}

#[test]
fn a_device_that_is_too_small_is_refused() {
    let image = Image::new("small", 8192);
    let failure = create::run(&image.open(), FORCED).unwrap_err();
    assert_eq!(failure.exit(), Exit::Other);
}

#[test]
fn no_metadata_exits_1() {
    let image = Image::new("none", 64 << 20);
    let failure = find(&image.open()).err().unwrap();
    assert_eq!(failure.exit(), Exit::Metadata);
}

#[test]
fn applying_the_log_marks_its_extents_and_is_done_once() {
    let (_image, device) = created("apply");
    let mut found = find(&device).unwrap();
    let mut block = [0; device::BLOCK];
    let transaction = Transaction {
        number: 0,
        updates: &[(0, 3), (1, 15)],
        slots: 7,
        context_start: 0,
    };
    transaction
        .emit(&mut block, |_| u32::MAX, apply::crc)
        .unwrap();
    device
        .write_block(found.geometry.log_sector(0).unwrap(), &block)
        .unwrap();
    found.superblock.clean = false;
    // Extent 15 is the last, and the device ends inside of it.
    found.superblock.last_size = (15 * 1024 + 100) * 8;
    let mut image = [0; device::BLOCK];
    found.superblock.emit(&mut image);
    device
        .write_block(found.geometry.superblock, &image)
        .unwrap();

    apply::run(&device, &find(&device).unwrap()).unwrap();

    let after = find(&device).unwrap();
    assert!(after.superblock.clean);
    let bitmap = device
        .read_block(after.geometry.bitmap_page_sector(0).unwrap())
        .unwrap();
    let set: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(set, 1024 + 100);
    assert_eq!(bitmap[3 * 128..4 * 128], [0xff; 128]);
    let log = device
        .read_block(after.geometry.log_sector(0).unwrap())
        .unwrap();
    assert_ne!(log, block);
}

#[test]
fn a_device_gets_its_number_and_nothing_else_changes() {
    let (_image, device) = created("named");
    let before = find(&device).unwrap().superblock;
    name_device(&device, 0xabc).unwrap();
    let after = find(&device).unwrap().superblock;
    assert_eq!(after.device_uuid, 0xabc);
    assert_eq!(
        Superblock {
            device_uuid: before.device_uuid,
            ..after
        },
        before
    );
}

#[test]
fn wiped_metadata_is_gone() {
    let (_image, device) = created("wipe");
    assert!(wipe(&device, false).is_err());
    wipe(&device, true).unwrap();
    assert!(find(&device).is_err());
}
