// SPDX-License-Identifier: GPL-2.0

//! The lower devices: parts of the two data disks, with areas before, between and behind them that
//! nobody may write to.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::PathBuf,
    process::Command,
};

use anyhow::{ensure, Context, Result};
use rustix::fs::OFlags;

/// Bytes of a sector.
const SECTOR: u64 = 512;
/// Sectors of a lower device.
const SECTORS: u64 = 4096;
/// Sectors of the areas before, between and behind the lower devices.
const GUARD: u64 = 128;
/// Sectors of a volume whose size is fixed: metadata is far behind its end.
pub(crate) const FIXED: u64 = 3840;
/// What is between: its first sector in the lower device, and the one behind it. The metadata needs
/// less than 128 sectors.
const GAP: (u64, u64) = (FIXED, SECTORS - 128);
/// What direct I/O has to be aligned to.
const ALIGNED: usize = 4096;

/// One lower device.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The minor above it.
    pub(crate) minor: u32,
    /// The volume's size is fixed, and the area behind it is watched, too.
    pub(crate) fixed: bool,
    slot: u64,
}

/// Bytes in memory that direct I/O can use.
pub(crate) struct Aligned {
    bytes: Vec<u8>,
    at: usize,
    len: usize,
}

impl Aligned {
    /// So many zeroes.
    pub(crate) fn new(len: usize) -> Self {
        let bytes = vec![0; len + ALIGNED];
        let at = bytes.as_ptr().align_offset(ALIGNED);
        Self { bytes, at, len }
    }

    /// The bytes.
    pub(crate) fn get(&mut self) -> &mut [u8] {
        &mut self.bytes[self.at..self.at + self.len]
    }
}

/// Opens a device for direct I/O.
pub(crate) fn open(path: &str) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::DIRECT.bits() as i32)
        .open(path)
        .with_context(|| format!("cannot open {path}"))
}

/// Runs a program that must succeed.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(name)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot run {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} {arguments:?}: {said}");
    Ok(())
}

impl Place {
    /// The place of this minor.
    pub(crate) fn new(minor: u32, fixed: bool) -> Self {
        Self {
            minor,
            fixed,
            slot: u64::from(minor),
        }
    }

    fn disk(&self) -> String {
        format!("/dev/data{}", self.slot % 2 + 1)
    }

    fn first(&self) -> u64 {
        GUARD + self.slot / 2 * (SECTORS + GUARD)
    }

    fn name(&self) -> String {
        format!("fuzz{}", self.minor)
    }

    /// The lower device.
    pub(crate) fn lower(&self) -> String {
        format!("/dev/mapper/{}", self.name())
    }

    /// The replicated device.
    pub(crate) fn device(&self) -> String {
        format!("/dev/drbd{}", self.minor)
    }

    /// What is watched: first sector on the disk, and how many.
    fn guards(&self) -> Vec<(u64, u64)> {
        let first = self.first();
        let mut guards = vec![(first - GUARD, GUARD), (first + SECTORS, GUARD)];
        if self.fixed {
            guards.push((first + GAP.0, GAP.1 - GAP.0));
        }
        guards
    }

    /// Makes the device, and writes the pattern around it.
    pub(crate) fn make(&self) -> Result<()> {
        let disk = open(&self.disk())?;
        for (first, count) in self.guards() {
            let mut area = Aligned::new((count * SECTOR) as usize);
            area.get().copy_from_slice(&pattern(first, count));
            disk.write_all_at(area.get(), first * SECTOR)?;
        }
        let (disk, first) = (self.disk(), self.first());
        let table = format!("0 {SECTORS} linear {disk} {first}");
        program("dmsetup", &["create", &self.name(), "--table", &table])?;
        program("dmsetup", &["mknodes"])
    }

    /// Writes fresh metadata.
    pub(crate) fn create_md(&self) -> Result<()> {
        self.meta("create-md")
    }

    /// Marks what the activity log says to be out of sync.
    pub(crate) fn apply_log(&self) -> Result<()> {
        self.meta("apply-al")
    }

    fn meta(&self, command: &str) -> Result<()> {
        let (minor, lower) = (self.minor.to_string(), self.lower());
        let arguments = [
            "meta", "--force", &minor, "v08", &lower, "internal", command,
        ];
        program("tandem", &arguments)
    }

    /// Takes the device away.
    pub(crate) fn remove(&self) -> Result<()> {
        if PathBuf::from(self.lower()).exists() {
            program("dmsetup", &["remove", &self.name()])?;
        }
        Ok(())
    }

    /// Fails if something was written around it.
    pub(crate) fn check(&self) -> Result<()> {
        let disk = open(&self.disk())?;
        for (first, count) in self.guards() {
            let mut area = Aligned::new((count * SECTOR) as usize);
            disk.read_exact_at(area.get(), first * SECTOR)?;
            let right = pattern(first, count);
            let wrong = area
                .get()
                .iter()
                .zip(&right)
                .position(|(is, was)| is != was);
            if let Some(at) = wrong {
                let sector = first + at as u64 / SECTOR;
                let from = sector as i64 - self.first() as i64;
                anyhow::bail!(
                    "minor {}: sector {from} of its lower device was written",
                    self.minor
                );
            }
        }
        Ok(())
    }
}

/// What stands in so many sectors from one on: each eight bytes are a number of their own.
fn pattern(first: u64, count: u64) -> Vec<u8> {
    (first * SECTOR / 8..(first + count) * SECTOR / 8)
        .flat_map(|word| (word ^ 0x5afe_9a7d_5afe_9a7d).to_le_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_what_is_watched_lie_apart() {
        for slot in 0..20 {
            let here = Place::new(slot, true);
            let next = Place::new(slot + 2, true);
            assert_eq!(here.disk(), next.disk());
            assert!(here.first() + SECTORS + GUARD <= next.first());
            for (first, count) in here.guards() {
                let volume = here.first()..here.first() + FIXED;
                assert!(first + count <= volume.start || first >= volume.end);
            }
        }
    }
}
