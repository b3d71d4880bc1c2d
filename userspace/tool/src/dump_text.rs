// SPDX-License-Identifier: GPL-2.0

//! The text of a metadata dump, as `restore-md` reads it. It is read word by word, and may be
//! larger than memory. (The fuzz targets have this file, too.)

use std::{
    collections::VecDeque,
    fmt,
    io::BufRead, //
};
use tandem_engine::{
    meta::{
        activity_log_block::Ring,
        geometry::Geometry,
        superblock::{
            Flags,
            Superblock, //
        }, //
    },
    uuid::Uuids, //
};

/// Stands in a dump of metadata whose log was not applied; it keeps the dump from being restored.
pub(crate) const UNCLEAN: &str = "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.";

/// What a bit of the bitmap stands for.
const BYTES_PER_BIT: u64 = 4096;

/// Why a dump cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is no dump, or not a whole one.
    Wrong {
        /// Where.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// The activity log was not applied before.
    Unclean,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong { line, what } => write!(f, "the dump, line {line}: {what}"),
            Self::Unclean => {
                f.write_str("the dump was made of metadata whose activity log was not applied")
            }
        }
    }
}

/// Words of a dump, with the line that they stand in.
pub(crate) struct Words<R> {
    input: R,
    line: usize,
    waiting: VecDeque<String>,
}

/// What stands before the bitmap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) uuids: [u64; 4],
    pub(crate) flags: u32,
    pub(crate) last_size: u64,
    pub(crate) device_uuid: u64,
    pub(crate) peer_max_bio_size: u32,
    pub(crate) ring: Ring,
}

impl<R: BufRead> Words<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            waiting: VecDeque::new(),
        }
    }

    fn wrong(&self, what: &str) -> Unreadable {
        Unreadable::Wrong {
            line: self.line,
            what: what.into(),
        }
    }

    /// The next word, or one of `{`, `}`, `;`; `None` at the end.
    fn next(&mut self) -> Result<Option<String>, Unreadable> {
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

    fn take(&mut self, word: &str) -> Result<(), Unreadable> {
        match self.next()? {
            Some(found) if found == word => Ok(()),
            Some(found) if found == UNCLEAN => Err(Unreadable::Unclean),
            Some(found) => Err(self.wrong(&format!("expected '{word}', got '{found}'"))),
            None => Err(self.wrong(&format!("expected '{word}', but the file ends"))),
        }
    }

    fn number(&mut self) -> Result<u64, Unreadable> {
        let word = self.next()?.unwrap_or_default();
        let number = match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => word.parse(),
        };
        number.map_err(|_| self.wrong(&format!("expected a number, got '{word}'")))
    }

    /// `NAME NUMBER;`
    fn named(&mut self, name: &str) -> Result<u64, Unreadable> {
        self.take(name)?;
        let number = self.number()?;
        self.take(";")?;
        Ok(number)
    }

    fn small(&mut self, name: &str) -> Result<u32, Unreadable> {
        let number = self.named(name)?;
        u32::try_from(number).map_err(|_| self.wrong(&format!("{name} is too large")))
    }

    /// Everything before the bitmap's words.
    pub(crate) fn head(&mut self) -> Result<Head, Unreadable> {
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
        if self.named("bm-byte-per-bit")? != BYTES_PER_BIT {
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
    pub(crate) fn bitmap<E: From<Unreadable>>(
        &mut self,
        mut each: impl FnMut(u64, u64) -> Result<(), E>,
    ) -> Result<(), E> {
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
            Some(word) => Err(self
                .wrong(&format!("expected the end, got '{word}'"))
                .into()),
        }
    }
}

impl Head {
    /// The superblock of a disk with that layout.
    pub(crate) fn superblock(&self, geometry: &Geometry) -> Superblock {
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
