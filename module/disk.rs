// SPDX-License-Identifier: GPL-2.0

//! A lower disk is opened, read, put in use and taken out of use.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{
    AtomicU8,
    Ordering, //
};

use kernel::prelude::*;
use kernel::str::CStr;
use kernel::sync::Arc;

use crate::device::Device;
use crate::disk_reader::{
    DiskReader,
    Outcome, //
};
use crate::engine::control::RetCode;
use crate::engine::fault::Fault;
use crate::engine::meta::activity_log::{
    ActivityLog,
    LogSlot, //
};
use crate::engine::meta::activity_log_size::LogMemory;
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
use crate::engine::state::DiskState;
use crate::engine::volume::{
    DiskTables,
    RequestLimits, //
};
use crate::engine::wire::state::QueueLimits;
use crate::fault_injection;
use crate::lower::Lower;
use crate::notify;
use crate::request::limits_of;
use crate::storage::{
    array,
    KernelStorage, //
};
use crate::sys::bdev::{
    BlockDevice,
    Holder, //
};
use crate::sys::log::Level;
use crate::sys::meta_io::MetaIo;
use crate::volume_thread;

/// A disk that was opened and read, waiting for the engine's word.
pub struct Attaching {
    /// The open disk.
    pub lower: Arc<Lower>,
    /// Its bitmap and its log.
    pub tables: DiskTables<KernelStorage>,
}

/// How far a disk is on its way out of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody wants it to go.
    InUse,
    /// It has to answer what it was asked.
    Draining,
    /// Its bitmap was written (`saved`), or could not be; it may have to answer for that.
    Closing {
        /// See above.
        saved: bool,
    },
    /// It is gone; the engine has to be told.
    Done {
        /// As above.
        saved: bool,
    },
}

/// A [`Stage`] that several threads look at.
pub struct Release(AtomicU8);

impl Release {
    /// No disk is on its way.
    pub fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    fn set(&self, stage: Stage) {
        let number = match stage {
            Stage::InUse => 0,
            Stage::Draining => 1,
            Stage::Closing { saved } => 2 + u8::from(saved),
            Stage::Done { saved } => 4 + u8::from(saved),
        };
        self.0.store(number, Ordering::Release);
    }

    fn stage(&self) -> Stage {
        match self.0.load(Ordering::Acquire) {
            0 => Stage::InUse,
            1 => Stage::Draining,
            number @ 2..=3 => Stage::Closing { saved: number == 3 },
            number => Stage::Done { saved: number == 5 },
        }
    }

    /// Whether the volume's thread has to go on with it.
    pub fn is_under_way(&self) -> bool {
        matches!(self.stage(), Stage::Draining | Stage::Closing { .. })
    }

    /// Whether the disk is gone since the last call, and its bitmap was saved.
    pub fn take_done(&self) -> Option<bool> {
        match self.stage() {
            Stage::Done { saved } => {
                self.set(Stage::InUse);
                Some(saved)
            }
            _ => None,
        }
    }
}

/// What was found on a disk.
pub struct Found {
    /// Its superblock.
    superblock: Superblock,
    /// Where its metadata is.
    geometry: Geometry,
    /// The sizes that this is laid out for.
    laid_out_for: LowerSizes,
    /// What has to be put in use.
    attaching: Attaching,
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

/// Opens and reads a disk and puts it in use. May sleep; a task that is killed does not wait for
/// the disk.
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
    let devices = open(data, meta, layout)?;
    let found = read(device, devices, layout, options.clone())?;
    let Found {
        superblock,
        geometry,
        laid_out_for,
        attaching,
    } = KBox::into_inner(found);
    let max_capacity = geometry.max_data_sectors(laid_out_for.data);
    let limits = attaching.lower.data.limits();
    let disk = Disk {
        superblock: Superblock {
            clean: false,
            ..superblock
        },
        geometry,
        laid_out_for,
        max_capacity,
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
        discard: attaching.lower.discard_limits(),
    };
    *device.attaching.lock() = Some(attaching);
    let code = device
        .resource
        .command(Some(device), |volume| Admin::Attach {
            volume,
            disk,
            options,
        });
    // Still there if the engine refused. A command that is killed may have begun.
    if device.glance(|record| record.state.disk) == Some(DiskState::Diskless) {
        drop(device.attaching.lock().take());
    }
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

/// Reads what attaching needs, as long as the task is not killed.
fn read(
    device: &Device,
    (data, meta): (BlockDevice, BlockDevice),
    layout: Layout,
    options: DiskOptions,
) -> Outcome {
    let minor = device.minor;
    let gone = |error| match error {
        EINTR => refused(RetCode::ERR_INTR, "the command was killed"),
        ETIMEDOUT => refused(
            RetCode::ERR_IO_MD_DISK,
            "nothing came of the device for 30 s; it stays in use until it answers",
        ),
        error => no_memory(error),
    };
    let driver = &device.resource.driver;
    let reader = driver.add_reader(minor).map_err(gone)?;
    let read = reader
        .start(&device.resource.crew, move |reader| {
            read_below(reader, data, meta, layout, &options)
        })
        .and_then(|()| reader.wait());
    driver.reap_readers();
    read.map_err(gone)?
}

fn read_below(
    reader: &DiskReader,
    data: BlockDevice,
    meta: BlockDevice,
    layout: Layout,
    options: &DiskOptions,
) -> Outcome {
    let (superblock, geometry) = read_superblock(reader.minor, &meta, layout)?;
    reader.answered();
    let laid_out_for = LowerSizes {
        data: data.capacity(),
        meta: meta.capacity(),
    };
    let found = Found {
        attaching: prepare(reader, data, meta, &superblock, geometry, options)?,
        superblock,
        geometry,
        laid_out_for,
    };
    KBox::new(found, GFP_KERNEL).map_err(|_| no_memory(ENOMEM))
}

fn read_superblock(
    minor: u32,
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
    let unread = || refused(RetCode::ERR_IO_MD_DISK, "cannot read the superblock");
    if fault_injection::strikes(Fault::MetadataRead, minor) {
        return Err(unread());
    }
    let image = io.read(meta, at, SUPERBLOCK_BYTES, || false);
    let image = image.map_err(|_| unread())?;
    let image = image.try_into().map_err(|_| unread())?;
    Superblock::parse(image, layout, sectors).map_err(|error| Refused {
        code: RetCode(error.ret_code()),
        what: error.as_str(),
        todo: error.hint(),
    })
}

/// Takes all memory that the disk's I/O will need, and reads the bitmap.
fn prepare(
    reader: &DiskReader,
    data: BlockDevice,
    meta: BlockDevice,
    superblock: &Superblock,
    geometry: Geometry,
    options: &DiskOptions,
) -> core::result::Result<Attaching, Refused> {
    let minor = reader.minor;
    let lower = Lower::new(minor, data, meta, geometry, options).map_err(no_memory)?;
    let lower = Arc::new(lower, GFP_KERNEL).map_err(|_| no_memory(ENOMEM))?;
    let no_bitmap = |_| refused(RetCode::ERR_NOMEM_BITMAP, "no memory for the bitmap");
    if fault_injection::strikes(Fault::BitmapMemory, minor) {
        return Err(no_bitmap(ENOMEM));
    }
    let mut bitmap = new_bitmap(superblock.last_size).map_err(no_bitmap)?;
    lower
        .read_bitmap(&mut bitmap, || reader.answered())
        .map_err(|_| refused(RetCode::ERR_IO_MD_DISK, "cannot read the bitmap"))?;
    let slots = usize::from(geometry.ring.max_slots()).min(options.al_extents as usize);
    let (slots, heads) = log_memory(slots).map_err(no_memory)?;
    let log = ActivityLog::new(slots, heads, geometry.ring, 0)
        .ok_or(refused(RetCode::ERR_NOMEM, "no activity log"))?;
    Ok(Attaching {
        lower,
        tables: DiskTables { bitmap, log },
    })
}

/// Memory for an activity log of so many slots. May sleep.
pub fn log_memory(slots: usize) -> Result<LogMemory<KernelStorage>> {
    let heads = array(slots.next_power_of_two(), 0)?;
    Ok((array(slots, LogSlot::default())?, heads))
}

fn new_bitmap(sectors: u64) -> Result<Bitmap<KernelStorage>> {
    let (words, changed) = bitmap_memory(sectors, false)?;
    Bitmap::new(words, changed, sectors).map_err(|_| ENOMEM)
}

/// Memory for the bitmap of a device of that size, with all bits clear or set. May sleep.
pub fn bitmap_memory(sectors: u64, set: bool) -> Result<Memory<KernelStorage>> {
    let words = usize::try_from(Bitmap::<KernelStorage>::words_needed(sectors))?;
    let changed = usize::try_from(Bitmap::<KernelStorage>::changed_needed(sectors))?;
    let filling = Bitmap::<KernelStorage>::filling(set);
    Ok((array(words, filling)?, array(changed, 0)?))
}

impl Device {
    /// Puts the disk in use that [`attach`] prepared. May sleep.
    pub fn install_disk(&self) {
        let Some(Attaching { lower, tables }) = self.attaching.lock().take() else {
            return;
        };
        self.volume.lock().set_disk(Some(tables));
        self.set_lower(Some(lower));
    }

    /// Lets the device take requests of that size, as far as the disk below does. May sleep.
    pub fn set_limits(&self, requests: RequestLimits) {
        let lower = self.lower();
        let below = lower.as_ref().map(|lower| &lower.data);
        let mut own = limits_of(requests, below.map(|below| below.limits()));
        if let Some(lower) = &lower {
            own.max_segments = lower.max_segments;
        }
        let set = self.with_disk(|disk| disk.set_limits(&own, below));
        if !matches!(set, Some(Ok(()))) {
            let line = format_args!("the limits of the lower device were refused");
            notify::log_device(Level::Error, self, line);
        }
    }

    /// Lets the disk do what the options say now. May sleep.
    pub fn tune_disk(&self, options: &DiskOptions) {
        let Some(lower) = self.lower() else {
            return;
        };
        if lower.tune(options).is_err() {
            let line = format_args!(
                "no memory for copies: with disk-timeout, requests wait for the disk all the same"
            );
            notify::log_device(Level::Warning, self, line);
        }
        // It looks at the clock in another rhythm now.
        self.wake.raise();
    }

    /// The disk shall go out of use. The volume's thread sees to it, however long it takes.
    pub fn begin_release(&self) {
        self.release.set(Stage::Draining);
        self.wake.raise();
    }

    /// Takes a disk out of use that shall go, when it has answered everything. May sleep.
    pub fn go_on_with_release(&self) {
        // Nothing new is started: the policy that forbids it came before.
        let Some(lower) = self.lower() else {
            return self.released(false);
        };
        let idle = || self.volume.lock().counters().local_pending == 0 && lower.is_idle();
        if self.release.stage() == Stage::Draining && idle() {
            // It answers again, if it had been given up.
            lower.give_up(false);
            // The last word of this disk: what it missed, it must remember.
            let saved = volume_thread::save_bitmap(self).is_ok();
            // After a failure nothing is written any more.
            let saved = saved && self.volume.lock().keeps_metadata();
            if !saved {
                let line = format_args!("the bitmap could not be saved on the way down");
                notify::log_device(Level::Error, self, line);
            }
            self.release.set(Stage::Closing { saved });
        }
        if let Stage::Closing { saved } = self.release.stage() {
            if lower.is_idle() {
                drop(lower);
                self.released(saved);
            }
        }
    }

    fn released(&self, saved: bool) {
        let lower = self.set_lower(None);
        let tables = self.volume.lock().set_disk(None);
        drop((lower, tables));
        self.release.set(Stage::Done { saved });
        self.resource.wake.raise();
    }

    /// Gives the device another size, in sectors. May sleep.
    pub fn set_capacity(&self, sectors: u64) {
        self.volume.lock().set_capacity(sectors);
        self.with_disk(|disk| disk.set_capacity(sectors));
    }

    /// Gives the bitmap the size for a device of `sectors` sectors; `set_new`: blocks that are new
    /// are out of sync. May sleep.
    pub fn resize_bitmap(&self, sectors: u64, set_new: bool) {
        let memory = bitmap_memory(sectors, set_new);
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
            self.report_metadata_error(ENOMEM);
        }
    }

    /// Gives the activity log so many slots. May sleep.
    pub fn resize_log(self: &Arc<Self>, slots: u16) {
        let last = slots.saturating_sub(1);
        let grows = self.volume.lock().log_slot(last).is_none();
        let memory = grows.then(|| log_memory(usize::from(slots))).transpose();
        let Ok(memory) = memory else {
            return notify::log_device(
                Level::Error,
                self,
                format_args!("no memory for an activity log of {slots} extents; free some"),
            );
        };
        let former = self.feed_deep(|volume, fx| volume.resize_log(slots, memory, fx));
        drop(former);
    }

    /// Sets or clears all bits.
    pub fn fill_bitmap(&self, set: bool) {
        self.volume.lock().fill_bitmap(set);
    }
}
