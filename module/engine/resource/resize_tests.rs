// SPDX-License-Identifier: GPL-2.0

//! Tests of what a change of size does, in which order, and of what is refused. Whole stories of
//! two nodes are in `tests/sim`.

use super::resize::SizeWish;
use super::size::{
    agreed_size,
    Terms, //
};
use super::verify_tests::Effects;
use super::{
    Admin,
    Disk,
    Effect,
    Env,
    Event,
    LowerSizes,
    Outgoing,
    RarePacket,
    Resource,
    Token,
    VolumeRecord, //
};
use crate::engine::control::RetCode;
use crate::engine::ids::Instant;
use crate::engine::meta::activity_log_block::Ring;
use crate::engine::meta::geometry::{
    Geometry,
    Layout, //
};
use crate::engine::meta::superblock::{
    Flags,
    Superblock, //
};
use crate::engine::state::{
    ConnState as C,
    DiskState as D,
    Role, //
};
use crate::engine::wire::state::{
    QueueLimits,
    SizeFlags, //
};
use std::vec;
use std::vec::Vec;

/// Sectors of the lower device: 1 GiB.
const LOWER: u64 = 2 << 20;

pub(super) struct Node {
    pub(super) resource: Resource,
    pub(super) volumes: Vec<VolumeRecord>,
}

/// A Primary with good disks on both sides, whose peer's disk is as large as ours may become.
pub(super) fn primary(layout: Layout, conn: C) -> Node {
    let geometry = Geometry::new(layout, LOWER, Ring::DEFAULT).unwrap();
    let sizes = LowerSizes {
        data: LOWER,
        meta: LOWER,
    };
    let max_capacity = geometry.max_data_sectors(LOWER);
    let mut superblock = Superblock::created(&geometry, 7);
    superblock.last_size = max_capacity;
    superblock.flags = Flags::CONSISTENT.with(Flags::WAS_UP_TO_DATE);
    let mut record = VolumeRecord::new(0, 0);
    record.disk = Some(Disk {
        superblock,
        geometry,
        laid_out_for: sizes,
        max_capacity,
        limits: QueueLimits::default(),
        discard: Default::default(),
    });
    record.lower = sizes;
    record.capacity = max_capacity;
    record.peer_size = 8 * LOWER;
    record.state.conn = conn;
    (record.state.role, record.state.peer) = (Role::Primary, Role::Secondary);
    (record.state.disk, record.state.peer_disk) = (D::UpToDate, D::UpToDate);
    let mut resource = Resource::default();
    resource.agreed.version = 101;
    Node {
        resource,
        volumes: vec![record],
    }
}

impl Node {
    fn lower_has(&mut self, sectors: u64) {
        self.volumes[0].lower = LowerSizes {
            data: sectors,
            meta: sectors,
        };
    }

    pub(super) fn feed(&mut self, event: Event) -> Vec<Effect> {
        self.feed_at(0, event)
    }

    pub(super) fn feed_at(&mut self, now_ms: u64, event: Event) -> Vec<Effect> {
        let mut effects = Effects::default();
        let env = Env {
            now: Instant(now_ms),
            random: 1,
        };
        self.resource
            .handle(&mut self.volumes, env, event, &mut effects);
        effects.0
    }

    pub(super) fn packet(&mut self, packet: RarePacket) -> Vec<Effect> {
        self.feed(Event::Packet { volume: 0, packet })
    }

    fn resize(&mut self, wish: SizeWish) -> (RetCode, Vec<Effect>) {
        let effects = self.feed(Event::Admin(Token(1), Admin::Resize { volume: 0, wish }));
        let code = effects.iter().find_map(|effect| match effect {
            Effect::Answer(_, code) => Some(*code),
            _ => None,
        });
        (code.unwrap(), effects)
    }
}

/// What a resize does to sizes and metadata, in order.
fn steps(effects: &[Effect]) -> Vec<&'static str> {
    let name = |effect: &Effect| match effect {
        Effect::SetCapacity { .. } => Some("capacity"),
        Effect::ResizeBitmap { .. } => Some("bitmap in memory"),
        Effect::SaveBitmap { .. } => Some("bitmap"),
        Effect::SaveSuperblock { .. } => Some("superblock"),
        Effect::MoveMetadata { .. } => Some("move"),
        _ => None,
    };
    effects.iter().filter_map(name).collect()
}

fn sized(size: u64) -> SizeWish {
    SizeWish {
        size,
        ..SizeWish::default()
    }
}

fn shaped(stripes: u32, kib: u32) -> SizeWish {
    SizeWish {
        al_stripes: Some(stripes),
        al_stripe_kib: Some(kib),
        ..SizeWish::default()
    }
}

#[test]
fn a_volume_is_as_large_as_both_disks_allow() {
    let size = |own, last, peer, user, peer_has_space| {
        let terms = Terms {
            peer,
            user,
            peer_has_space,
        };
        agreed_size(own, last, terms)
    };
    assert_eq!(size(100, 0, 0, 0, false), 100);
    assert_eq!(size(100, 60, 0, 0, false), 60);
    assert_eq!(size(100, 60, 0, 0, true), 100);
    assert_eq!(size(100, 60, 80, 0, false), 80);
    assert_eq!(size(50, 60, 80, 0, false), 50);
    assert_eq!(size(50, 60, 0, 0, false), 50);
    assert_eq!(size(100, 60, 80, 70, false), 70);
    assert_eq!(size(100, 60, 80, 90, false), 80);
}

#[test]
fn what_grows_is_there_when_its_metadata_is() {
    let mut node = primary(Layout::Internal, C::Connected);
    node.lower_has(2 * LOWER);
    let (code, effects) = node.resize(SizeWish::default());
    assert_eq!(code, RetCode::NO_ERROR);
    assert_eq!(steps(&effects), ["bitmap in memory", "move", "capacity"]);
    let record = &node.volumes[0];
    let disk = record.disk.as_ref().unwrap();
    assert_eq!(record.capacity, disk.geometry.max_data_sectors(2 * LOWER));
    assert_eq!(disk.superblock.last_size, record.capacity);
    assert!(record.resize_pending);
    let told = effects.iter().find_map(|effect| match effect {
        Effect::Send {
            packet: Outgoing::Sizes(report),
            ..
        } => Some(report.sizes),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!((told.current_size, told.flags), (0, SizeFlags(0)));
    assert_eq!(told.disk_size, disk.max_capacity);
}

#[test]
fn pages_come_before_the_superblock_that_has_their_size() {
    let mut node = primary(Layout::FlexibleExternal, C::Connected);
    node.volumes[0].lower.data = 2 * LOWER;
    let (code, effects) = node.resize(SizeWish::default());
    assert_eq!(code, RetCode::NO_ERROR);
    let expected = ["bitmap in memory", "bitmap", "superblock", "capacity"];
    assert_eq!(steps(&effects), expected);
}

#[test]
fn what_shrinks_is_taken_from_applications_first() {
    let mut node = primary(Layout::Internal, C::Connected);
    let (code, effects) = node.resize(sized(LOWER / 2));
    assert_eq!(code, RetCode::NO_ERROR);
    let expected = ["capacity", "bitmap in memory", "bitmap", "superblock"];
    assert_eq!(steps(&effects), expected);
}

#[test]
fn a_log_of_another_shape_moves() {
    let mut node = primary(Layout::FlexibleExternal, C::Connected);
    let (code, effects) = node.resize(shaped(4, 64));
    assert_eq!(code, RetCode::NO_ERROR);
    assert_eq!(steps(&effects), ["move"]);
    let disk = node.volumes[0].disk.as_ref().unwrap();
    let ring = disk.superblock.ring;
    assert_eq!((ring.stripes, ring.stripe_blocks), (4, 16));
    // The same once more is nothing.
    let (code, effects) = node.resize(shaped(4, 64));
    assert_eq!((code, steps(&effects)), (RetCode::NO_ERROR, vec![]));
}

#[test]
fn a_refused_wish_changes_nothing() {
    use RetCode as R;
    let alone = |wish: SizeWish| SizeWish {
        assume_clean: true,
        ..wish
    };
    let internal = [
        (shaped(1, 28), R::ERR_MD_LAYOUT_TOO_SMALL),
        (shaped(0, 64), R::ERR_MD_LAYOUT_TOO_SMALL),
        // 6433 extents are the most that 32 KiB can hold.
        (shaped(2, 16), R::ERR_MD_LAYOUT_TOO_SMALL),
        (shaped(1025, 16 << 10), R::ERR_MD_LAYOUT_TOO_BIG),
        (shaped(u32::MAX, u32::MAX), R::ERR_MD_LAYOUT_TOO_BIG),
        (shaped(1024, 1024), R::ERR_MD_LAYOUT_NO_FIT),
        (shaped(4, 64), R::ERR_IMPLICIT_SHRINK),
        (
            SizeWish {
                size: LOWER,
                ..shaped(4, 64)
            },
            R::ERR_MD_LAYOUT_NO_FIT,
        ),
    ];
    for (wish, code) in internal {
        let mut node = primary(Layout::Internal, C::Connected);
        node.volumes[0].options.al_extents = 6434;
        refused(node, wish, code);
    }
    let mut node = primary(Layout::Internal, C::Connected);
    node.lower_has(LOWER / 2);
    refused(node, SizeWish::default(), R::ERR_IMPLICIT_SHRINK);
    refused(
        primary(Layout::Indexed(0), C::Connected),
        shaped(4, 64),
        R::ERR_MD_LAYOUT_NO_FIT,
    );
    refused(
        primary(Layout::FlexibleExternal, C::StandAlone),
        shaped(4, 64),
        R::ERR_MD_LAYOUT_CONNECTED,
    );
    let mut node = primary(Layout::Internal, C::StandAlone);
    node.resource.agreed.version = 92;
    refused(node, alone(SizeWish::default()), R::ERR_NEED_APV_93);
    let node = primary(Layout::Internal, C::SyncSource);
    refused(node, SizeWish::default(), R::ERR_RESIZE_RESYNC);
    let mut node = primary(Layout::Internal, C::Connected);
    node.volumes[0].state.role = Role::Secondary;
    refused(node, SizeWish::default(), R::ERR_NO_PRIMARY);
    let mut node = primary(Layout::Internal, C::Connected);
    node.volumes[0].disk = None;
    node.volumes[0].state.disk = D::Diskless;
    refused(node, SizeWish::default(), R::ERR_NO_DISK);
}

fn refused(mut node: Node, wish: SizeWish, code: RetCode) {
    let before = std::format!("{:?}", node.volumes);
    let (answer, effects) = node.resize(wish);
    assert_eq!(answer, code, "{wish:?}");
    assert_eq!(effects.len(), 1, "{wish:?}: {effects:?}");
    assert_eq!(std::format!("{:?}", node.volumes), before, "{wish:?}");
}

#[test]
fn a_primary_that_grows_alone_with_a_shared_generation_starts_its_own() {
    let mut node = primary(Layout::Internal, C::WfConnection);
    node.volumes[0].state.peer_disk = D::DUnknown;
    node.volumes[0].state.peer = Role::Unknown;
    let disk = node.volumes[0].disk.as_mut().unwrap();
    (disk.superblock.uuids.current, disk.superblock.uuids.bitmap) = (0x1000, 0);
    node.lower_has(2 * LOWER);
    let wish = SizeWish {
        assume_peer_has_space: true,
        ..SizeWish::default()
    };
    let (code, _) = node.resize(wish);
    assert_eq!(code, RetCode::NO_ERROR);
    let uuids = node.volumes[0].disk.as_ref().unwrap().superblock.uuids;
    assert_eq!(uuids.bitmap, 0x1000);
    assert_ne!(uuids.current & !1, 0x1000);
}
