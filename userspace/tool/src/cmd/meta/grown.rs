// SPDX-License-Identifier: GPL-2.0

//! `check-resize`: internal metadata lies at the end of its device. When the device grew while
//! nobody used it, the metadata is found where the end was, and moved to where it is now.

use super::{
    create,
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
    },
    last_size, //
};
use std::io;
use tandem_engine::meta::{
    geometry::{
        Geometry,
        Layout, //
    },
    superblock::{
        Superblock,
        SuperblockError, //
    }, //
};

/// Looks for the metadata, and moves it if need be.
pub(super) fn run(minor: Option<u32>, device: &MetaDevice) -> Outcome {
    if device.layout() != Layout::Internal {
        return Ok(Exit::Success);
    }
    if device.read_superblock()?.is_err() {
        let former = minor.and_then(last_size::of).map(|bytes| bytes / 512);
        move_from(device, former)?;
        println!("Internal drbd meta data successfully moved.");
    }
    super::remember(minor, device);
    Ok(Exit::Success)
}

/// Moves the metadata from where the device of `former` sectors ended.
pub(super) fn move_from(device: &MetaDevice, former: Option<u64>) -> Result<(), Failure> {
    let found = find_former(device, former)?;
    let moved = create::layout_with(device, found.superblock.ring)?;
    shift(device, &found, &moved).map_err(|error| device.failed("move metadata on", &error))
}

/// The metadata where the device ended before.
fn find_former(device: &MetaDevice, sectors: Option<u64>) -> Result<Found, Failure> {
    let none = |what: &str| Failure::Metadata {
        what: format!("{}: {what}", device.name()),
        hint: "create it (create-md), or restore it from a dump (restore-md)".into(),
    };
    let sectors = sectors
        .filter(|sectors| *sectors < device.sectors())
        .ok_or_else(|| none("no metadata at its end, and no smaller size of it is known"))?;
    let at = Layout::Internal
        .superblock(sectors)
        .ok_or_else(|| none("it was too small for metadata"))?;
    let image = device
        .read_block(at)
        .map_err(|error| device.failed("read", &error))?;
    let superblock = Superblock::decode(&image).map_err(|error| match error {
        SuperblockError::NotFound => none("no metadata, neither at its end nor where it ended"),
        other => super::damaged(device, other),
    })?;
    let geometry = superblock
        .geometry(Layout::Internal, sectors)
        .map_err(|error| super::damaged(device, error))?;
    Ok(Found {
        superblock,
        geometry,
    })
}

/// Everything is read before anything is written: the places may overlap. The old superblock goes
/// last, if it is not overwritten: until the new one is there, the old one can be found again.
fn shift(device: &MetaDevice, found: &Found, to: &Geometry) -> io::Result<()> {
    let from = &found.geometry;
    let outside = || io::Error::from(io::ErrorKind::InvalidData);
    let mut log = Vec::new();
    for block in 0..from.ring.blocks() {
        log.push(device.read_block(from.log_sector(block).ok_or_else(outside)?)?);
    }
    let mut bitmap = Vec::new();
    while let Some(sector) = from.bitmap_page_sector(bitmap.len() as u64) {
        bitmap.push(device.read_block(sector)?);
    }
    let mut page = 0;
    while let Some(sector) = to.bitmap_page_sector(page) {
        let old = usize::try_from(page).ok().and_then(|page| bitmap.get(page));
        device.write_block(sector, old.unwrap_or(&[0; BLOCK]))?;
        page += 1;
    }
    for (block, content) in (0..).zip(&log) {
        device.write_block(to.log_sector(block).ok_or_else(outside)?, content)?;
    }
    device.sync()?;
    let superblock = Superblock {
        md_size: to.md_size,
        al_offset: to.al_offset,
        bm_offset: to.bm_offset,
        ..found.superblock
    };
    device.write_superblock(to.superblock, &superblock)?;
    let is_overwritten = to
        .first_sector()
        .is_none_or(|first| from.superblock >= first);
    if !is_overwritten {
        device.write_block(from.superblock, &[0; BLOCK])?;
        device.sync()?;
    }
    Ok(())
}
