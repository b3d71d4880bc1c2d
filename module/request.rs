// SPDX-License-Identifier: GPL-2.0

//! Application requests: from the bio to the lower disk and back.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::desk::Desk;
use crate::device::{
    Deferred,
    Device, //
};
use crate::discard::needs_steps;
use crate::driver::Driver;
use crate::engine::fault::Fault;
use crate::engine::ids::{
    Extent,
    PeerTicket,
    Ticket,
    SECTOR_SIZE, //
};
use crate::engine::volume::{
    Answer,
    Operation,
    PeerView,
    ReadRoute,
    Refusal,
    RequestLimits,
    WriteFlags, //
};
use crate::fault_injection;
use crate::lower::Lower;
use crate::sys::bdev::Limits;
use crate::sys::bio::{
    BioFlags,
    BioHold,
    BioOp,
    BlkStatus,
    Done,
    EndIo,
    MasterBio, //
};
use crate::sys::disk::{
    Disk,
    DiskLimits,
    DiskOps, //
};
use crate::sys::page::PageVec;
use crate::sys::params;

/// What an I/O to the lower disk was for.
pub enum Io {
    /// The local half of a request.
    Local {
        /// The device.
        device: Arc<Device>,
        /// The request.
        ticket: Ticket,
    },
    /// A read that went straight to the lower disk.
    Read {
        /// The device.
        device: Arc<Device>,
        /// The bio from above.
        bio: MasterBio,
    },
    /// A request of the peer.
    Peer {
        /// The device.
        device: Arc<Device>,
        /// The request.
        ticket: PeerTicket,
    },
}

impl EndIo for Io {
    fn end_io(self, done: Done) {
        let ok = done.status.is_ok();
        match self {
            Io::Local { device, ticket } => {
                if let Some(pages) = done.pages.filter(|_| ok) {
                    device.fill_read(ticket, &pages);
                }
                device.feed_atomic(|volume, fx| volume.local_done(ticket, ok, fx));
            }
            Io::Read { device, bio } if ok => {
                drop(device);
                bio.complete(done.status);
            }
            // A read ahead may fail, and nobody needs to know.
            Io::Read { bio, .. } if bio.flags().read_ahead => bio.complete(done.status),
            Io::Read { device, bio } => device.read_failed(bio),
            Io::Peer { device, ticket } => {
                device.feed_atomic(|desk, fx| {
                    if let Some(pages) = done.pages {
                        desk.put_payload(ticket, pages);
                    }
                    desk.peer_io_done(ticket, ok, fx);
                });
            }
        }
    }
}

/// The operations of a device's block device.
struct Ops(Arc<Device>);

impl DiskOps for Ops {
    fn submit(&self, bio: MasterBio) {
        let extent = Extent::new(bio.sector(), bio.bytes());
        let operation = match bio.op() {
            BioOp::Read => return self.0.submit_read(extent, bio),
            BioOp::Write if bio.bytes() == 0 => Operation::Flush,
            BioOp::Write => Operation::Write,
            BioOp::Flush => Operation::Flush,
            BioOp::Discard => Operation::Discard,
            BioOp::WriteZeroes => Operation::Zeroes {
                unmap: !bio.flags().no_unmap,
            },
            BioOp::Other => return bio.complete(BlkStatus::from_error(EOPNOTSUPP)),
        };
        self.0.submit_write(operation, extent, bio);
    }

    fn open(&self, writable: bool) -> Result {
        self.0.open(writable)
    }

    fn release(&self) {
        self.0.open_count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Most segments of a request of one of our devices.
pub const SEGMENTS_MAX: u16 = 256;

/// The limits of a device that takes such requests, over a disk of such limits.
pub fn limits_of(requests: RequestLimits, below: Option<Limits>) -> DiskLimits {
    DiskLimits {
        logical_block_size: below.map_or(0, |below| below.logical_block_size),
        max_sectors: requests.write / SECTOR_SIZE,
        max_segments: SEGMENTS_MAX,
        segment_boundary: 4096,
        max_discard_sectors: requests.discard / SECTOR_SIZE,
        max_write_zeroes_sectors: requests.zeroes / SECTOR_SIZE,
        write_cache: true,
        fua: true,
        stable_writes: true,
        rotational: below.is_some_and(|below| below.rotational),
    }
}

/// What a device takes before it ever had a disk or a peer.
const NO_DISCARDS: RequestLimits = RequestLimits {
    discard: 0,
    zeroes: 0,
    ..RequestLimits::ANY
};

/// Makes the block device of `device`, not yet shown. May sleep.
pub fn new_disk(driver: &Driver, device: &Arc<Device>) -> Result<Disk> {
    Disk::new(
        &driver.major,
        device.minor,
        &limits_of(NO_DISCARDS, None),
        Ops(device.clone()),
    )
}

/// Memory of our own for what the disk gets of a request, so that the request need not wait for it;
/// `Some(None)` if it has no data, `None` if there is no memory.
fn own_payload(held: &BioHold, lower: &Lower) -> Option<Option<PageVec>> {
    if !held.has_data() {
        return Some(None);
    }
    let mut pages = lower.try_copy(held.bytes())?;
    if held.op() == BioOp::Write {
        pages.payload_mut().copy_payload(&held.payload()).ok()?;
    }
    Some(Some(pages))
}

/// Leaves a bio in the slot that the engine gave it, before anybody can ask for it.
fn keep(desk: &mut Desk, ticket: Ticket, bio: &mut Option<MasterBio>) {
    if let Some(bio) = bio.take() {
        desk.put_request(ticket, bio);
    }
}

impl Device {
    /// Somebody opens the device: only a Primary may be used.
    fn open(&self, writable: bool) -> Result {
        // Counted first, so that a demotion that looks at the count cannot miss it.
        self.open_count.fetch_add(1, Ordering::AcqRel);
        let allowed = self.primary.load(Ordering::Acquire)
            || (!writable && params::allow_open_on_secondary());
        if allowed {
            return Ok(());
        }
        self.open_count.fetch_sub(1, Ordering::AcqRel);
        Err(if writable { EROFS } else { EMEDIUMTYPE })
    }

    fn submit_read(self: &Arc<Self>, extent: Extent, bio: MasterBio) {
        let mut bio = Some(bio);
        loop {
            let (route, lower) = self.feed(|desk, fx| match desk.read(extent, fx) {
                Ok(ReadRoute::Slot(ticket)) => {
                    keep(desk, ticket, &mut bio);
                    (Ok(()), None)
                }
                Ok(_) => (Ok(()), desk.lower()),
                Err(refusal) => (Err(refusal), None),
            });
            let Some(waiting) = bio.take() else {
                return;
            };
            match route {
                Ok(()) => return self.read_local(extent, waiting, lower),
                Err(Refusal::Io) => return waiting.complete(BlkStatus::IO_ERROR),
                Err(Refusal::Full) => bio = Some(waiting),
            }
            self.wait_for_room();
        }
    }

    fn submit_write(self: &Arc<Self>, operation: Operation, extent: Extent, bio: MasterBio) {
        let flags = bio.flags();
        let flags = WriteFlags {
            fua: flags.fua,
            preflush: flags.preflush,
            sync: flags.sync,
        };
        let mut bio = Some(bio);
        loop {
            let taken = self.feed_request(|desk, fx| {
                let ticket = desk.write(operation, extent, flags, fx)?;
                keep(desk, ticket, &mut bio);
                Ok(())
            });
            match (taken, bio.take()) {
                (Err(Refusal::Full), Some(waiting)) => bio = Some(waiting),
                (Err(Refusal::Io), Some(refused)) => return refused.complete(BlkStatus::IO_ERROR),
                _ => return,
            }
            self.wait_for_room();
        }
    }

    /// All slots are in use. Whatever holds them is on its way already, so one will come free.
    fn wait_for_room(&self) {
        self.room.wait_until(|| self.volume.lock().has_room());
    }

    /// Passes a read straight to the lower disk. May sleep.
    fn read_local(self: &Arc<Self>, extent: Extent, bio: MasterBio, lower: Option<Arc<Lower>>) {
        let (fault, ahead) = match bio.flags().read_ahead {
            true => (Fault::ReadAhead, true),
            false => (Fault::DataRead, false),
        };
        if fault_injection::strikes(fault, self.minor) {
            return match ahead {
                true => bio.complete(BlkStatus::IO_ERROR),
                false => self.read_failed(bio),
            };
        }
        let Some(lower) = lower else {
            return self.read_failed(bio);
        };
        let held = bio.hold();
        let context = Io::Read {
            device: self.clone(),
            bio,
        };
        if let Ok(clone) =
            self.resource
                .driver
                .bios
                .clone_of(held, &lower.data, extent.sector, context)
        {
            clone.submit();
        }
    }

    /// The lower disk could not serve a read: perhaps the peer can. Any context.
    fn read_failed(self: &Arc<Self>, bio: MasterBio) {
        let extent = Extent::new(bio.sector(), bio.bytes());
        let mut bio = Some(bio);
        let _ = self.feed_atomic(|desk, fx| {
            let ticket = desk.read_failed(extent, fx)?;
            keep(desk, ticket, &mut bio);
            Ok::<(), Refusal>(())
        });
        // Dropped, the bio fails.
        drop(bio);
    }

    /// Submits the local half of a request. May sleep.
    pub fn submit_local(self: &Arc<Self>, ticket: Ticket) {
        let found = {
            let desk = self.volume.lock();
            (desk.hold(ticket), desk.lower())
        };
        let submitted = match found {
            (Some(held), Some(lower)) => self.submit_held(ticket, held, &lower),
            _ => Err(EIO),
        };
        if submitted.is_err() {
            self.local_failed(ticket);
        }
    }

    // Apart, as what carries effects out takes much of the stack.
    #[inline(never)]
    fn local_failed(self: &Arc<Self>, ticket: Ticket) {
        self.feed(|volume, fx| volume.local_done(ticket, false, fx));
    }

    fn submit_held(self: &Arc<Self>, ticket: Ticket, held: BioHold, lower: &Lower) -> Result {
        let fault = match held.op() {
            BioOp::Read => Fault::DataRead,
            _ => Fault::DataWrite,
        };
        if fault_injection::strikes(fault, self.minor) {
            return Err(EIO);
        }
        if matches!(held.op(), BioOp::Discard | BioOp::WriteZeroes) {
            let request = self.volume.lock().local_request(ticket);
            if request.is_some_and(|(operation, extent)| needs_steps(lower, operation, extent)) {
                self.put_discard(Deferred::Local(ticket));
                return Ok(());
            }
        }
        let bios = &self.resource.driver.bios;
        let context = Io::Local {
            device: self.clone(),
            ticket,
        };
        if !lower.is_watched() {
            let sector = held.sector();
            let clone = bios.clone_of(held, &lower.data, sector, context)?;
            clone.submit();
            return Ok(());
        }
        let Some(payload) = own_payload(&held, lower) else {
            if !self.volume.lock().local_starts(ticket, false) {
                return Err(EIO);
            }
            let sector = held.sector();
            let clone = bios.clone_of(held, &lower.data, sector, context)?;
            clone.submit();
            return Ok(());
        };
        let (op, flags, sector, bytes) = (held.op(), held.flags(), held.sector(), held.bytes());
        // From here on the request may be answered, and its memory given back.
        if !self.volume.lock().local_starts(ticket, true) {
            return Err(EIO);
        }
        drop(held);
        let bio = match payload {
            Some(pages) => bios.with_pages(&lower.data, op, flags, sector, pages, context)?,
            None => {
                let op = if bytes == 0 { BioOp::Flush } else { op };
                bios.without_data(&lower.data, op, flags, sector, bytes, context)?
            }
        };
        bio.submit();
        Ok(())
    }

    /// A read that went to memory of our own is done: hands its data on, unless somebody else has
    /// answered meanwhile. Any context.
    fn fill_read(&self, ticket: Ticket, pages: &PageVec) {
        let held = {
            let desk = self.volume.lock();
            let awaited = desk.is_at_disk(ticket);
            let reads = |bio: &&MasterBio| awaited && bio.op() == BioOp::Read;
            desk.request(ticket).filter(reads).map(MasterBio::hold)
        };
        if let Some(mut held) = held {
            // As long as what was asked for, by construction.
            let _ = held.payload_mut().copy_payload(&pages.payload());
        }
    }

    /// Submits a request of the peer. May sleep.
    pub fn submit_peer(self: &Arc<Self>, ticket: PeerTicket) {
        let (view, lower, mut pages) = {
            let mut desk = self.volume.lock();
            let view = desk.peer_view(ticket);
            (view, desk.lower(), desk.take_payload(ticket))
        };
        if let Some(own) = view.filter(|view| view.answer == Answer::Request) {
            pages = self.take_memory(own.extent);
            if pages.is_none() {
                return self.no_memory_for_digest(ticket);
            }
        }
        let submitted = match (view, lower) {
            (Some(view), _) if fault_injection::strikes(view.fault(), self.minor) => Err(EIO),
            (
                Some(PeerView {
                    operation, extent, ..
                }),
                Some(lower),
            ) if needs_steps(&lower, operation, extent) => {
                self.put_discard(Deferred::Peer(ticket));
                Ok(())
            }
            (Some(view), Some(lower)) => self.submit_peer_io(ticket, view, &lower, pages),
            _ => Err(EIO),
        };
        if submitted.is_err() {
            self.peer_failed(ticket);
        }
    }

    #[inline(never)]
    fn peer_failed(self: &Arc<Self>, ticket: PeerTicket) {
        self.feed(|volume, fx| volume.peer_io_done(ticket, false, fx));
    }

    #[inline(never)]
    fn no_memory_for_digest(self: &Arc<Self>, ticket: PeerTicket) {
        self.feed(|volume, fx| volume.digest_unread(ticket, fx));
    }

    /// Takes memory for a read that we began ourselves; nobody waits for some to become free.
    fn take_memory(&self, extent: Extent) -> Option<PageVec> {
        let session = self.resource.session()?;
        session.pool.try_take(extent.bytes as usize)
    }

    fn submit_peer_io(
        self: &Arc<Self>,
        ticket: PeerTicket,
        view: PeerView,
        lower: &Lower,
        pages: Option<PageVec>,
    ) -> Result {
        let context = Io::Peer {
            device: self.clone(),
            ticket,
        };
        let flags = BioFlags {
            fua: view.flags.fua,
            preflush: view.flags.preflush,
            sync: view.flags.sync,
            no_unmap: view.operation == Operation::Zeroes { unmap: false },
            ..BioFlags::default()
        };
        let bios = &self.resource.driver.bios;
        let Extent { sector, bytes } = view.extent;
        let op = match view.operation {
            Operation::Read => BioOp::Read,
            Operation::Write => BioOp::Write,
            Operation::Flush => BioOp::Flush,
            Operation::Discard => BioOp::Discard,
            Operation::Zeroes { .. } => BioOp::WriteZeroes,
        };
        let bio = if matches!(op, BioOp::Read | BioOp::Write) {
            let pages = pages.ok_or(EIO)?;
            bios.with_pages(&lower.data, op, flags, sector, pages, context)?
        } else {
            bios.without_data(&lower.data, op, flags, sector, bytes, context)?
        };
        bio.submit();
        Ok(())
    }
}
