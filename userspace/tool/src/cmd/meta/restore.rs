// SPDX-License-Identifier: GPL-2.0

//! `restore-md` and `verify-dump`: read what `dump-md` printed.
//!
//! The bitmap goes to the disk page by page: dumps of large devices do not have to fit into memory.

use super::{
    confirm,
    create,
    device::{
        MetaDevice,
        BLOCK, //
    }, //
};
use crate::{
    cli::meta::Log,
    dump_text::{
        Unreadable,
        Words, //
    },
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    }, //
};
use std::{
    fs::File,
    io::BufReader,
    path::Path, //
};

/// Bytes of a word of the bitmap.
const WORD: usize = 8;

fn open(file: &Path) -> Result<Words<BufReader<File>>, Failure> {
    let opened = File::open(file).map_err(|error| {
        Failure::invalid(
            format!("cannot open {}: {error}", file.display()),
            "give a file that dump-md wrote",
        )
    })?;
    Ok(Words::new(BufReader::new(opened)))
}

/// Looks whether a dump can be read.
pub(super) fn verify(file: &Path) -> Outcome {
    let mut words = open(file)?;
    words.head()?;
    words.bitmap(|_, _| Ok::<_, Failure>(()))?;
    println!("input file parsed ok");
    Ok(Exit::Success)
}

/// Writes what a dump says, laid out for this device.
pub(super) fn run(device: &MetaDevice, file: &Path, log: Log, force: bool) -> Outcome {
    // A dump that ends in the middle must not be found out by half a bitmap on the disk.
    let mut words = open(file)?;
    words.head()?;
    words.bitmap(|_, _| Ok::<_, Failure>(()))?;
    if device.read_superblock()?.is_ok() {
        confirm(
            force,
            &format!(
                "There is metadata on {} already; it will be lost.",
                device.name()
            ),
        )?;
    }
    let mut words = open(file)?;
    let head = words.head()?;
    let geometry = create::layout_with(device, create::ring(log, head.ring))?;
    let superblock = head.superblock(&geometry);
    superblock
        .geometry(device.layout(), device.sectors())
        .map_err(|error| super::damaged(device, error))?;
    let failed = |error| device.failed("write", &error);
    create::begin(device, &geometry).map_err(failed)?;
    let mut pages = Pages {
        device,
        geometry: &geometry,
        page: 0,
        block: [0; BLOCK],
        filled: 0,
    };
    words.bitmap(|word, times| pages.add(word, times))?;
    pages.end()?;
    create::finish(device, &geometry, &superblock).map_err(failed)?;
    println!("Successfully restored meta data");
    Ok(Exit::Success)
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        let hint = match error {
            Unreadable::Wrong { .. } => "give a file that dump-md wrote, whole and unchanged",
            Unreadable::Unclean => "apply it (apply-al) and dump again, where the disk still is",
        };
        Failure::Unfit {
            what: error.to_string(),
            hint: hint.into(),
        }
    }
}

/// The bitmap on its way to the disk.
struct Pages<'a> {
    device: &'a MetaDevice,
    geometry: &'a tandem_engine::meta::geometry::Geometry,
    page: u64,
    block: [u8; BLOCK],
    filled: usize,
}

impl Pages<'_> {
    fn add(&mut self, word: u64, times: u64) -> Result<(), Failure> {
        for _ in 0..times {
            if let Some(place) = self.block.get_mut(self.filled..self.filled + WORD) {
                place.copy_from_slice(&word.to_le_bytes());
            }
            self.filled += WORD;
            if self.filled == BLOCK && !self.write()? {
                // Behind the bitmap of this device; a dump may have more than is needed.
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes a page; `false` if there is no place for it.
    fn write(&mut self) -> Result<bool, Failure> {
        let sector = self.geometry.bitmap_page_sector(self.page);
        self.filled = 0;
        self.page += 1;
        let Some(sector) = sector else {
            return Ok(false);
        };
        let block = std::mem::replace(&mut self.block, [0; BLOCK]);
        self.device
            .write_block(sector, &block)
            .map_err(|error| self.device.failed("write", &error))?;
        Ok(true)
    }

    /// The last page, and zeros behind it.
    fn end(&mut self) -> Result<(), Failure> {
        while self.write()? {}
        Ok(())
    }
}
