// SPDX-License-Identifier: GPL-2.0

//! Pages for payloads: [`PagePool`], and lists of them: [`PageVec`].
//!
//! Taking and giving back pages waits for nothing and works in any context. A page that the
//! network still holds a reference to (sent by reference, not yet acknowledged) is lent out until
//! that is gone; only then it can be taken again.

use super::{
    lock::SpinLock,
    payload::{
        next_page,
        set_next_page,
        Payload,
        PayloadMut,
        PAGE_SIZE, //
    },
    shim,
    signal::WaitQueue, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    prelude::*,
    sync::Arc, //
};

use core::ptr::null_mut;

/// Most pages that one [`PageVec`] can have: 1 MiB.
pub const PAGES_MAX: usize = 256;

/// A chain of pages; first in, first out.
struct Chain {
    head: *mut bindings::page,
    tail: *mut bindings::page,
    count: usize,
}

// SAFETY: The chain owns its pages, which may be used from any thread.
unsafe impl Send for Chain {}

impl Chain {
    const fn new() -> Self {
        Self {
            head: null_mut(),
            tail: null_mut(),
            count: 0,
        }
    }

    /// Appends a page.
    ///
    /// # Safety
    ///
    /// `page` must be an order-0 page that only the caller owns.
    unsafe fn push(&mut self, page: *mut bindings::page) {
        // SAFETY: We own `page` by this function's contract.
        unsafe { set_next_page(page, null_mut()) };
        if self.tail.is_null() {
            self.head = page;
        } else {
            // SAFETY: We own all pages of the chain.
            unsafe { set_next_page(self.tail, page) };
        }
        self.tail = page;
        self.count += 1;
    }

    /// Takes the first page.
    fn pop(&mut self) -> Option<*mut bindings::page> {
        let page = self.head;
        if page.is_null() {
            return None;
        }
        // SAFETY: We own all pages of the chain.
        self.head = unsafe { next_page(page) };
        if self.head.is_null() {
            self.tail = null_mut();
        }
        self.count -= 1;
        Some(page)
    }

    /// Moves up to `count` pages from the front of `self` to the end of `to`.
    fn move_to(&mut self, to: &mut Chain, count: usize) {
        for _ in 0..count {
            let Some(page) = self.pop() else {
                return;
            };
            // SAFETY: The page was owned by `self`.
            unsafe { to.push(page) };
        }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        while let Some(page) = self.pop() {
            // SAFETY: We own the page. Should the network have a reference still, that one is the
            // last to go and frees it.
            unsafe { bindings::__free_pages(page, 0) };
        }
    }
}

/// The pages that aren't in use.
struct Idle {
    free: Chain,
    /// Given back, but the network may still read them.
    lent: Chain,
    /// Pages in use and idle.
    total: usize,
    /// Most pages in use and idle.
    limit: usize,
}

impl Idle {
    /// Moves pages that nobody else refers to any more from `lent` to `free`.
    fn reclaim(&mut self, wanted: usize) {
        // Bounded, as the caller holds a spinlock: oldest first, they are likely to be free.
        let mut tries = self
            .lent
            .count
            .min(wanted.saturating_mul(2).saturating_add(16));
        while tries > 0 && self.free.count < wanted {
            let Some(page) = self.lent.pop() else {
                return;
            };
            // SAFETY: We own the page.
            let references = unsafe { shim::tandem_page_count(page) };
            let to = if references == 1 {
                &mut self.free
            } else {
                &mut self.lent
            };
            // SAFETY: We own the page.
            unsafe { to.push(page) };
            tries -= 1;
        }
    }

    /// Takes idle pages, and the right to add what is missing of `count`. `None`: that would be
    /// more than the limit.
    fn claim(&mut self, count: usize) -> Option<(Chain, usize)> {
        let missing = count.saturating_sub(self.free.count);
        if missing > self.limit.saturating_sub(self.total) {
            return None;
        }
        let mut pages = Chain::new();
        self.free.move_to(&mut pages, count - missing);
        self.total += missing;
        Some((pages, missing))
    }
}

/// What all handles of a pool share.
struct Shared {
    idle: SpinLock<Idle>,
    waiters: WaitQueue,
}

/// How much of a pool is used, in pages.
#[derive(Clone, Copy)]
pub struct PoolUse {
    /// Most pages that it may have.
    pub limit: usize,
    /// Pages that it has.
    pub total: usize,
    /// Those of them that nobody uses; the network may still read some.
    pub idle: usize,
}

/// A pool of pages; clones are handles of the same pool.
///
/// It keeps [`PAGES_MAX`] pages, enough for the largest request, and takes more from the kernel as
/// they are needed and can be had without waiting. So it never waits for the allocator, only for
/// its own pages to come back.
#[derive(Clone)]
pub struct PagePool(Arc<Shared>);

impl PagePool {
    /// Makes a pool of at most `limit` pages, or [`PAGES_MAX`] if that is more. May sleep.
    ///
    /// Errors: `ENOMEM`.
    pub fn new(limit: usize) -> Result<Self> {
        let mut free = Chain::new();
        for _ in 0..PAGES_MAX {
            // SAFETY: May sleep, as the caller was told.
            let page = unsafe { shim::tandem_alloc_page(true) };
            if page.is_null() {
                return Err(ENOMEM);
            }
            // SAFETY: The page is fresh.
            unsafe { free.push(page) };
        }
        let shared = Shared {
            idle: SpinLock::new(Idle {
                free,
                lent: Chain::new(),
                total: PAGES_MAX,
                limit: limit.max(PAGES_MAX),
            })?,
            waiters: WaitQueue::new()?,
        };
        Ok(Self(Arc::new(shared, GFP_KERNEL)?))
    }

    /// Changes how many pages it may have at most. Those that are too many are freed as they come
    /// back. Any context.
    pub fn set_limit(&self, limit: usize) {
        self.0.idle.lock().limit = limit.max(PAGES_MAX);
        self.0.waiters.wake_all();
    }

    /// Frees some of the pages that were not needed lately. Any context; to be called now and
    /// then.
    pub fn trim(&self) {
        const PART: usize = 8;
        let mut gone = Chain::new();
        let mut idle = self.0.idle.lock();
        let kept = idle.free.count.min(PAGES_MAX);
        let spare = (idle.free.count - kept).div_ceil(PART);
        idle.free.move_to(&mut gone, spare);
        idle.total -= spare;
    }

    /// How much of it is used. Any context.
    pub fn usage(&self) -> PoolUse {
        let idle = self.0.idle.lock();
        PoolUse {
            limit: idle.limit,
            total: idle.total,
            idle: idle.free.count + idle.lent.count,
        }
    }

    /// Takes pages for `bytes` bytes, if there are enough. Any context.
    ///
    /// `None` also for more than [`PAGES_MAX`] pages.
    pub fn try_take(&self, bytes: usize) -> Option<PageVec> {
        let count = bytes.div_ceil(PAGE_SIZE);
        if count > PAGES_MAX {
            return None;
        }
        let (mut pages, missing) = {
            let mut idle = self.0.idle.lock();
            if idle.free.count < count {
                idle.reclaim(count);
            }
            idle.claim(count)?
        };
        for added in 0..missing {
            // SAFETY: Does not sleep.
            let page = unsafe { shim::tandem_alloc_page(false) };
            if page.is_null() {
                self.0.idle.lock().total -= missing - added;
                self.give_back(&mut pages);
                return None;
            }
            // SAFETY: The page is fresh.
            unsafe { pages.push(page) };
        }
        Some(PageVec {
            pages,
            len: bytes,
            pool: self.clone(),
        })
    }

    /// Takes pages for `bytes` bytes, waiting up to `ms` milliseconds for them. May sleep.
    ///
    /// Pages that the network gives up don't wake the waiter: so it looks again by itself.
    pub fn take(&self, bytes: usize, ms: u32) -> Option<PageVec> {
        const LOOK_AGAIN_MS: u32 = 20;
        let mut left = ms;
        loop {
            let mut taken = None;
            let step = left.min(LOOK_AGAIN_MS);
            self.0.waiters.wait_until_timeout(step, || {
                taken = self.try_take(bytes);
                taken.is_some()
            });
            left -= step;
            if taken.is_some() || left == 0 {
                return taken;
            }
        }
    }

    /// Puts pages back. Any context.
    fn give_back(&self, pages: &mut Chain) {
        let mut gone = Chain::new();
        let mut idle = self.0.idle.lock();
        while let Some(page) = pages.pop() {
            // SAFETY: We own the page.
            let shared = unsafe { shim::tandem_page_count(page) } != 1;
            let to = if idle.total > idle.limit {
                idle.total -= 1;
                &mut gone
            } else if shared {
                &mut idle.lent
            } else {
                &mut idle.free
            };
            // SAFETY: We own the page.
            unsafe { to.push(page) };
        }
        drop(idle);
        self.0.waiters.wake_all();
    }
}

/// A list of pages from a [`PagePool`] that holds `len()` bytes; gives them back when dropped.
pub struct PageVec {
    pages: Chain,
    len: usize,
    pool: PagePool,
}

// SAFETY: Nothing is changed through a shared reference.
unsafe impl Sync for PageVec {}

impl PageVec {
    /// Bytes that count.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Sets the number of bytes that count.
    ///
    /// Errors: `EINVAL` if the pages don't hold that many.
    pub fn set_len(&mut self, bytes: usize) -> Result {
        if bytes > self.pages.count * PAGE_SIZE {
            return Err(EINVAL);
        }
        self.len = bytes;
        Ok(())
    }

    /// Pages in the list.
    #[inline]
    pub fn page_count(&self) -> usize {
        self.pages.count
    }

    /// A read cursor over all bytes.
    pub fn payload(&self) -> Payload<'_> {
        // SAFETY: The chain holds `len` bytes and is borrowed, hence unchanged.
        unsafe { Payload::from_chain(self.pages.head, self.len) }
    }

    /// A write cursor over all bytes.
    pub fn payload_mut(&mut self) -> PayloadMut<'_> {
        // SAFETY: The chain holds `len` bytes and is borrowed, hence unchanged.
        PayloadMut(unsafe { Payload::from_chain(self.pages.head, self.len) })
    }

    /// Copies `from` to `offset`.
    ///
    /// Errors: `EINVAL` if it would go beyond the end.
    pub fn copy_in(&mut self, offset: usize, from: &[u8]) -> Result {
        let mut cursor = self.payload_mut();
        if offset > cursor.remaining() {
            return Err(EINVAL);
        }
        cursor.skip(offset);
        cursor.copy_in(from)
    }

    /// Copies from `offset` into all of `to`.
    ///
    /// Errors: `EINVAL` if it would go beyond the end.
    pub fn copy_out(&self, offset: usize, to: &mut [u8]) -> Result {
        let mut cursor = self.payload();
        if offset > cursor.remaining() {
            return Err(EINVAL);
        }
        cursor.skip(offset);
        cursor.copy_out(to)
    }

    /// Calls `each` with all bytes, piece by piece in order.
    pub fn for_each_chunk(&self, each: impl FnMut(&[u8])) {
        self.payload().for_each_chunk(each);
    }

    /// Whether all bytes are zeros.
    pub fn is_zero(&self) -> bool {
        let mut zero = true;
        self.for_each_chunk(|chunk| zero = zero && chunk.iter().all(|&byte| byte == 0));
        zero
    }

    /// Fills all bytes with zeros.
    pub fn zero(&mut self) {
        let len = self.len;
        self.payload_mut().zero(len);
    }
}

impl Drop for PageVec {
    fn drop(&mut self) {
        if self.pages.count > 0 {
            self.pool.give_back(&mut self.pages);
        }
    }
}
