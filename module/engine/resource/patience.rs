// SPDX-License-Identifier: GPL-2.0

//! How long the states may last that only the peer can end, and what follows when it does not.
//!
//! The connection works (its pings are answered), but what has to come next does not come. The C
//! module waits for ever, and with it all I/O that such a state holds back. We begin the
//! connection anew; or, when it is only one of several volumes that the peer says nothing of, we
//! go on without the peer for that volume.

use crate::engine::ids::Instant;
use crate::engine::state::{
    ConnState,
    DiskState, //
};

use super::effect::{
    Loss, //
};
use super::notice::Notice;
use super::record::VolumeRecord;
use super::{
    Resource,
    Step, //
};

/// A peer that reported other volumes tells of all of them in one go, in milliseconds.
const ABSENT_MS: u64 = 5_000;

/// The reports at the start of a connection, in milliseconds.
const REPORT_MS: u64 = 30_000;

/// The exchange of bitmaps and what is around it, in milliseconds. It is long because the C module
/// runs its `before-resync-source` handler meanwhile.
const EXCHANGE_MS: u64 = 300_000;

/// Sectors of a volume whose part of the bitmap is sent in a millisecond, at 1 MiB/s (a bit is for
/// 8 sectors).
const BITMAP_SECTORS_PER_MS: u64 = 8 * 8 * 1024;

impl VolumeRecord {
    /// How long the present state may last, in milliseconds; `None`: for ever.
    fn limit(&self) -> Option<u64> {
        use ConnState as C;
        match self.state.conn {
            C::WfReportParams => Some(REPORT_MS),
            C::StartingSyncS | C::StartingSyncT | C::WfBitMapS | C::WfBitMapT | C::WfSyncUuid => {
                Some(EXCHANGE_MS + self.capacity / BITMAP_SECTORS_PER_MS)
            }
            C::SyncSource if self.target_done => Some(REPORT_MS),
            C::Connected if self.state.disk == DiskState::Negotiating => Some(EXCHANGE_MS),
            _ => None,
        }
    }

    fn reported(&self) -> bool {
        self.state.conn >= ConnState::Connected && !self.absent
    }

    /// Whether the peer has begun to tell of this volume: then it has it, and the rest follows.
    fn is_told_of(&self) -> bool {
        self.peer_size != 0 || self.peer_uuids.is_some()
    }
}

impl Resource {
    /// When the engine has to look at the clock ([`super::Event::Tick`]) at the latest. `None`:
    /// it waits for nothing that could fail to come.
    pub fn deadline(&self, volumes: &[VolumeRecord]) -> Option<Instant> {
        let waiting = volumes.iter().filter_map(|v| {
            let (_, since) = v.since?;
            self.limit_in_company(v, volumes)
                .map(|limit| since.plus(limit))
        });
        let promotion = self.pending.and_then(|pending| pending.deadline());
        let rests = volumes.iter().filter_map(VolumeRecord::rest_ends);
        waiting.chain(promotion).chain(rests).min()
    }

    /// The limit of a volume's state, with regard to the other volumes.
    fn limit_in_company(&self, record: &VolumeRecord, volumes: &[VolumeRecord]) -> Option<u64> {
        let limit = record.limit()?;
        let alone = record.state.conn == ConnState::WfReportParams
            && !record.is_told_of()
            && volumes.iter().any(VolumeRecord::reported);
        Some(if alone { ABSENT_MS } else { limit })
    }
}

impl Step<'_> {
    /// Notes which states began to wait, and ends those that waited for too long.
    pub(super) fn look_at_clock(&mut self) {
        let now = self.env.now;
        for record in self.volumes.iter_mut() {
            let conn = record.state.conn;
            record.since = record.limit().map(|_| match record.since {
                Some((state, since)) if state == conn => (state, since),
                _ => (conn, now),
            });
        }
        for volume in 0..self.volumes.len() {
            let Some(record) = self.volumes.get(volume) else {
                return;
            };
            let limit = self.resource.limit_in_company(record, self.volumes);
            let (Some((state, since)), Some(limit)) = (record.since, limit) else {
                continue;
            };
            if now.since(since) < limit {
                continue;
            }
            if limit != ABSENT_MS {
                self.notice(volume, Notice::Overdue { state });
                return self.trouble(Loss::Timeout);
            }
            self.peer_lacks(volume);
        }
    }

    /// The peer answers pings, but not what it has to write.
    pub(super) fn writes_unanswered(&mut self, volume: usize) {
        if self.state(volume).conn >= ConnState::Connected {
            self.notice(volume, Notice::Unanswered);
            self.trouble(Loss::Timeout);
        }
    }

    /// The peer has other volumes, but not this one: as good as a peer without disk.
    fn peer_lacks(&mut self, volume: usize) {
        let mut wanted = self.state(volume);
        wanted.conn = ConnState::Connected;
        wanted.peer_disk = DiskState::Diskless;
        if let Some(record) = self.volumes.get_mut(volume) {
            record.absent = true;
            record.since = None;
        }
        self.notice(volume, Notice::Absent);
        self.force(volume, wanted);
    }

    /// The peer got the volume that it did not have: both sides begin with it anew.
    pub(super) fn peer_has(&mut self, volume: usize) {
        if self.volumes.get(volume).is_some_and(|v| v.absent) {
            let mut wanted = self.state(volume);
            wanted.conn = ConnState::WfReportParams;
            self.introduce(volume);
            self.force(volume, wanted);
        }
    }

    /// Volumes that were configured while the connection was up take part in it.
    pub(super) fn take_in_newcomers(&mut self) {
        let conn = self.resource.conn;
        if conn == ConnState::StandAlone {
            return;
        }
        for volume in 0..self.volumes.len() {
            let mut wanted = self.state(volume);
            if wanted.conn != ConnState::StandAlone {
                continue;
            }
            if conn == ConnState::WfReportParams {
                self.introduce(volume);
            }
            wanted.conn = conn;
            self.force(volume, wanted);
        }
    }
}

#[cfg(test)]
#[path = "patience_tests.rs"]
mod tests;
