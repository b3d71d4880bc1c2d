// SPDX-License-Identifier: GPL-2.0

//! A lower disk is opened, read, put in use and taken out of use.
#![forbid(unsafe_code)]

use core::fmt;

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::control::RetCode;
use crate::engine::meta::activity_log::{
    ActivityLog,
    LogSlot, //
};
use crate::engine::meta::bitmap::{
    Bitmap,
    Memory, //
};
use crate::engine::meta::geometry::{
    Geometry,
    Layout, //
};
use crate::engine::meta::superblock::{
    Superblock,
    SUPERBLOCK_BYTES, //
};
use crate::engine::options::DiskOptions;
use crate::engine::resource::{
    Admin,
    Disk,
    LowerSizes, //
};
use crate::engine::volume::DiskTables;
use crate::engine::wire::state::QueueLimits;
use crate::engine::wire::MAX_BIO_SIZE;
use crate::lower::Lower;
use crate::notify;
use crate::request::base_limits;
use crate::storage::{
    array,
    KernelStorage, //
};
use crate::sys::bdev::{
    BlockDevice,
    Holder,
    MetaIo, //
};
use crate::sys::log::Level;

/// A disk that was opened and read, waiting for the engine's word.
pub struct Attaching {
    /// The open disk.
    pub lower: Arc<Lower>,
    /// Its bitmap and its log.
    pub tables: DiskTables<KernelStorage>,
}

/// Why a disk cannot be attached.
pub struct Refused {
    /// DRBD's number.
    pub code: RetCode,
    /// What is wrong.
    pub what: &'static str,
    /// What the administrator can do.
    pub todo: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.todo)
    }
}

fn refused(code: RetCode, what: &'static str) -> Refused {
    Refused {
        code,
        what,
        todo: code.hint(),
    }
}

fn no_memory(_: Error) -> Refused {
    refused(RetCode::ERR_NOMEM, "out of memory")
}

/// The disk cannot be opened; `code` if that is not because it is something else than a disk.
fn not_opened(error: Error, code: RetCode, no_disk: RetCode) -> Refused {
    if error == EBUSY {
        return Refused {
            todo: "unmount it or stop what uses it",
            ..refused(
                code,
                "the device is in use: mounted, swap, or part of another one",
            )
        };
    }
    if error == ENOTBLK {
        return refused(no_disk, "this is no block device");
    }
    if error == ENOMEM {
        return no_memory(error);
    }
    Refused {
        todo: "check its path, and the log of its driver",
        ..refused(code, "the device cannot be opened")
    }
}

/// Opens and reads a disk and puts it in use. May sleep.
///
/// `index`: where the metadata is, in DRBD's numbers.
pub fn attach(
    device: &Arc<Device>,
    data: &CStr,
    meta: &CStr,
    index: i32,
    options: DiskOptions,
) -> core::result::Result<RetCode, Refused> {
    let layout = Layout::from_index(index).ok_or(refused(
        RetCode::ERR_MD_IDX_INVALID,
        "no such place for metadata",
    ))?;
    let (data, meta) = open(data, meta, layout)?;
    let (superblock, geometry) = read_superblock(&meta, layout)?;
    let laid_out_for = LowerSizes {
        data: data.capacity(),
        meta: meta.capacity(),
    };
    let max_capacity = geometry.max_data_sectors(laid_out_for.data);
    let attaching = prepare(data, meta, &superblock, geometry, &options)?;
    let limits = attaching.lower.data.limits();
    let disk = Disk {
        superblock: Superblock {
            clean: false,
            ..superblock
        },
        geometry,
        laid_out_for,
        max_capacity,
        max_bio_bytes: limits.max_hw_sectors.saturating_mul(512).min(MAX_BIO_SIZE),
        limits: QueueLimits {
            physical_block_size: limits.physical_block_size,
            logical_block_size: limits.logical_block_size,
            alignment_offset: 0,
            io_min: limits.io_min,
            io_opt: limits.io_opt,
            discard_enabled: u8::from(limits.max_discard_sectors > 0),
            discard_zeroes_data: 0,
            write_same_capable: 0,
        },
    };
    *device.attaching.lock() = Some(attaching);
    let code = device
        .resource
        .command(Some(device), |volume| Admin::Attach {
            volume,
            disk,
            options,
        });
    // Still there if the engine refused.
    drop(device.attaching.lock().take());
    Ok(code)
}

fn open(
    data: &CStr,
    meta: &CStr,
    layout: Layout,
) -> core::result::Result<(BlockDevice, BlockDevice), Refused> {
    let holder = Holder::new().map_err(no_memory)?;
    let data = BlockDevice::open(data, &holder)
        .map_err(|error| not_opened(error, RetCode::ERR_OPEN_DISK, RetCode::ERR_DISK_NOT_BDEV))?;
    if layout == Layout::Internal {
        return Ok((data.clone(), data));
    }
    let meta = BlockDevice::open(meta, &holder)
        .map_err(|error| not_opened(error, RetCode::ERR_OPEN_MD_DISK, RetCode::ERR_MD_NOT_BDEV))?;
    if meta.same_device(&data) {
        return Err(refused(
            RetCode::ERR_MD_IDX_INVALID,
            "data and external metadata cannot be on the same device",
        ));
    }
    Ok((data, meta))
}

fn read_superblock(
    meta: &BlockDevice,
    layout: Layout,
) -> core::result::Result<(Superblock, Geometry), Refused> {
    let sectors = meta.capacity();
    let too_small = || {
        let what = match layout {
            Layout::Indexed(_) => "the device has less than 128 MiB for each index up to this one",
            Layout::Internal | Layout::FlexibleExternal => "the device is smaller than 1 MiB",
        };
        refused(RetCode::ERR_MD_DISK_TOO_SMALL, what)
    };
    if sectors < layout.min_md_sectors() {
        return Err(too_small());
    }
    let at = layout.superblock(sectors).ok_or_else(too_small)?;
    let mut io = MetaIo::new(SUPERBLOCK_BYTES).map_err(no_memory)?;
    let image = io
        .read(meta, at, SUPERBLOCK_BYTES)
        .map_err(|_| refused(RetCode::ERR_IO_MD_DISK, "cannot read the superblock"))?;
    let image = image
        .try_into()
        .map_err(|_| refused(RetCode::ERR_IO_MD_DISK, "cannot read the superblock"))?;
    Superblock::parse(image, layout, sectors).map_err(|error| Refused {
        code: RetCode(error.ret_code()),
        what: error.as_str(),
        todo: error.hint(),
    })
}

/// Takes all memory that the disk's I/O will need, and reads the bitmap.
fn prepare(
    data: BlockDevice,
    meta: BlockDevice,
    superblock: &Superblock,
    geometry: Geometry,
    options: &DiskOptions,
) -> core::result::Result<Attaching, Refused> {
    let lower = Lower::new(data, meta, geometry, options).map_err(no_memory)?;
    let lower = Arc::new(lower, GFP_KERNEL).map_err(|_| no_memory(ENOMEM))?;
    let no_bitmap = |_| refused(RetCode::ERR_NOMEM_BITMAP, "no memory for the bitmap");
    let mut bitmap = new_bitmap(superblock.last_size).map_err(no_bitmap)?;
    lower
        .read_bitmap(&mut bitmap)
        .map_err(|_| refused(RetCode::ERR_IO_MD_DISK, "cannot read the bitmap"))?;
    let slots = usize::from(geometry.ring.max_slots()).min(options.al_extents as usize);
    let log = ActivityLog::new(
        array(slots, LogSlot::default()).map_err(no_memory)?,
        array(slots.next_power_of_two(), 0).map_err(no_memory)?,
        geometry.ring,
        0,
    )
    .ok_or(refused(RetCode::ERR_NOMEM, "no activity log"))?;
    Ok(Attaching {
        lower,
        tables: DiskTables { bitmap, log },
    })
}

fn new_bitmap(sectors: u64) -> Result<Bitmap<KernelStorage>> {
    let (words, changed) = bitmap_memory(sectors)?;
    Bitmap::new(words, changed, sectors).map_err(|_| ENOMEM)
}

/// Memory for the bitmap of a device of that size. May sleep.
pub fn bitmap_memory(sectors: u64) -> Result<Memory<KernelStorage>> {
    let words = usize::try_from(Bitmap::<KernelStorage>::words_needed(sectors))?;
    let changed = usize::try_from(Bitmap::<KernelStorage>::changed_needed(sectors))?;
    Ok((array(words, 0)?, array(changed, 0)?))
}

impl Device {
    /// Puts the disk in use that [`attach`] prepared. May sleep.
    pub fn install_disk(&self) {
        let Some(Attaching { lower, tables }) = self.attaching.lock().take() else {
            return;
        };
        let limits = lower.data.limits();
        let mut own = base_limits();
        own.logical_block_size = limits.logical_block_size;
        own.max_discard_sectors = limits.max_discard_sectors.min(own.max_sectors);
        own.discard_granularity = limits.discard_granularity;
        own.max_write_zeroes_sectors = limits.max_write_zeroes_sectors.min(own.max_sectors);
        own.rotational = limits.rotational;
        let set = self.with_disk(|disk| disk.set_limits(&own, Some(&lower.data)));
        if !matches!(set, Some(Ok(()))) {
            let line = format_args!("the limits of the lower device were refused");
            notify::log_device(Level::Error, self, line);
        }
        self.volume.lock().set_disk(Some(tables));
        self.set_lower(Some(lower));
    }

    /// Waits until the I/O at the disk has ended. May sleep.
    pub fn drain_disk(&self) {
        // Nothing new is started: the policy that forbids it came before.
        const LOOK_AGAIN_MS: u32 = 20;
        let idle = || self.volume.lock().counters().local_pending == 0;
        while !self.room.wait_until_timeout(LOOK_AGAIN_MS, idle) {}
    }

    /// Takes the disk out of use, which nothing uses any more. May sleep.
    pub fn release_disk(&self) {
        let lower = self.set_lower(None);
        let tables = self.volume.lock().set_disk(None);
        drop((lower, tables));
    }

    /// Gives the device another size, in sectors. May sleep.
    pub fn set_capacity(&self, sectors: u64) {
        self.volume.lock().set_capacity(sectors);
        self.with_disk(|disk| disk.set_capacity(sectors));
    }

    /// Gives the bitmap the size for a device of `sectors` sectors; `set_new`: blocks that are new
    /// are out of sync. May sleep.
    pub fn resize_bitmap(&self, sectors: u64, set_new: bool) {
        let memory = bitmap_memory(sectors);
        let old = memory.and_then(|memory| {
            let mut volume = self.volume.lock();
            volume
                .resize_bitmap(memory, sectors, set_new)
                .map_err(|_| ENOMEM)
        });
        if old.is_err() {
            let line = format_args!("no memory for a bitmap of the new size; free some");
            notify::log_device(Level::Error, self, line);
            self.volume.lock().metadata_failed();
            self.report_metadata_error();
        }
    }

    /// Sets or clears all bits.
    pub fn fill_bitmap(&self, set: bool) {
        self.volume.lock().fill_bitmap(set);
    }
}
