// SPDX-License-Identifier: GPL-2.0

//! `create-md`: write new metadata.

use super::{
    confirm,
    device::{
        MetaDevice,
        BLOCK, //
    }, //
};
use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    }, //
};
use std::{
    fs::File,
    io::{
        self,
        Read, //
    }, //
};
use tandem_engine::meta::{
    activity_log_block::{
        emit_initialized,
        Ring, //
    },
    geometry::{
        Geometry,
        Layout, //
    },
    superblock::Superblock, //
};

/// Writes new metadata; asks first if that would destroy something.
pub(crate) fn run(device: &MetaDevice, force: bool) -> Outcome {
    let geometry =
        Geometry::new(device.layout(), device.sectors(), Ring::DEFAULT).map_err(|error| {
            Failure::invalid(
                format!("{}: {}", device.name(), error.as_str()),
                "use a larger device, or another index",
            )
        })?;
    if device.read_superblock()?.is_ok() {
        confirm(
            force,
            &format!(
                "There is metadata on {} already; it will be lost.",
                device.name()
            ),
        )?;
    } else if let Some(what) = contents(device, &geometry)? {
        confirm(
            force,
            &format!(
                "There is {what} on {}. The metadata takes {} KiB of it from byte {} on: \
                 shrink {what} first, or it will be damaged.",
                device.name(),
                u64::from(geometry.md_size) / 2,
                geometry.first_sector().unwrap_or(0).saturating_mul(512),
            ),
        )?;
    }
    write(device, &geometry).map_err(|error| device.failed("write", &error))?;
    println!("New drbd meta data block successfully created.");
    Ok(Exit::Success)
}

/// The superblock comes last: until it is there, nothing else counts.
fn write(device: &MetaDevice, geometry: &Geometry) -> io::Result<()> {
    device.write_block(geometry.superblock, &[0; BLOCK])?;
    device.sync()?;
    let mut page = 0;
    while let Some(sector) = geometry.bitmap_page_sector(page) {
        device.write_block(sector, &[0; BLOCK])?;
        page += 1;
    }
    initialize_log(device, geometry)?;
    device.sync()?;
    let mut image = [0; BLOCK];
    Superblock::created(geometry, random()?).emit(&mut image);
    device.write_block(geometry.superblock, &image)?;
    device.sync()
}

/// Fills the activity log with blocks that say nothing.
pub(super) fn initialize_log(device: &MetaDevice, geometry: &Geometry) -> io::Result<()> {
    let mut block = [0; BLOCK];
    emit_initialized(&mut block, super::apply::crc);
    for number in 0..geometry.ring.blocks() {
        let sector = geometry
            .log_sector(number)
            .ok_or(io::ErrorKind::InvalidData)?;
        device.write_block(sector, &block)?;
    }
    Ok(())
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Signatures by their offsets in the first blocks of a device.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (0, b"XFSB", "an XFS file system"),
    (1080, b"\x53\xef", "an ext file system"),
    (4086, b"SWAPSPACE2", "swap space"),
    (512, b"LABELONE", "an LVM physical volume"),
    (0, b"LUKS\xba\xbe", "an encrypted volume"),
    (512, b"EFI PART", "a partition table"),
    (510, b"\x55\xaa", "a partition table or boot sector"),
];

/// What is on the device and would be hit; nothing is hit on a device for metadata alone but the
/// old contents, which are sought as well.
fn contents(device: &MetaDevice, geometry: &Geometry) -> Result<Option<&'static str>, Failure> {
    let start = match device.layout() {
        Layout::Internal => 0,
        Layout::FlexibleExternal | Layout::Indexed(_) => geometry.superblock,
    };
    let block = device
        .read_block(start)
        .map_err(|error| device.failed("read", &error))?;
    Ok(signature(&block))
}

fn signature(block: &[u8; BLOCK]) -> Option<&'static str> {
    SIGNATURES
        .iter()
        .find(|(at, bytes, _)| block.get(*at..).is_some_and(|rest| rest.starts_with(bytes)))
        .map(|(_, _, name)| *name)
}
