// SPDX-License-Identifier: GPL-2.0

//! What user space is told of a resource: the blocks of replies, dumps and events.
//!
//! All of it is taken under the resource's core lock, so that it is of one moment.
#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::control::reply::put_block;
use crate::device::Device;
use crate::engine::control::{
    CfgContext,
    ConnectionInfo,
    ConnectionStatistics,
    DeviceInfo,
    DeviceStatistics,
    DiskConf,
    NetConf,
    PeerDeviceInfo,
    PeerDeviceStatistics,
    ResourceInfo,
    ResourceOpts,
    ResourceStatistics,
    SibReason,
    StateInfo, //
};
use crate::engine::meta::superblock::Flags;
use crate::engine::options::{
    FixedBytes,
    FixedStr, //
};
use crate::engine::resource::{
    Disk,
    VolumeRecord, //
};
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role, //
};
use crate::engine::volume::{
    Counters,
    PaceView,
    Progress, //
};
use crate::resource::{
    Core,
    Resource, //
};
use crate::sys::genl::Builder;

/// Sectors that one bit of the bitmap stands for.
const SECTORS_PER_BIT: u64 = 8;

/// History UUIDs that there is room for on netlink; two are used.
const HISTORY_BYTES: usize = 256;

/// Flags of the metadata about the peer, as netlink has them.
const PEER_CONNECTED: u32 = 1 << 0;
const PEER_OUTDATED: u32 = 1 << 1;
const PEER_FULL_SYNC: u32 = 1 << 3;

/// Figures of a device's data path, all of one moment.
#[derive(Clone, Copy, Default)]
pub struct Figures {
    /// Counters.
    pub counters: Counters,
    /// Size of the block device, in sectors.
    pub capacity: u64,
    /// Blocks that the bitmap stands for; 0 without a disk.
    pub blocks: u64,
    /// Blocks out of sync.
    pub out_of_sync: u64,
    /// The running resync or verify.
    pub resync: Option<Progress>,
    /// Blocks that are left of it.
    pub left: u64,
    /// How fast it goes.
    pub pace: PaceView,
    /// The block that a resync looks at next.
    pub cursor: u64,
}

impl Figures {
    /// The figures of a device. Any context.
    pub fn of(device: &Device) -> Self {
        let volume = device.volume.lock();
        let (resync, left) = match volume.verify_progress() {
            Some(verify) => {
                let progress = Progress {
                    total: verify.total,
                    failed: 0,
                    started: verify.started,
                    equal: None,
                };
                (Some(progress), verify.left)
            }
            None => {
                let resync = volume.resync_progress();
                let failed = resync.map_or(0, |resync| resync.failed);
                (resync, volume.out_of_sync().saturating_sub(failed))
            }
        };
        Self {
            counters: volume.counters(),
            capacity: volume.capacity(),
            blocks: volume.bitmap().map_or(0, |bitmap| bitmap.bits()),
            out_of_sync: volume.out_of_sync(),
            resync,
            left,
            cursor: volume.resync_cursor(),
            pace: volume.pace(),
        }
    }
}

/// Why everything about a volume is told.
#[derive(Clone, Copy)]
pub enum About {
    /// Somebody asked.
    Status,
    /// Its state was the first and is the second.
    Change(DeviceState, DeviceState),
    /// A resync gets on.
    Progress,
    /// A handler of that name is called, or came back with that status.
    Helper(&'static str, Option<u32>),
}

/// A resource at one moment.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its values.
    pub core: &'a Core,
}

/// The higher of two roles: Primary, then Secondary, then Unknown.
fn higher(a: Role, b: Role) -> Role {
    match (a, b) {
        (Role::Primary, _) | (_, Role::Primary) => Role::Primary,
        (Role::Secondary, _) | (_, Role::Secondary) => Role::Secondary,
        _ => Role::Unknown,
    }
}

/// What all volumes have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The highest own role.
    pub role: Role,
    /// The highest role of the peer.
    pub peer: Role,
    /// I/O is suspended: by the user, for want of data, for fencing.
    pub suspended: (bool, bool, bool),
}

impl Summary {
    /// Sums volumes up.
    pub fn of(states: impl Iterator<Item = DeviceState>) -> Self {
        let start = Self {
            role: Role::Secondary,
            peer: Role::Unknown,
            suspended: (false, false, false),
        };
        states.fold(start, |sum, state| Self {
            role: higher(sum.role, state.role),
            peer: higher(sum.peer, state.peer),
            suspended: (
                sum.suspended.0 | state.susp,
                sum.suspended.1 | state.susp_nod,
                sum.suspended.2 | state.susp_fen,
            ),
        })
    }

    /// As netlink has it.
    pub fn resource_info(&self) -> ResourceInfo {
        ResourceInfo {
            res_role: self.role as u32,
            res_susp: self.suspended.0,
            res_susp_nod: self.suspended.1,
            res_susp_fen: self.suspended.2,
        }
    }
}

/// State of a volume's disk, as netlink has it.
pub fn device_info(state: DeviceState) -> DeviceInfo {
    DeviceInfo {
        dev_disk_state: state.disk as u32,
    }
}

/// State of a volume at the peer, as netlink has it.
pub fn peer_device_info(state: DeviceState) -> PeerDeviceInfo {
    PeerDeviceInfo {
        peer_repl_state: state.conn.max(ConnState::WfReportParams) as u32,
        peer_disk_state: state.peer_disk as u32,
        peer_resync_susp_user: state.user_isp.into(),
        peer_resync_susp_peer: state.peer_isp.into(),
        peer_resync_susp_dependency: state.aftr_isp.into(),
    }
}

/// Whether new requests of applications have to wait.
pub fn is_blocked(state: DeviceState) -> bool {
    let conn = matches!(
        state.conn,
        ConnState::StartingSyncS
            | ConnState::StartingSyncT
            | ConnState::WfBitMapT
            | ConnState::WfSyncUuid
    );
    let disk = matches!(state.disk, DiskState::Attaching | DiskState::Negotiating);
    conn || disk || state.is_suspended()
}

/// The disk, while it can be used.
fn usable(record: &VolumeRecord) -> Option<&Disk> {
    record.disk_at_least(DiskState::Inconsistent)
}

impl View<'_> {
    /// What all volumes have in common.
    pub fn summary(&self) -> Summary {
        Summary::of(self.core.records.iter().map(|record| record.state))
    }

    /// Whether a connection is configured.
    pub fn is_connected_to_peer(&self) -> bool {
        self.core.decisions.net().is_some()
    }

    /// What a message is about: the resource, its connection if `peer`, and a volume.
    pub fn context(&self, peer: bool, volume: Option<u16>) -> CfgContext {
        let (own, other) = self.resource.addresses();
        let bytes = |address: Option<crate::sys::socket::Address>| {
            address
                .filter(|_| peer)
                .and_then(|a| FixedBytes::new(a.as_bytes()))
        };
        CfgContext {
            ctx_volume: volume.map(u32::from),
            ctx_resource_name: FixedStr::new(self.resource.name.to_bytes()),
            ctx_my_addr: bytes(own),
            ctx_peer_addr: bytes(other),
        }
    }

    /// The resource's options.
    pub fn resource_options(&self) -> ResourceOpts {
        ResourceOpts {
            options: self.core.decisions.options().clone(),
        }
    }

    /// How the peer's writes are kept in order.
    pub fn resource_statistics(&self) -> ResourceStatistics {
        ResourceStatistics {
            res_stat_write_ordering: self.write_ordering(),
        }
    }

    /// 0 none, 1 drain, 2 flush.
    pub fn write_ordering(&self) -> u32 {
        self.core.decisions.write_order() as u32
    }

    /// State of the connection.
    pub fn connection_info(&self) -> ConnectionInfo {
        ConnectionInfo {
            conn_connection_state: self.core.decisions.conn() as u32,
            conn_role: self.summary().peer as u32,
        }
    }

    /// Figures of the connection.
    pub fn connection_statistics(&self) -> ConnectionStatistics {
        ConnectionStatistics {
            conn_congested: false,
        }
    }

    /// The network options, while a connection is configured.
    pub fn net_conf(&self) -> Option<NetConf> {
        let options = self.core.decisions.net()?.clone();
        Some(NetConf { options })
    }

    /// The options and the places of a volume's disk, while it can be used.
    pub fn disk_conf(&self, record: &VolumeRecord, device: &Device) -> Option<DiskConf> {
        usable(record)?;
        let paths = device.paths.lock();
        let paths = paths.as_ref()?;
        Some(DiskConf {
            backing_dev: Some(paths.data),
            meta_dev: Some(paths.meta),
            meta_dev_idx: Some(paths.index),
            options: record.options.clone(),
        })
    }

    /// Figures of a volume.
    pub fn device_statistics(&self, record: &VolumeRecord, device: &Device) -> DeviceStatistics {
        let figures = Figures::of(device);
        let mut statistics = DeviceStatistics {
            dev_size: figures.capacity,
            dev_read: figures.counters.read,
            dev_write: figures.counters.written,
            dev_al_writes: figures.counters.log_writes,
            dev_bm_writes: figures.counters.bitmap_writes,
            dev_upper_pending: figures.counters.application_pending,
            dev_lower_pending: figures.counters.local_pending,
            dev_upper_blocked: is_blocked(record.state),
            dev_exposed_data_uuid: record.exposed_uuid,
            ..DeviceStatistics::default()
        };
        if let Some(disk) = usable(record) {
            let uuids = &disk.superblock.uuids;
            statistics.dev_current_uuid = uuids.current;
            statistics.dev_disk_flags = disk.superblock.flags.0;
            statistics.history_uuids = history(&uuids.history);
        }
        statistics
    }

    /// Figures of a volume at the peer.
    pub fn peer_device_statistics(
        &self,
        record: &VolumeRecord,
        device: &Device,
    ) -> PeerDeviceStatistics {
        let figures = Figures::of(device);
        let failed = figures.resync.map_or(0, |resync| resync.failed);
        let mut statistics = PeerDeviceStatistics {
            peer_dev_received: figures.counters.received,
            peer_dev_sent: figures.counters.sent,
            peer_dev_pending: figures.counters.peer_pending,
            peer_dev_unacked: figures.counters.unanswered,
            peer_dev_out_of_sync: figures.out_of_sync * SECTORS_PER_BIT,
            peer_dev_resync_failed: failed * SECTORS_PER_BIT,
            ..PeerDeviceStatistics::default()
        };
        if let Some(disk) = usable(record) {
            statistics.peer_dev_bitmap_uuid = disk.superblock.uuids.bitmap;
            statistics.peer_dev_flags = peer_flags(disk.superblock.flags);
        }
        statistics
    }

    /// Everything about one volume, in the old form: for `GET_STATUS` and `EVENT`.
    ///
    /// Errors: `EMSGSIZE` if there is no room.
    pub fn put_status(
        &self,
        to: &mut Builder,
        position: usize,
        about: About,
        secrets: bool,
    ) -> Result {
        let record = self.core.records.get(position).ok_or(ENODEV)?;
        let device = self.core.devices.get(position).ok_or(ENODEV)?;
        put_block(to, &self.context(true, Some(record.number)), secrets)?;
        put_block(to, &self.resource_options(), secrets)?;
        if let Some(conf) = self.disk_conf(record, device) {
            put_block(to, &conf, secrets)?;
        }
        if let Some(conf) = self.net_conf() {
            put_block(to, &conf, secrets)?;
        }
        put_block(to, &state_info(record, device, about), secrets)
    }
}

fn state_info(record: &VolumeRecord, device: &Device, about: About) -> StateInfo {
    let figures = Figures::of(device);
    let counters = figures.counters;
    let (reason, change) = match about {
        About::Status => (SibReason::GetStatusReply, None),
        About::Change(old, new) => (SibReason::StateChange, Some((old, new))),
        About::Progress => (SibReason::SyncProgress, None),
        About::Helper(_, None) => (SibReason::HelperPre, None),
        About::Helper(_, Some(_)) => (SibReason::HelperPost, None),
    };
    let mut info = StateInfo {
        sib_reason: Some(reason.number()),
        // An event tells of the moment of the change, even where more has happened since.
        current_state: Some(change.map_or(record.state, |(_, new)| new).pack().0),
        capacity: Some(figures.capacity),
        ed_uuid: Some(record.exposed_uuid),
        prev_state: change.map(|(old, _)| old.pack().0),
        new_state: change.map(|(_, new)| new.pack().0),
        send_cnt: Some(counters.sent),
        recv_cnt: Some(counters.received),
        read_cnt: Some(counters.read),
        writ_cnt: Some(counters.written),
        al_writ_cnt: Some(counters.log_writes),
        bm_writ_cnt: Some(counters.bitmap_writes),
        ap_bio_cnt: Some(counters.application_pending),
        ap_pending_cnt: Some(counters.peer_pending),
        rs_pending_cnt: Some(0),
        ..StateInfo::default()
    };
    if let About::Helper(name, status) = about {
        info.helper = FixedStr::new(name.as_bytes());
        info.helper_exit_code = status;
    }
    if let Some(disk) = usable(record) {
        let uuids = &disk.superblock.uuids;
        let [first, second] = uuids.history;
        let mut bytes = [0; 32];
        for (to, from) in
            bytes
                .chunks_exact_mut(8)
                .zip([uuids.current, uuids.bitmap, first, second])
        {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        info.uuids = FixedBytes::new(&bytes);
        info.disk_flags = Some(disk.superblock.flags.0);
        info.bits_total = Some(figures.blocks);
        info.bits_oos = Some(figures.out_of_sync);
        if record.state.conn.is_sync() {
            let resync = figures.resync.unwrap_or_default();
            info.bits_rs_total = Some(resync.total);
            info.bits_rs_failed = Some(resync.failed);
        }
    }
    info
}

fn history(uuids: &[u64; 2]) -> FixedBytes<HISTORY_BYTES> {
    let mut bytes = [0; HISTORY_BYTES];
    for (to, from) in bytes.chunks_exact_mut(8).zip(uuids) {
        to.copy_from_slice(&from.to_ne_bytes());
    }
    FixedBytes::new(&bytes).unwrap_or_default()
}

fn peer_flags(flags: Flags) -> u32 {
    let mut out = 0;
    if flags.has(Flags::CONNECTED) {
        out |= PEER_CONNECTED;
    }
    if flags.has(Flags::CONSISTENT) && !flags.has(Flags::WAS_UP_TO_DATE) {
        out |= PEER_OUTDATED;
    }
    if flags.has(Flags::FULL_SYNC) {
        out |= PEER_FULL_SYNC;
    }
    out
}
