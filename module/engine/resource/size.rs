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
use crate::engine::wire::{
    MAX_BIO_SIZE,
    MAX_BIO_SIZE_P95,
    MAX_SIZE_H80_PACKET, //
};

use super::effect::{
    Effect,
    Outgoing, //
};
use super::notice::Notice;
use super::record::{
    Disk,
    VolumeRecord, //
};
use super::Step;

/// The smaller of two sizes where 0 means "not known".
fn least_known(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, known) | (known, 0) => known,
        (a, b) => a.min(b),
    }
}

/// The size that a volume gets, in sectors. `user`: what the administrator asked for, or 0.
pub(super) fn agreed_size(disk: &Disk, peer_size: u64, user: u64) -> u64 {
    let own = disk.max_capacity;
    let last = disk.superblock.last_size;
    let possible = if peer_size != 0 && own != 0 {
        peer_size.min(own)
    } else if last != 0 {
        least_known(least_known(last, own), peer_size)
    } else {
        own.max(peer_size)
    };
    if user != 0 && user <= possible {
        user
    } else {
        possible
    }
}

impl Step<'_> {
    /// Tells the peer our sizes and limits.
    pub(super) fn send_sizes(&mut self, volume: usize, want_reply: bool) {
        let agreed = self.resource.agreed;
        let Some(record) = self.volumes.get(volume) else {
            return;
        };
        let most = match agreed.version {
            ..=94 => MAX_SIZE_H80_PACKET,
            95..=99 => MAX_BIO_SIZE_P95,
            _ => MAX_BIO_SIZE,
        };
        let mut sizes = SizeNumbers {
            disk_size: 0,
            user_size: 0,
            current_size: if want_reply { 0 } else { record.capacity },
            max_bio_size: most,
            // Flushes are honoured on both devices (`QUEUE_ORDERED_NONE` is all that 8.4 says).
            queue_order_type: 0,
            flags: SizeFlags::default(),
        };
        let mut limits = QueueLimits::default();
        if let Some(disk) = record.disk_at_least(DiskState::Negotiating) {
            sizes.disk_size = disk.max_capacity;
            sizes.user_size = record.options.size;
            sizes.max_bio_size = disk.max_bio_bytes.min(most);
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
        let state = record.state;
        let current = record.capacity;
        let (new, user) = new_size(record, sizes);
        if new == 0 {
            return;
        }
        let usable = state.disk >= DiskState::Outdated && state.disk != DiskState::DUnknown;
        let fresh = state.conn < ConnState::Connected || state.peer_disk == DiskState::Diskless;
        let refused = if record.disk.is_some() {
            new < current && usable && fresh
        } else {
            new < current && state.role == Role::Primary
        };
        if refused {
            self.notice(
                volume,
                Notice::PeerTooSmall {
                    possible: new,
                    current,
                },
            );
            return self.leave();
        }
        if let Some(record) = self.volumes.get_mut(volume) {
            record.options.size = user;
        }
        self.resize(volume, new);
        if state.conn > ConnState::WfReportParams && sizes.current_size != new {
            self.send_sizes(volume, false);
        }
    }

    /// Gives the volume its size.
    pub(super) fn resize(&mut self, volume: usize, sectors: u64) {
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        let changed = record.capacity != sectors;
        record.capacity = sectors;
        let mut save = false;
        if let Some(disk) = &mut record.disk {
            save = disk.superblock.last_size != sectors;
            disk.superblock.last_size = sectors;
        }
        if changed {
            self.push(Effect::SetCapacity { volume, sectors });
        }
        if save {
            self.save(volume);
        }
    }
}

/// The size that a report of the peer leads to, 0 to leave it as it is, and what the administrator
/// asks for with it.
fn new_size(record: &VolumeRecord, sizes: SizeNumbers) -> (u64, u64) {
    let Some(disk) = &record.disk else {
        // Without a disk, the peer's present size is the one that counts.
        let told = [sizes.current_size, sizes.user_size, sizes.disk_size];
        let size = told.into_iter().find(|&size| size != 0).unwrap_or(0);
        let ignored = record.capacity != 0 && sizes.disk_size == 0;
        let size = if ignored { 0 } else { size };
        return (size, record.options.size);
    };
    let user = if record.state.conn == ConnState::WfReportParams {
        least_known(record.options.size, sizes.user_size)
    } else {
        sizes.user_size
    };
    (agreed_size(disk, sizes.disk_size, user), user)
}
