// SPDX-License-Identifier: GPL-2.0

//! A device that holds metadata, opened for this tool alone.

use crate::failure::Failure;
use rustix::fs::{
    open,
    seek,
    Mode,
    OFlags,
    SeekFrom, //
};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{
        Path,
        PathBuf, //
    }, //
};
use tandem_engine::meta::{
    geometry::Layout,
    superblock::{
        Superblock,
        SuperblockError, //
    }, //
};

/// Bytes of a block: of the superblock, of the log, of a bitmap page.
pub(crate) const BLOCK: usize = 4096;

/// A buffer that direct I/O takes.
#[repr(align(4096))]
struct Aligned([u8; BLOCK]);

/// A device with metadata. Its pages are read and written past the page cache, in which what the
/// kernel module wrote might be missing.
pub(crate) struct MetaDevice {
    file: File,
    path: PathBuf,
    layout: Layout,
    sectors: u64,
}

impl MetaDevice {
    /// Opens the device, unless someone else uses it.
    pub(crate) fn open(path: &Path, layout: Layout) -> Result<Self, Failure> {
        let flags = OFlags::RDWR | OFlags::EXCL | OFlags::CLOEXEC;
        let opened = match open(path, flags | OFlags::DIRECT, Mode::empty()) {
            // Image files on some file systems know no direct I/O.
            Err(rustix::io::Errno::INVAL) => open(path, flags, Mode::empty()),
            other => other,
        };
        let file = opened.map_err(|error| open_failed(path, error))?;
        let size = seek(&file, SeekFrom::End(0)).map_err(|error| open_failed(path, error))?;
        Ok(Self {
            file: file.into(),
            path: path.to_owned(),
            layout,
            sectors: size / 512,
        })
    }

    pub(crate) fn name(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    pub(crate) fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Where the superblock belongs.
    pub(crate) fn superblock_sector(&self) -> Result<u64, Failure> {
        self.layout.superblock(self.sectors).ok_or_else(|| {
            Failure::invalid(
                format!("{} is too small for metadata there", self.name()),
                "use a larger device, or another index",
            )
        })
    }

    /// Reads the superblock; the inner error is about its contents.
    pub(crate) fn read_superblock(&self) -> Result<Result<Superblock, SuperblockError>, Failure> {
        let image = self
            .read_block(self.superblock_sector()?)
            .map_err(|error| self.failed("read", &error))?;
        Ok(Superblock::decode(&image))
    }

    /// Reads the block at a sector.
    pub(crate) fn read_block(&self, sector: u64) -> io::Result<[u8; BLOCK]> {
        let mut block = Aligned([0; BLOCK]);
        self.file.read_exact_at(&mut block.0, byte(sector)?)?;
        Ok(block.0)
    }

    /// Writes the block at a sector.
    pub(crate) fn write_block(&self, sector: u64, block: &[u8; BLOCK]) -> io::Result<()> {
        let block = Aligned(*block);
        self.file.write_all_at(&block.0, byte(sector)?)
    }

    /// Writes a superblock, durably.
    pub(crate) fn write_superblock(&self, sector: u64, superblock: &Superblock) -> io::Result<()> {
        let mut image = [0; BLOCK];
        superblock.emit(&mut image);
        self.write_block(sector, &image)?;
        self.sync()
    }

    /// The path, as the kernel has it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes everything written so far durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// What went wrong, in words.
    pub(crate) fn failed(&self, what: &str, error: &io::Error) -> Failure {
        Failure::invalid(
            format!("cannot {what} {}: {error}", self.name()),
            "see the kernel's log for errors of the device",
        )
    }
}

fn byte(sector: u64) -> io::Result<u64> {
    sector
        .checked_mul(512)
        .ok_or(io::ErrorKind::InvalidInput.into())
}

fn open_failed(path: &Path, error: rustix::io::Errno) -> Failure {
    let hint = match error {
        rustix::io::Errno::BUSY => {
            "it is attached, mounted or otherwise in use: detach or unmount it first"
        }
        rustix::io::Errno::ACCESS | rustix::io::Errno::PERM => "run it as root",
        _ => "check the path; lsblk lists block devices",
    };
    Failure::invalid(format!("cannot open {}: {error}", path.display()), hint)
}
