// SPDX-License-Identifier: GPL-2.0

//! `tandem meta`: work on metadata of a disk that is not attached.

mod apply;
mod contents;
mod create;
mod device;
mod generations;
mod grown;
mod restore;

use crate::{
    cli::meta::{
        Meta,
        MetaCommand, //
    },
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    intent::MetaPlace,
    last_size,
    lock::MinorLock,
    render::{
        dump,
        generations::Generations, //
    }, //
};
use create::Consent;
use device::MetaDevice;
use std::io::{
    BufRead,
    IsTerminal,
    Write, //
};
use tandem_engine::meta::{
    geometry::{
        Geometry,
        Layout, //
    },
    superblock::{
        Flags,
        Superblock,
        SuperblockError, //
    }, //
};

/// Metadata that was found.
struct Found {
    superblock: Superblock,
    geometry: Geometry,
}

/// Does what was asked for.
pub(crate) fn run(meta: &Meta) -> Outcome {
    let layout = layout(&meta.index)?;
    if let MetaCommand::VerifyDump { file } = &meta.command {
        return restore::verify(file);
    }
    let _lock = meta.minor.0.map(MinorLock::take).transpose()?;
    let device = MetaDevice::open(&meta.device, layout)?;
    let minor = meta.minor.0;
    match &meta.command {
        MetaCommand::CreateMd { log, peer } => {
            let consent = Consent {
                force: meta.force,
                ignore_sanity_checks: meta.ignore_sanity_checks,
            };
            let exit = create::run(&device, *log, peer.peer_max_bio_size, consent)?;
            remember(minor, &device);
            Ok(exit)
        }
        MetaCommand::RestoreMd { file, log } => {
            let exit = restore::run(&device, file, *log, meta.force)?;
            remember(minor, &device);
            Ok(exit)
        }
        MetaCommand::VerifyDump { .. } => Ok(Exit::Success),
        MetaCommand::SetGi { generations } => {
            generations::set(&device, &find(&device)?, generations, meta.force)
        }
        MetaCommand::Outdate => generations::outdate(&device, &find(&device)?),
        MetaCommand::Invalidate => generations::invalidate(&device, &find(&device)?),
        MetaCommand::CheckResize => grown::run(minor, &device),
        MetaCommand::ApplyAl => apply::run(&device, &find(&device)?),
        MetaCommand::WipeMd => wipe(&device, meta.force),
        MetaCommand::DumpMd => print_dump(meta, &device),
        MetaCommand::ShowGi => {
            print!("{}", generations(&find(&device)?.superblock).explained());
            Ok(Exit::Success)
        }
        MetaCommand::GetGi => {
            println!("{}", generations(&find(&device)?.superblock).line());
            Ok(Exit::Success)
        }
        MetaCommand::ReadDevUuid => {
            println!("{:016X}", find(&device)?.superblock.device_uuid);
            Ok(Exit::Success)
        }
        MetaCommand::WriteDevUuid { uuid } => name_device(&device, *uuid),
        MetaCommand::Dstate => {
            println!("{}", disk_state(find(&device)?.superblock.flags));
            Ok(Exit::Success)
        }
    }
}

/// Why a disk that is not in use could not be attached, if so.
pub(super) fn fault_of(path: &std::path::Path, index: &str) -> Option<Failure> {
    let look = || {
        let device = MetaDevice::open(path, layout(index)?)?;
        let found = find(&device)?;
        match found.superblock.clean {
            true => Ok(()),
            false => Err(damaged(&device, SuperblockError::Unclean)),
        }
    };
    look().err()
}

/// Remembers how large the device is, for `check-resize`.
fn remember(minor: Option<u32>, device: &MetaDevice) {
    if let Some(minor) = minor.filter(|_| device.layout() == Layout::Internal) {
        last_size::remember(minor, device.sectors().saturating_mul(512), device.path());
    }
}

fn layout(index: &str) -> Result<Layout, Failure> {
    let place = MetaPlace::parse(index)?;
    Layout::from_index(place.number())
        .ok_or_else(|| Failure::invalid(format!("no such place for metadata: {index}"), ""))
}

/// Reads the superblock and checks that all parts have their place.
fn find(device: &MetaDevice) -> Result<Found, Failure> {
    let superblock = device.read_superblock()?.map_err(|e| damaged(device, e))?;
    let geometry = superblock
        .geometry(device.layout(), device.sectors())
        .map_err(|error| damaged(device, error))?;
    Ok(Found {
        superblock,
        geometry,
    })
}

fn damaged(device: &MetaDevice, error: SuperblockError) -> Failure {
    Failure::Metadata {
        what: format!("{}: {}", device.name(), error.as_str()),
        hint: error.hint().to_owned(),
    }
}

fn generations(superblock: &Superblock) -> Generations {
    let [younger, older] = superblock.uuids.history;
    Generations {
        uuids: [
            superblock.uuids.current,
            superblock.uuids.bitmap,
            younger,
            older,
        ],
        flags: superblock.flags.0,
    }
}

/// What the flags say of the data, as long as no peer is asked.
fn disk_state(flags: Flags) -> &'static str {
    if !flags.has(Flags::CONSISTENT) {
        return "Inconsistent";
    }
    if !flags.has(Flags::WAS_UP_TO_DATE) {
        return "Outdated";
    }
    "Consistent"
}

fn print_dump(meta: &Meta, device: &MetaDevice) -> Outcome {
    let mut found = find(device)?;
    found.superblock.peer_max_bio_size = stored_peer_size(device, &found)?;
    if !found.superblock.clean && !meta.force {
        return Err(damaged(device, SuperblockError::Unclean));
    }
    let (now, host) = (
        rustix::time::clock_gettime(rustix::time::ClockId::Realtime).tv_sec,
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
    );
    let minor = meta
        .minor
        .0
        .map_or_else(|| "-".to_owned(), |minor| minor.to_string());
    let call = format!("{minor} v08 {} {} dump-md", device.name(), meta.index);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    dump::header(&mut out, now, &host, &call)
        .and_then(|()| dump::superblock(&mut out, &found.superblock, &found.geometry))
        .and_then(|()| {
            let pages = dump::bitmap_pages(&found.superblock);
            let mut bitmap = dump::Bitmap::new(&mut out, pages)?;
            for page in 0..pages {
                let sector = found.geometry.bitmap_page_sector(page);
                let sector = sector.ok_or(std::io::ErrorKind::UnexpectedEof)?;
                bitmap.page(&device.read_block(sector)?)?;
            }
            bitmap.end()
        })
        .and_then(|()| out.flush())
        .map_err(|error| device.failed("read", &error))?;
    Ok(Exit::Success)
}

/// The peer's largest bio as it is on disk; what is too small to be believed is shown, too.
fn stored_peer_size(device: &MetaDevice, found: &Found) -> Result<u32, Failure> {
    const OFFSET: usize = 84;
    let image = device
        .read_block(found.geometry.superblock)
        .map_err(|error| device.failed("read", &error))?;
    let bytes = image.get(OFFSET..).and_then(<[u8]>::first_chunk);
    Ok(bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes)))
}

fn name_device(device: &MetaDevice, uuid: u64) -> Outcome {
    let found = find(device)?;
    let named = Superblock {
        device_uuid: uuid,
        ..found.superblock
    };
    device
        .write_superblock(found.geometry.superblock, &named)
        .map_err(|error| device.failed("write", &error))?;
    Ok(Exit::Success)
}

fn wipe(device: &MetaDevice, force: bool) -> Outcome {
    let sector = device.superblock_sector()?;
    if matches!(device.read_superblock()?, Err(SuperblockError::NotFound)) {
        eprintln!(
            "tandem: there is no metadata on {} to destroy",
            device.name()
        );
        return Ok(Exit::Success);
    }
    confirm(
        force,
        &format!("This destroys the metadata on {}.", device.name()),
    )?;
    device
        .write_block(sector, &[0; device::BLOCK])
        .and_then(|()| device.sync())
        .map_err(|error| device.failed("write", &error))?;
    println!("DRBD meta data block successfully wiped out.");
    Ok(Exit::Success)
}

/// Asks on the terminal; without one, only `--force` counts as a yes.
fn confirm(force: bool, warning: &str) -> Result<(), Failure> {
    eprintln!("{warning}");
    if force {
        return Ok(());
    }
    let stdin = std::io::stdin();
    let answer = if stdin.is_terminal() {
        eprint!("Type 'yes' to go on: ");
        stdin
            .lock()
            .lines()
            .next()
            .and_then(Result::ok)
            .unwrap_or_default()
    } else {
        String::new()
    };
    match answer.trim() {
        "yes" => Ok(()),
        _ => Err(Failure::Metadata {
            what: "nothing was changed: the answer was not 'yes'".into(),
            hint: "answer on a terminal, or give --force if you are sure".into(),
        }),
    }
}

#[cfg(test)]
mod contents_tests;
#[cfg(test)]
mod tests;
