// SPDX-License-Identifier: GPL-2.0

//! Metadata as the text of `drbdmeta dump-md`, which its `restore-md` reads.

use crate::dump_text::UNCLEAN;
use std::io::{
    self,
    Write, //
};
use tandem_engine::meta::{
    geometry::Geometry,
    superblock::Superblock, //
};

/// Words of 64 bits in one block of the bitmap.
const WORDS: u64 = 512;
/// Words after which a run ends even if it went on: 4 MiB of bitmap, as drbdmeta reads it.
const CHUNK: usize = 512 * 1024;
/// Words on one line.
const PER_LINE: usize = 4;
/// Runs of equal words of at most so many are written out.
const SHORT_RUN: usize = 8;
/// A comment says where in the device a line is, every so many words.
const PER_COMMENT: u64 = 32;
/// KiB of the device that one word stands for.
const KIB_PER_WORD: u64 = 256;

/// The comment at the top.
pub(crate) fn header(out: &mut impl Write, now: i64, host: &str, call: &str) -> io::Result<()> {
    let stamp = super::events::timestamp(now, 0);
    let (date, time) = stamp.split_once('T').unwrap_or(("", &stamp));
    let time = time.get(..8).unwrap_or(time);
    writeln!(out, "# DRBD meta data dump")?;
    writeln!(out, "# {date} {time} +0000 [{now}]")?;
    writeln!(out, "# {host}> drbdmeta {call}\n#\n")
}

/// Everything but the bitmap.
pub(crate) fn superblock(
    out: &mut impl Write,
    superblock: &Superblock,
    geometry: &Geometry,
) -> io::Result<()> {
    let byte = |offset: i32| {
        geometry
            .superblock
            .saturating_add_signed(i64::from(offset))
            .saturating_mul(512)
    };
    let uuids = &superblock.uuids;
    let [younger, older] = uuids.history;
    writeln!(out, "version \"v08\";\n")?;
    if !superblock.clean {
        writeln!(
            out,
            "{UNCLEAN}\n# Apply the activity log first (apply-al).\n"
        )?;
    }
    writeln!(out, "# md_size_sect {}", superblock.md_size)?;
    writeln!(out, "# md_offset {}", byte(0))?;
    writeln!(out, "# al_offset {}", byte(superblock.al_offset))?;
    writeln!(out, "# bm_offset {}\n", byte(superblock.bm_offset))?;
    writeln!(
        out,
        "uuid {{\n    0x{:016X}; 0x{:016X}; 0x{younger:016X}; 0x{older:016X};\n    \
         flags 0x{:08X};\n}}",
        uuids.current, uuids.bitmap, superblock.flags.0
    )?;
    writeln!(out, "# al-extents {};", superblock.al_slots)?;
    writeln!(out, "la-size-sect {};", superblock.last_size)?;
    writeln!(out, "bm-byte-per-bit 4096;")?;
    writeln!(out, "device-uuid 0x{:016X};", superblock.device_uuid)?;
    writeln!(
        out,
        "la-peer-max-bio-size {};",
        superblock.peer_max_bio_size
    )?;
    writeln!(out, "al-stripes {};", superblock.ring.stripes)?;
    writeln!(out, "al-stripe-size-4k {};", superblock.ring.stripe_blocks)
}

/// Blocks of the bitmap that a dump has: as many as the last size of the device needs.
pub(crate) fn bitmap_pages(superblock: &Superblock) -> u64 {
    superblock.last_size.div_ceil(8).div_ceil(WORDS * 64)
}

/// The bitmap, block by block.
pub(crate) struct Bitmap<'a, W> {
    out: &'a mut W,
    /// Words of the last blocks that are not written yet: a run may go on in the next.
    waiting: Vec<u64>,
    /// Number of the first of them.
    at: u64,
    bits: u64,
}

impl<'a, W: Write> Bitmap<'a, W> {
    /// Begins the bitmap, of so many blocks.
    pub(crate) fn new(out: &'a mut W, pages: u64) -> io::Result<Self> {
        writeln!(out, "# bm-bytes {};\nbm {{", pages * WORDS * 8)?;
        Ok(Self {
            out,
            waiting: Vec::new(),
            at: 0,
            bits: 0,
        })
    }

    /// The next block.
    pub(crate) fn page(&mut self, block: &[u8; 4096]) -> io::Result<()> {
        for bytes in block.chunks_exact(8) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            let word = u64::from_le_bytes(word);
            self.bits += u64::from(word.count_ones());
            self.waiting.push(word);
        }
        if self.waiting.len() < CHUNK {
            return Ok(());
        }
        self.write()
    }

    /// The end.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.write()?;
        writeln!(self.out, "}}\n# bits-set {};", self.bits)
    }

    fn write(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.as_slice();
        while let Some(first) = rest.first() {
            if self.at % PER_COMMENT == 0 {
                writeln!(self.out, "   # at {}kB", self.at * KIB_PER_WORD)?;
            }
            let run = rest.iter().take_while(|word| *word == first).count();
            let whole_lines = run - run % PER_LINE;
            let taken = if whole_lines > SHORT_RUN {
                writeln!(self.out, "    {whole_lines} times 0x{first:016X};")?;
                whole_lines
            } else {
                let line: Vec<_> = rest
                    .iter()
                    .take(PER_LINE)
                    .map(|word| format!("0x{word:016X};"))
                    .collect();
                writeln!(self.out, "    {}", line.join(" "))?;
                line.len()
            };
            self.at += u64::try_from(taken).unwrap_or(0);
            rest = rest.get(taken..).unwrap_or(&[]);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "dump_tests.rs"]
mod tests;
