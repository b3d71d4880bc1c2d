// SPDX-License-Identifier: GPL-2.0

//! `create-md`: write new metadata.

use super::{
    confirm,
    contents::{
        Contents,
        Format, //
    },
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

/// What the administrator allowed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Consent {
    /// All questions are answered with yes.
    pub(crate) force: bool,
    /// Contents that would be damaged are no reason to refuse.
    pub(crate) ignore_sanity_checks: bool,
}

/// Writes new metadata; asks first if that would destroy something, and refuses to damage
/// contents that reach into the place of the metadata.
pub(crate) fn run(device: &MetaDevice, consent: Consent) -> Outcome {
    let geometry =
        Geometry::new(device.layout(), device.sectors(), Ring::DEFAULT).map_err(|error| {
            Failure::invalid(
                format!("{}: {}", device.name(), error.as_str()),
                "use a larger device, or another index",
            )
        })?;
    if device.read_superblock()?.is_ok() {
        confirm(
            consent.force,
            &format!(
                "There is metadata on {} already; it will be lost.",
                device.name()
            ),
        )?;
    }
    match Contents::of(device)? {
        Contents::Nothing => {}
        Contents::Something(what) => confirm(
            consent.force,
            &format!("There is {what} on {}, which may be lost.", device.name()),
        )?,
        Contents::Known { format, bytes } => keep(device, &geometry, format, bytes, consent)?,
    }
    write(device, &geometry).map_err(|error| device.failed("write", &error))?;
    println!("New drbd meta data block successfully created.");
    Ok(Exit::Success)
}

/// Refuses unless the contents end before the metadata begins. `--force` is an answer to a
/// question and does not help here, as with `drbdmeta`.
fn keep(
    device: &MetaDevice,
    geometry: &Geometry,
    format: Format,
    bytes: Option<u64>,
    consent: Consent,
) -> Result<(), Failure> {
    let (name, path) = (format.name(), device.name());
    let room = match device.layout() {
        Layout::Internal => geometry.first_sector().unwrap_or(0).saturating_mul(512),
        // Metadata alone is there, from the beginning on.
        Layout::FlexibleExternal | Layout::Indexed(_) => 0,
    };
    if bytes.is_some_and(|bytes| bytes <= room) {
        return confirm(
            consent.force,
            &format!(
                "There is {name} on {path}. By its own word it ends before the place of the \
                 metadata."
            ),
        );
    }
    let uses = match bytes {
        Some(bytes) => format!("uses {} KiB", bytes.div_ceil(1024)),
        None => "does not tell how much of it it uses".to_owned(),
    };
    let what = format!(
        "{path} holds {name}, which {uses}; beside the metadata there is room for {} KiB. \
         It would be damaged",
        room / 1024
    );
    if consent.ignore_sanity_checks {
        eprintln!("{what}. The check is ignored, as you asked for.");
        return Ok(());
    }
    let mut hint = Vec::new();
    if device.layout() == Layout::Internal {
        // File systems and volumes shrink in whole pages.
        hint.extend(format.how_to_make_room(&path.to_string(), room / 4096 * 4));
    }
    hint.push("keep the metadata on another device".to_owned());
    hint.push(format!(
        "if nobody needs what is there: wipefs -a {path}, and try again"
    ));
    let hint = hint.join("; or ");
    Err(Failure::Occupied { what, hint })
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
