// SPDX-License-Identifier: GPL-2.0

//! A volume gets another size, or its activity log another shape.
//!
//! What grows is there for applications only when the metadata that goes with it is on disk; what
//! shrinks is taken from them first.

use crate::engine::control::RetCode;
use crate::engine::meta::activity_log_block::Ring;
use crate::engine::meta::geometry::{
    Geometry,
    GeometryError, //
};
use crate::engine::meta::relocation::Relocation;
use crate::engine::state::{
    ConnState,
    DiskState,
    Role, //
};
use crate::engine::wire::state::{
    SizeFlags,
    UuidFlags, //
};

use super::effect::Effect;
use super::event::Token;
use super::notice::Notice;
use super::record::{
    Disk,
    VolumeRecord, //
};
use super::size::{
    agreed_size,
    Terms, //
};
use super::Step;

/// Largest activity log, in KiB.
const LOG_KIB_MAX: u64 = 16 << 20;

/// Smallest activity log, in KiB.
const LOG_KIB_MIN: u64 = 32;

/// KiB of a block of metadata.
const BLOCK_KIB: u32 = 4;

/// What the administrator wants with `resize`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SizeWish {
    /// The size, in sectors; 0: as large as possible.
    pub size: u64,
    /// The peer is not there, but has the space.
    pub assume_peer_has_space: bool,
    /// What is new is equal on both nodes.
    pub assume_clean: bool,
    /// Stripes of the activity log; `None`: as they are.
    pub al_stripes: Option<u32>,
    /// Size of a stripe of it, in KiB; `None`: as it is.
    pub al_stripe_kib: Option<u32>,
}

/// A size that is possible, and where the metadata is then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) sectors: u64,
    geometry: Geometry,
    pub(super) max_capacity: u64,
}

/// How a volume with a disk changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It has the size that it had, or had none before.
    Kept,
    Grew,
    Shrank,
}

impl VolumeRecord {
    /// What the size depends on, with what the administrator wants.
    pub(super) fn terms(&self, user: u64) -> Terms {
        Terms {
            peer: self.peer_size,
            user,
            peer_has_space: false,
        }
    }

    /// The size that is possible now. `ring`: another shape of the log. `None` without a disk, and
    /// if the log does not fit.
    pub(super) fn plan(&self, ring: Option<Ring>, terms: Terms) -> Option<Plan> {
        let disk = self.disk.as_ref()?;
        let geometry = match self.lay_out(disk, ring) {
            Ok(geometry) => geometry,
            Err(_) if ring.is_none() => disk.geometry,
            Err(_) => return None,
        };
        let data = match self.lower.data {
            0 => disk.laid_out_for.data,
            data => data,
        };
        let max_capacity = geometry.max_data_sectors(data);
        let sectors = agreed_size(max_capacity, disk.superblock.last_size, terms);
        Some(Plan {
            sectors,
            geometry,
            max_capacity,
        })
    }

    /// Where the metadata would be on the lower devices as they are now.
    fn lay_out(&self, disk: &Disk, ring: Option<Ring>) -> Result<Geometry, GeometryError> {
        let changed = self.lower.meta != 0 && self.lower != disk.laid_out_for;
        if !changed && ring.is_none() {
            return Ok(disk.geometry);
        }
        let sectors = if self.lower.meta == 0 {
            disk.laid_out_for.meta
        } else {
            self.lower.meta
        };
        let ring = ring.unwrap_or(disk.geometry.ring);
        Geometry::new(disk.geometry.layout, sectors, ring)
    }
}

impl SizeWish {
    /// The shape of the log that is asked for; `None` if it is the present one.
    fn ring(&self, now: Ring) -> Result<Option<Ring>, RetCode> {
        let stripes = self.al_stripes.unwrap_or(now.stripes);
        let blocks = self
            .al_stripe_kib
            .map_or(now.stripe_blocks, |kib| kib / BLOCK_KIB);
        let ring = Ring {
            stripes,
            stripe_blocks: blocks,
        };
        if ring == now {
            return Ok(None);
        }
        let kib = u64::from(stripes)
            .saturating_mul(u64::from(blocks))
            .saturating_mul(u64::from(BLOCK_KIB));
        match kib {
            0..LOG_KIB_MIN => Err(RetCode::ERR_MD_LAYOUT_TOO_SMALL),
            LOG_KIB_MIN..=LOG_KIB_MAX => Ok(Some(ring)),
            _ => Err(RetCode::ERR_MD_LAYOUT_TOO_BIG),
        }
    }
}

impl Step<'_> {
    /// The administrator wants another size.
    pub(super) fn resize_on_demand(&mut self, token: Token, volume: usize, wish: SizeWish) {
        let plan = match self.plan_wish(volume, &wish) {
            Ok(plan) => plan,
            Err(code) => return self.answer(token, code),
        };
        if let Some(record) = self.volumes.get_mut(volume) {
            record.options.size = wish.size;
        }
        if wish.size > plan.sectors {
            let notice = Notice::SizeTooBig {
                wanted: wish.size,
                possible: plan.sectors,
            };
            self.notice(volume, notice);
        }
        let grew = self.put_in_force(volume, plan, wish.assume_clean) == Change::Grew;
        if self.state(volume).conn == ConnState::Connected {
            if let Some(record) = self.volumes.get_mut(volume) {
                record.resize_pending = grew;
            }
            self.send_uuids(volume, UuidFlags::default());
            self.send_sizes(volume, true, wish.flags());
        } else if grew && !wish.assume_clean {
            self.part_with_peer(volume);
        }
        self.answer(token, RetCode::NO_ERROR);
    }

    /// What is possible of a wish, or why nothing is.
    fn plan_wish(&self, volume: usize, wish: &SizeWish) -> Result<Plan, RetCode> {
        let state = self.state(volume);
        let Some((record, disk)) = self.volumes.get(volume).and_then(|record| {
            let disk = record.disk_at_least(DiskState::Inconsistent)?;
            Some((record, disk))
        }) else {
            return Err(RetCode::ERR_NO_DISK);
        };
        if state.conn > ConnState::Connected {
            return Err(RetCode::ERR_RESIZE_RESYNC);
        }
        if state.role == Role::Secondary && state.peer == Role::Secondary {
            return Err(RetCode::ERR_NO_PRIMARY);
        }
        if wish.assume_clean && self.resource.agreed.version < 93 {
            return Err(RetCode::ERR_NEED_APV_93);
        }
        let ring = wish.ring(disk.geometry.ring)?;
        let connected = state.conn == ConnState::Connected;
        if ring.is_some() && !connected && !wish.assume_peer_has_space {
            return Err(RetCode::ERR_MD_LAYOUT_CONNECTED);
        }
        if ring.is_some_and(|ring| u32::from(ring.max_slots()) < record.options.al_extents) {
            // All extents that may be active have to find their place in it.
            return Err(RetCode::ERR_MD_LAYOUT_TOO_SMALL);
        }
        let terms = Terms {
            peer_has_space: wish.assume_peer_has_space && !connected,
            ..record.terms(wish.size)
        };
        let plan = record
            .plan(ring, terms)
            .ok_or(RetCode::ERR_MD_LAYOUT_NO_FIT)?;
        if plan.sectors < disk.superblock.last_size {
            if wish.size > plan.sectors {
                return Err(RetCode::ERR_MD_LAYOUT_NO_FIT);
            }
            if wish.size == 0 {
                return Err(RetCode::ERR_IMPLICIT_SHRINK);
            }
        }
        Ok(plan)
    }

    /// A Primary that grew alone: its data goes its own way, or nobody would resync what is new.
    fn part_with_peer(&mut self, volume: usize) {
        let state = self.state(volume);
        let shared = self
            .volumes
            .get(volume)
            .is_some_and(VolumeRecord::shares_generation);
        if state.role == Role::Primary && state.disk == DiskState::UpToDate && shared {
            let random = self.random();
            self.new_generation(volume, random);
            self.save(volume);
        }
    }

    /// Gives the volume, which has a disk, what was planned. `clean`: what is new is equal on both
    /// nodes.
    pub(super) fn put_in_force(&mut self, volume: usize, plan: Plan, clean: bool) -> Change {
        let Some(record) = self.volumes.get_mut(volume) else {
            return Change::Kept;
        };
        let (sectors, lower) = (plan.sectors, record.lower);
        let smaller = sectors < record.capacity;
        let attaching = record.state.disk < DiskState::Negotiating;
        let Some(disk) = &mut record.disk else {
            return Change::Kept;
        };
        let relocation = Relocation {
            from: disk.geometry,
            to: plan.geometry,
        };
        let last = disk.superblock.last_size;
        let former = disk.superblock;
        disk.superblock.last_size = sectors;
        disk.superblock.set_geometry(&plan.geometry);
        disk.geometry = plan.geometry;
        disk.max_capacity = plan.max_capacity;
        if lower.data != 0 {
            disk.laid_out_for = lower;
        }
        let save = disk.superblock != former;
        if smaller {
            self.set_capacity(volume, sectors);
        }
        if last != sectors {
            self.push(Effect::ResizeBitmap {
                volume,
                sectors,
                // Space that is new was never the same.
                set_new: !clean,
            });
        }
        if relocation.is_needed() {
            self.push(Effect::MoveMetadata { volume, relocation });
        } else if save {
            // A disk that has never had a size is copied in full, whatever its bitmap says.
            if last != sectors && last != 0 {
                self.push(Effect::SaveBitmap { volume });
            }
            if !attaching {
                self.save(volume);
            }
        }
        self.set_capacity(volume, sectors);
        if last == 0 || last == sectors {
            return Change::Kept;
        }
        let notice = Notice::Resized {
            from: last,
            to: sectors,
        };
        self.notice(volume, notice);
        if sectors > last {
            Change::Grew
        } else {
            Change::Shrank
        }
    }

    /// Gives the device its size.
    pub(super) fn set_capacity(&mut self, volume: usize, sectors: u64) {
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        if record.capacity != sectors {
            record.capacity = sectors;
            self.push(Effect::SetCapacity { volume, sectors });
        }
    }

    /// The volume grew: what is new becomes equal on both nodes.
    pub(super) fn sync_growth(&mut self, volume: usize, clean: bool) {
        let state = self.state(volume);
        let both =
            state.disk >= DiskState::Inconsistent && state.peer_disk >= DiskState::Inconsistent;
        if clean {
            self.notice(volume, Notice::GrowthIsClean);
        } else if both {
            self.resync_growth(volume);
        } else if let Some(record) = self.volumes.get_mut(volume) {
            record.grew_alone = true;
        }
    }

    /// Begins the resync of what is new. Both nodes have marked it.
    fn resync_growth(&mut self, volume: usize) {
        let mut wanted = self.state(volume);
        if wanted.conn != ConnState::Connected {
            // The resync that is going on has it too.
            return;
        }
        let source = if wanted.role == wanted.peer {
            self.resource.resolver
        } else {
            wanted.role == Role::Primary
        };
        self.notice(volume, Notice::GrowthIsSynced);
        if source {
            return self.start_resync(volume, ConnState::SyncSource);
        }
        wanted.conn = ConnState::WfSyncUuid;
        self.force(volume, wanted);
    }

    /// Both disks are there, one of which was not when the volume grew.
    pub(super) fn resync_late_growth(&mut self, volume: usize) {
        let state = self.state(volume);
        let known = state.peer_disk > DiskState::Negotiating
            && state.peer_disk != DiskState::DUnknown
            && state.conn >= ConnState::Connected;
        let Some(record) = self.volumes.get_mut(volume) else {
            return;
        };
        if record.grew_alone && known && state.disk > DiskState::Negotiating {
            record.grew_alone = false;
            self.resync_growth(volume);
        }
    }
}

impl SizeWish {
    /// What the peer is told of it.
    fn flags(&self) -> SizeFlags {
        let mut flags = SizeFlags::default();
        if self.assume_peer_has_space {
            flags.0 |= SizeFlags::FORCED.0;
        }
        if self.assume_clean {
            flags.0 |= SizeFlags::NO_RESYNC.0;
        }
        flags
    }
}
