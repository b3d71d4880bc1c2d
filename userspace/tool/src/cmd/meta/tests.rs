// SPDX-License-Identifier: GPL-2.0

//! Tests on image files.

use super::*;
use crate::cli::meta::Log;
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
    create::run(&device, Log::default(), None, Consent::default()).unwrap();
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
    let failure = create::run(&device, Log::default(), None, Consent::default()).unwrap_err();
    assert_eq!(failure.exit(), Exit::Metadata);
    assert_eq!(find(&device).unwrap().superblock, before);
    assert_eq!(
        create::run(&device, Log::default(), None, FORCED).unwrap(),
        Exit::Success
    );
}

#[test]
fn a_device_that_is_too_small_is_refused() {
    let image = Image::new("small", 8192);
    let failure = create::run(&image.open(), Log::default(), None, FORCED).unwrap_err();
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

fn dumped(image: &Image, name: &str) -> Image {
    let device = image.open();
    let found = find(&device).unwrap();
    let copy = Image::new(name, 0);
    let mut out = Vec::new();
    dump::superblock(&mut out, &found.superblock, &found.geometry).unwrap();
    let pages = dump::bitmap_pages(&found.superblock);
    let mut bitmap = dump::Bitmap::new(&mut out, pages).unwrap();
    for page in 0..pages {
        let sector = found.geometry.bitmap_page_sector(page).unwrap();
        bitmap.page(&device.read_block(sector).unwrap()).unwrap();
    }
    bitmap.end().unwrap();
    std::fs::write(&copy.0, out).unwrap();
    copy
}

/// Metadata with a size, bits, generations and flags.
fn lived(name: &str) -> Image {
    let (image, device) = created(name);
    let found = find(&device).unwrap();
    let superblock = Superblock {
        last_size: 100_000,
        flags: found.superblock.flags.with(Flags::CONSISTENT),
        device_uuid: 7,
        peer_max_bio_size: 1 << 20,
        ..found.superblock
    };
    let sector = found.geometry.superblock;
    device.write_superblock(sector, &superblock).unwrap();
    let mut page = [0; device::BLOCK];
    page[3..90].fill(0xa5);
    let sector = found.geometry.bitmap_page_sector(0).unwrap();
    device.write_block(sector, &page).unwrap();
    image
}

#[test]
fn a_dump_is_restored_to_the_same_metadata_also_with_another_log() {
    let image = lived("dumped");
    let dump = dumped(&image, "dump");
    assert_eq!(restore::verify(&dump.0).unwrap(), Exit::Success);
    let before = find(&image.open()).unwrap();
    let other = Image::new("restored", 64 << 20);
    let log = Log {
        al_stripes: Some(2),
        al_stripe_size: Some(64),
    };
    assert!(find(&other.open()).is_err());
    restore::run(&other.open(), &dump.0, log, true).unwrap();
    let after = find(&other.open()).unwrap();
    assert_eq!(after.geometry.ring.stripes, 2);
    assert_eq!(after.geometry.ring.stripe_blocks, 16);
    restore::run(&other.open(), &dump.0, Log::default(), true).unwrap();
    let after = find(&other.open()).unwrap();
    assert_eq!(after.superblock, before.superblock);
    let page = |image: &Image, found: &Found| {
        let sector = found.geometry.bitmap_page_sector(0).unwrap();
        image.open().read_block(sector).unwrap()
    };
    assert_eq!(page(&other, &after), page(&image, &before));
}

#[test]
fn a_dump_that_is_cut_anywhere_changes_nothing() {
    let image = lived("whole");
    let dump = dumped(&image, "cut-dump");
    let text = std::fs::read(&dump.0).unwrap();
    let end = text.iter().rposition(|byte| *byte == b'}').unwrap();
    let before = std::fs::read(&image.0).unwrap();
    for at in (0..=end).step_by(7) {
        std::fs::write(&dump.0, &text[..at]).unwrap();
        let failure = restore::run(&image.open(), &dump.0, Log::default(), true).unwrap_err();
        assert_eq!(failure.exit(), Exit::Refused, "{at}");
        assert!(failure.text().contains("line "), "{}", failure.text());
    }
    assert!(before == std::fs::read(&image.0).unwrap());
}

#[test]
fn a_dump_of_unclean_metadata_is_not_restored() {
    let image = Image::new("unclean-dump", 0);
    let text = format!("version \"v08\";\n{}\n", crate::dump_text::UNCLEAN);
    std::fs::write(&image.0, text).unwrap();
    let failure = restore::verify(&image.0).unwrap_err();
    assert!(failure.text().contains("apply-al"), "{}", failure.text());
}

#[test]
fn generations_and_flags_are_set_part_by_part() {
    let (_image, device) = created("set-gi");
    let line = |device: &MetaDevice| generations(&find(device).unwrap().superblock).line();
    let set = |text: &str| generations::set(&device, &find(&device).unwrap(), text, true);
    set("1:2:3:4").unwrap();
    set("::5::1:1").unwrap();
    assert_eq!(
        line(&device),
        "0000000000000001:0000000000000002:0000000000000005:0000000000000004:1:1:0:0:0:0:0"
    );
    for wrong in ["x", "1:2:3:4:7", "1:2:3:4:1:1:1:1:1:1:1:1"] {
        assert_eq!(set(wrong).unwrap_err().exit(), Exit::Refused, "{wrong}");
    }
    let found = find(&device).unwrap();
    assert!(generations::set(&device, &found, "9", false).is_err());
    assert_eq!(find(&device).unwrap().superblock, found.superblock);
}

#[test]
fn data_is_outdated_and_invalidated_on_disk() {
    let (_image, device) = created("outdate");
    let found = || find(&device).unwrap();
    let state = || disk_state(found().superblock.flags);
    assert_eq!(
        generations::outdate(&device, &found()).unwrap(),
        Exit::LowerThanOutdated
    );
    generations::set(&device, &found(), "::::1:1", true).unwrap();
    assert_eq!(state(), "Consistent");
    generations::outdate(&device, &found()).unwrap();
    assert_eq!(state(), "Outdated");
    generations::invalidate(&device, &found()).unwrap();
    assert_eq!(state(), "Inconsistent");
    assert!(found().superblock.flags.has(Flags::FULL_SYNC));
}

#[test]
fn metadata_moves_to_the_end_of_a_device_that_grew() {
    for (name, grown) in [
        ("grown-little", (64 << 20) + 8192),
        ("grown-much", 96 << 20),
    ] {
        let image = lived(name);
        let before = find(&image.open()).unwrap();
        File::options()
            .write(true)
            .open(&image.0)
            .unwrap()
            .set_len(grown)
            .unwrap();
        assert!(find(&image.open()).is_err());
        let failure = grown::move_from(&image.open(), None).unwrap_err();
        assert_eq!(failure.exit(), Exit::Metadata);
        grown::move_from(&image.open(), Some((64 << 20) / 512)).unwrap();
        let after = find(&image.open()).unwrap();
        assert_eq!(after.superblock.uuids, before.superblock.uuids);
        assert_eq!(after.superblock.last_size, before.superblock.last_size);
        let sector = after.geometry.bitmap_page_sector(0).unwrap();
        let page = image.open().read_block(sector).unwrap();
        assert_eq!(page[3..90], [0xa5; 87]);
        assert!(page[90..].iter().all(|byte| *byte == 0));
    }
}
