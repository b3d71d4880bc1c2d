// SPDX-License-Identifier: GPL-2.0

//! A resync from the exchange of bitmaps to its end.

use crate::engine::state::{
    ConnState,
    DiskState,
    Role, //
};

use super::effect::{
    Effect, //
};
use super::notice::Notice;
use super::Step;

impl Step<'_> {
    /// The peer's bits are merged into ours.
    pub(super) fn bitmap_received(&mut self, volume: usize) {
        match self.state(volume).conn {
            ConnState::WfBitMapT => {
                if let Some(record) = self.volumes.get_mut(volume) {
                    record.unmerged = false;
                }
                // The source waits for ours; ours is sent in the same order as all we say.
                self.push(Effect::SendBitmap { volume });
                let mut wanted = self.state(volume);
                wanted.conn = ConnState::WfSyncUuid;
                self.force(volume, wanted);
            }
            ConnState::WfBitMapS => {
                if let Some(record) = self.volumes.get_mut(volume) {
                    record.bitmap_received = true;
                }
                self.start_resync(volume, ConnState::SyncSource);
            }
            _ => {}
        }
    }

    /// Our bitmap is in the send queue.
    pub(super) fn bitmap_sent(&mut self, _volume: usize) {}

    /// Begins a resync on one side or the other, if the handler before it has nothing against it.
    pub(super) fn start_resync(&mut self, volume: usize, side: ConnState) {
        let waits = self
            .volumes
            .get(volume)
            .is_some_and(|v| v.starting.is_some());
        if !waits && self.may_resync(volume) {
            self.ask_before_resync(volume, side);
        }
    }

    fn may_resync(&self, volume: usize) -> bool {
        let state = self.state(volume);
        let syncing = state.conn >= ConnState::SyncSource && state.conn < ConnState::Ahead;
        !syncing && state.conn >= ConnState::Connected && state.disk >= DiskState::Negotiating
    }

    /// The handler before a resync agreed.
    pub(super) fn begin_resync(&mut self, volume: usize, side: ConnState) {
        if !self.may_resync(volume) {
            return;
        }
        let old = self.state(volume);
        if let Some(record) = self.volumes.get_mut(volume) {
            record.target_done = false;
        }
        let mut wanted = old;
        wanted.conn = side;
        if side == ConnState::SyncTarget {
            wanted.disk = DiskState::Inconsistent;
        } else {
            wanted.peer_disk = DiskState::Inconsistent;
        }
        self.force(volume, wanted);
        if self.state(volume).conn < ConnState::Connected {
            return;
        }
        let blocks = self.volumes.get(volume).map_or(0, |v| v.bits);
        self.notice(volume, Notice::ResyncStarted { blocks });
        if side == ConnState::SyncTarget {
            // The source forgets a block as soon as we have it, durable or not: if we crash, only
            // our own bitmap knows.
            self.push(Effect::SaveBitmap { volume });
        }
        self.push(Effect::StartResync { volume });
    }

    /// Nothing is left to sync.
    pub(super) fn resync_finished(&mut self, volume: usize, failed: u64) {
        let old = self.state(volume);
        if old.conn <= ConnState::Connected {
            return;
        }
        let target = matches!(old.conn, ConnState::SyncTarget | ConnState::PausedSyncT);
        let mut wanted = old;
        wanted.conn = ConnState::Connected;
        wanted.disk = DiskState::UpToDate;
        wanted.peer_disk = DiskState::UpToDate;
        if failed != 0 {
            if target {
                wanted.disk = DiskState::Inconsistent;
            } else {
                wanted.peer_disk = DiskState::Inconsistent;
            }
        } else {
            self.join_generations(volume, target);
        }
        self.notice(volume, Notice::ResyncDone { failed });
        self.force(volume, wanted);
        self.save(volume);
        self.tell_resync_end(volume, old);
    }

    /// Both nodes now have the same data: the same generations too.
    fn join_generations(&mut self, volume: usize, target: bool) {
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        let primary = record.state.role == Role::Primary;
        let Some(disk) = &mut record.disk else {
            return;
        };
        let own = &mut disk.superblock.uuids;
        match &record.peer_uuids {
            Some(peer) if target => own.finish_as_target(&peer.uuids(), primary),
            _ => own.finish_as_source(),
        }
        record.exposed_uuid = own.current;
        if let Some(peer) = &mut record.peer_uuids {
            peer.set_uuids(*own);
        }
        record.dirty = true;
    }

    /// A full resync that the administrator asked for begins.
    pub(super) fn start_full_sync(&mut self, volume: usize, side: ConnState) {
        self.push(Effect::FillBitmap { volume, set: true });
        if side == ConnState::StartingSyncT {
            let mut wanted = self.state(volume);
            wanted.conn = ConnState::WfSyncUuid;
            self.force(volume, wanted);
        } else {
            self.start_resync(volume, ConnState::SyncSource);
        }
    }
}
