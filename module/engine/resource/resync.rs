// SPDX-License-Identifier: GPL-2.0

//! A resync from the exchange of bitmaps to its end.

use crate::engine::ids::{
    BLOCK_SECTORS,
    BLOCK_SIZE,
    SECTOR_SIZE, //
};
use crate::engine::options::{
    DiskOptions,
    OptionSpec, //
};
use crate::engine::state::{
    ConnState,
    DiskState,
    Role, //
};
use crate::engine::volume::{
    DiscardLimits,
    ResyncLimits, //
};
use crate::engine::wire::handshake::Features;
use crate::engine::wire::state::SyncUuid;

use super::effect::Effect;
use super::notice::{
    FullSync,
    Notice, //
};
use super::peer_params::PeerSyncParams;
use super::Step;

/// What the options say. `buffers` are pages; `most` is the largest request, in bytes, `thin` the
/// unit of discards, in bytes.
fn limits_of(options: &DiskOptions, buffers: u32, most: u32, thin: u32) -> ResyncLimits {
    ResyncLimits {
        // Half of the buffers: the rest is for the application.
        in_flight: buffers / 2 * BLOCK_SECTORS as u32,
        // Several have to fit in there.
        request_bytes: most.min((buffers / 8).saturating_mul(BLOCK_SIZE)),
        thin_bytes: thin,
        rate: options.resync_rate,
        plan_ahead: options.c_plan_ahead,
        fill_target: options.c_fill_target,
        delay_target: options.c_delay_target,
        max_rate: options.c_max_rate,
        min_rate: options.c_min_rate,
    }
}

/// The unit of thin resync, in bytes: what the administrator wants (`rs-discard-granularity`), in
/// whole units of the device and of the bitmap. 0: there is none.
fn thin_bytes(wanted: u32, device: DiscardLimits) -> u32 {
    let unit = device.granularity.max(1).saturating_mul(SECTOR_SIZE);
    let most = device.most.min(u32::MAX / SECTOR_SIZE) * SECTOR_SIZE;
    if wanted == 0 || most == 0 {
        return 0;
    }
    let bytes = wanted
        .max(unit)
        .div_ceil(unit)
        .saturating_mul(unit)
        .min(most);
    if bytes % BLOCK_SIZE == 0 {
        bytes
    } else {
        0
    }
}

/// Takes over what the peer says, where it is possible.
fn adopt_rates(options: &mut DiskOptions, told: &PeerSyncParams) {
    let adopt = |name, own: &mut u32, told: u32| {
        let spec = OptionSpec::named(name);
        if spec.is_some_and(|spec| spec.check_number(told.into()).is_ok()) {
            *own = told;
        }
    };
    adopt("resync-rate", &mut options.resync_rate, told.resync_rate);
    if let Some(told) = told.controller {
        adopt("c-plan-ahead", &mut options.c_plan_ahead, told.plan_ahead);
        adopt(
            "c-delay-target",
            &mut options.c_delay_target,
            told.delay_target,
        );
        adopt(
            "c-fill-target",
            &mut options.c_fill_target,
            told.fill_target,
        );
        adopt("c-max-rate", &mut options.c_max_rate, told.max_rate);
    }
}

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
        self.set_resync_limits(volume);
        let tells_digests = side == ConnState::SyncTarget && self.tells_digests(volume);
        self.push(Effect::StartResync {
            volume,
            tells_digests,
        });
    }

    /// Whether a target asks with digests (`csums-alg`, `csums-after-crash-only`).
    fn tells_digests(&self, volume: usize) -> bool {
        let crashed = self.volumes.get(volume).is_some_and(|v| v.crashed_primary);
        let wanted = self.resource.net.as_ref().is_some_and(|net| {
            !net.csums_alg.as_bytes().is_empty() && (crashed || !net.csums_after_crash_only)
        });
        wanted && self.resource.agreed.version >= 89
    }

    /// The peer tells its digests and its rates; both nodes go by what was said last.
    pub(super) fn peer_sync_params(&mut self, volume: usize, params: PeerSyncParams) {
        if let Some(record) = self.volumes.get_mut(volume) {
            adopt_rates(&mut record.options, &params);
            self.set_resync_limits(volume);
        }
        self.peer_digests(volume, &params);
    }

    /// Tells the data path what the options say about the pace of resync and verify.
    pub(super) fn set_resync_limits(&mut self, volume: usize) {
        let buffers = self.resource.net.as_ref().map(|net| net.max_buffers);
        let Some(record) = self.volumes.get(volume) else {
            return;
        };
        let thin = match &record.disk {
            Some(disk) if self.resource.agreed.features.has(Features::THIN_RESYNC) => {
                thin_bytes(record.options.rs_discard_granularity, disk.discard)
            }
            _ => 0,
        };
        let most = self.device_limits(volume).write;
        let limits = limits_of(&record.options, buffers.unwrap_or(0), most, thin);
        self.push(Effect::SetResyncLimits { volume, limits });
    }

    /// Nothing is left to sync.
    pub(super) fn resync_finished(&mut self, volume: usize, failed: u64) {
        let old = self.state(volume);
        // One node pulled ahead meanwhile: there is more to sync by now.
        if old.conn <= ConnState::Connected || old.conn >= ConnState::Ahead {
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

    /// Our part of a resync is over. The report of that ends it for the source, too, but only if it
    /// has taken our last acknowledgements before, and these are on the other socket: the C module
    /// waits for ever otherwise. So it is told when a ping behind them is answered.
    pub(super) fn tell_end_soon(&mut self, volume: usize) {
        if let Some(record) = self.volumes.get_mut(volume) {
            record.tells_end = true;
            record.unheard = true;
            self.push(Effect::Ping);
        }
    }

    /// The peer has our last acknowledgements.
    pub(super) fn tell_ends(&mut self) {
        for volume in 0..self.volumes.len() {
            let record = self.volumes.get_mut(volume);
            let due = record.is_some_and(|record| core::mem::take(&mut record.tells_end));
            if due && self.state(volume).conn >= ConnState::Connected {
                self.send_state(volume);
            }
        }
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
        let why = FullSync::Invalidated;
        self.notice(volume, Notice::FullSync { why });
        self.push(Effect::FillBitmap { volume, set: true });
        if side == ConnState::StartingSyncT {
            let mut wanted = self.state(volume);
            wanted.conn = ConnState::WfSyncUuid;
            self.force(volume, wanted);
            let record = self.volumes.get_mut(volume);
            if let Some(uuid) = record.and_then(|record| record.early_sync_uuid.take()) {
                self.sync_uuid(volume, SyncUuid { uuid });
            }
        } else {
            self.start_resync(volume, ConnState::SyncSource);
        }
    }
}

#[cfg(test)]
#[path = "resync_tests.rs"]
mod tests;
