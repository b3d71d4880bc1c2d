// SPDX-License-Identifier: GPL-2.0

//! A [`Volume`] that is written down.

use core::fmt;

use crate::engine::bytes::{
    Reader,
    Writer, //
};
use crate::engine::ids::{
    Extent,
    Instant,
    PeerTicket,
    Ticket, //
};
use crate::engine::meta::activity_log::{
    ActivityLog,
    LogSlot, //
};
use crate::engine::meta::activity_log_block::{
    Crc32c,
    Ring,
    BLOCK_BYTES, //
};
use crate::engine::meta::activity_log_size::LogMemory;
use crate::engine::meta::bitmap::{
    Bitmap,
    Memory,
    TooSmall,
    PAGE_BYTES, //
};
use crate::engine::storage::Storage;
use crate::engine::volume::{
    AckKind,
    DiskTables,
    Effects,
    LogWrite,
    Operation,
    OverlapNode,
    PeerRequestError,
    PeerSlot,
    Policy,
    ReadFor,
    ReadRoute,
    Refusal,
    ResyncLimits,
    SendView,
    Slot,
    Tables,
    VerifyRange,
    VerifySide,
    Volume,
    WantedAck,
    WriteFlags,
    WritePlace, //
};

use super::calls::calls;
use super::digest::Digest;
use super::{
    made_again,
    put_text,
    say_arguments,
    Allocate,
    Code,
    Recorder,
    Traced,
    Written, //
};

/// The event that makes a volume.
pub const NEW_VOLUME: &str = "new volume";

/// Ends a list of runs: no bitmap has so many bits.
const NO_MORE: u64 = u64::MAX;

calls! {
    impl [S: Storage,] Volume<S>;

    fn set_capacity(sectors: u64);
    fn restart_traffic();
    fn set_policy(policy: Policy) with fx;
    fn resume() with fx;

    fn write(operation: Operation, extent: Extent, flags: WriteFlags) with fx
        -> Result<Ticket, Refusal>;
    fn read(extent: Extent) with fx -> Result<ReadRoute, Refusal>;
    fn read_failed(extent: Extent) with fx -> Result<Ticket, Refusal>;
    fn local_done(ticket: Ticket, ok: bool) with fx;
    fn local_starts(ticket: Ticket, copied: bool) -> bool;
    fn watch_disk(now: Instant) with fx;

    fn send_begin(ticket: Ticket, epoch: u32, now: Instant) -> Option<SendView>;
    fn send_done(ticket: Ticket) with fx;
    fn peer_answered(ticket: Ticket, ok: bool, in_sync: bool) with fx
        -> Result<(), PeerRequestError>;
    fn peer_put_off(ticket: Ticket, superseded: bool) with fx -> Result<(), PeerRequestError>;
    fn peer_numbered(number: u32) with fx;
    fn refuse_peer(kind: AckKind, extent: Extent, block_id: u64) with fx;
    fn remote_read(ticket: Ticket) -> Option<Extent>;
    fn barrier_acked(epoch: u32) with fx -> bool;
    fn connection_lost() with fx;

    #[expect(clippy::too_many_arguments)]
    fn peer_write(
        operation: Operation,
        extent: Extent,
        flags: WriteFlags,
        block_id: u64,
        ack: WantedAck,
        may_set_in_sync: bool,
        place: WritePlace
    ) with fx -> Result<PeerTicket, PeerRequestError>;
    fn peer_read(extent: Extent, block_id: u64, purpose: ReadFor) with fx
        -> Result<PeerTicket, PeerRequestError>;
    fn peer_marked(extent: Extent) -> Result<(), PeerRequestError>;
    fn peer_io_done(ticket: PeerTicket, ok: bool) with fx;
    fn peer_reply_sent(ticket: PeerTicket) with fx;

    fn set_resync_limits(limits: ResyncLimits);
    fn sync_tick(now: Instant, disk_sectors: u64);
    fn start_resync(now: Instant, tells_digests: bool) with fx;
    fn stop_resync() with fx;
    fn resync_more() with fx -> bool;
    fn resync_data(extent: Extent) with fx -> Result<Option<PeerTicket>, PeerRequestError>;
    fn resync_zeroes(extent: Extent) with fx -> Result<Option<PeerTicket>, PeerRequestError>;
    fn resync_refused(extent: Extent, failed: bool) with fx -> Result<(), PeerRequestError>;
    fn digest_made(ticket: PeerTicket) with fx -> bool;
    fn digest_unread(ticket: PeerTicket) with fx;
    fn digest_left_out(ticket: PeerTicket) with fx;
    fn resync_equal(extent: Extent) with fx -> Result<(), PeerRequestError>;
    fn resync_checked(ticket: PeerTicket, equal: bool) with fx -> bool;
    fn resync_acked(extent: Extent, ok: bool) with fx -> Result<(), PeerRequestError>;

    fn start_verify(
        side: VerifySide,
        range: VerifyRange,
        now: Instant
    ) -> u64;
    fn stop_verify_at(sector: u64) with fx;
    fn stop_verify() with fx -> Option<u64>;
    fn verify_more() with fx -> bool;
    fn verify_answered(extent: Extent) with fx -> Result<Option<PeerTicket>, PeerRequestError>;
    fn verify_compared(ticket: PeerTicket, equal: bool) with fx -> bool;
    fn verify_result(extent: Extent, equal: bool) with fx -> Result<(), PeerRequestError>;

    fn log_committed(ok: bool) with fx;
    fn metadata_failed();
    fn metadata_moves(ring: Ring);
}

const SET_DISK: &str = "set_disk";
const FILL_BITMAP: &str = "fill_bitmap";
const SET_BITS: &str = "set_bits";
const MERGE_BITMAP: &str = "merge_bitmap";
const RESIZE_BITMAP: &str = "resize_bitmap";
const RESIZE_LOG: &str = "resize_log";
const LOG_PREPARE: &str = "log_prepare";
const LOG_REFRESH: &str = "log_refresh";
const TAKE_BITMAP_PAGE: &str = "take_bitmap_page";

impl<S: Storage, R: Recorder> Traced<Volume<S>, R> {
    /// [`Volume::new`], written down as the value `number` under a name for people.
    pub fn volume(recorder: R, number: u32, name: fmt::Arguments<'_>, tables: Tables<S>) -> Self {
        let sizes = [
            tables.slots.len(),
            tables.peers.len(),
            tables.overlap_nodes.len(),
            tables.overlap_heads.len(),
        ];
        let traced = Self {
            value: Volume::new(tables),
            number,
            recorder,
        };
        traced.begin(NEW_VOLUME, &|w| {
            sizes.put(w)?;
            put_text(name, w)
        });
        traced
    }

    /// As [`Volume::set_disk`]. Written down with the bitmap and the shape of the log, which has
    /// to be empty yet.
    pub fn set_disk(&mut self, disk: Option<DiskTables<S>>) -> Option<DiskTables<S>> {
        self.begin(SET_DISK, &|w| put_disk(disk.as_ref(), w));
        self.value.set_disk(disk)
    }

    /// Sets or clears all bits of the bitmap.
    pub fn fill_bitmap(&mut self, set: bool) {
        self.begin(FILL_BITMAP, &|w| set.put(w));
        if let Some(bitmap) = self.value.bitmap_mut() {
            if set {
                bitmap.set_all();
            } else {
                bitmap.clear_all();
            }
        }
    }

    /// Sets `count` bits of the bitmap from `first` on.
    pub fn set_bits(&mut self, first: u64, count: u64) {
        self.begin(SET_BITS, &|w| [first, count].put(w));
        if let Some(bitmap) = self.value.bitmap_mut() {
            bitmap.set_range(first, count);
        }
    }

    /// Merges a part of the peer's bitmap in; see [`Bitmap::merge_words`].
    pub fn merge_bitmap(&mut self, first: u64, words: &[u8]) {
        self.begin(MERGE_BITMAP, &|w| {
            first.put(w)?;
            w.bytes(words)
        });
        if let Some(bitmap) = self.value.bitmap_mut() {
            bitmap.merge_words(first, words);
        }
    }

    /// Gives the bitmap another size, if there is one; see [`Bitmap::resize`].
    ///
    /// # Errors
    ///
    /// The memory is too small.
    pub fn resize_bitmap(
        &mut self,
        (words, changed): Memory<S>,
        sectors: u64,
        set_new: bool,
    ) -> Result<Option<Memory<S>>, TooSmall> {
        let on = self.begin(RESIZE_BITMAP, &|w| {
            sectors.put(w)?;
            set_new.put(w)
        });
        let former = self
            .value
            .bitmap_mut()
            .map(|bitmap| bitmap.resize(words, changed, sectors, set_new))
            .transpose();
        if on {
            self.end(format_args!("{:?}", former.as_ref().map(Option::is_some)));
        }
        former
    }

    /// As [`Volume::resize_log`]. Written down.
    pub fn resize_log(
        &mut self,
        slots: u16,
        memory: Option<LogMemory<S>>,
        fx: &mut Effects,
    ) -> Option<LogMemory<S>> {
        let room = memory.as_ref().map_or(0, |(slots, _)| slots.len() as u64);
        let on = self.begin(RESIZE_LOG, &|w| {
            slots.put(w)?;
            room.put(w)
        });
        let former = self.value.resize_log(slots, memory, fx);
        if on {
            self.end(format_args!("{:?} {fx:?}", former.is_some()));
        }
        former
    }

    /// As [`Volume::log_prepare`]. Written down.
    pub fn log_prepare(&mut self, block: &mut [u8; BLOCK_BYTES], crc: Crc32c) -> Option<LogWrite> {
        let on = self.begin(LOG_PREPARE, &|_| Ok(()));
        let write = self.value.log_prepare(block, crc);
        if on {
            let digest = write.map(|_| Digest::of(block));
            self.end(format_args!("{write:?} {digest:?}"));
        }
        write
    }

    /// As [`Volume::log_refresh`]. Written down.
    pub fn log_refresh(&mut self, block: &mut [u8; BLOCK_BYTES], crc: Crc32c) -> Option<u32> {
        let on = self.begin(LOG_REFRESH, &|_| Ok(()));
        let position = self.value.log_refresh(block, crc);
        if on {
            let digest = position.map(|_| Digest::of(block));
            self.end(format_args!("{position:?} {digest:?}"));
        }
        position
    }

    /// As [`Volume::take_bitmap_page`]. Written down.
    pub fn take_bitmap_page(&mut self, page: u64, image: &mut [u8; PAGE_BYTES]) -> bool {
        let on = self.begin(TAKE_BITMAP_PAGE, &|w| page.put(w));
        let taken = self.value.take_bitmap_page(page, image);
        if on {
            let digest = taken.then(|| Digest::of(image));
            self.end(format_args!("{taken:?} {digest:?}"));
        }
        taken
    }
}

impl<S: Allocate, R: Recorder> Traced<Volume<S>, R> {
    /// Makes it again from the arguments of [`NEW_VOLUME`]; also returns its name.
    pub fn made_again<'a>(
        recorder: R,
        number: u32,
        arguments: Reader<'a>,
    ) -> Option<(Self, &'a str)> {
        made_again(
            arguments,
            |[slots, peers, nodes, heads]: [usize; 4], name| {
                let tables = Tables {
                    slots: S::filled(slots, Slot::default()),
                    peers: S::filled(peers, PeerSlot::default()),
                    overlap_nodes: S::filled(nodes, OverlapNode::default()),
                    overlap_heads: S::filled(heads, 0),
                };
                Self::volume(recorder, number, name, tables)
            },
        )
    }

    /// Makes a recorded call again; says its arguments. `None` if it is unknown or garbled.
    pub fn call(
        &mut self,
        name: &str,
        mut arguments: Reader<'_>,
        crc: Crc32c,
        say: &mut dyn fmt::Write,
    ) -> Option<()> {
        let r = &mut arguments;
        match name {
            SET_DISK => {
                let disk = get_disk(r)?;
                say_arguments(say, &[&disk.as_ref().map(|disk| disk.bitmap.weight())])?;
                self.set_disk(disk);
            }
            FILL_BITMAP => {
                let set: bool = Code::get(r)?;
                say_arguments(say, &[&set])?;
                self.fill_bitmap(set);
            }
            SET_BITS => {
                let [first, count]: [u64; 2] = Code::get(r)?;
                say_arguments(say, &[&first, &count])?;
                self.set_bits(first, count);
            }
            MERGE_BITMAP => {
                let first: u64 = Code::get(r)?;
                say_arguments(say, &[&first, &r.rest()])?;
                self.merge_bitmap(first, r.rest());
            }
            RESIZE_BITMAP => {
                let (sectors, set_new): (u64, bool) = (Code::get(r)?, Code::get(r)?);
                say_arguments(say, &[&sectors, &set_new])?;
                let memory = memory::<S>(sectors, set_new)?;
                drop(self.resize_bitmap(memory, sectors, set_new));
            }
            RESIZE_LOG => {
                let (slots, room): (u16, u64) = (Code::get(r)?, Code::get(r)?);
                say_arguments(say, &[&slots, &room])?;
                let memory = usize::try_from(room).ok().filter(|room| *room != 0);
                let memory = memory.map(log_memory::<S>);
                drop(self.resize_log(slots, memory, &mut Effects::new()));
            }
            LOG_PREPARE => {
                self.log_prepare(&mut [0; BLOCK_BYTES], crc);
            }
            LOG_REFRESH => {
                self.log_refresh(&mut [0; BLOCK_BYTES], crc);
            }
            TAKE_BITMAP_PAGE => {
                let page: u64 = Code::get(r)?;
                say_arguments(say, &[&page])?;
                self.take_bitmap_page(page, &mut [0; PAGE_BYTES]);
            }
            _ => return self.call_method(name, r, say),
        }
        Some(())
    }
}

/// Writes a disk: the size, runs of set bits, changed pages, and the log's shape.
fn put_disk<S: Storage>(disk: Option<&DiskTables<S>>, w: &mut Writer<'_>) -> Written {
    disk.is_some().put(w)?;
    let Some(DiskTables { bitmap, log }) = disk else {
        return Ok(());
    };
    bitmap.sectors().put(w)?;
    let mut from = 0;
    while let Some(first) = bitmap.next_set(from) {
        from = bitmap.run_end(first, true);
        [first, from.saturating_sub(first)].put(w)?;
    }
    NO_MORE.put(w)?;
    from = 0;
    while let Some(page) = bitmap.next_changed_page(from) {
        from = page.saturating_add(1);
        page.put(w)?;
    }
    NO_MORE.put(w)?;
    log.slot_count().put(w)?;
    log.limit().put(w)?;
    log.ring().put(w)?;
    log.next_number().put(w)?;
    log.used().put(w)
}

/// Makes a disk again.
fn get_disk<S: Allocate>(r: &mut Reader<'_>) -> Option<Option<DiskTables<S>>> {
    if !bool::get(r)? {
        return Some(None);
    }
    let sectors = Code::get(r)?;
    let (words, changed) = memory::<S>(sectors, false)?;
    let mut bitmap = Bitmap::new(words, changed, sectors).ok()?;
    loop {
        let first = u64::get(r)?;
        if first == NO_MORE {
            break;
        }
        bitmap.set_range(first, Code::get(r)?);
    }
    // On the machine the bits came from the disk, and changed nothing.
    while let Some(page) = bitmap.next_changed_page(0) {
        bitmap.take_page(page, &mut [0; PAGE_BYTES]);
    }
    loop {
        let page = u64::get(r)?;
        if page == NO_MORE {
            break;
        }
        bitmap.mark_page(page);
    }
    let slots = usize::from(u16::get(r)?);
    let limit = u16::get(r)?;
    let (slots, heads) = log_memory::<S>(slots);
    let mut log = ActivityLog::new(slots, heads, Ring::get(r)?, Code::get(r)?)?;
    log.set_limit(limit);
    // A log with extents in it is not made again here.
    (u32::get(r)? == 0).then_some(Some(DiskTables { bitmap, log }))
}

/// Memory for a log of so many slots.
fn log_memory<S: Allocate>(slots: usize) -> LogMemory<S> {
    let slots_of = S::filled(slots, LogSlot::default());
    (slots_of, S::filled(slots.next_power_of_two(), 0))
}

/// Memory for the bitmap of a device of that size, filled.
fn memory<S: Allocate>(sectors: u64, set: bool) -> Option<Memory<S>> {
    let words = usize::try_from(Bitmap::<S>::words_needed(sectors)).ok()?;
    let changed = usize::try_from(Bitmap::<S>::changed_needed(sectors)).ok()?;
    let filling = Bitmap::<S>::filling(set);
    Some((S::filled(words, filling), S::filled(changed, 0)))
}
