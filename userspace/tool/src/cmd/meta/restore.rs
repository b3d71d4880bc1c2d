// SPDX-License-Identifier: GPL-2.0

//! `restore-md` and `verify-dump`: read what `dump-md` printed.
//!
//! The text is read word by word, and the bitmap goes to the disk page by page: dumps of large
//! devices do not have to fit into memory.

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
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    render::dump::UNCLEAN, //
};
use std::{
    collections::VecDeque,
    fs::File,
    io::{
        BufRead,
        BufReader, //
    },
    path::Path, //
};
use tandem_engine::{
    meta::{
        activity_log_block::Ring,
        superblock::{
            Flags,
            Superblock, //
        }, //
    },
    uuid::Uuids, //
};

/// Bytes of a word of the bitmap.
const WORD: usize = 8;

/// Words of a dump, with the line that they stand in.
pub(super) struct Words<R> {
    input: R,
    line: usize,
    waiting: VecDeque<String>,
}

/// What stands before the bitmap.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) uuids: [u64; 4],
    pub(super) flags: u32,
    pub(super) last_size: u64,
    pub(super) device_uuid: u64,
    pub(super) peer_max_bio_size: u32,
    pub(super) ring: Ring,
}

impl<R: BufRead> Words<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            waiting: VecDeque::new(),
        }
    }

    fn wrong(&self, what: &str) -> Failure {
        Failure::Unfit {
            what: format!("the dump, line {}: {what}", self.line),
            hint: "give a file that dump-md wrote, whole and unchanged".into(),
        }
    }

    /// The next word, or one of `{`, `}`, `;`; `None` at the end.
    fn next(&mut self) -> Result<Option<String>, Failure> {
        while self.waiting.is_empty() {
            let mut bytes = Vec::new();
            let read = self.input.read_until(b'\n', &mut bytes);
            if read.map_err(|error| self.wrong(&error.to_string()))? == 0 {
                return Ok(None);
            }
            self.line += 1;
            let text = String::from_utf8_lossy(&bytes);
            let text = text.split('#').next().unwrap_or_default();
            for word in text.split_whitespace() {
                self.split(word);
            }
        }
        Ok(self.waiting.pop_front())
    }

    fn split(&mut self, word: &str) {
        let mut rest = word;
        while let Some(at) = rest.find(['{', '}', ';']) {
            let (before, after) = rest.split_at(at);
            let (mark, after) = after.split_at(1);
            let parts = [before, mark].into_iter().filter(|part| !part.is_empty());
            self.waiting.extend(parts.map(str::to_owned));
            rest = after;
        }
        if !rest.is_empty() {
            self.waiting.push_back(rest.to_owned());
        }
    }

    fn take(&mut self, word: &str) -> Result<(), Failure> {
        match self.next()? {
            Some(found) if found == word => Ok(()),
            Some(found) if found == UNCLEAN => Err(Failure::Unfit {
                what: "the dump was made of metadata whose activity log was not applied".into(),
                hint: "apply it (apply-al) and dump again, where the disk still is".into(),
            }),
            Some(found) => Err(self.wrong(&format!("expected '{word}', got '{found}'"))),
            None => Err(self.wrong(&format!("expected '{word}', but the file ends"))),
        }
    }

    fn number(&mut self) -> Result<u64, Failure> {
        let word = self.next()?.unwrap_or_default();
        let number = match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => word.parse(),
        };
        number.map_err(|_| self.wrong(&format!("expected a number, got '{word}'")))
    }

    /// `NAME NUMBER;`
    fn named(&mut self, name: &str) -> Result<u64, Failure> {
        self.take(name)?;
        let number = self.number()?;
        self.take(";")?;
        Ok(number)
    }

    fn small(&mut self, name: &str) -> Result<u32, Failure> {
        let number = self.named(name)?;
        u32::try_from(number).map_err(|_| self.wrong(&format!("{name} is too large")))
    }

    /// Everything before the bitmap's words.
    pub(super) fn head(&mut self) -> Result<Head, Failure> {
        self.take("version")?;
        self.take("\"v08\"")?;
        self.take(";")?;
        self.take("uuid")?;
        self.take("{")?;
        let mut uuids = [0; 4];
        for uuid in &mut uuids {
            *uuid = self.number()?;
            self.take(";")?;
        }
        let flags = self.small("flags")?;
        self.take("}")?;
        let last_size = self.named("la-size-sect")?;
        if self.named("bm-byte-per-bit")? != BLOCK as u64 {
            return Err(self.wrong("expected 4096 bytes for each bit"));
        }
        let mut head = Head {
            uuids,
            flags,
            last_size,
            device_uuid: self.named("device-uuid")?,
            peer_max_bio_size: 0,
            ring: Ring::DEFAULT,
        };
        // Dumps of versions before 8.4 lack the rest.
        let word = self.next()?.unwrap_or_default();
        let has_more = word == "la-peer-max-bio-size";
        self.waiting.push_front(word);
        if has_more {
            head.peer_max_bio_size = self.small("la-peer-max-bio-size")?;
            head.ring.stripes = self.small("al-stripes")?;
            head.ring.stripe_blocks = self.small("al-stripe-size-4k")?;
        }
        self.take("bm")?;
        self.take("{")?;
        Ok(head)
    }

    /// The words of the bitmap, each with how often it stands there.
    pub(super) fn bitmap(
        &mut self,
        mut each: impl FnMut(u64, u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let word = self.next()?;
            if word.as_deref() == Some("}") {
                break;
            }
            self.waiting.push_front(word.unwrap_or_default());
            let mut number = self.number()?;
            let mut times = 1;
            let word = self.next()?.unwrap_or_default();
            if word == "times" {
                times = number;
                number = self.number()?;
            } else {
                self.waiting.push_front(word);
            }
            self.take(";")?;
            each(number, times)?;
        }
        match self.next()? {
            None => Ok(()),
            Some(word) => Err(self.wrong(&format!("expected the end, got '{word}'"))),
        }
    }
}

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
    words.bitmap(|_, _| Ok(()))?;
    println!("input file parsed ok");
    Ok(Exit::Success)
}

/// Writes what a dump says, laid out for this device.
pub(super) fn run(device: &MetaDevice, file: &Path, log: Log, force: bool) -> Outcome {
    // A dump that ends in the middle must not be found out by half a bitmap on the disk.
    let mut words = open(file)?;
    words.head()?;
    words.bitmap(|_, _| Ok(()))?;
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

impl Head {
    fn superblock(&self, geometry: &tandem_engine::meta::geometry::Geometry) -> Superblock {
        let [current, bitmap, younger, older] = self.uuids;
        Superblock {
            clean: true,
            last_size: self.last_size,
            uuids: Uuids {
                current,
                bitmap,
                history: [younger, older],
            },
            flags: Flags(self.flags).with(Flags::AL_CLEAN),
            peer_max_bio_size: self.peer_max_bio_size,
            ..Superblock::created(geometry, self.device_uuid)
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
