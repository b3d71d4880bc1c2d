// SPDX-License-Identifier: GPL-2.0

//! Disks with a volatile write cache: at a power cut they have everything that was flushed, and of
//! what was written since no more than luck decides, in pieces of a sector.
//!
//! QEMU's `blklogwrites` logs each write and flush at its end, in the format of the kernel's
//! dm-log-writes (`drivers/md/dm-log-writes.c`, all little endian). After a cut, the disk is made
//! anew from what it was at the machine's boot and from that log.
//!
//! ```text
//! sector 0   magic u64, version u64, entries u64, bytes of a sector u32
//! entry      sector u64, sectors u64, flags u64, ...: a sector; behind it what was written
//! ```
//!
//! The count of entries is not used: it is behind. An entry takes its place when its write has
//! ended, but is written later than that, at the same time as others. So there may be holes, of
//! zeroes, where a write had not been answered yet.

use std::{
    fs::{self, File, OpenOptions},
    ops::AddAssign,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use anyhow::{bail, Context, Result};

const SECTOR: u64 = 512;

/// Flags of an entry.
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// How much of what was not flushed survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Luck {
    /// Nothing.
    None,
    /// What this seed draws: nothing, everything, or some of the writes, of which some are torn.
    Seed(u64),
    /// Nothing, and the disk has lied about its last flushes, so many of them.
    Lies(usize),
}

/// What became of the writes that were not flushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Not on the disk.
    pub lost: u64,
    /// Some sectors are on the disk.
    pub torn: u64,
    /// On the disk.
    pub kept: u64,
}

impl AddAssign for Loss {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.torn += other.torn;
        self.kept += other.kept;
    }
}

/// A machine is about to boot from this disk: keeps what it has. Returns where to log.
pub(crate) fn begin(disk: &Path) -> Result<PathBuf> {
    fs::copy(disk, kept(disk)).with_context(|| format!("cannot copy {}", disk.display()))?;
    let log = log(disk);
    File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    Ok(log)
}

/// The machine has lost its power: makes the disk what it is now.
pub(crate) fn lose(disk: &Path, luck: Luck) -> Result<Loss> {
    let kept = kept(disk);
    let log = File::open(log(disk)).context("the log of a disk")?;
    let image = OpenOptions::new()
        .write(true)
        .open(&kept)
        .with_context(|| format!("cannot write {}", kept.display()))?;
    let loss = replay(&log, &image, luck)?;
    fs::rename(&kept, disk)?;
    Ok(loss)
}

/// Removes what belongs to a disk that is removed.
pub(crate) fn forget(disk: &Path) {
    let _ = fs::remove_file(kept(disk));
    let _ = fs::remove_file(log(disk));
}

/// The disk as it was at the machine's boot.
fn kept(disk: &Path) -> PathBuf {
    disk.with_extension("boot")
}

fn log(disk: &Path) -> PathBuf {
    disk.with_extension("log")
}

/// What is logged of a write or flush.
#[derive(Clone, Copy, Debug)]
struct Entry {
    sector: u64,
    sectors: u64,
    flags: u64,
    /// Where its data is in the log.
    data: u64,
}

impl Entry {
    fn is(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Where the next entry may begin.
    fn end(&self) -> u64 {
        match self.is(DISCARD) {
            true => self.data,
            false => self.data + self.sectors * SECTOR,
        }
    }
}

/// All entries of a log, for a disk of so many sectors.
fn entries(log: &File, disk: u64) -> Result<Vec<Entry>> {
    let size = log.metadata()?.len();
    let mut found = Vec::new();
    let mut at = SECTOR;
    while at + SECTOR <= size {
        let mut head = [0; 24];
        log.read_exact_at(&mut head, at)?;
        let number = |place: usize| {
            let bytes = head[place..place + 8].try_into();
            bytes.map_or(0, u64::from_le_bytes)
        };
        let entry = Entry {
            sector: number(0),
            sectors: number(8),
            flags: number(16),
            data: at + SECTOR,
        };
        if head == [0; 24] {
            at += SECTOR;
            continue;
        }
        let end = entry.sector.checked_add(entry.sectors);
        if entry.flags > 31 || end.is_none_or(|end| end > disk) {
            bail!("no entry of a log of writes at {at}: {entry:?}");
        }
        if entry.end() > size {
            // Its machine was stopped before all of it was logged, and so before it was answered.
            break;
        }
        found.push(entry);
        at = entry.end();
    }
    Ok(found)
}

/// Writes what is on the medium after a cut.
fn replay(log: &File, image: &File, luck: Luck) -> Result<Loss> {
    let entries = entries(log, image.metadata()?.len() / SECTOR)?;
    let lies = match luck {
        Luck::Lies(flushes) => flushes,
        Luck::None | Luck::Seed(_) => 0,
    };
    let flushed = entries
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, entry)| entry.is(FLUSH))
        .nth(lies)
        .map(|(place, _)| place);
    let mut draw = Draw::new(luck);
    let mut loss = Loss::default();
    for (place, entry) in entries.iter().enumerate() {
        if entry.sectors == 0 {
            continue;
        }
        if flushed.is_some_and(|flushed| place < flushed) || (entry.is(FUA) && lies == 0) {
            write(log, image, entry, |_| true)?;
            continue;
        }
        match draw.write() {
            Fate::Lost => loss.lost += 1,
            Fate::Kept => {
                write(log, image, entry, |_| true)?;
                loss.kept += 1;
            }
            Fate::Torn => {
                write(log, image, entry, |_| draw.sector())?;
                loss.torn += 1;
            }
        }
    }
    Ok(loss)
}

/// Writes those sectors of an entry that are chosen.
fn write(
    log: &File,
    image: &File,
    entry: &Entry,
    mut chosen: impl FnMut(u64) -> bool,
) -> Result<()> {
    let mut sector = [0; SECTOR as usize];
    for number in 0..entry.sectors {
        if !chosen(number) {
            continue;
        }
        if !entry.is(DISCARD) {
            log.read_exact_at(&mut sector, entry.data + number * SECTOR)?;
        }
        image.write_all_at(&sector, (entry.sector + number) * SECTOR)?;
    }
    Ok(())
}

/// What becomes of a write that was not flushed.
enum Fate {
    Lost,
    Torn,
    Kept,
}

struct Draw {
    random: fastrand::Rng,
    /// Of 16 writes, so many survive.
    survive: u8,
}

impl Draw {
    fn new(luck: Luck) -> Self {
        match luck {
            Luck::None | Luck::Lies(_) => Self {
                random: fastrand::Rng::with_seed(0),
                survive: 0,
            },
            Luck::Seed(seed) => {
                let mut random = fastrand::Rng::with_seed(seed);
                let survive = random.choice([0, 8, 14, 16]).unwrap_or(0);
                Self { random, survive }
            }
        }
    }

    fn write(&mut self) -> Fate {
        if self.random.u8(..16) >= self.survive {
            Fate::Lost
        } else if self.survive < 16 && self.random.u8(..8) == 0 {
            Fate::Torn
        } else {
            Fate::Kept
        }
    }

    fn sector(&mut self) -> bool {
        self.random.bool()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log in a file of its own.
    struct Log(File, u64);

    impl Log {
        fn new(name: &str) -> Self {
            let mut log = Self(file(name), SECTOR);
            log.0.write_all_at(&[1; 24], 0).unwrap();
            log.1 = SECTOR;
            log
        }

        fn entry(&mut self, sector: u64, sectors: u64, flags: u64, byte: u8) {
            let head = [sector, sectors, flags].map(u64::to_le_bytes).concat();
            self.0.write_all_at(&head, self.1).unwrap();
            self.1 += SECTOR;
            if flags & DISCARD == 0 {
                let data = vec![byte; (sectors * SECTOR) as usize];
                self.0.write_all_at(&data, self.1).unwrap();
                self.1 += data.len() as u64;
            }
            self.0.set_len(self.1).unwrap();
        }

        fn hole(&mut self, sectors: u64) {
            self.1 += sectors * SECTOR;
        }
    }

    fn file(name: &str) -> File {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        fs::remove_file(path).unwrap();
        file
    }

    /// The first byte of each sector after a cut.
    fn after(log: &Log, luck: Luck) -> (Vec<u8>, Loss) {
        let image = file("image");
        image.write_all_at(&[9; 16 * SECTOR as usize], 0).unwrap();
        let loss = replay(&log.0, &image, luck).unwrap();
        let mut all = vec![0; 16 * SECTOR as usize];
        image.read_exact_at(&mut all, 0).unwrap();
        (
            all.chunks(SECTOR as usize)
                .map(|sector| sector[0])
                .collect(),
            loss,
        )
    }

    #[test]
    fn what_was_flushed_stays_and_the_rest_is_lost() {
        let mut log = Log::new("flushed");
        log.entry(0, 2, 0, 1);
        log.entry(4, 1, DISCARD, 0);
        log.entry(0, 0, FLUSH, 0);
        log.entry(1, 2, 0, 2);
        let (disk, loss) = after(&log, Luck::None);
        assert_eq!(disk[..6], [1, 1, 9, 9, 0, 9]);
        assert_eq!((loss.lost, loss.torn, loss.kept), (1, 0, 0));
    }

    #[test]
    fn a_hole_hides_nothing_that_was_flushed_behind_it() {
        let mut log = Log::new("hole");
        log.entry(0, 1, 0, 1);
        log.hole(3);
        log.entry(0, 2, 0, 2);
        log.entry(0, 0, FLUSH, 0);
        log.hole(2);
        let (disk, _) = after(&log, Luck::None);
        assert_eq!(disk[..3], [2, 2, 9]);
    }

    #[test]
    fn what_was_not_flushed_survives_by_luck_and_in_sectors() {
        let mut log = Log::new("luck");
        for sector in 0..16 {
            log.entry(sector, 1, 0, 1);
        }
        log.entry(0, 16, 0, 2);
        let seen: Vec<_> = (0..40).map(|seed| after(&log, Luck::Seed(seed))).collect();
        assert!(seen.iter().any(|(disk, _)| disk == &[9; 16]));
        assert!(seen.iter().any(|(disk, _)| disk == &[2; 16]));
        assert!(seen
            .iter()
            .any(|(_, loss)| loss.torn > 0 && loss.lost > 0 && loss.kept > 0));
        assert_eq!(after(&log, Luck::Seed(7)), after(&log, Luck::Seed(7)));
    }

    #[test]
    fn a_disk_that_lies_loses_what_it_said_to_be_flushed() {
        let mut log = Log::new("lies");
        for byte in 1..=3 {
            log.entry(0, u64::from(byte), FUA, byte);
            log.entry(0, 0, FLUSH, 0);
        }
        assert_eq!(after(&log, Luck::Lies(0)).0[..4], [3, 3, 3, 9]);
        assert_eq!(after(&log, Luck::Lies(1)).0[..4], [2, 2, 9, 9]);
        assert_eq!(after(&log, Luck::Lies(5)).0[..4], [9, 9, 9, 9]);
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let mut log = Log::new("wrong");
        log.entry(15, 2, 0, 1);
        let image = file("small");
        image.set_len(16 * SECTOR).unwrap();
        assert!(replay(&log.0, &image, Luck::None).is_err());
    }
}
