// SPDX-License-Identifier: GPL-2.0

//! Tests of the superblock and of the metadata layouts.

use super::*;
use proptest::prelude::*;

const GIB: u64 = 1 << 21;

type Image = [u8; SUPERBLOCK_BYTES];

fn geometry(layout: Layout, sectors: u64) -> Geometry {
    Geometry::new(layout, sectors, Ring::DEFAULT).unwrap()
}

fn image(superblock: &Superblock) -> Image {
    let mut image = [0xee; SUPERBLOCK_BYTES];
    superblock.emit(&mut image);
    image
}

fn created(layout: Layout, sectors: u64) -> Superblock {
    Superblock::created(&geometry(layout, sectors), 0x1122_3344_5566_7788)
}

fn error(image: &Image, layout: Layout, sectors: u64) -> Option<SuperblockError> {
    Superblock::parse(image, layout, sectors).err()
}

fn put(image: &mut Image, at: usize, value: u32) {
    image[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

#[test]
fn fresh_metadata_is_laid_out_as_by_create_md() {
    let image = image(&created(Layout::Internal, GIB));
    let word = |at: usize| u32::from_be_bytes(image[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(4)), (0, 0));
    assert_eq!((word(8), word(12)), (0, 4));
    assert_eq!(word(40), 0x1122_3344);
    assert_eq!(word(56), 128);
    assert_eq!(word(60), 0x8374_026b);
    // 1 GiB: 64 sectors of bitmap, 64 of log, 8 of superblock.
    assert_eq!(word(64), 136);
    assert_eq!(word(68) as i32, -64);
    assert_eq!(word(72), 257);
    assert_eq!(word(76) as i32, -128);
    assert_eq!(word(80), 4096);
    assert_eq!((word(84), word(88), word(92)), (0, 1, 8));
    assert!(image[96..].iter().all(|&b| b == 0));
}

#[test]
fn drbdmeta_writes_the_same_superblock() {
    // drbdmeta 9.22: `create-md` of v08 internal on a device of 64 MiB.
    let mut theirs = [0u8; SUPERBLOCK_BYTES];
    theirs[15] = 0x04;
    let words: [u32; 10] = [
        0x80,
        0x8374_026b,
        0x50,
        0xffff_ffc0,
        0x101,
        0xffff_ffb8,
        0x1000,
        0,
        1,
        8,
    ];
    for (i, word) in words.into_iter().enumerate() {
        put(&mut theirs, 56 + 4 * i, word);
    }
    let geometry = geometry(Layout::Internal, 131_072);
    assert_eq!(image(&Superblock::created(&geometry, 0)), theirs);
    assert_eq!(error(&theirs, Layout::Internal, 131_072), None);
}

#[test]
fn internal_metadata_is_at_the_aligned_end() {
    for spare in 0..8 {
        let g = geometry(Layout::Internal, GIB + spare);
        assert_eq!(g.superblock, GIB - 8);
        let bitmap = if spare == 0 { 64 } else { 72 };
        assert_eq!(g.bitmap_sectors(), bitmap);
        assert_eq!(g.first_sector(), Some(GIB - 72 - bitmap));
        assert_eq!(g.max_data_sectors(GIB + spare), GIB - 72 - bitmap);
        assert_eq!(g.log_sector(0), Some(GIB - 72));
        assert_eq!(g.log_sector(7), Some(GIB - 16));
        assert_eq!(g.log_sector(8), None);
        assert_eq!(g.bitmap_page_sector(0), g.first_sector());
        assert_eq!(g.bitmap_page_sector(9), None);
    }
}

#[test]
fn flexible_external_metadata_takes_its_whole_device() {
    let g = geometry(Layout::FlexibleExternal, 4096);
    assert_eq!(
        (g.superblock, g.al_offset, g.bm_offset, g.md_size),
        (0, 8, 72, 4096)
    );
    assert_eq!(g.bitmap_bits(), (4096 - 72) * 4096);
    assert_eq!(g.max_data_sectors(1 << 40), (4096 - 72) << 15);
    assert_eq!(g.max_data_sectors(GIB), GIB);
    assert_eq!(g.max_data_sectors(0), 0);
}

#[test]
fn indexed_metadata_takes_128_mib_per_index() {
    let g = geometry(Layout::Indexed(2), 3 * 262_144);
    assert_eq!(
        (g.superblock, g.bm_offset, g.md_size),
        (2 * 262_144, 72, 262_144)
    );
    assert_eq!(g.max_data_sectors(u64::MAX), (262_144 - 72) << 15);
    let small = Geometry::new(Layout::Indexed(2), 3 * 262_144 - 1, Ring::DEFAULT);
    assert_eq!(small, Err(GeometryError::DeviceTooSmall));
    let other = Geometry::new(
        Layout::Indexed(0),
        GIB,
        Ring {
            stripes: 2,
            stripe_blocks: 8,
        },
    );
    assert_eq!(other, Err(GeometryError::NotIndexed));
}

#[test]
fn layouts_have_their_old_numbers() {
    assert_eq!(Layout::from_index(-1), Some(Layout::Internal));
    assert_eq!(Layout::from_index(-2), Some(Layout::FlexibleExternal));
    assert_eq!(Layout::from_index(-3), Some(Layout::Internal));
    assert_eq!(Layout::from_index(5), Some(Layout::Indexed(5)));
    assert_eq!(Layout::from_index(-4), None);
    assert_eq!(Layout::Indexed(1).min_md_sectors(), 2 * 262_144);
    assert_eq!(Layout::Internal.min_md_sectors(), 2048);
}

#[test]
fn devices_without_room_are_refused() {
    for sectors in [0, 7, 8, 79] {
        let got = Geometry::new(Layout::Internal, sectors, Ring::DEFAULT);
        assert_eq!(got, Err(GeometryError::DeviceTooSmall), "{sectors}");
    }
    assert!(Geometry::new(Layout::Internal, u64::MAX, Ring::DEFAULT).is_err());
    assert!(Geometry::new(Layout::FlexibleExternal, 79, Ring::DEFAULT).is_ok());
    assert!(Geometry::new(Layout::FlexibleExternal, 71, Ring::DEFAULT).is_err());
}

#[test]
fn log_shapes_have_limits() {
    assert_eq!(check_ring(0, 0), Ok(Ring::DEFAULT));
    for (stripes, blocks, good) in [
        (0, 8, false),
        (8, 0, false),
        (1, 7, false),
        (7, 1, false),
        (2, 4, true),
        (1, 4 << 20, true),
        (2, (2 << 20) + 1, false),
        (u32::MAX, u32::MAX, false),
    ] {
        assert_eq!(
            check_ring(stripes, blocks).is_ok(),
            good,
            "{stripes} {blocks}"
        );
    }
}

#[test]
fn what_is_no_clean_metadata_is_told_apart() {
    let layout = Layout::Internal;
    let good = created(layout, GIB);
    assert_eq!(error(&image(&good), layout, GIB), None);
    assert_eq!(
        error(&[0; SUPERBLOCK_BYTES], layout, GIB),
        Some(SuperblockError::NotFound)
    );
    let running = Superblock {
        clean: false,
        ..good
    };
    assert_eq!(
        error(&image(&running), layout, GIB),
        Some(SuperblockError::Unclean)
    );
    assert_eq!(
        Superblock::decode(&image(&running)).map(|s| s.clean),
        Ok(false)
    );
    let unapplied = Superblock {
        flags: Flags::CONSISTENT,
        ..good
    };
    assert_eq!(
        error(&image(&unapplied), layout, GIB),
        Some(SuperblockError::Unclean)
    );
    let mut old = image(&good);
    old[63] = 0x6a;
    assert_eq!(error(&old, layout, GIB), Some(SuperblockError::TooOld));
    let mut coarse = image(&good);
    put(&mut coarse, 80, 65536);
    assert_eq!(
        error(&coarse, layout, GIB),
        Some(SuperblockError::BytesPerBit)
    );
    assert_eq!(SuperblockError::Unclean.ret_code(), 165);
    assert_eq!(SuperblockError::NotFound.ret_code(), 119);
}

#[test]
fn offsets_that_do_not_fit_are_refused() {
    let layout = Layout::Internal;
    let good = image(&created(layout, GIB));
    let check = |at: usize, value: i32| {
        let mut bad = good;
        put(&mut bad, at, value as u32);
        match error(&bad, layout, GIB) {
            Some(SuperblockError::Geometry(e)) => Some(e),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(check(68, 8), Some(GeometryError::LogOffset));
    assert_eq!(check(68, -72), Some(GeometryError::LogSize));
    assert_eq!(check(76, -8), Some(GeometryError::BitmapOffset));
    assert_eq!(check(76, -129), Some(GeometryError::BitmapOffset));
    assert_eq!(check(64, i32::MAX), Some(GeometryError::DeviceTooSmall));
    assert_eq!(check(64, 144), Some(GeometryError::DeviceTooSmall));
    assert_eq!(check(88, 3), Some(GeometryError::LogSize));
    // Last size: 65 sectors of bitmap needed, 64 are there.
    assert_eq!(check(4, 65 << 15), Some(GeometryError::BitmapSize));
}

#[test]
fn flags_change_and_say_so() {
    let mut flags = Flags::default();
    assert!(flags.put(Flags::CONSISTENT.with(Flags::CONNECTED), true));
    assert!(!flags.put(Flags::CONSISTENT, true));
    assert!(flags.put(Flags::CONSISTENT, false));
    assert_eq!(flags, Flags::CONNECTED);
    assert_eq!(Flags::AL_DISABLED.0, 256);
}

proptest! {
    #[test]
    fn superblocks_round_trip(
        numbers: [u64; 6], flags: u32, slots: u32, bio in 4096..=u32::MAX,
        stripes in 1..4u32, blocks in 8..64u32, sectors in 4096..GIB * 1024, clean: bool,
    ) {
        let ring = Ring { stripes, stripe_blocks: blocks };
        let geometry = Geometry::new(Layout::Internal, sectors, ring).unwrap();
        let [last, current, bitmap, h0, h1, device_uuid] = numbers;
        let last_size = last % geometry.max_data_sectors(sectors).max(1);
        let superblock = Superblock {
            clean,
            last_size,
            uuids: Uuids { current, bitmap, history: [h0, h1] },
            flags: Flags(flags | 128),
            al_slots: slots,
            peer_max_bio_size: bio,
            ..Superblock::created(&geometry, device_uuid)
        };
        let bytes = image(&superblock);
        prop_assert_eq!(Superblock::decode(&bytes), Ok(superblock));
        prop_assert_eq!(superblock.geometry(Layout::Internal, sectors), Ok(geometry));
        prop_assert!(geometry.bitmap_bits() * 8 >= geometry.max_data_sectors(sectors));
        prop_assert!(geometry.first_sector().unwrap() + u64::from(geometry.md_size) <= sectors);
    }

    #[test]
    fn garbage_never_panics(
        words in proptest::collection::vec(any::<u32>(), 24), magic in 0..4usize,
        index in -4..3i32, sectors: u64, sane: bool,
    ) {
        let mut image = [0u8; SUPERBLOCK_BYTES];
        for (i, word) in words.iter().enumerate() {
            put(&mut image, i * 4, *word);
        }
        put(&mut image, 60, [MAGIC_07, MAGIC_08, MAGIC_84_UNCLEAN, 0][magic]);
        if sane {
            put(&mut image, 80, 4096);
            put(&mut image, 88, 1);
            put(&mut image, 92, 8);
        }
        let layout = Layout::from_index(index);
        if let (Ok(superblock), Some(layout)) = (Superblock::decode(&image), layout) {
            if let Ok(geometry) = superblock.geometry(layout, sectors) {
                prop_assert!(geometry.first_sector().unwrap() < sectors);
                prop_assert!(geometry.log_sector(0).unwrap() < sectors);
                let _ = geometry.max_data_sectors(sectors);
                let _ = geometry.bitmap_page_sector(u64::MAX);
            }
        }
    }

    #[test]
    fn what_decodes_is_written_as_it_was(words: [u32; 24], clean: bool) {
        let mut image = [0u8; SUPERBLOCK_BYTES];
        for (i, word) in words.into_iter().enumerate() {
            put(&mut image, i * 4, word);
        }
        put(&mut image, 48, 0);
        put(&mut image, 52, 0);
        put(&mut image, 56, words[14] | 128);
        put(&mut image, 60, if clean { MAGIC_08 } else { MAGIC_84_UNCLEAN });
        put(&mut image, 80, 4096);
        put(&mut image, 84, words[21].max(4096));
        put(&mut image, 88, words[22] % 8 + 1);
        put(&mut image, 92, words[23] % 4096 + 8);
        let superblock = Superblock::decode(&image).unwrap();
        let mut again = [0xee; SUPERBLOCK_BYTES];
        superblock.emit(&mut again);
        prop_assert_eq!(&image[..], &again[..]);
    }

    #[test]
    fn the_parts_of_metadata_lie_side_by_side_on_the_device(
        index in -3..4i32, sectors in 0..GIB * 4096, stripes in 1..9u32, blocks in 1..600u32,
    ) {
        let layout = Layout::from_index(index).unwrap();
        let ring = Ring { stripes, stripe_blocks: blocks };
        let Ok(g) = Geometry::new(layout, sectors, ring) else {
            return Ok(());
        };
        let log = g.log_sector(0).unwrap();
        let log_end = log + u64::from(ring.blocks()) * 8;
        let bitmap = g.bitmap_page_sector(0).unwrap();
        let bitmap_end = bitmap + g.bitmap_sectors();
        let mut parts = [(g.superblock, g.superblock + 8), (log, log_end), (bitmap, bitmap_end)];
        parts.sort();
        prop_assert!(parts[0].1 <= parts[1].0 && parts[1].1 <= parts[2].0, "{:?}", parts);
        prop_assert!(parts[2].1 <= sectors, "{:?} of {}", parts, sectors);
        prop_assert_eq!(parts[0].0, g.first_sector().unwrap());
        prop_assert!(g.log_sector(ring.blocks() - 1).unwrap() + 8 == log_end);
        prop_assert!(g.log_sector(ring.blocks()).is_none());
    }
}

#[test]
fn what_is_wrong_and_what_to_do_fit_into_a_reply() {
    let geometry = [
        GeometryError::LogShape,
        GeometryError::LogOffset,
        GeometryError::LogSize,
        GeometryError::BitmapOffset,
        GeometryError::BitmapSize,
        GeometryError::NotIndexed,
        GeometryError::DeviceTooSmall,
    ];
    let others = [
        SuperblockError::NotFound,
        SuperblockError::TooOld,
        SuperblockError::Unclean,
        SuperblockError::BytesPerBit,
    ];
    for error in geometry
        .map(SuperblockError::Geometry)
        .into_iter()
        .chain(others)
    {
        let text = format!("{}; {}", error.as_str(), error.hint());
        assert!(text.len() <= 127, "{text}");
    }
}
