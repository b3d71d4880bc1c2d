// SPDX-License-Identifier: GPL-2.0

//! The size of a volume: as large as both disks and the administrator allow.

use crate::engine::state::{
    ConnState,
    DiskState,
    Role, //
};
use crate::engine::wire::handshake::Features;
use crate::engine::wire::state::{
    QueueLimits,
    SizeFlags,
    SizeNumbers,
    SizeReport, //
};

use super::effect::{
    Loss,
    Outgoing, //
};
use super::ending::Why;
use super::limits::{
    most_in,
    SAFE_BIO_SIZE, //
};
use super::notice::Notice;
use super::resize::Change;
use super::Step;

/// The smaller of two sizes where 0 means "not known".
fn least_known(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, known) | (known, 0) => known,
        (a, b) => a.min(b),
    }
}

/// What a size depends on beside the own disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Terms {
    /// Size of the peer's disk, 0 if there is none or it is unknown.
    pub(super) peer: u64,
    /// What the administrator asked for, or 0.
    pub(super) user: u64,
    /// The peer, which is not there, will have the room.
    pub(super) peer_has_space: bool,
}

/// The size that a volume gets on a disk that allows `own` sectors at most.
pub(super) fn agreed_size(own: u64, last: u64, terms: Terms) -> u64 {
    let peer = if terms.peer_has_space {
        own
    } else {
        terms.peer
    };
    let possible = if peer != 0 && own != 0 {
        peer.min(own)
    } else if last != 0 {
        least_known(least_known(last, own), peer)
    } else {
        own.max(peer)
    };
    if terms.user != 0 && terms.user <= possible {
        terms.user
    } else {
        possible
    }
}

impl Step<'_> {
    /// Tells the peer our sizes and limits. `flags`: how it shall take them.
    pub(super) fn send_sizes(&mut self, volume: usize, want_reply: bool, flags: SizeFlags) {
        let agreed = self.resource.agreed;
        let Some(record) = self.volumes.get(volume) else {
            return;
        };
        let most = most_in(agreed.version);
        let mut sizes = SizeNumbers {
            disk_size: 0,
            user_size: 0,
            current_size: if want_reply { 0 } else { record.capacity },
            // Whatever the lower device takes in one piece: there it is split.
            max_bio_size: most,
            // Flushes are honoured on both devices (`QUEUE_ORDERED_NONE` is all that 8.4 says).
            queue_order_type: 0,
            flags,
        };
        let mut limits = QueueLimits::default();
        if let Some(disk) = record.disk_at_least(DiskState::Negotiating) {
            // What is possible now, though the metadata may have to move for it: both nodes have
            // to come to the same size by what they tell each other.
            let plan = record.plan(None, record.terms(0));
            sizes.disk_size = plan.map_or(disk.max_capacity, |plan| plan.max_capacity);
            sizes.user_size = record.options.size;
            limits = disk.limits;
        }
        let limits = agreed.features.has(Features::WSAME).then_some(limits);
        self.send(volume, Outgoing::Sizes(SizeReport { sizes, limits }));
    }

    /// The peer told its sizes.
    pub(super) fn peer_sizes(&mut self, volume: usize, report: SizeReport) {
        let sizes = report.sizes;
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        record.peer_size = sizes.disk_size;
        record.peer_bio_bytes = sizes.max_bio_size;
        if let Some(disk) = &mut record.disk {
            // The C module goes by it while it is alone.
            let told = sizes.max_bio_size.max(SAFE_BIO_SIZE);
            record.dirty |= disk.superblock.peer_max_bio_size != told;
            disk.superblock.peer_max_bio_size = told;
        }
        // The lower device has changed, and the peer does not know yet what is possible now.
        let disk = record.disk.as_ref();
        let unheard = disk.is_some_and(|disk| record.lower != disk.laid_out_for);
        let has_disk = disk.is_some();
        // Before the size: with it, nothing is under way that the peer does not take.
        self.set_limits(volume);
        let grew = if has_disk {
            self.size_with_disk(volume, sizes)
        } else {
            self.size_without_disk(volume, sizes)
        };
        let Some(grew) = grew else {
            return;
        };
        if self.state(volume).conn <= ConnState::WfReportParams {
            return;
        }
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        let pending = core::mem::take(&mut record.resize_pending);
        // A size of 0 asks for an answer.
        if sizes.current_size != record.capacity || unheard {
            self.send_sizes(volume, false, sizes.flags);
        }
        if pending || (grew && self.state(volume).conn == ConnState::Connected) {
            self.sync_growth(volume, sizes.flags.has(SizeFlags::NO_RESYNC));
        }
    }

    /// Takes the peer's sizes into account; whether the volume grew, or `None` if that ends here.
    fn size_with_disk(&mut self, volume: usize, sizes: SizeNumbers) -> Option<bool> {
        let record = self.volumes.get(volume)?;
        let state = record.state;
        let user = if state.conn == ConnState::WfReportParams {
            least_known(record.options.size, sizes.user_size)
        } else {
            sizes.user_size
        };
        let plan = record.plan(None, record.terms(user))?;
        let (new, current) = (plan.sectors, record.capacity);
        if new == 0 {
            return None;
        }
        let usable = state.disk >= DiskState::Outdated && state.disk != DiskState::DUnknown;
        let fresh = state.conn < ConnState::Connected || state.peer_disk == DiskState::Diskless;
        if new < current && usable && fresh {
            return self.refuse_size(volume, new, current);
        }
        self.volumes.get_mut(volume)?.options.size = user;
        let clean = sizes.flags.has(SizeFlags::NO_RESYNC);
        Some(self.put_in_force(volume, plan, clean) == Change::Grew)
    }

    /// Without a disk, the peer's present size is the one that counts.
    fn size_without_disk(&mut self, volume: usize, sizes: SizeNumbers) -> Option<bool> {
        let record = self.volumes.get(volume)?;
        let current = record.capacity;
        let told = [sizes.current_size, sizes.user_size, sizes.disk_size];
        let new = told.into_iter().find(|&size| size != 0)?;
        if current != 0 && sizes.disk_size == 0 {
            // It has no disk either.
            return Some(false);
        }
        if new < current && record.state.role == Role::Primary {
            return self.refuse_size(volume, new, current);
        }
        self.set_capacity(volume, new);
        Some(false)
    }

    /// The peer's disk is too small for the data that is in use.
    fn refuse_size(&mut self, volume: usize, possible: u64, current: u64) -> Option<bool> {
        let notice = Notice::PeerTooSmall { possible, current };
        self.notice(volume, notice);
        self.leave(Why::Lost(Loss::ProtocolError));
        None
    }
}
