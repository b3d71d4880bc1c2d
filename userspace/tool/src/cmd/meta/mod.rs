// SPDX-License-Identifier: GPL-2.0

//! `tandem meta`: work on metadata of a disk that is not attached.

mod apply;
mod contents;
mod create;
mod device;

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
    let _lock = meta.minor.0.map(MinorLock::take).transpose()?;
    let device = MetaDevice::open(&meta.device, layout)?;
    match meta.command {
        MetaCommand::CreateMd => create::run(
            &device,
            Consent {
                force: meta.force,
                ignore_sanity_checks: meta.ignore_sanity_checks,
            },
        ),
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
        MetaCommand::WriteDevUuid { uuid } => name_device(&device, uuid),
        MetaCommand::Dstate => {
            println!("{}", disk_state(find(&device)?.superblock.flags));
            Ok(Exit::Success)
        }
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
    let found = find(device)?;
    if !found.superblock.clean {
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

fn name_device(device: &MetaDevice, uuid: u64) -> Outcome {
    let found = find(device)?;
    let named = Superblock {
        device_uuid: uuid,
        ..found.superblock
    };
    let mut image = [0; device::BLOCK];
    named.emit(&mut image);
    device
        .write_block(found.geometry.superblock, &image)
        .and_then(|()| device.sync())
        .map_err(|error| device.failed("write", &error))?;
    Ok(Exit::Success)
}

fn wipe(device: &MetaDevice, force: bool) -> Outcome {
    let sector = device.superblock_sector()?;
    confirm(
        force,
        &format!("This destroys the metadata on {}.", device.name()),
    )?;
    device
        .write_block(sector, &[0; device::BLOCK])
        .and_then(|()| device.sync())
        .map_err(|error| device.failed("write", &error))?;
    eprintln!("tandem: metadata on {} destroyed", device.name());
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
