// SPDX-License-Identifier: GPL-2.0

//! Block I/O: requests given to us ([`MasterBio`]) and requests we give to devices below
//! ([`LowerBio`], from a [`BioSet`]).
//!
//! States of a request from above: it comes as a [`MasterBio`], which owns it. It is answered by
//! [`MasterBio::complete`], once, by construction. A clone sent down keeps its master's pages
//! alive: the block layer hears of the answer only when all clones have ended as well, in
//! whichever order that happens.
//!
//! States of a request of ours: allocated as a [`LowerBio`] (from a reserve, so that it always
//! succeeds in the end), then either dropped, or submitted, and then given to [`EndIo::end_io`].

use super::{
    bdev::{
        flag,
        BlockDevice, //
    },
    page::PageVec,
    payload::{
        Payload,
        PayloadMut,
        Segment,
        BATCH, //
    },
    shim,
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    error::to_result,
    ffi::{
        c_int,
        c_uint,
        c_ulong,
        c_ushort, //
    },
    prelude::*,
    sync::Completion,
    types::Opaque, //
};

use core::{
    marker::PhantomData,
    mem::{
        align_of,
        size_of,
        ManuallyDrop, //
    },
    pin::Pin,
    ptr::NonNull,
    sync::atomic::{
        AtomicUsize,
        Ordering, //
    },
};

/// How an I/O ended; the kernel's `blk_status_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlkStatus(u8);

impl BlkStatus {
    /// Success.
    pub const OK: Self = Self(0);
    /// The general failure.
    pub const IO_ERROR: Self = Self(10);

    /// The kernel's number.
    pub(super) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The status that stands for an error.
    pub fn from_error(error: Error) -> Self {
        // SAFETY: A lookup in a table.
        Self(unsafe { bindings::errno_to_blk_status(error.to_errno()) })
    }

    /// Success, or the error it stands for.
    pub fn to_result(self) -> Result {
        // SAFETY: A lookup in a table.
        to_result(unsafe { bindings::blk_status_to_errno(self.0) })
    }

    /// Whether it is success.
    #[inline]
    pub fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl From<Result> for BlkStatus {
    fn from(result: Result) -> Self {
        match result {
            Ok(()) => Self::OK,
            Err(error) => Self::from_error(error),
        }
    }
}

/// What an I/O is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BioOp {
    /// Read data.
    Read,
    /// Write data. An empty write with the preflush flag is a flush.
    Write,
    /// Flush the write cache; submitters use an empty write instead.
    Flush,
    /// Give up the space.
    Discard,
    /// Write zeros without data.
    WriteZeroes,
    /// Something else, which nobody should send us.
    Other,
}

impl BioOp {
    fn from_bits(bits: u32) -> Self {
        // The low eight bits are the operation.
        match bits & 0xff {
            bindings::req_op_REQ_OP_READ => Self::Read,
            bindings::req_op_REQ_OP_WRITE => Self::Write,
            bindings::req_op_REQ_OP_FLUSH => Self::Flush,
            bindings::req_op_REQ_OP_DISCARD => Self::Discard,
            bindings::req_op_REQ_OP_WRITE_ZEROES => Self::WriteZeroes,
            _ => Self::Other,
        }
    }

    /// The kernel's code of an operation that we send.
    fn bits(self) -> u32 {
        match self {
            Self::Read | Self::Other => bindings::req_op_REQ_OP_READ,
            Self::Write => bindings::req_op_REQ_OP_WRITE,
            // Devices take an empty write with a preflush for a flush.
            Self::Flush => {
                bindings::req_op_REQ_OP_WRITE | flag(bindings::req_flag_bits___REQ_PREFLUSH)
            }
            Self::Discard => bindings::req_op_REQ_OP_DISCARD,
            Self::WriteZeroes => bindings::req_op_REQ_OP_WRITE_ZEROES,
        }
    }
}

/// Modifiers of an I/O.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BioFlags {
    /// Forced unit access: on the medium when done.
    pub fua: bool,
    /// Flush the write cache before.
    pub preflush: bool,
    /// Somebody waits for it.
    pub sync: bool,
    /// Zeros must not give up the space.
    pub no_unmap: bool,
    /// Read ahead: may fail when busy.
    pub read_ahead: bool,
    /// Metadata.
    pub meta: bool,
}

impl BioFlags {
    fn from_bits(bits: u32) -> Self {
        let has = |bit| bits & flag(bit) != 0;
        Self {
            fua: has(bindings::req_flag_bits___REQ_FUA),
            preflush: has(bindings::req_flag_bits___REQ_PREFLUSH),
            sync: has(bindings::req_flag_bits___REQ_SYNC),
            no_unmap: has(bindings::req_flag_bits___REQ_NOUNMAP),
            read_ahead: has(bindings::req_flag_bits___REQ_RAHEAD),
            meta: has(bindings::req_flag_bits___REQ_META),
        }
    }

    fn bits(self) -> u32 {
        let bit = |on, bit| if on { flag(bit) } else { 0 };
        bit(self.fua, bindings::req_flag_bits___REQ_FUA)
            | bit(self.preflush, bindings::req_flag_bits___REQ_PREFLUSH)
            | bit(self.sync, bindings::req_flag_bits___REQ_SYNC)
            | bit(self.no_unmap, bindings::req_flag_bits___REQ_NOUNMAP)
            | bit(self.read_ahead, bindings::req_flag_bits___REQ_RAHEAD)
            | bit(self.meta, bindings::req_flag_bits___REQ_META)
    }
}

/// A request from above, owned: it is answered by us, exactly once.
///
/// Dropping it unanswered fails it.
pub struct MasterBio {
    bio: NonNull<bindings::bio>,
    /// When accounting began.
    start: c_ulong,
    /// Operation and flags, as they came. This and the next two are copies, as the block layer may
    /// write to the bio when it ends while somebody has a [`BioHold`].
    bits: u32,
    /// Place and length, as they came.
    place: bindings::bvec_iter,
    /// The segments that `place` points into.
    segments: *const Segment,
}

// SAFETY: We own the bio; any thread may work on it.
unsafe impl Send for MasterBio {}
// SAFETY: Shared references only read fields that nobody changes.
unsafe impl Sync for MasterBio {}

impl MasterBio {
    /// Takes over a bio, and begins its accounting.
    ///
    /// # Safety
    ///
    /// The caller must own `bio`, and give it up.
    pub(super) unsafe fn from_raw(bio: NonNull<bindings::bio>) -> Self {
        // SAFETY: The bio is live, and belongs to a disk of ours.
        let start = unsafe { bindings::bio_start_io_acct(bio.as_ptr()) };
        // SAFETY: The bio is live, and nobody else uses it yet.
        let fields = unsafe { bio.as_ref() };
        Self {
            bio,
            start,
            bits: fields.bi_opf,
            place: fields.bi_iter,
            segments: fields.bi_io_vec,
        }
    }

    /// What to do.
    #[inline]
    pub fn op(&self) -> BioOp {
        BioOp::from_bits(self.bits)
    }

    /// How to do it.
    #[inline]
    pub fn flags(&self) -> BioFlags {
        BioFlags::from_bits(self.bits)
    }

    /// Milliseconds since it came. Any context.
    pub fn age_ms(&self) -> u32 {
        shim::tandem_ms_since(self.start)
    }

    /// First sector.
    #[inline]
    pub fn sector(&self) -> u64 {
        self.place.bi_sector
    }

    /// Length in bytes; also for those without data. Zero for a flush.
    #[inline]
    pub fn bytes(&self) -> u32 {
        self.place.bi_size
    }

    /// Whether it carries data.
    #[inline]
    pub fn has_data(&self) -> bool {
        self.bytes() > 0 && matches!(self.op(), BioOp::Read | BioOp::Write)
    }

    /// The data, or nothing if it carries none.
    pub fn payload(&self) -> Payload<'_> {
        let len = if self.has_data() {
            self.place.bi_size as usize
        } else {
            0
        };
        // A bio without data may have no array, and it isn't looked at then.
        let array = self.segments.wrapping_add(self.place.bi_idx as usize);
        // SAFETY: A bio's iterator lies within its array, whose pages live as long as the bio.
        unsafe { Payload::from_array(array, self.place.bi_offset as usize, len) }
    }

    /// The place where the data of a read is to go; nothing for other operations.
    pub fn payload_mut(&mut self) -> PayloadMut<'_> {
        let mut payload = self.payload();
        if self.op() != BioOp::Read {
            payload.skip(usize::MAX);
        }
        PayloadMut(payload)
    }

    /// Answers the request. Any context.
    pub fn complete(self, status: BlkStatus) {
        let me = ManuallyDrop::new(self);
        // SAFETY: `me` is never used again.
        unsafe { me.end(status) };
    }

    /// # Safety
    ///
    /// Must be the last use of `self`.
    unsafe fn end(&self, status: BlkStatus) {
        let bio = self.bio.as_ptr();
        // SAFETY: We own the bio.
        unsafe { (*bio).bi_status = status.0 };
        // SAFETY: Accounting began in `from_raw`.
        unsafe { shim::tandem_bio_end_acct(bio, self.start) };
        // SAFETY: We own the bio, and give it up.
        unsafe { bindings::bio_endio(bio) };
    }
}

impl MasterBio {
    /// Keeps the bio and its pages from being given back, even when it is answered meanwhile: the
    /// answer takes effect when the last hold is gone. Any context.
    pub fn hold(&self) -> BioHold {
        // SAFETY: We own the bio. Its answer now waits for `BioHold::drop`, too.
        unsafe { shim::tandem_bio_inc_remaining(self.bio.as_ptr()) };
        BioHold(ManuallyDrop::new(MasterBio {
            bio: self.bio,
            start: self.start,
            bits: self.bits,
            place: self.place,
            segments: self.segments,
        }))
    }
}

/// A look at a [`MasterBio`] that stays good for as long as this lives.
///
/// # Invariants
///
/// Owns one count of the bio's pending ends.
pub struct BioHold(ManuallyDrop<MasterBio>);

impl BioHold {
    /// The place where the data of a read is to go, as [`MasterBio::payload_mut`]. Others may write
    /// to it at the same time: what they leave there is a mixture then.
    pub fn payload_mut(&mut self) -> PayloadMut<'_> {
        self.0.payload_mut()
    }
}

impl core::ops::Deref for BioHold {
    type Target = MasterBio;

    fn deref(&self) -> &MasterBio {
        &self.0
    }
}

impl Drop for BioHold {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this count is ours to give up; the bio lives until then.
        unsafe { bindings::bio_endio(self.0.bio.as_ptr()) };
    }
}

impl Drop for MasterBio {
    fn drop(&mut self) {
        // SAFETY: This is the last use.
        unsafe { self.end(BlkStatus::IO_ERROR) };
    }
}

/// What is known when an I/O of ours has ended.
pub struct Done {
    /// How it ended.
    pub status: BlkStatus,
    /// The pages of an I/O that was made with some.
    pub pages: Option<PageVec>,
}

/// What to do when an I/O ends.
pub trait EndIo: Sized + Send + 'static {
    /// Called once per submitted I/O. Any context, mostly an interrupt: must not sleep, and must
    /// not take locks that others hold with interrupts on.
    fn end_io(self, done: Done);
}

/// What lies in front of every bio of a set.
struct Front<T> {
    set: NonNull<SetInner>,
    /// Kept alive by the clone, through its count of pending ends.
    master: Option<NonNull<bindings::bio>>,
    device: BlockDevice,
    pages: Option<PageVec>,
    context: T,
}

/// The part of a set that bios point to.
#[pin_data]
struct SetInner {
    #[pin]
    set: Opaque<bindings::bio_set>,
    /// Bios that exist, and one for the set itself.
    users: AtomicUsize,
    #[pin]
    idle: Completion,
}

impl SetInner {
    /// Gives up one use. Any context.
    fn put(&self) {
        if self.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.complete_all();
        }
    }
}

/// A source of bios that carry a `T`, with a reserve so that some can always be made.
///
/// Dropping it waits until all its I/O has ended: keep it where that is a matter of course, say
/// one per module, and never let it go in [`EndIo::end_io`].
pub struct BioSet<T: EndIo> {
    inner: Pin<KBox<SetInner>>,
    _context: PhantomData<fn(T)>,
}

// SAFETY: A bio set may be used and dropped by any thread; it holds no `T`, only bios do.
unsafe impl<T: EndIo> Send for BioSet<T> {}
// SAFETY: A bio set locks itself.
unsafe impl<T: EndIo> Sync for BioSet<T> {}

impl<T: EndIo> BioSet<T> {
    /// Bytes in front of a bio.
    const FRONT: usize = size_of::<Front<T>>().next_multiple_of(8);

    /// Makes a set with a reserve of `reserve` bios. May sleep.
    pub fn new(reserve: u32) -> Result<Self> {
        const { assert!(align_of::<Front<T>>() <= 8) };
        let front = c_uint::try_from(Self::FRONT)?;
        // `BIOSET_NEED_BVECS`; checked in `shim.c`.
        const NEED_VECS: c_int = 1;
        let inner = KBox::try_pin_init(
            try_pin_init!(SetInner {
                set <- Opaque::try_ffi_init(|set: *mut bindings::bio_set| {
                    // `bioset_init` wants zeroes for what it doesn't set.
                    // SAFETY: `set` is valid for writes.
                    unsafe { core::ptr::write_bytes(set, 0, 1) };
                    // SAFETY: `set` is zeroed and pinned, and we may sleep.
                    to_result(unsafe { bindings::bioset_init(set, reserve, front, NEED_VECS) })
                }),
                users: AtomicUsize::new(1),
                idle <- Completion::new(),
            }? Error),
            GFP_KERNEL,
        )?;
        Ok(Self {
            inner,
            _context: PhantomData,
        })
    }

    /// Clones a held request from above, to be sent to `device` at `sector`; the hold lasts until
    /// the clone has ended. May sleep, never fails for lack of memory alone.
    ///
    /// The clone has the operation, flags and data of `master`.
    ///
    /// Errors: `EIO` if the kernel can't clone it.
    pub fn clone_of(
        &self,
        master: BioHold,
        device: &BlockDevice,
        sector: u64,
        context: T,
    ) -> Result<LowerBio<T>> {
        let source = master.bio;
        // SAFETY: All are live, and we may sleep. The set is initialised.
        let bio = unsafe {
            bindings::bio_alloc_clone(
                device.as_ptr(),
                source.as_ptr(),
                shim::gfp_noio(),
                self.inner.set.get(),
            )
        };
        let bio = NonNull::new(bio).ok_or(EIO)?;
        // The count that the hold owned is given up at the clone's end.
        core::mem::forget(master);
        // SAFETY: The bio is fresh, and of this set; the master's answer waits for its end.
        let mut lower = unsafe { self.adopt(bio, device, Some(source), None, context) };
        lower.set_sector(sector);
        Ok(lower)
    }

    /// Makes a read or write of `pages` (all of their length) at `sector` of `device`. May sleep,
    /// never fails for lack of memory.
    ///
    /// Errors: `EINVAL` for other operations or for a length that isn't whole sectors.
    pub fn with_pages(
        &self,
        device: &BlockDevice,
        op: BioOp,
        flags: BioFlags,
        sector: u64,
        pages: PageVec,
        context: T,
    ) -> Result<LowerBio<T>> {
        if !matches!(op, BioOp::Read | BioOp::Write)
            || pages.len() == 0
            || pages.len() % super::bdev::SECTOR_SIZE != 0
        {
            return Err(EINVAL);
        }
        let count = c_ushort::try_from(pages.page_count())?;
        let bio = self.allocate(device, count, op.bits() | flags.bits())?;
        let mut payload = pages.payload();
        while payload.remaining() > 0 {
            let mut batch = [Segment::default(); BATCH];
            let (used, bytes) = payload.batch(&mut batch);
            for segment in batch.iter().take(used) {
                // SAFETY: The bio has room for every page, and is idle; the pages will live in
                // front of it.
                unsafe {
                    bindings::__bio_add_page(
                        bio.as_ptr(),
                        segment.bv_page,
                        segment.bv_len,
                        segment.bv_offset,
                    )
                };
            }
            payload.skip(bytes);
        }
        // SAFETY: The bio is fresh, and of this set.
        let mut lower = unsafe { self.adopt(bio, device, None, Some(pages), context) };
        lower.set_sector(sector);
        Ok(lower)
    }

    /// Makes an I/O without data: a flush (`bytes` is ignored), discard, or write of zeros.
    /// May sleep, never fails for lack of memory.
    ///
    /// The device must support it, and a single request must be within its limits or be split by
    /// the block layer, as it is for all but devices with strange limits.
    ///
    /// Errors: `EINVAL` for other operations or for a length that isn't whole sectors.
    pub fn without_data(
        &self,
        device: &BlockDevice,
        op: BioOp,
        flags: BioFlags,
        sector: u64,
        bytes: u32,
        context: T,
    ) -> Result<LowerBio<T>> {
        let bytes = match op {
            BioOp::Flush => 0,
            BioOp::Discard | BioOp::WriteZeroes => bytes,
            BioOp::Read | BioOp::Write | BioOp::Other => return Err(EINVAL),
        };
        if bytes as usize % super::bdev::SECTOR_SIZE != 0 {
            return Err(EINVAL);
        }
        let bio = self.allocate(device, 0, op.bits() | flags.bits())?;
        // SAFETY: The bio is fresh, and of this set.
        let mut lower = unsafe { self.adopt(bio, device, None, None, context) };
        if op != BioOp::Flush {
            lower.set_sector(sector);
            // SAFETY: The bio is idle, and of an operation whose size needs no data.
            unsafe { (*lower.bio.as_ptr()).bi_iter.bi_size = bytes };
        }
        Ok(lower)
    }

    fn allocate(
        &self,
        device: &BlockDevice,
        segments: c_ushort,
        bits: u32,
    ) -> Result<NonNull<bindings::bio>> {
        // SAFETY: The device is open, the set initialised, and we may sleep.
        let bio = unsafe {
            bindings::bio_alloc_bioset(
                device.as_ptr(),
                segments,
                bits,
                shim::gfp_noio(),
                self.inner.set.get(),
            )
        };
        NonNull::new(bio).ok_or(ENOMEM)
    }

    /// Fills what lies in front of a bio, and owns the bio from now on.
    ///
    /// # Safety
    ///
    /// `bio` must be fresh, idle, and of this set; the end of `master` must wait for it.
    unsafe fn adopt(
        &self,
        bio: NonNull<bindings::bio>,
        device: &BlockDevice,
        master: Option<NonNull<bindings::bio>>,
        pages: Option<PageVec>,
        context: T,
    ) -> LowerBio<T> {
        self.inner.users.fetch_add(1, Ordering::Relaxed);
        let front = Front {
            set: NonNull::from(&*self.inner),
            master,
            device: device.clone(),
            pages,
            context,
        };
        // SAFETY: The set was made with that much room in front, suitably aligned.
        unsafe { front_of::<T>(bio).write(front) };
        // SAFETY: The bio is idle, and ours.
        unsafe { (*bio.as_ptr()).bi_end_io = Some(end_io::<T>) };
        LowerBio {
            bio,
            _context: PhantomData,
        }
    }
}

impl<T: EndIo> Drop for BioSet<T> {
    fn drop(&mut self) {
        if !shim::tandem_may_sleep() {
            // Nothing good is left to do; memory that leaks hurts least.
            pr_err!("a bio set was dropped in an interrupt\n");
            self.inner.users.fetch_add(1, Ordering::Relaxed);
            // SAFETY: The field isn't used again; the box behind it is leaked on purpose.
            let inner = unsafe { core::ptr::read(&self.inner) };
            core::mem::forget(inner);
            return;
        }
        self.inner.put();
        self.inner.idle.wait_for_completion();
        // SAFETY: The set is initialised and has no bios any more.
        unsafe { bindings::bioset_exit(self.inner.set.get()) };
    }
}

/// Where the front of a bio lies.
fn front_of<T: EndIo>(bio: NonNull<bindings::bio>) -> *mut Front<T> {
    bio.as_ptr()
        .cast::<u8>()
        .wrapping_sub(BioSet::<T>::FRONT)
        .cast()
}

/// Takes a bio apart: its front is returned, the bio is gone. The use of the set remains.
///
/// # Safety
///
/// `bio` must be idle, owned, and of a `BioSet<T>`.
unsafe fn take_front<T: EndIo>(bio: NonNull<bindings::bio>) -> Front<T> {
    // SAFETY: Written by `adopt`, and never read after this.
    let front = unsafe { front_of::<T>(bio).read() };
    // SAFETY: The bio is ours.
    unsafe { bindings::bio_put(bio.as_ptr()) };
    front
}

/// The C face of the end of an I/O.
///
/// # Safety
///
/// Called by the block layer once, for a submitted bio of a `BioSet<T>`.
unsafe extern "C" fn end_io<T: EndIo>(bio: *mut bindings::bio) {
    let Some(bio) = NonNull::new(bio) else {
        return;
    };
    // SAFETY: The bio has ended, so it is ours again.
    let status = BlkStatus(unsafe { (*bio.as_ptr()).bi_status });
    // SAFETY: As above, and it is of such a set.
    let front = unsafe { take_front::<T>(bio) };
    let Front {
        set,
        master,
        device,
        pages,
        context,
    } = front;
    context.end_io(Done { status, pages });
    // Give up the device first: whoever waits for the set may want it closed.
    drop(device);
    release(master, set);
}

/// Gives up what a bio of ours kept alive, its set last.
fn release(master: Option<NonNull<bindings::bio>>, set: NonNull<SetInner>) {
    if let Some(master) = master {
        // SAFETY: Gives up the pending end that `clone_of` took over, until which the master lives.
        unsafe { bindings::bio_endio(master.as_ptr()) };
    }
    // SAFETY: The set lives as long as it has users, and this bio was one.
    unsafe { set.as_ref() }.put();
}

/// An I/O of ours, not yet submitted.
pub struct LowerBio<T: EndIo> {
    bio: NonNull<bindings::bio>,
    _context: PhantomData<T>,
}

// SAFETY: We own the bio and the `T` in front of it, which is `Send`.
unsafe impl<T: EndIo> Send for LowerBio<T> {}

impl<T: EndIo> LowerBio<T> {
    fn set_sector(&mut self, sector: u64) {
        // SAFETY: The bio is idle, and ours.
        unsafe { (*self.bio.as_ptr()).bi_iter.bi_sector = sector };
    }

    /// Adds modifiers to those it has.
    pub fn add_flags(&mut self, flags: BioFlags) {
        // SAFETY: The bio is idle, and ours.
        unsafe { (*self.bio.as_ptr()).bi_opf |= flags.bits() };
    }

    /// What [`EndIo::end_io`] will get.
    pub fn context_mut(&mut self) -> &mut T {
        // SAFETY: Written by `adopt`; we own it.
        unsafe { &mut (*front_of::<T>(self.bio)).context }
    }

    /// Sends it to its device. Process context, may sleep.
    ///
    /// It may have ended before this returns. Called from within [`super::disk::DiskOps::submit`]
    /// it is only queued, and sent when that has returned.
    pub fn submit(self) {
        let me = ManuallyDrop::new(self);
        // SAFETY: The bio is complete, and given up.
        unsafe { bindings::submit_bio_noacct(me.bio.as_ptr()) };
    }
}

impl<T: EndIo> Drop for LowerBio<T> {
    fn drop(&mut self) {
        // SAFETY: Never submitted, so it is idle and ours.
        let front = unsafe { take_front::<T>(self.bio) };
        let Front {
            set,
            master,
            device,
            pages,
            context,
        } = front;
        drop((context, pages, device));
        release(master, set);
    }
}
