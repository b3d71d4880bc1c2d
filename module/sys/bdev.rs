// SPDX-License-Identifier: GPL-2.0

//! Block devices below us: opening, geometry, flush.

use super::shim;
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    ffi::{
        c_uint,
        c_void, //
    },
    prelude::*,
    sync::Arc, //
};

use core::ptr::NonNull;

/// Sectors are of this many bytes, everywhere.
pub const SECTOR_SIZE: usize = 512;

/// `BLK_OPEN_READ | BLK_OPEN_WRITE`; checked in `shim.c`.
const OPEN_READ_WRITE: bindings::blk_mode_t = 3;

/// Flag bit of a bio from its bit number.
pub(super) const fn flag(bit: bindings::req_flag_bits) -> u32 {
    1 << bit
}

/// Who holds a device open exclusively.
///
/// The same holder may open the same device several times; others get `EBUSY`. Clones are the
/// same holder.
#[derive(Clone)]
pub struct Holder(Arc<u64>);

impl Holder {
    /// Makes a holder that is none of those made before. May sleep.
    pub fn new() -> Result<Self> {
        Ok(Self(Arc::new(0, GFP_KERNEL)?))
    }

    fn as_ptr(&self) -> *mut c_void {
        core::ptr::from_ref::<u64>(&self.0).cast_mut().cast()
    }
}

/// What a device says of itself; sizes in bytes unless the name says sectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Smallest unit that can be read or written.
    pub logical_block_size: u32,
    /// Smallest unit that is written without reading first.
    pub physical_block_size: u32,
    /// Preferred smallest request.
    pub io_min: u32,
    /// Preferred largest request, 0 if none.
    pub io_opt: u32,
    /// Offset of the first physical block.
    pub alignment_offset: u32,
    /// Most segments of a request.
    pub max_segments: u16,
    /// Largest discard, in sectors; 0 if discards aren't supported.
    pub max_discard_sectors: u32,
    /// Unit of discards, 0 if unknown.
    pub discard_granularity: u32,
    /// Offset of the first unit of discards, on this partition.
    pub discard_alignment: u32,
    /// Largest request to write zeros, in sectors; 0 if not supported.
    pub max_write_zeroes_sectors: u32,
    /// Whether the device has a volatile write cache, thus needs flushes.
    pub write_cache: bool,
    /// Whether the device knows forced unit access.
    pub fua: bool,
    /// Whether data must not change while being written.
    pub stable_writes: bool,
    /// Whether the device has heads to move.
    pub rotational: bool,
}

/// An open device; closed with the last handle.
struct Open {
    file: NonNull<bindings::file>,
    bdev: NonNull<bindings::block_device>,
    /// Keeps the holder's address from being used again.
    _holder: Holder,
}

// SAFETY: An open block device may be used from any thread and closed by any.
unsafe impl Send for Open {}
// SAFETY: As above; the kernel locks what it changes.
unsafe impl Sync for Open {}

impl Drop for Open {
    fn drop(&mut self) {
        // The last handle may be that of an I/O that ends in an interrupt.
        if shim::tandem_may_sleep() {
            // SAFETY: `file` is ours, and we may sleep.
            unsafe { bindings::bdev_fput(self.file.as_ptr()) };
        } else {
            // SAFETY: `file` is ours. This one puts the closing off, where it must.
            unsafe { bindings::fput(self.file.as_ptr()) };
        }
    }
}

/// A block device opened exclusively for reading and writing.
///
/// Clones are handles of the same opening. I/O under way has one too: so the device is closed
/// when the last I/O has ended, even if everybody else has given it up.
#[derive(Clone)]
pub struct BlockDevice(Arc<Open>);

impl BlockDevice {
    /// Opens the device that `path` names. May sleep.
    ///
    /// Errors: `EBUSY` if somebody else holds it (mounted, swap, ...), `ENOTBLK`, `ENOENT`,
    /// `EACCES`, `EROFS` and whatever else the device says.
    pub fn open(path: &CStr, holder: &Holder) -> Result<Self> {
        // SAFETY: `path` is a C string; the holder's address stays taken as long as the opening.
        let file = from_err_ptr(unsafe {
            bindings::bdev_file_open_by_path(
                path.as_char_ptr(),
                OPEN_READ_WRITE,
                holder.as_ptr(),
                core::ptr::null(),
            )
        })?;
        // SAFETY: `file` is an open block device's.
        let bdev = unsafe { bindings::file_bdev(file) };
        let open = Open {
            file: NonNull::new(file).ok_or(ENXIO)?,
            bdev: NonNull::new(bdev).ok_or(ENXIO)?,
            _holder: holder.clone(),
        };
        // SAFETY: The device is open.
        if unsafe { shim::tandem_bdev_read_only(bdev) } {
            return Err(EROFS);
        }
        Ok(Self(Arc::new(open, GFP_KERNEL)?))
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::block_device {
        self.0.bdev.as_ptr()
    }

    /// Size in sectors, as of now. Any context.
    pub fn capacity(&self) -> u64 {
        // SAFETY: The device is open. The kernel reads this field without a lock too on 64 bits.
        unsafe { core::ptr::read_volatile(&raw const (*self.as_ptr()).bd_nr_sectors) }
    }

    /// Device number, as in `dev_t`. Any context.
    pub fn device_number(&self) -> u32 {
        // SAFETY: The device is open; its number never changes.
        unsafe { (*self.as_ptr()).bd_dev }
    }

    /// Whether both are openings of the same device. Any context.
    pub fn same_device(&self, other: &Self) -> bool {
        self.0.bdev == other.0.bdev
    }

    /// Writes the device's name into `out` and returns it, cut if too long: `sda1`, `dm-3`.
    pub fn name<'a>(&self, out: &'a mut [u8; 40]) -> &'a str {
        // SAFETY: The device is open, so it has a disk; names are C strings that never change.
        let disk = unsafe { CStr::from_char_ptr(shim::tandem_disk_name(self.as_ptr())) };
        // SAFETY: The device is open.
        let part = unsafe { shim::tandem_bdev_partno(self.as_ptr()) };
        let disk = core::str::from_utf8(disk.to_bytes()).unwrap_or("?");
        let mut to = NameWriter { out, len: 0 };
        to.push(disk.as_bytes());
        if part > 0 {
            // As the kernel does it: disks whose name ends in a digit get a "p".
            if disk.as_bytes().last().is_some_and(u8::is_ascii_digit) {
                to.push(b"p");
            }
            to.push_number(part.unsigned_abs());
        }
        let NameWriter { out, len } = to;
        core::str::from_utf8(out.get(..len).unwrap_or(&[])).unwrap_or("?")
    }

    /// What the device can do, as of now. Any context.
    pub fn limits(&self) -> Limits {
        // SAFETY: The device is open; its limits may change, which readers everywhere live with.
        let limits = unsafe { &*shim::tandem_bdev_limits(self.as_ptr()) };
        Limits {
            logical_block_size: limits.logical_block_size,
            physical_block_size: limits.physical_block_size,
            io_min: limits.io_min,
            io_opt: limits.io_opt,
            alignment_offset: limits.alignment_offset,
            max_segments: limits.max_segments,
            max_discard_sectors: limits.max_discard_sectors,
            discard_granularity: limits.discard_granularity,
            // SAFETY: The device is open, and where a partition begins does not change.
            discard_alignment: discard_alignment(limits, unsafe { (*self.as_ptr()).bd_start_sect }),
            max_write_zeroes_sectors: limits.max_write_zeroes_sectors,
            write_cache: limits.features & super::disk::FEATURE_WRITE_CACHE != 0,
            fua: limits.features & super::disk::FEATURE_FUA != 0,
            stable_writes: limits.features & super::disk::FEATURE_STABLE_WRITES != 0,
            // SAFETY: The device is open.
            rotational: unsafe { shim::tandem_bdev_rotational(self.as_ptr()) },
        }
    }

    /// Sectors that the whole disk has read, written and discarded since it is there, for anybody.
    pub fn sectors_done(&self) -> u64 {
        // SAFETY: The device is open, and with it its disk.
        unsafe { shim::tandem_bdev_sectors_done(self.as_ptr()) }
    }

    /// Makes the device write its cache to the medium, and waits for it. May sleep.
    pub fn flush(&self) -> Result {
        // SAFETY: The device is open, and we may sleep.
        to_result(unsafe { bindings::blkdev_issue_flush(self.as_ptr()) })
    }

    /// Discards `sectors` sectors from `sector` on, and waits for it. May sleep and allocate.
    ///
    /// Errors: `EOPNOTSUPP` if the device can't.
    pub fn discard(&self, sector: u64, sectors: u64) -> Result {
        // SAFETY: The device is open, and we may sleep. The block layer checks the range.
        to_result(unsafe {
            bindings::blkdev_issue_discard(self.as_ptr(), sector, sectors, shim::gfp_noio())
        })
    }

    /// Makes `sectors` sectors from `sector` on read as zeros. May sleep and allocate.
    ///
    /// With `keep_allocated` the device doesn't give up the space. Falls back to writing zeros.
    pub fn zero_out(&self, sector: u64, sectors: u64, keep_allocated: bool) -> Result {
        // `BLKDEV_ZERO_NOUNMAP`; checked in `shim.c`.
        let flags = c_uint::from(keep_allocated);
        // SAFETY: The device is open, and we may sleep. The block layer checks the range.
        to_result(unsafe {
            bindings::blkdev_issue_zeroout(self.as_ptr(), sector, sectors, shim::gfp_noio(), flags)
        })
    }
}

/// Where the first unit of discards begins on a partition from sector `start` on, in bytes.
///
/// Source: `block/blk-settings.c` (`bdev_discard_alignment`).
fn discard_alignment(limits: &bindings::queue_limits, start: u64) -> u32 {
    let unit = u64::from(limits.discard_granularity) / SECTOR_SIZE as u64;
    let offset = u64::from(limits.discard_alignment) / SECTOR_SIZE as u64;
    let Some(behind) = start.checked_rem(unit) else {
        return 0;
    };
    let first = (unit + offset - behind) % unit;
    // Less than a unit.
    (first * SECTOR_SIZE as u64) as u32
}

/// Appends to a buffer of fixed size, dropping what doesn't fit.
struct NameWriter<'a> {
    out: &'a mut [u8; 40],
    len: usize,
}

impl NameWriter<'_> {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(slot) = self.out.get_mut(self.len) {
                *slot = *byte;
                self.len += 1;
            }
        }
    }

    fn push_number(&mut self, number: u32) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        // A digit is below 10.
        self.push(&[b'0' + (number % 10) as u8]);
    }
}

/// A link from our disk to a device below it, as `lsblk` shows it; undone when dropped.
pub struct HolderLink {
    device: BlockDevice,
    disk: NonNull<bindings::gendisk>,
}

// SAFETY: Linking and unlinking lock themselves, from any thread.
unsafe impl Send for HolderLink {}
// SAFETY: It has no methods.
unsafe impl Sync for HolderLink {}

impl HolderLink {
    /// Makes the link. May sleep.
    ///
    /// # Safety
    ///
    /// `disk` must be a live disk, and stay so until the link is dropped: the link takes over a
    /// reference to it.
    pub(super) unsafe fn new(
        device: &BlockDevice,
        disk: NonNull<bindings::gendisk>,
    ) -> Result<Self> {
        // SAFETY: Both are live.
        to_result(unsafe { bindings::bd_link_disk_holder(device.as_ptr(), disk.as_ptr()) })?;
        Ok(Self {
            device: device.clone(),
            disk,
        })
    }
}

impl Drop for HolderLink {
    fn drop(&mut self) {
        // SAFETY: The link was made in `new`.
        unsafe { bindings::bd_unlink_disk_holder(self.device.as_ptr(), self.disk.as_ptr()) };
        // SAFETY: Gives back the reference that `new` took over.
        unsafe { bindings::put_disk(self.disk.as_ptr()) };
    }
}
