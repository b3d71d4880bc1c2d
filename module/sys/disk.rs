// SPDX-License-Identifier: GPL-2.0

//! Our block devices: [`Major`] and [`Disk`].

use super::{
    bdev::{
        BlockDevice,
        HolderLink, //
    },
    bio::MasterBio,
    shim,
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_uint, //
    },
    prelude::*,
    sync::{
        Arc,
        Completion, //
    },
};

use core::{
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicBool,
        AtomicUsize,
        Ordering, //
    },
};

/// `BLK_FEAT_WRITE_CACHE`; this and its sisters are checked in `shim.c`.
pub(super) const FEATURE_WRITE_CACHE: u32 = 1;
/// `BLK_FEAT_FUA`.
pub(super) const FEATURE_FUA: u32 = 2;
/// `BLK_FEAT_ROTATIONAL`.
pub(super) const FEATURE_ROTATIONAL: u32 = 4;
/// `BLK_FEAT_IO_STAT`.
const FEATURE_STATISTICS: u32 = 1 << 4;
/// `BLK_FEAT_STABLE_WRITES`.
pub(super) const FEATURE_STABLE_WRITES: u32 = 1 << 5;
/// `BLK_OPEN_WRITE`.
const OPEN_WRITE: bindings::blk_mode_t = 2;
/// Bytes of a sector.
const SECTOR_BYTES: u32 = 512;
/// `GENHD_FL_NO_PART`.
const NO_PARTITIONS: c_int = 4;

/// The name of our major number, and the stem of our disks' names.
const NAME: &CStr = c"drbd";

/// What the disks of a major number share.
#[pin_data]
struct MajorShared {
    number: u32,
    /// Disks that exist in the kernel, and one for the registration.
    users: AtomicUsize,
    #[pin]
    idle: Completion,
}

impl MajorShared {
    fn put(&self) {
        if self.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.complete_all();
        }
    }
}

/// Our major device number, registered as `drbd` until dropped.
///
/// Dropping it waits until the kernel has forgotten all disks.
pub struct Major(Arc<MajorShared>);

impl Major {
    /// Registers major number `number`. May sleep.
    ///
    /// Errors: `EBUSY` if another driver has it.
    pub fn register(number: u32) -> Result<Self> {
        let shared = Arc::pin_init(
            pin_init!(MajorShared {
                number,
                users: AtomicUsize::new(1),
                idle <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The name is a C string that lives as long as the module.
        to_result(unsafe { bindings::__register_blkdev(number, NAME.as_char_ptr(), None) })?;
        Ok(Self(shared))
    }
}

impl Drop for Major {
    fn drop(&mut self) {
        self.0.put();
        self.0.idle.wait_for_completion();
        // SAFETY: Registered in `register` under this name.
        unsafe { bindings::unregister_blkdev(self.0.number, NAME.as_char_ptr()) };
    }
}

/// What the users of a disk may ask for.
pub trait DiskOps: Send + Sync + 'static {
    /// A request. Process context, may sleep; called from several CPUs at once.
    ///
    /// It comes split to the disk's limits. I/O submitted from within is sent when this has
    /// returned: so don't wait for it here.
    fn submit(&self, bio: MasterBio);

    /// Somebody opens the disk. May sleep.
    fn open(&self, writable: bool) -> Result;

    /// Somebody who had opened the disk closes it. May sleep.
    fn release(&self);
}

/// What our disk can do; sizes in bytes unless the name says sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLimits {
    /// Smallest unit that can be read or written; 0 for 512, or what the device below wants.
    pub logical_block_size: u32,
    /// Largest request, in sectors.
    pub max_sectors: u32,
    /// Most segments of a request.
    pub max_segments: u16,
    /// A request's segments don't cross multiples of this; 0 for no such limit.
    pub segment_boundary: u32,
    /// Largest discard, in sectors; 0 if discards aren't supported.
    pub max_discard_sectors: u32,
    /// Largest request to write zeros, in sectors; 0 if not supported.
    pub max_write_zeroes_sectors: u32,
    /// Whether flushes are wanted.
    pub write_cache: bool,
    /// Whether forced unit access is supported.
    pub fua: bool,
    /// Whether data must not change while being written.
    pub stable_writes: bool,
    /// Whether to say that it has heads to move.
    pub rotational: bool,
}

impl DiskLimits {
    /// Fills the kernel's form. With a device `below`, its limits narrow ours, but for the size.
    fn apply(&self, to: &mut bindings::queue_limits, below: Option<&BlockDevice>) {
        if below.is_some() {
            // SAFETY: `to` is valid; this fills it.
            unsafe { bindings::blk_set_stacking_limits(to) };
        }
        if self.logical_block_size != 0 {
            to.logical_block_size = self.logical_block_size;
        }
        if self.segment_boundary != 0 {
            to.seg_boundary_mask = self.segment_boundary as usize - 1;
        }
        to.max_hw_discard_sectors = self.max_discard_sectors;
        to.discard_granularity = SECTOR_BYTES;
        if let Some(below) = below {
            // SAFETY: Both are valid; readers of limits live with changes.
            let misaligned = unsafe {
                bindings::blk_stack_limits(to, shim::tandem_bdev_limits(below.as_ptr()), 0)
            };
            if misaligned != 0 {
                pr_warn!("data is not aligned to the blocks of the device below\n");
            }
        }
        // What is too large for the device below is split on its way there. Split before, it would
        // be two requests for the peer, too.
        to.max_hw_sectors = self.max_sectors;
        to.max_segments = self.max_segments;
        let unit = to.discard_granularity / SECTOR_BYTES;
        if self.max_discard_sectors == 0 || unit > to.max_hw_discard_sectors {
            // Without the unit, no discard is offered.
            to.max_hw_discard_sectors = 0;
            to.discard_granularity = 0;
        }
        to.max_write_zeroes_sectors = self.max_write_zeroes_sectors;
        to.max_hw_wzeroes_unmap_sectors = 0;
        to.max_discard_sectors = 0;
        let bit = |on, bit| if on { bit } else { 0 };
        // Nothing else is inherited: we neither poll nor promise never to wait.
        to.features = FEATURE_STATISTICS
            | bit(self.write_cache, FEATURE_WRITE_CACHE)
            | bit(self.fua, FEATURE_FUA)
            | bit(self.stable_writes, FEATURE_STABLE_WRITES)
            | bit(self.rotational, FEATURE_ROTATIONAL);
    }
}

/// What the kernel's disk points to.
struct Private<T> {
    ops: T,
    major: Arc<MajorShared>,
}

impl<T: DiskOps> Private<T> {
    /// The functions that the kernel calls.
    const OPERATIONS: bindings::block_device_operations = bindings::block_device_operations {
        submit_bio: Some(submit::<T>),
        open: Some(open::<T>),
        release: Some(release::<T>),
        free_disk: Some(free_disk::<T>),
        owner: (&raw const shim::__this_module).cast_mut().cast(),
        poll_bio: None,
        ioctl: None,
        compat_ioctl: None,
        check_events: None,
        unlock_native_capacity: None,
        getgeo: None,
        set_read_only: None,
        swap_slot_free_notify: None,
        report_zones: None,
        devnode: None,
        get_unique_id: None,
        pr_ops: core::ptr::null(),
        alternative_gpt_sector: None,
    };
    const OPERATIONS_REF: &'static bindings::block_device_operations = &Self::OPERATIONS;

    /// The private part of a disk.
    ///
    /// # Safety
    ///
    /// `disk` must be a live disk made by `Disk::new::<T>`.
    unsafe fn of<'a>(disk: *mut bindings::gendisk) -> &'a Self {
        // SAFETY: Set before the disk was added, and freed in `free_disk` only.
        unsafe { &*(*disk).private_data.cast::<Self>() }
    }
}

/// # Safety
///
/// Called by the block layer with a bio for a disk made by `Disk::new::<T>`.
unsafe extern "C" fn submit<T: DiskOps>(bio: *mut bindings::bio) {
    // SAFETY: The bio is ours. What is beyond the limits is sent on its own.
    let bio = unsafe { bindings::bio_split_to_limits(bio) };
    let Some(bio) = NonNull::new(bio) else {
        return;
    };
    // SAFETY: The bio is for a disk of ours.
    let private = unsafe { Private::<T>::of((*(*bio.as_ptr()).bi_bdev).bd_disk) };
    // SAFETY: The bio is ours.
    private.ops.submit(unsafe { MasterBio::from_raw(bio) });
}

/// # Safety
///
/// Called by the block layer with a disk made by `Disk::new::<T>`.
unsafe extern "C" fn open<T: DiskOps>(
    disk: *mut bindings::gendisk,
    mode: bindings::blk_mode_t,
) -> c_int {
    // SAFETY: As this function requires.
    let private = unsafe { Private::<T>::of(disk) };
    from_result(|| {
        private.ops.open(mode & OPEN_WRITE != 0)?;
        Ok(0)
    })
}

/// # Safety
///
/// Called by the block layer with a disk made by `Disk::new::<T>`.
unsafe extern "C" fn release<T: DiskOps>(disk: *mut bindings::gendisk) {
    // SAFETY: As this function requires.
    unsafe { Private::<T>::of(disk) }.ops.release();
}

/// # Safety
///
/// Called by the block layer with a disk made by `Disk::new::<T>`, as the last thing about it.
unsafe extern "C" fn free_disk<T: DiskOps>(disk: *mut bindings::gendisk) {
    // SAFETY: Made by `KBox::into_raw` in `Disk::new`; nobody uses it any more.
    let private = unsafe { KBox::from_raw((*disk).private_data.cast::<Private<T>>()) };
    let Private { ops, major } = KBox::into_inner(private);
    drop(ops);
    major.put();
}

/// A disk of ours, `/dev/drbdN`; removed when dropped.
///
/// Dropping it waits for [`DiskOps::submit`] to return everywhere, and lets nobody open it any
/// more. The operations are dropped when the last user has closed it. May sleep.
pub struct Disk {
    disk: NonNull<bindings::gendisk>,
    added: AtomicBool,
    /// Frees the private part of a disk that was never added.
    free: unsafe extern "C" fn(*mut bindings::gendisk),
}

// SAFETY: A disk may be used from any thread, and dropped by any.
unsafe impl Send for Disk {}
// SAFETY: All methods lock in the kernel, or set single words.
unsafe impl Sync for Disk {}

impl Disk {
    /// Makes the disk of minor number `minor`, of size 0 and read-only, unseen as yet. May sleep.
    ///
    /// Errors: `ENOMEM`, `EINVAL` for limits that the kernel refuses.
    pub fn new<T: DiskOps>(major: &Major, minor: u32, limits: &DiskLimits, ops: T) -> Result<Self> {
        let first_minor = c_int::try_from(minor)?;
        let private = KBox::new(
            Private {
                ops,
                major: major.0.clone(),
            },
            GFP_KERNEL,
        )?;
        let mut queue_limits = bindings::queue_limits::default();
        limits.apply(&mut queue_limits, None);
        // SAFETY: The limits are valid, the key is static, and we may sleep.
        let disk = from_err_ptr(unsafe {
            bindings::__blk_alloc_disk(
                &raw mut queue_limits,
                bindings::NUMA_NO_NODE,
                kernel::static_lock_class!().as_ptr(),
            )
        })?;
        {
            // SAFETY: The disk is fresh and nobody else knows it.
            let fields = unsafe { &mut *disk };
            fields.major = c_int::try_from(major.0.number).unwrap_or(0);
            fields.first_minor = first_minor;
            fields.minors = 1;
            fields.flags |= NO_PARTITIONS;
            fields.fops = Private::<T>::OPERATIONS_REF;
            write_name(&mut fields.disk_name, minor);
            fields.private_data = KBox::into_raw(private).cast();
        }
        major.0.users.fetch_add(1, Ordering::Relaxed);
        // SAFETY: The disk is live.
        unsafe { bindings::set_disk_ro(disk, true) };
        Ok(Self {
            // `from_err_ptr` lets null pass, which the kernel doesn't return.
            disk: NonNull::new(disk).ok_or(ENOMEM)?,
            added: AtomicBool::new(false),
            free: free_disk::<T>,
        })
    }

    /// Shows the disk to the world; it may be opened from now on. May sleep.
    ///
    /// Errors: `EALREADY`, `ENOMEM`, and what sysfs says.
    pub fn add(&self) -> Result {
        if self.added.swap(true, Ordering::AcqRel) {
            return Err(EALREADY);
        }
        // SAFETY: The disk is complete, and not added yet.
        let result = to_result(unsafe {
            bindings::device_add_disk(null_mut(), self.disk.as_ptr(), null_mut())
        });
        if result.is_err() {
            self.added.store(false, Ordering::Release);
        }
        result
    }

    /// Sets the size, in sectors, and tells user space if it changed. May sleep.
    pub fn set_capacity(&self, sectors: u64) {
        // SAFETY: The disk is live.
        unsafe { bindings::set_capacity_and_notify(self.disk.as_ptr(), sectors) };
    }

    /// The size, in sectors. Any context.
    pub fn capacity(&self) -> u64 {
        // SAFETY: The disk is live, and so is its whole-disk device.
        unsafe { core::ptr::read_volatile(&raw const (*(*self.disk.as_ptr()).part0).bd_nr_sectors) }
    }

    /// Sets the limits, narrowed by those of the device `below`. May sleep.
    ///
    /// Errors: `EINVAL` for limits that the kernel refuses; nothing has changed then.
    pub fn set_limits(&self, limits: &DiskLimits, below: Option<&BlockDevice>) -> Result {
        // SAFETY: The disk is live, and so is its queue.
        let queue = unsafe { (*self.disk.as_ptr()).queue };
        // SAFETY: The queue is live; this takes its limits lock, which the commit gives up.
        let mut queue_limits = unsafe { shim::tandem_limits_start(queue) };
        limits.apply(&mut queue_limits, below);
        // SAFETY: We hold the limits lock.
        to_result(unsafe { bindings::queue_limits_commit_update(queue, &raw mut queue_limits) })
    }

    /// Makes the disk read-only, or writable. May sleep.
    pub fn set_read_only(&self, read_only: bool) {
        // SAFETY: The disk is live.
        unsafe { bindings::set_disk_ro(self.disk.as_ptr(), read_only) };
    }

    /// Tells user space that something about the disk changed. May sleep.
    pub fn announce_change(&self) {
        // SAFETY: The disk is live, and so is its device.
        unsafe {
            let device = &raw mut (*(*self.disk.as_ptr()).part0).bd_device;
            bindings::kobject_uevent(
                &raw mut (*device).kobj,
                bindings::kobject_action_KOBJ_CHANGE,
            );
        }
    }

    /// Links the disk, which must have been added, to a `device` below it. May sleep.
    pub fn link_holder(&self, device: &BlockDevice) -> Result<HolderLink> {
        if !self.added.load(Ordering::Acquire) {
            return Err(EINVAL);
        }
        // SAFETY: The disk is live, and so is its device.
        unsafe { bindings::get_device(&raw mut (*(*self.disk.as_ptr()).part0).bd_device) };
        // SAFETY: The reference just taken keeps the disk until the link is dropped.
        unsafe { HolderLink::new(device, self.disk) }.inspect_err(|_| {
            // SAFETY: Nobody took over the reference.
            unsafe { bindings::put_disk(self.disk.as_ptr()) };
        })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let disk = self.disk.as_ptr();
        if self.added.load(Ordering::Acquire) {
            // SAFETY: The disk was added.
            unsafe { bindings::del_gendisk(disk) };
        } else {
            // The kernel does this for added disks only.
            // SAFETY: The private part was never shown to anybody.
            unsafe { (self.free)(disk) };
        }
        // SAFETY: Our reference, not used again.
        unsafe { bindings::put_disk(disk) };
    }
}

/// Writes "drbd" and the minor number as a C string.
fn write_name(to: &mut [kernel::ffi::c_char; 32], minor: u32) {
    let mut digits = [0u8; 10];
    let mut count = 0;
    let mut rest: c_uint = minor;
    for digit in digits.iter_mut().rev() {
        // A digit is below 10.
        *digit = b'0' + (rest % 10) as u8;
        count += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let number = digits.get(digits.len() - count..).unwrap_or(&[]);
    let stem = NAME.to_bytes().iter();
    let bytes = Iterator::chain(Iterator::chain(stem, number), &[0]);
    for (slot, byte) in to.iter_mut().zip(bytes) {
        *slot = *byte as kernel::ffi::c_char;
    }
}
