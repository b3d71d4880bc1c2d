// SPDX-License-Identifier: GPL-2.0

//! What one call of a socket sends: packets of ours, and pages of others between them.

use super::{
    bio::BioHold,
    page::PageVec,
    payload::{
        Payload,
        Segment,
        PAGE_SIZE, //
    },
    send::{
        SendFlags,
        Transfer, //
    },
    shim,
    short_list::ShortList,
    socket::TcpSocket,
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    bindings,
    prelude::*, //
};

use core::ptr::copy_nonoverlapping;

/// Most payloads of one batch.
pub const CARGOES: usize = 8;

/// Most pieces of one batch: a packet before each payload, and room for some payloads of several
/// segments.
const SEGMENTS: usize = 24;

/// Bytes for packets that a batch has at least.
const HEADROOM: usize = 1024;

/// What owns pages that are sent by reference.
pub enum Cargo {
    /// A request from above.
    Request(BioHold),
    /// Pages of a pool.
    Pages(PageVec),
}

impl Cargo {
    /// The bytes to be sent.
    pub fn payload(&self) -> Payload<'_> {
        match self {
            Self::Request(held) => held.payload(),
            Self::Pages(pages) => pages.payload(),
        }
    }
}

/// A page that packets are written to, from its beginning on. A socket that refers to it does so
/// until the peer has what was sent: no place is written twice.
///
/// # Invariants
///
/// `page` is an order-0 page with a reference of ours; nobody else was given what lies from `used`
/// on.
struct HeadPage {
    page: *mut bindings::page,
    used: usize,
}

impl HeadPage {
    fn new(may_sleep: bool) -> Result<Self> {
        // SAFETY: Whoever lets it sleep may.
        let page = unsafe { shim::tandem_alloc_page(may_sleep) };
        if page.is_null() {
            return Err(ENOMEM);
        }
        Ok(Self { page, used: 0 })
    }

    /// Copies `bytes` behind what was written; `None` if there is no room.
    fn write(&mut self, bytes: &[u8]) -> Option<Segment> {
        let end = self.used + bytes.len();
        if end > PAGE_SIZE {
            return None;
        }
        let segment = Segment {
            bv_page: self.page,
            bv_len: bytes.len() as u32,
            bv_offset: self.used as u32,
        };
        // SAFETY: The page is live and mapped, as there is no high memory, and has the room. By
        // the type invariants nobody else uses it.
        unsafe {
            let to = shim::tandem_page_address(self.page).cast::<u8>();
            copy_nonoverlapping(bytes.as_ptr(), to.add(self.used), bytes.len());
        }
        self.used = end;
        Some(segment)
    }
}

impl Drop for HeadPage {
    fn drop(&mut self) {
        // SAFETY: The reference is ours. The socket has references of its own.
        unsafe { bindings::__free_pages(self.page, 0) };
    }
}

/// Packets and payloads in the order in which they are sent.
///
/// Filled by [`push`](SendBatch::push) and [`load`](SendBatch::load), sent by
/// [`send_some`](SendBatch::send_some) until nothing remains, then emptied by
/// [`clear`](SendBatch::clear).
///
/// # Invariants
///
/// The segments from `first` to `end` lie in the page that `copies` names, or in pages of `cargo`.
pub struct SendBatch {
    segments: [Segment; SEGMENTS],
    first: usize,
    end: usize,
    bytes: usize,
    /// Where packets are written that the socket refers to.
    head: HeadPage,
    /// Where they are written while there is no memory for another page: the socket copies all,
    /// so that it is free again after each batch.
    reserve: HeadPage,
    copies: bool,
    /// A payload of this batch has to be copied.
    changeable: bool,
    cargo: ShortList<Cargo, CARGOES>,
}

// SAFETY: Its pages may be used from any thread, and what owns them is `Send`.
unsafe impl Send for SendBatch {}

impl SendBatch {
    /// An empty one. May sleep.
    ///
    /// Errors: `ENOMEM`.
    pub fn new() -> Result<KBox<Self>> {
        let batch = Self {
            segments: [Segment::default(); SEGMENTS],
            first: 0,
            end: 0,
            bytes: 0,
            head: HeadPage::new(true)?,
            reserve: HeadPage::new(true)?,
            copies: false,
            changeable: false,
            cargo: ShortList::new(),
        };
        Ok(KBox::new(batch, GFP_KERNEL)?)
    }

    /// Bytes that are not sent yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes
    }

    fn add(&mut self, segment: Segment) -> bool {
        let Some(place) = self.segments.get_mut(self.end) else {
            return false;
        };
        *place = segment;
        self.end += 1;
        self.bytes += segment.bv_len as usize;
        true
    }

    /// Adds a copy of a packet; false if there is no room for it. Any context.
    pub fn push(&mut self, packet: &[u8]) -> bool {
        let page = if self.copies {
            &mut self.reserve
        } else {
            &mut self.head
        };
        // A place in the page that no segment is left for is lost, and no harm.
        page.write(packet).is_some_and(|segment| self.add(segment))
    }

    /// Adds a payload. One that has to be copied lets the whole batch be copied. Any context.
    ///
    /// Errors: the cargo, if there is no room for all of it, or its pages can't be sent by
    /// reference.
    pub fn load(&mut self, cargo: Cargo, transfer: Transfer) -> core::result::Result<(), Cargo> {
        let refer = transfer == Transfer::Reference;
        let (end, bytes) = (self.end, self.bytes);
        let mut payload = cargo.payload();
        let mut fits = true;
        while let Some(segment) = payload.take_segment() {
            // SAFETY: The page is live.
            fits = !refer || unsafe { shim::tandem_sendpage_ok(segment.bv_page) };
            fits &= self.add(segment);
            if !fits {
                break;
            }
        }
        let loaded = if fits {
            self.cargo.push(cargo)
        } else {
            Err(cargo)
        };
        match &loaded {
            Ok(()) => self.changeable |= !refer,
            Err(_) => {
                self.end = end;
                self.bytes = bytes;
            }
        }
        loaded
    }

    /// Sends some of what remains; returns how many bytes. May sleep.
    ///
    /// Errors: as for [`TcpSocket::send`].
    pub fn send_some(&mut self, socket: &TcpSocket, flags: SendFlags) -> Result<usize> {
        let left = self.segments.get(self.first..self.end).unwrap_or(&[]);
        // Packets alone are copied faster.
        let refer = !self.copies && !self.changeable && !self.cargo.is_empty();
        // SAFETY: By the type invariants the segments are of live pages.
        let sent = unsafe { socket.send_segments(left, self.bytes, flags, refer) }?;
        self.skip(sent);
        Ok(sent)
    }

    fn skip(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        let mut bytes = bytes as u32;
        while let Some(segment) = self.segments.get_mut(self.first).filter(|_| bytes > 0) {
            if bytes < segment.bv_len {
                segment.bv_offset += bytes;
                segment.bv_len -= bytes;
                return;
            }
            bytes -= segment.bv_len;
            self.first += 1;
        }
    }

    /// Forgets what it has, and gives the payloads up. Whatever the payloads' ends allow, else any
    /// context.
    pub fn clear(&mut self) {
        self.first = 0;
        self.end = 0;
        self.bytes = 0;
        self.cargo.clear();
        self.reserve.used = 0;
        self.changeable = false;
        if self.head.used > PAGE_SIZE - HEADROOM {
            match HeadPage::new(false) {
                Ok(page) => {
                    self.head = page;
                    self.copies = false;
                }
                Err(_) => self.copies = true,
            }
        }
    }
}
