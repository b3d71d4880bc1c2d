// SPDX-License-Identifier: GPL-2.0

//! What is on a device is not damaged by new metadata. Super blocks are written here by hand, with
//! the fields that `mkfs` writes; those of `mke2fs` are its own.

use super::{
    contents::{
        Contents,
        Format, //
    },
    create::{
        self,
        Consent, //
    },
    device::BLOCK,
    tests::{
        Image,
        FORCED, //
    }, //
};
use crate::{
    cli::meta::Log,
    exit::Exit, //
};
use std::{
    fs,
    process::Command, //
};
use tandem_engine::meta::geometry::Layout;

const SIZE: u64 = 8 << 20;
/// Bytes below the metadata of a device of that size: superblock, log and one page of bitmap.
const ROOM: u64 = SIZE - (1 + 8 + 1) * BLOCK as u64;

/// Bytes and where they lie.
type Parts = Vec<(usize, Vec<u8>)>;

fn le(at: usize, value: u64, bytes: usize) -> (usize, Vec<u8>) {
    (at, value.to_le_bytes()[..bytes].to_vec())
}

fn be(at: usize, value: u64, bytes: usize) -> (usize, Vec<u8>) {
    (at, value.to_be_bytes()[8 - bytes..].to_vec())
}

fn text(at: usize, text: &[u8]) -> (usize, Vec<u8>) {
    (at, text.to_vec())
}

fn ext(blocks: u64, shift: u64) -> Parts {
    vec![
        text(0x438, b"\x53\xef"),
        le(0x404, blocks, 4),
        le(0x418, shift, 4),
    ]
}

/// Every format that tells its size, so that it uses `kib` KiB.
fn of_size(kib: u64) -> Vec<(Format, Parts)> {
    let pages = kib / 4;
    vec![
        (Format::Ext, ext(kib, 0)),
        (Format::Ext, ext(pages, 2)),
        (
            Format::Xfs,
            vec![text(0, b"XFSB"), be(4, 4096, 4), be(8, pages, 8)],
        ),
        (
            Format::Btrfs,
            // The whole file system is larger: it has a second device.
            vec![
                text(0x10040, b"_BHRfS_M"),
                le(0x10070, kib * 2048, 8),
                le(0x100d1, kib * 1024, 8),
            ],
        ),
        (
            Format::Jfs,
            vec![
                text(0x8000, b"JFS1"),
                le(0x8008, kib * 2, 8),
                le(0x8010, 4096, 4),
                le(0x8018, 512, 4),
            ],
        ),
        (
            Format::Reiser,
            vec![
                text(0x10034, b"ReIsEr2Fs"),
                le(0x10000, pages, 4),
                le(0x1002c, 4096, 2),
            ],
        ),
        (
            Format::Lvm,
            vec![
                text(0x200, b"LABELONE"),
                le(0x214, 32, 4),
                text(0x218, b"LVM2 001"),
                le(0x240, kib * 1024, 8),
            ],
        ),
    ]
}

fn sizeless() -> Vec<(Format, Parts)> {
    vec![
        (Format::Swap, vec![text(4086, b"SWAPSPACE2")]),
        (Format::Swap, vec![text(65526, b"SWAPSPACE2")]),
        (Format::Luks, vec![text(0, b"LUKS\xba\xbe\x00\x02")]),
        // A count of blocks that no device has.
        (
            Format::Xfs,
            vec![text(0, b"XFSB"), be(4, 4096, 4), be(8, u64::MAX, 8)],
        ),
        (Format::Ext, ext(100, 99)),
    ]
}

fn image(name: &str, parts: &Parts) -> Image {
    let image = Image::new(name, SIZE);
    let mut content = vec![0; SIZE as usize];
    for (at, bytes) in parts {
        content[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    fs::write(&image.0, content).unwrap();
    image
}

/// Refused with the exit status of `drbdmeta`, and not a byte is changed.
fn assert_refused(image: &Image, consent: Consent, layout: Layout) -> String {
    let before = fs::read(&image.0).unwrap();
    let failure = create::run(&image.open_as(layout), Log::default(), None, consent).unwrap_err();
    assert_eq!(failure.exit(), Exit::Occupied, "{}", failure.text());
    assert_eq!(failure.exit().number(), 40);
    assert!(fs::read(&image.0).unwrap() == before, "something changed");
    failure.text()
}

#[test]
fn contents_that_reach_into_the_metadata_are_kept_even_by_force() {
    // The last page below the metadata may be used, the first of the metadata not.
    for (format, parts) in of_size(ROOM / 1024 + 4) {
        let image = image("reaches", &parts);
        let text = assert_refused(&image, FORCED, Layout::Internal);
        assert!(text.contains(format.name()), "{text}");
        assert!(text.contains("what to do:"), "{text}");
        assert_refused(&image, Consent::default(), Layout::Internal);
    }
}

#[test]
fn contents_that_end_before_the_metadata_need_a_yes() {
    for (format, parts) in of_size(ROOM / 1024) {
        let image = image("ends", &parts);
        let failure =
            create::run(&image.open(), Log::default(), None, Consent::default()).unwrap_err();
        assert_eq!(failure.exit(), Exit::Metadata, "{format:?}");
        let before = fs::read(&image.0).unwrap();
        assert_eq!(
            create::run(&image.open(), Log::default(), None, FORCED).unwrap(),
            Exit::Success
        );
        let after = fs::read(&image.0).unwrap();
        let room = ROOM as usize;
        assert!(after[..room] == before[..room], "{format:?}");
        assert!(after[room..] != before[room..], "{format:?}");
    }
}

#[test]
fn contents_of_unknown_size_are_kept_even_by_force() {
    for (format, parts) in sizeless() {
        let image = image("sizeless", &parts);
        let text = assert_refused(&image, FORCED, Layout::Internal);
        assert!(text.contains(format.name()), "{text}");
    }
}

#[test]
fn a_file_system_of_any_size_is_kept_where_metadata_alone_shall_be() {
    for (_, parts) in of_size(4096) {
        let image = image("external", &parts);
        assert_refused(&image, FORCED, Layout::FlexibleExternal);
    }
}

#[test]
fn metadata_in_place_does_not_excuse_a_file_system_that_grew_over_it() {
    let image = image("grew", &Parts::new());
    create::run(&image.open(), Log::default(), None, Consent::default()).unwrap();
    let mut content = fs::read(&image.0).unwrap();
    for (at, bytes) in ext(SIZE / 1024, 0) {
        content[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    fs::write(&image.0, content).unwrap();
    assert_refused(&image, FORCED, Layout::Internal);
}

#[test]
fn the_check_is_left_out_on_demand() {
    let image = image("ignored", &ext(SIZE / 1024, 0));
    let consent = Consent {
        force: false,
        ignore_sanity_checks: true,
    };
    assert_eq!(
        create::run(&image.open(), Log::default(), None, consent).unwrap(),
        Exit::Success
    );
}

#[test]
fn data_of_an_unknown_kind_needs_a_yes() {
    let image = image("unknown", &vec![text(5000, b"something")]);
    let failure = create::run(&image.open(), Log::default(), None, Consent::default()).unwrap_err();
    assert_eq!(failure.exit(), Exit::Metadata);
    assert_eq!(
        create::run(&image.open(), Log::default(), None, FORCED).unwrap(),
        Exit::Success
    );
}

#[test]
fn a_large_ext4_counts_its_blocks_in_64_bits() {
    let mut parts = ext(7, 2);
    parts.push(le(0x460, 0x80, 4));
    parts.push(le(0x550, 1, 4));
    let image = image("large", &parts);
    assert_eq!(
        Contents::of(&image.open()).unwrap(),
        Contents::Known {
            format: Format::Ext,
            bytes: Some(((1 << 32) + 7) * 4096),
        }
    );
}

/// The way that the advice shows: made small enough, the file system has room beside the metadata.
#[test]
fn an_ext4_that_was_shrunk_as_advised_has_room() {
    let image = Image::new("mke2fs", SIZE);
    let path = image.0.to_str().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .output()
            .unwrap_or_else(|error| panic!("{program} of e2fsprogs: {error}"));
        assert!(output.status.success(), "{output:?}");
    };
    run("mke2fs", &["-q", "-t", "ext4", path]);
    let text = assert_refused(&image, FORCED, Layout::Internal);
    let (_, advised) = text.split_once(&format!("resize2fs {path} ")).unwrap();
    let (size, _) = advised.split_once(';').unwrap();
    run("e2fsck", &["-f", "-p", path]);
    run("resize2fs", &[path, size]);
    // It cut the image off behind the file system; a device keeps its size.
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(SIZE).unwrap();
    assert_eq!(
        create::run(&image.open(), Log::default(), None, FORCED).unwrap(),
        Exit::Success
    );
    run("e2fsck", &["-f", "-n", path]);
}
