// SPDX-License-Identifier: GPL-2.0

//! What the resource knows of one of its volumes.

use crate::engine::ids::Instant;
use crate::engine::meta::geometry::Geometry;
use crate::engine::meta::superblock::Superblock;
use crate::engine::options::DiskOptions;
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState, //
};
use crate::engine::uuid::Uuids;
use crate::engine::volume::{
    DiscardLimits,
    Drain,
    VerifyRange, //
};
use crate::engine::wire::state::{
    QueueLimits,
    UuidReport, //
};

use super::handler::{
    Call,
    Starting, //
};

/// An attached disk, as far as decisions need it.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The superblock, as it is or is going to be on disk.
    pub superblock: Superblock,
    /// Where its metadata is.
    pub geometry: Geometry,
    /// The sizes of the lower devices that this was laid out for.
    pub laid_out_for: LowerSizes,
    /// Largest size of the volume that the disk and its metadata allow, in sectors.
    pub max_capacity: u64,
    /// Limits of the lower device that the peer is told.
    pub limits: QueueLimits,
    /// What the lower device says of its discards.
    pub discard: DiscardLimits,
}

/// Sizes of the lower devices, in sectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LowerSizes {
    /// The one with the data.
    pub data: u64,
    /// The one with the metadata; the same one for internal metadata.
    pub meta: u64,
}

/// One volume of a resource.
#[derive(Clone, Debug)]
pub struct VolumeRecord {
    /// Its number in the resource (`vnr`).
    pub number: u16,
    /// Its device's minor number.
    pub minor: u32,
    /// Its state, both nodes' and the connection's part.
    pub state: DeviceState,
    /// Its disk; `None` while Diskless.
    pub disk: Option<Disk>,
    /// The disk options in force.
    pub options: DiskOptions,
    /// Size of the device, in sectors.
    pub capacity: u64,
    /// What the peer told of its generations, for this connection.
    pub peer_uuids: Option<UuidReport>,
    /// The largest request that the peer says to take, in bytes; 0 when unknown.
    pub peer_bio_bytes: u32,
    /// Size of the peer's disk in sectors; 0 when it has none or is unknown.
    pub peer_size: u64,
    /// Generation of the data that applications have seen (`ed_uuid`); 0 for none.
    pub exposed_uuid: u64,
    /// Generation of the disk that was given up while somebody went on writing to the peer's: it
    /// misses what was written since. 0 for none.
    pub left_uuid: u64,
    /// That disk failed: it does not even have the marks of what it misses.
    pub left_unmarked: bool,
    /// The disk was given up by force: nobody waits for its answers.
    pub abandoned: bool,
    /// We were Primary and crashed, and the peer did not get in sync with us since.
    pub crashed_primary: bool,
    /// The next state report of the peer may start a resync.
    pub consider_resync: bool,
    /// What own and peer's disk will be when the negotiation of an attach ends well.
    pub negotiating: Option<(DiskState, DiskState)>,
    /// The own and the peer's bitmap were exchanged as far as we are concerned.
    pub bitmap_received: bool,
    /// A resync that waits for its handler.
    pub(super) starting: Option<Starting>,
    /// The handler that is told of a failed disk before the peer is.
    pub(super) failing: Option<Call>,
    /// The disk that failed is kept until the connection was told to end.
    pub(super) parts_first: bool,
    /// When the data began to go its own way, if that was seen.
    pub(super) parted_at: Option<Instant>,
    /// The data goes its own way as soon as I/O is not frozen any more.
    pub(super) owes_generation: bool,
    /// We are to be the target of a resync, and do not know yet which blocks differ.
    pub unmerged: bool,
    /// Our bits when we last told the peer.
    pub told_bits: u64,
    /// Bits that are set now; the driver keeps it up to date with each event.
    pub bits: u64,
    /// What the administrator wants to be verified.
    pub verify: VerifyRange,
    /// The superblock differs from what is on disk.
    pub dirty: bool,
    /// Requests whose end a command waits for.
    pub drain: Drain,
    /// Since when the connection has the state that it has; for states that must not last.
    pub since: Option<(ConnState, Instant)>,
    /// The target of the resync says that it is over; our own last blocks are not acknowledged.
    pub target_done: bool,
    /// The end of our part of a resync is to be told as soon as a ping is answered.
    pub tells_end: bool,
    /// Our disk became good in a resync, and the peer was not told since.
    pub(super) unheard: bool,
    /// Since when all has arrived that was sent before we pulled ahead of the peer.
    pub(super) relieved: Option<Instant>,
    /// Since when I/O is frozen.
    pub(super) frozen: Option<Instant>,
    /// Since when we are ahead of the peer.
    pub(super) ahead: Option<Instant>,
    /// The peer never reported this volume on this connection: it does not have it.
    pub absent: bool,
    /// How often the block device is open; the driver keeps it up to date with each event.
    pub open_count: u32,
    /// The lower devices as they are now, 0 without a disk; the driver keeps it up to date with
    /// each event.
    pub lower: LowerSizes,
    /// The volume grew by a command here, and the peer has not said yet what it has.
    pub resize_pending: bool,
    /// The generation of a resync that the source began before its answer to our request for it was
    /// read: that comes on the other socket. Of the last request only.
    pub early_sync_uuid: Option<u64>,
    /// The volume grew while one of the disks was not there: what is new has to be resynced when
    /// both are.
    pub grew_alone: bool,
}

impl VolumeRecord {
    /// A volume that was just configured.
    pub fn new(number: u16, minor: u32) -> Self {
        Self {
            number,
            minor,
            state: DeviceState::INITIAL,
            disk: None,
            options: DiskOptions::default(),
            capacity: 0,
            peer_uuids: None,
            peer_bio_bytes: 0,
            peer_size: 0,
            exposed_uuid: 0,
            left_uuid: 0,
            left_unmarked: false,
            abandoned: false,
            crashed_primary: false,
            consider_resync: false,
            negotiating: None,
            bitmap_received: false,
            starting: None,
            failing: None,
            parts_first: false,
            parted_at: None,
            owes_generation: false,
            unmerged: false,
            told_bits: 0,
            bits: 0,
            verify: VerifyRange::default(),
            dirty: false,
            drain: Drain::None,
            since: None,
            relieved: None,
            frozen: None,
            ahead: None,
            absent: false,
            target_done: false,
            tells_end: false,
            unheard: false,
            open_count: 0,
            lower: LowerSizes::default(),
            resize_pending: false,
            early_sync_uuid: None,
            grew_alone: false,
        }
    }

    /// Whether the peer's bitmap is awaited. One that comes at another time belongs to an exchange
    /// that was given up, and means nothing any more.
    pub fn awaits_bitmap(&self) -> bool {
        matches!(self.state.conn, ConnState::WfBitMapS | ConnState::WfBitMapT)
    }

    /// Whether what the peer sends has to wait: a handler is being asked whether this volume may
    /// become inconsistent.
    pub fn holds_peer(&self) -> bool {
        self.starting.is_some_and(|starting| starting.is_target())
    }

    /// Whether the disk is the one that was given up while the peer's went on being written. (Not
    /// if it has gone its own way before: then both have data of their own, and the generations
    /// say so.)
    pub(super) fn misses_writes(&self) -> bool {
        let uuids = self.disk.as_ref().map(|disk| disk.superblock.uuids);
        self.left_uuid != 0
            && uuids.is_some_and(|u| u.current & !1 == self.left_uuid & !1 && u.may_be_shared())
    }

    /// Whether the peer told that our generation is a former one of its own.
    pub(super) fn peer_was_ahead(&self) -> bool {
        let (Some(disk), Some(peer)) = (&self.disk, &self.peer_uuids) else {
            return false;
        };
        let own = disk.superblock.uuids.current & !1;
        [peer.bitmap, peer.history0, peer.history1]
            .iter()
            .any(|&former| former & !1 == own)
    }

    /// The disk, if its state is at least `least` (so that it may be used for that).
    pub fn disk_at_least(&self, least: DiskState) -> Option<&Disk> {
        self.disk.as_ref().filter(|_| self.state.disk >= least)
    }

    /// Whether there is a disk whose generation the peer may have, or get.
    pub(super) fn shares_generation(&self) -> bool {
        let disk = self.disk.as_ref();
        disk.is_some_and(|disk| disk.superblock.uuids.may_be_shared())
    }
}

impl UuidReport {
    /// The generations that are reported.
    pub fn uuids(&self) -> Uuids {
        Uuids {
            current: self.current,
            bitmap: self.bitmap,
            history: [self.history0, self.history1],
        }
    }

    /// Reports other generations.
    pub fn set_uuids(&mut self, uuids: Uuids) {
        let [history0, history1] = uuids.history;
        self.current = uuids.current;
        self.bitmap = uuids.bitmap;
        self.history0 = history0;
        self.history1 = history1;
    }
}
