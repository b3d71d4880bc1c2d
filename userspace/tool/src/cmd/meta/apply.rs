// SPDX-License-Identifier: GPL-2.0

//! `apply-al`: take the activity log into the bitmap, so that the metadata is clean.

use super::{
    create::initialize_log,
    device::{
        MetaDevice,
        BLOCK, //
    },
    Found, //
};
use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    }, //
};
use std::{
    collections::BTreeSet,
    io, //
};
use tandem_engine::meta::{
    activity_log_block::{
        replay,
        Block,
        Scan,
        FREE,
        MAX_SLOTS, //
    },
    geometry::Geometry,
    superblock::{
        Flags,
        Superblock, //
    }, //
};

/// Bits of the bitmap that one extent of the log stands for: 4 MiB in blocks of 4 KiB.
const BITS_PER_EXTENT: u64 = 1024;
/// Bits of one block of the bitmap.
const BITS_PER_BLOCK: u64 = BLOCK as u64 * 8;

/// The kernel's CRC-32C: no inversion before or after.
pub(super) fn crc(seed: u32, data: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, data)
}

/// Marks the extents that were active as out of sync, and the metadata as clean.
pub(crate) fn run(device: &MetaDevice, found: &Found) -> Outcome {
    if found.superblock.clean {
        return Ok(Exit::Success);
    }
    // A log that was off says nothing; the kernel resyncs all after the crash of such a Primary.
    let extents = if found.superblock.flags.has(Flags::AL_DISABLED) {
        BTreeSet::new()
    } else {
        active_extents(device, &found.geometry)?
    };
    if !extents.is_empty() {
        eprintln!(
            "tandem: marked {} extents of 4 MiB as out of sync",
            extents.len()
        );
    }
    write(device, found, &extents).map_err(|error| device.failed("write", &error))?;
    Ok(Exit::Success)
}

/// Each step is durable before the next: a power cut in between leaves metadata that is unclean
/// still, and applying it again does no harm.
fn write(device: &MetaDevice, found: &Found, extents: &BTreeSet<u32>) -> io::Result<()> {
    mark(device, found, extents)?;
    device.sync()?;
    initialize_log(device, &found.geometry)?;
    device.sync()?;
    let clean = Superblock {
        clean: true,
        flags: found.superblock.flags.with(Flags::AL_CLEAN),
        ..found.superblock
    };
    device.write_superblock(found.geometry.superblock, &clean)
}

/// The extents that may have had writes in flight.
fn active_extents(device: &MetaDevice, geometry: &Geometry) -> Result<BTreeSet<u32>, Failure> {
    let ring = geometry.ring;
    let read = |position: u32| {
        geometry
            .log_sector(ring.block_of(position))
            .ok_or(io::ErrorKind::InvalidData.into())
            .and_then(|sector| device.read_block(sector))
            .map_err(|error: io::Error| device.failed("read", &error))
    };
    let mut scan = Scan::new(ring);
    for position in 0..ring.blocks() {
        scan.visit(&Block::parse(&read(position)?, crc));
    }
    let plan = scan.finish().map_err(|error| Failure::Metadata {
        what: format!("{}: {}", device.name(), error.as_str()),
        hint: "resync all from the peer: create the metadata anew (create-md)".into(),
    })?;
    let mut slots = vec![FREE; usize::from(MAX_SLOTS)];
    for position in plan.positions(ring) {
        if let Ok(Block::Update(update)) = Block::parse(&read(position)?, crc) {
            replay(&update, &mut slots);
        }
    }
    Ok(slots.into_iter().filter(|extent| *extent != FREE).collect())
}

/// Sets the bits of the extents, as far as the device goes.
fn mark(device: &MetaDevice, found: &Found, extents: &BTreeSet<u32>) -> io::Result<()> {
    let end = found
        .superblock
        .last_size
        .div_ceil(8)
        .min(found.geometry.bitmap_bits());
    let mut open: Option<(u64, [u8; BLOCK])> = None;
    for extent in extents {
        let first = u64::from(*extent) * BITS_PER_EXTENT;
        let page = first / BITS_PER_BLOCK;
        let Some(sector) = found
            .geometry
            .bitmap_page_sector(page)
            .filter(|_| first < end)
        else {
            continue;
        };
        let mut block = match open.take() {
            Some((at, block)) if at == sector => block,
            Some((at, block)) => {
                device.write_block(at, &block)?;
                device.read_block(sector)?
            }
            None => device.read_block(sector)?,
        };
        set_bits(
            &mut block,
            first % BITS_PER_BLOCK,
            BITS_PER_EXTENT.min(end - first),
        );
        open = Some((sector, block));
    }
    match open {
        Some((at, block)) => device.write_block(at, &block),
        None => Ok(()),
    }
}

/// Sets `count` bits from `first` on. Bit 0 is the lowest of the first byte.
fn set_bits(block: &mut [u8; BLOCK], first: u64, count: u64) {
    for bit in first..first.saturating_add(count) {
        let byte = usize::try_from(bit / 8)
            .ok()
            .and_then(|byte| block.get_mut(byte));
        if let Some(byte) = byte {
            *byte |= 1 << (bit % 8);
        }
    }
}
