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
    cli::meta::Log,
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
        GeometryError,
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
pub(crate) fn run(
    device: &MetaDevice,
    log: Log,
    peer_max_bio_size: Option<u32>,
    consent: Consent,
) -> Outcome {
    let geometry = layout_with(device, ring(log, Ring::DEFAULT))?;
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
    write(device, &geometry, peer_max_bio_size).map_err(|error| device.failed("write", &error))?;
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

/// The shape of the log: what is given, and the rest of `or`.
pub(super) fn ring(log: Log, or: Ring) -> Ring {
    Ring {
        stripes: log.al_stripes.unwrap_or(or.stripes),
        stripe_blocks: log.al_stripe_size.map_or(or.stripe_blocks, |kib| kib / 4),
    }
}

/// Where metadata with such a log belongs.
pub(super) fn layout_with(device: &MetaDevice, ring: Ring) -> Result<Geometry, Failure> {
    Geometry::new(device.layout(), device.sectors(), ring).map_err(|error| {
        let what = format!("{}: {}", device.name(), error.as_str());
        match error {
            GeometryError::LogShape => Failure::Unfit {
                what,
                hint: "the activity log has 32 KiB to 16 GiB: --al-stripes times \
                       --al-stripe-size-kB"
                    .into(),
            },
            _ => Failure::invalid(what, "use a larger device, or another index"),
        }
    })
}

fn write(device: &MetaDevice, geometry: &Geometry, peer_size: Option<u32>) -> io::Result<()> {
    begin(device, geometry)?;
    let mut page = 0;
    while let Some(sector) = geometry.bitmap_page_sector(page) {
        device.write_block(sector, &[0; BLOCK])?;
        page += 1;
    }
    let created = Superblock::created(geometry, random()?);
    finish(
        device,
        geometry,
        &Superblock {
            peer_max_bio_size: peer_size.unwrap_or(created.peer_max_bio_size),
            ..created
        },
    )
}

/// The superblock comes last: until it is there, nothing else counts.
pub(super) fn begin(device: &MetaDevice, geometry: &Geometry) -> io::Result<()> {
    device.write_block(geometry.superblock, &[0; BLOCK])?;
    device.sync()
}

/// What follows when the bitmap is written: an empty log, and the superblock.
pub(super) fn finish(
    device: &MetaDevice,
    geometry: &Geometry,
    superblock: &Superblock,
) -> io::Result<()> {
    initialize_log(device, geometry)?;
    device.sync()?;
    device.write_superblock(geometry.superblock, superblock)
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
