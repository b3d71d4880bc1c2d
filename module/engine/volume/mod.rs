// SPDX-License-Identifier: GPL-2.0

//! One replicated volume: everything that its data path decides.
//!
//! A [`Volume`] eats one event at a time (its methods) and yields a bounded list of effects. It
//! never sees a payload: application requests are named by [`Ticket`]s, the peer's by
//! [`PeerTicket`]s. Its driver keeps it behind one short lock that interrupts may take; no method
//! sleeps or allocates.
//!
//! How to drive it: call a method, drop the lock, carry out the effects in order; while
//! [`Volume::has_work`], take the lock and call [`Volume::resume`], and so on.
//!
//! What the hot path may not know: roles, connection states and disk states. The resource turns
//! them into a [`Policy`].

mod conflict;
mod congestion;
mod digest;
mod discard;
mod effect;
mod inspect;
mod local;
mod log;
mod mirror;
mod overlap;
mod pace;
mod packet;
mod peer;
mod policy;
mod read;
mod remote;
mod resync;
mod slot;
mod table;
mod thin;
mod unflushed;
mod verify;
mod watch;
mod window;

#[cfg(test)]
mod broken_tests;
#[cfg(test)]
mod counter_tests;
#[cfg(test)]
mod peer_range_tests;
#[cfg(test)]
mod resync_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod thin_tests;

use super::broken::{
    Broken,
    Invariant, //
};
use super::ids::{
    Extent,
    Instant,
    Sequence,
    Ticket, //
};
use super::meta::activity_log::ActivityLog;
use super::meta::bitmap::Bitmap;
use super::storage::Storage;

pub use congestion::{
    Congestion,
    Limit, //
};
pub use discard::{
    DiscardLimits,
    Part,
    PartAction,
    Parts, //
};
pub use effect::{
    AckKind,
    Effects,
    Report,
    VolumeEffect,
    MAX_EFFECTS, //
};
pub use inspect::{
    Aspect,
    PeerGroup,
    PeerRequestView,
    RequestBits,
    RequestView, //
};
pub use local::Refusal;
pub use log::{
    LogUse,
    LogView,
    LogWrite, //
};
pub use mirror::SendView;
pub use overlap::OverlapNode;
pub use pace::{
    PaceView,
    ResyncLimits, //
};
pub use peer::{
    Answer,
    PeerSlot,
    PeerView,
    WantedAck,
    WritePlace, //
};
pub use policy::{
    Conflicts,
    Drain,
    Lead,
    LocalUse,
    MirrorUse,
    Policy,
    RequestLimits,
    ResyncUse, //
};
pub use read::ReadRoute;
pub use remote::{
    PeerRequestError,
    ReadFor, //
};
pub use resync::Progress;
pub use slot::{
    Operation,
    Slot,
    WriteFlags, //
};

pub use verify::{
    VerifyProgress,
    VerifyRange,
    VerifySide, //
};

use overlap::Overlaps;
use table::Table;
use unflushed::Unflushed;

/// The tables of a volume, made by the driver when the volume is configured.
pub struct Tables<S: Storage> {
    /// Application requests.
    pub slots: S::Array<Slot>,
    /// Peer requests.
    pub peers: S::Array<PeerSlot>,
    /// Two per application and per peer request.
    pub overlap_nodes: S::Array<OverlapNode>,
    /// A power of two, about as many as requests.
    pub overlap_heads: S::Array<u32>,
}

/// The on-disk side of a volume's memory; there while a disk is attached.
pub struct DiskTables<S: Storage> {
    /// Which blocks differ from the peer's.
    pub bitmap: Bitmap<S>,
    /// Which extents may have writes in flight.
    pub log: ActivityLog<S>,
}

/// Counters of a volume, as `/proc/drbd` and statistics show them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Sectors sent to the peer (`ns`).
    pub sent: u64,
    /// Sectors received from the peer (`nr`).
    pub received: u64,
    /// Sectors written to the local disk (`dw`).
    pub written: u64,
    /// Sectors read from the local disk (`dr`).
    pub read: u64,
    /// Activity log transactions written (`al`).
    pub log_writes: u64,
    /// Bitmap pages written (`bm`).
    pub bitmap_writes: u64,
    /// Application requests in progress (`ap`).
    pub application_pending: u32,
    /// Requests sent to the peer and not acknowledged (`pe`).
    pub peer_pending: u32,
    /// Requests of the peer not answered (`ua`).
    pub unanswered: u32,
    /// Requests at the local disk (`lo`).
    pub local_pending: u32,
}

/// The state of one volume's data path.
pub struct Volume<S: Storage> {
    policy: Policy,
    capacity: u64,
    slots: Table<S::Array<Slot>>,
    peers: Table<S::Array<PeerSlot>>,
    overlaps: Overlaps<S::Array<OverlapNode>, S::Array<u32>>,
    disk: Option<DiskTables<S>>,
    resync: resync::Resync,
    verify: verify::Verify,
    pace: pace::Pace,
    flight: congestion::Flight,
    log_use: LogUse,
    counters: Counters,
    broken: Broken,
    arrivals: u64,
    /// The number of the packet that was numbered last.
    sequence: u32,
    /// The highest number that came from the peer.
    heard: Sequence,
    /// The receiver has a write whose turn has not come.
    early: bool,
    /// `WriteLog` was yielded and not answered by `log_prepare` yet.
    log_asked: bool,
    /// Waiting requests have to be looked at again.
    retry: bool,
    /// The connection was lost and its requests are still being failed.
    losing: bool,
    /// Held completions have to be given out.
    releasing: bool,
    /// Resync data that was sent has to be forgotten.
    forgetting: bool,
    /// What lets the resync or the verify ask for more.
    asks: window::Asks,
    /// A write of the disk's metadata failed.
    unsaved: bool,
    /// What the application may believe to be written and has not flushed.
    unflushed: Unflushed,
    /// Requests have to be completed without the disk that was given up.
    abandoning: bool,
    /// Requests that were completed although the disk has not answered.
    adrift: u32,
    /// The next read goes to the peer (`round-robin`).
    peers_turn: bool,
    /// How often the peer's disk has ceased to be good.
    peer_failures: u32,
}

impl<S: Storage> Volume<S> {
    /// Makes a volume without disk and without peer, with the memory that it will ever use for
    /// requests.
    // It is large: not in one frame with what moves it to its place.
    #[inline(never)]
    pub fn new(tables: Tables<S>) -> Self {
        let slots = Table::new(tables.slots);
        let local_slots = slots.len();
        Self {
            policy: Policy::default(),
            capacity: 0,
            peers: Table::new(tables.peers),
            overlaps: Overlaps::new(tables.overlap_nodes, tables.overlap_heads, local_slots),
            slots,
            disk: None,
            resync: resync::Resync::default(),
            verify: verify::Verify::default(),
            pace: pace::Pace::default(),
            flight: congestion::Flight::default(),
            log_use: LogUse::default(),
            counters: Counters::default(),
            broken: Broken::default(),
            arrivals: 0,
            sequence: 0,
            heard: Sequence::default(),
            early: false,
            log_asked: false,
            retry: false,
            losing: false,
            releasing: false,
            forgetting: false,
            asks: window::Asks::default(),
            unsaved: false,
            unflushed: Unflushed::Nothing,
            abandoning: false,
            adrift: 0,
            peers_turn: false,
            peer_failures: 0,
        }
    }

    /// The size that requests are checked against, in sectors.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Sets the size, in sectors.
    pub fn set_capacity(&mut self, sectors: u64) {
        self.capacity = sectors;
    }

    /// Gives the volume the tables of a newly attached disk; returns those of the former one.
    pub fn set_disk(&mut self, disk: Option<DiskTables<S>>) -> Option<DiskTables<S>> {
        // What requests hold of the former log means nothing to this one.
        let kept = self.policy.peer_readable;
        self.unflushed.disk_leaves(kept);
        for index in 0..self.slots.len() {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.logged = 0;
                // A flush is the peer's word, too, where that has all that was done.
                slot.former_disk = slot.operation != Operation::Flush || !kept;
            }
        }
        for index in 0..self.peers.len() {
            if let Some(peer) = self.peers.get_mut(index) {
                peer.logged = 0;
            }
        }
        self.retry = true;
        self.unsaved = false;
        if disk.is_some() {
            self.restart_traffic();
            self.counters.read = 0;
            self.counters.written = 0;
        }
        core::mem::replace(&mut self.disk, disk)
    }

    /// Counts anew what is sent to a peer and comes from it, as a new connection begins with.
    pub fn restart_traffic(&mut self) {
        self.counters.sent = 0;
        self.counters.received = 0;
    }

    /// The dirty bitmap, while a disk is attached.
    pub fn bitmap(&self) -> Option<&Bitmap<S>> {
        self.disk.as_ref().map(|disk| &disk.bitmap)
    }

    /// The dirty bitmap, to change it.
    pub fn bitmap_mut(&mut self) -> Option<&mut Bitmap<S>> {
        self.disk.as_mut().map(|disk| &mut disk.bitmap)
    }

    /// Blocks out of sync; 0 without a disk.
    pub fn out_of_sync(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.bitmap.weight())
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters;
        counters.application_pending = self.slots.used();
        counters
    }

    /// Whether one request at most is on its way to the peer (`pe`).
    pub fn is_alone_at_peer(&self) -> bool {
        self.counters.peer_pending <= 1
    }

    /// The policy in force.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Application requests in their slots, completed ones that wait for a barrier included.
    pub fn requests(&self) -> u32 {
        self.slots.used()
    }

    /// Requests of the peer in their slots, resync data that it has not acknowledged included.
    pub fn peer_requests(&self) -> u32 {
        self.peers.used()
    }

    /// Puts another policy in force. Waiting and held requests are looked at again.
    pub fn set_policy(&mut self, policy: Policy, fx: &mut Effects) {
        let mirror_changed = self.policy.mirror != policy.mirror;
        let was_ahead = self.is_ahead();
        if self.policy.peer_readable && !policy.peer_readable {
            self.peer_failures = self.peer_failures.wrapping_add(1);
        }
        self.policy = policy;
        if !policy.primary {
            // Who wrote has closed the device, and flushed it before.
            self.unflushed = Unflushed::Nothing;
        }
        self.forgetting |= self.is_ahead() && !was_ahead;
        self.forget_told_congestion();
        if policy.lead != Lead::None {
            // What is on its way of it comes to its end; another one will begin.
            self.resync.stop();
        }
        if mirror_changed {
            // Writes that went to the peer and writes that did not never share an epoch.
            fx.push(VolumeEffect::FlushStream);
            if policy.mirror == MirrorUse::MarkAndTell && policy.lead == Lead::None {
                // The bitmap is going to be sent: what the peer may still refuse belongs into it.
                self.mark_unanswered();
            }
        }
        if policy.drain == Drain::Own {
            // The last epoch's barrier shall not wait for another write.
            fx.push(VolumeEffect::FlushStream);
        }
        self.check_drained(fx);
        self.retry = true;
        self.releasing |= !policy.hold || !policy.peer_readable;
        self.abandoning = policy.abandon;
        self.resume(fx);
    }

    /// Tells who waits for it that the last request is gone.
    fn check_drained(&mut self, fx: &mut Effects) {
        let left = match self.policy.drain {
            Drain::None => return,
            Drain::Own => self.slots.used(),
            Drain::Peer => self.peers.used(),
        };
        if left == 0 {
            self.policy.drain = Drain::None;
            fx.push(VolumeEffect::Report(Report::Drained));
        }
    }

    /// Marks all writes that the peer may still refuse: which it has not answered, or of which its
    /// disk has said nothing.
    fn mark_unanswered(&mut self) {
        for list in [slot::QUEUED, slot::SENT] {
            let mut next = self.slots.first(list);
            while let Some(index) = next {
                next = self.slots.after(index);
                let Some(&slot) = self.slots.get(index) else {
                    break;
                };
                let open = slot.mirror.is_unanswered() || slot.ack != WantedAck::Written;
                if open && slot.operation != Operation::Read {
                    self.mark(slot.extent);
                }
            }
        }
    }

    /// Whether an earlier step left something to do.
    pub fn has_work(&self) -> bool {
        let unfinished = self.losing || self.releasing || self.forgetting || self.abandoning;
        self.retry || unfinished || self.has_window_again() || self.broken.is_waiting()
    }

    /// Goes on with what earlier steps left.
    pub fn resume(&mut self, fx: &mut Effects) {
        if self.forgetting {
            self.forget_sent(fx);
        }
        if self.abandoning {
            self.abandon_disk(fx);
        }
        if self.losing {
            self.lose_requests(fx);
        }
        if self.releasing && !self.losing {
            self.release_held(fx);
        }
        if self.retry {
            self.retry_waiting(fx);
        }
        if fx.room() != 0 {
            self.ask_for_leaving(fx);
        }
        if self.policy.lead == Lead::Ahead {
            self.look_for_relief(fx);
        }
        if self.has_window_again() {
            self.ask_again(fx);
        }
        if self.broken.is_waiting() {
            self.report_broken(fx);
        }
    }

    /// A step cannot be taken: something is broken.
    #[cold]
    fn raise(&mut self, invariant: Invariant, fx: &mut Effects) {
        self.broken.raise(invariant);
        self.resume(fx);
    }

    /// Reports the invariants that were found broken, as many as fit.
    #[cold]
    fn report_broken(&mut self, fx: &mut Effects) {
        while fx.room() != 0 {
            let Some(invariant) = self.broken.take() else {
                return;
            };
            fx.push(VolumeEffect::Report(Report::Broken(invariant)));
        }
    }

    /// Whether an application request would find a slot.
    pub fn has_room(&self) -> bool {
        self.slots.used() < self.slots.len()
    }

    /// Whether a request of the peer would find a slot.
    pub fn has_peer_room(&self) -> bool {
        self.peers.used() < self.peers.len()
    }

    /// Whether the peer leaves a write without acknowledgement for longer than it may.
    pub fn peer_is_overdue(&self, now: Instant) -> bool {
        let limit_ms = u64::from(self.policy.peer_timeout_ms);
        let overdue = |at: Instant| now.since(at) > limit_ms;
        limit_ms != 0 && self.oldest_unacked().is_some_and(overdue)
    }

    /// When the oldest write was sent that the peer did not acknowledge yet.
    fn oldest_unacked(&self) -> Option<Instant> {
        // A refusal is no answer before its reason is known.
        let refused = self.slots.first(slot::REFUSED);
        let refused = refused.and_then(|i| self.slots.get(i)).map(|s| s.sent_at);
        let mut index = self.slots.first(slot::SENT);
        while let Some(i) = index {
            let slot = self.slots.get(i)?;
            if slot.mirror == slot::Mirror::Sent {
                return Some(refused.map_or(slot.sent_at, |at| at.min(slot.sent_at)));
            }
            index = self.slots.after(i);
        }
        refused
    }

    /// Puts the options in force that say how fast resync and verify go.
    pub fn set_resync_limits(&mut self, limits: ResyncLimits) {
        self.pace.set_limits(limits);
    }

    /// Some time has passed during a resync or a verify, on either side. Called every 100 ms at
    /// least; `disk_sectors` is what the local disk has read and written since ever, for anybody.
    pub fn sync_tick(&mut self, now: Instant, disk_sectors: u64) {
        let left = if self.verify.is_running() {
            self.last_verify().left
        } else {
            self.out_of_sync().saturating_sub(self.resync_failed())
        };
        let waits = self.waits_for_log();
        self.pace.tick(now, left, disk_sectors, waits);
    }

    /// What a monitor shows of the pace of resync or verify.
    pub fn pace(&self) -> PaceView {
        self.pace.view()
    }

    fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    fn find(&mut self, ticket: Ticket) -> Option<&mut Slot> {
        use table::Entry;
        self.slots.get_mut(ticket.index).filter(|slot| {
            slot.links().list() != table::FREE && slot.links().generation() == ticket.generation
        })
    }

    /// Marks a range out of sync, rounding outwards.
    fn mark(&mut self, extent: Extent) {
        if let Some(disk) = &mut self.disk {
            disk.bitmap.set_out_of_sync(extent);
        }
        self.outdate_sent(extent);
    }

    /// Marks a range in sync, rounding inwards.
    fn unmark(&mut self, extent: Extent) {
        if let Some(disk) = &mut self.disk {
            disk.bitmap.set_in_sync(extent);
        }
    }
}
