// SPDX-License-Identifier: GPL-2.0

//! Metadata I/O that is waited for: [`MetaIo`]. Who waits may lose patience; the memory stays with
//! the device until it has answered.

use super::{
    bdev::{
        flag,
        BlockDevice,
        SECTOR_SIZE, //
    },
    bio::BlkStatus,
    shim,
    signal::WaitQueue, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    ffi::{
        c_uint,
        c_ushort, //
    },
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

use core::{
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        AtomicU8,
        Ordering, //
    },
};

/// How often somebody who waits asks whether it is worth it, in milliseconds.
const LOOK_MS: u32 = 100;

/// How a metadata write is to be made safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteFlags {
    /// The data must be on the medium when the write is done.
    pub fua: bool,
    /// All that was written before must be on the medium before this is.
    pub preflush: bool,
}

/// What the block layer has while an I/O is under way.
///
/// # Invariants
///
/// While `busy`, bio, segment and pages belong to the block layer, and it has a reference to this.
/// Else they belong to the one [`MetaIo`].
struct Flight {
    bio: Opaque<bindings::bio>,
    segment: Opaque<bindings::bio_vec>,
    pages: NonNull<bindings::page>,
    order: u32,
    busy: AtomicBool,
    /// How the last one ended.
    status: AtomicU8,
    done: WaitQueue,
}

// SAFETY: By the type invariant there is one owner of what it holds at any time.
unsafe impl Send for Flight {}
// SAFETY: As above; the rest are atomics and a wait queue.
unsafe impl Sync for Flight {}

impl Drop for Flight {
    fn drop(&mut self) {
        // SAFETY: The pages are ours and of this order; the block layer has no reference any more.
        unsafe { bindings::__free_pages(self.pages.as_ptr(), self.order) };
    }
}

/// The C face of the end of an I/O. Any context.
///
/// # Safety
///
/// Called by the block layer once, for a bio that [`MetaIo::submit`] submitted.
unsafe extern "C" fn end_io(bio: *mut bindings::bio) {
    // SAFETY: The bio is live, and has what `submit` put there.
    let private = unsafe { (*bio).bi_private };
    // SAFETY: As above; this takes over the reference that was made there.
    let flight = unsafe { Arc::<Flight>::from_raw(private.cast()) };
    // SAFETY: The bio is live.
    let status = unsafe { (*bio).bi_status };
    // SAFETY: The bio has ended, and is initialised.
    unsafe { bindings::bio_uninit(bio) };
    flight.status.store(status, Ordering::Relaxed);
    flight.busy.store(false, Ordering::Release);
    flight.done.wake_all();
}

/// Whether an I/O of a [`MetaIo`] is under way, for others than its owner.
#[derive(Clone)]
pub struct MetaWatch(Arc<Flight>);

impl MetaWatch {
    /// Whether the device has not answered yet. Any context.
    pub fn is_busy(&self) -> bool {
        self.0.busy.load(Ordering::Acquire)
    }
}

/// A private buffer for metadata I/O of one caller, with all memory that this needs.
///
/// Dropping it waits until the device has answered.
pub struct MetaIo {
    flight: Arc<Flight>,
    bytes: usize,
    /// Open as long as an I/O may be under way.
    device: Option<BlockDevice>,
}

impl MetaIo {
    /// Largest buffer, in bytes.
    pub const BYTES_MAX: usize = 128 * 1024;

    /// Allocates a zeroed buffer of `bytes` bytes, a multiple of the sector size. May sleep.
    ///
    /// Errors: `EINVAL` for a bad size, `ENOMEM`.
    pub fn new(bytes: usize) -> Result<Self> {
        if bytes == 0 || bytes > Self::BYTES_MAX || bytes % SECTOR_SIZE != 0 {
            return Err(EINVAL);
        }
        let done = WaitQueue::new()?;
        let order = bytes
            .div_ceil(super::payload::PAGE_SIZE)
            .next_power_of_two()
            .trailing_zeros();
        let gfp = bindings::GFP_KERNEL | bindings::__GFP_ZERO;
        // SAFETY: May sleep, as the caller was told; the order is small.
        let pages = unsafe { bindings::alloc_pages(gfp, order) };
        let flight = Flight {
            bio: Opaque::uninit(),
            segment: Opaque::uninit(),
            pages: NonNull::new(pages).ok_or(ENOMEM)?,
            order,
            busy: AtomicBool::new(false),
            status: AtomicU8::new(0),
            done,
        };
        Ok(Self {
            flight: Arc::new(flight, GFP_KERNEL)?,
            bytes,
            device: None,
        })
    }

    /// A look at whether an I/O is under way.
    pub fn watch(&self) -> MetaWatch {
        MetaWatch(self.flight.clone())
    }

    fn is_busy(&self) -> bool {
        self.flight.busy.load(Ordering::Acquire)
    }

    /// The buffer, as read last or as to be written.
    ///
    /// Errors: `EBUSY` while the device may still use it.
    pub fn buffer(&self) -> Result<&[u8]> {
        if self.is_busy() {
            return Err(EBUSY);
        }
        // SAFETY: The pages are ours as nothing is under way, contiguous, mapped, initialised, and
        // of that many bytes; I/O on them needs `&mut self`.
        Ok(unsafe { core::slice::from_raw_parts(self.address(), self.bytes) })
    }

    /// The buffer, to be filled before a write.
    ///
    /// Errors: as for [`MetaIo::buffer`].
    pub fn buffer_mut(&mut self) -> Result<&mut [u8]> {
        if self.is_busy() {
            return Err(EBUSY);
        }
        // SAFETY: As in `buffer`, and borrowed exclusively.
        Ok(unsafe { core::slice::from_raw_parts_mut(self.address(), self.bytes) })
    }

    fn address(&self) -> *mut u8 {
        // SAFETY: The pages are live; there is no high memory.
        unsafe { shim::tandem_page_address(self.flight.pages.as_ptr()) }.cast()
    }

    /// Reads `bytes` bytes from `sector` into the buffer's front, and waits until it is done, or
    /// until `give_up` says that it is not worth it. May sleep.
    ///
    /// Errors: `EINVAL` if `bytes` isn't a multiple of the sector size or more than the buffer
    /// has; `EBUSY` while a former I/O that was given up is under way; `ETIMEDOUT` when this one
    /// was given up; what the device says, mostly `EIO`.
    pub fn read(
        &mut self,
        device: &BlockDevice,
        sector: u64,
        bytes: usize,
        give_up: impl FnMut() -> bool,
    ) -> Result<&[u8]> {
        self.submit(device, sector, bytes, bindings::req_op_REQ_OP_READ)?;
        self.wait(give_up)?;
        self.buffer()?.get(..bytes).ok_or(EINVAL)
    }

    /// Writes the first `bytes` bytes of the buffer to `sector`, and waits as [`MetaIo::read`]
    /// does. May sleep.
    ///
    /// Errors: as for [`MetaIo::read`].
    pub fn write(
        &mut self,
        device: &BlockDevice,
        sector: u64,
        bytes: usize,
        flags: WriteFlags,
        give_up: impl FnMut() -> bool,
    ) -> Result {
        let mut operation = bindings::req_op_REQ_OP_WRITE;
        if flags.fua {
            operation |= flag(bindings::req_flag_bits___REQ_FUA);
        }
        if flags.preflush {
            operation |= flag(bindings::req_flag_bits___REQ_PREFLUSH);
        }
        self.submit(device, sector, bytes, operation)?;
        self.wait(give_up)
    }

    /// Makes the device write its cache to the medium, and waits as [`MetaIo::read`] does. May
    /// sleep.
    ///
    /// Errors: as for [`MetaIo::read`]; `EOPNOTSUPP` if the device can't.
    pub fn flush(&mut self, device: &BlockDevice, give_up: impl FnMut() -> bool) -> Result {
        // Devices take an empty write with a preflush for a flush.
        let flush = flag(bindings::req_flag_bits___REQ_PREFLUSH);
        self.submit(device, 0, 0, bindings::req_op_REQ_OP_WRITE | flush)?;
        self.wait(give_up)
    }

    fn submit(&mut self, device: &BlockDevice, sector: u64, bytes: usize, op: u32) -> Result {
        if bytes > self.bytes || bytes % SECTOR_SIZE != 0 {
            return Err(EINVAL);
        }
        if self.is_busy() {
            return Err(EBUSY);
        }
        self.device = Some(device.clone());
        let op = op
            | flag(bindings::req_flag_bits___REQ_SYNC)
            | flag(bindings::req_flag_bits___REQ_META)
            | flag(bindings::req_flag_bits___REQ_PRIO);
        let bio = self.flight.bio.get();
        let segment = self.flight.segment.get();
        let segments: c_ushort = if bytes == 0 { 0 } else { 1 };
        // SAFETY: Nothing is under way, so bio and segment are ours; they stay in place, as the
        // flight is shared. The device stays open as long as `self` has it.
        unsafe { bindings::bio_init(bio, device.as_ptr(), segment, segments, op) };
        if bytes != 0 {
            // SAFETY: The bio is initialised and has room for one segment; the pages are ours, and
            // contiguous over `bytes` bytes.
            unsafe {
                bindings::__bio_add_page(bio, self.flight.pages.as_ptr(), bytes as c_uint, 0)
            };
            // SAFETY: The bio is initialised.
            unsafe { (*bio).bi_iter.bi_sector = sector };
        }
        // SAFETY: The bio is initialised.
        unsafe { (*bio).bi_end_io = Some(end_io) };
        // The block layer's reference.
        let reference = Arc::into_raw(self.flight.clone());
        // SAFETY: The bio is initialised.
        unsafe { (*bio).bi_private = reference.cast_mut().cast() };
        self.flight.busy.store(true, Ordering::Release);
        // SAFETY: The bio is complete, and we may sleep.
        unsafe { bindings::submit_bio(bio) };
        Ok(())
    }

    fn wait(&self, mut give_up: impl FnMut() -> bool) -> Result {
        let flight = &self.flight;
        let ended = || !flight.busy.load(Ordering::Acquire);
        while !flight.done.wait_until_timeout(LOOK_MS, ended) {
            if give_up() {
                return Err(ETIMEDOUT);
            }
        }
        BlkStatus::from_bits(flight.status.load(Ordering::Relaxed)).to_result()
    }
}

impl Drop for MetaIo {
    fn drop(&mut self) {
        // The device has to stay open until then.
        self.flight.done.wait_until(|| !self.is_busy());
    }
}
