// SPDX-License-Identifier: GPL-2.0

//! Blocks of the four dumps (resources, devices, connections, peer devices) and of the events
//! that go with them. Role, disk and connection states have DRBD's numbers.

use super::block::attr_block;
use crate::engine::options::{
    FixedBytes,
    FixedStr, //
};

/// Room for 32 UUIDs of eight bytes.
const HISTORY_SIZE: usize = 256;

attr_block! {
    /// State of a resource.
    pub struct ResourceInfo: 15 "resource_info" {
        /// Own role.
        res_role: u32 = 1,
        /// I/O is suspended by the user.
        res_susp: bool = 2,
        /// I/O is suspended as no data can be reached.
        res_susp_nod: bool = 3,
        /// I/O is suspended while the peer is fenced.
        res_susp_fen: bool = 4,
    }
}

attr_block! {
    /// State of a device.
    pub struct DeviceInfo: 16 "device_info" {
        /// Own disk state.
        dev_disk_state: u32 = 1,
    }
}

attr_block! {
    /// State of a connection.
    pub struct ConnectionInfo: 17 "connection_info" {
        /// Connection state; never above Connected.
        conn_connection_state: u32 = 1,
        /// Role of the peer.
        conn_role: u32 = 2,
    }
}

attr_block! {
    /// State of a device at the peer.
    pub struct PeerDeviceInfo: 18 "peer_device_info" {
        /// Connection state of this volume, with the resync states.
        peer_repl_state: u32 = 1,
        /// Disk state at the peer.
        peer_disk_state: u32 = 2,
        /// Resync paused by the user here; 0 or 1.
        peer_resync_susp_user: u32 = 3,
        /// Resync paused by the peer; 0 or 1.
        peer_resync_susp_peer: u32 = 4,
        /// Resync waits for another; 0 or 1.
        peer_resync_susp_dependency: u32 = 5,
    }
}

attr_block! {
    /// Figures of a resource.
    pub struct ResourceStatistics: 19 "resource_statistics" {
        /// How writes of the peer are ordered: 0 none, 1 drain, 2 flush.
        res_stat_write_ordering: u32 = 1,
    }
}

attr_block! {
    /// Figures of a device.
    pub struct DeviceStatistics: 20 "device_statistics" {
        /// Size, in sectors.
        dev_size: u64 = 1,
        /// Data read, in sectors.
        dev_read: u64 = 2,
        /// Data written, in sectors.
        dev_write: u64 = 3,
        /// Transactions of the activity log.
        dev_al_writes: u64 = 4,
        /// Writes of bitmap pages.
        dev_bm_writes: u64 = 5,
        /// Requests of applications under way.
        dev_upper_pending: u32 = 6,
        /// Requests to the lower device under way.
        dev_lower_pending: u32 = 7,
        /// New requests of applications must wait.
        dev_upper_blocked: bool = 8,
        /// The lower device is congested.
        dev_lower_blocked: bool = 9,
        /// The activity log is out of use.
        dev_al_suspended: bool = 10,
        /// UUID of the data that applications have seen.
        dev_exposed_data_uuid: u64 = 11,
        /// Current UUID.
        dev_current_uuid: u64 = 12,
        /// Flags of the metadata.
        dev_disk_flags: u32 = 13,
        /// History UUIDs, eight bytes each in native order.
        history_uuids: FixedBytes<HISTORY_SIZE> = 14,
    }
}

attr_block! {
    /// Figures of a connection.
    pub struct ConnectionStatistics: 21 "connection_statistics" {
        /// The send buffer is nearly full.
        conn_congested: bool = 1,
    }
}

attr_block! {
    /// Figures of a device at the peer.
    pub struct PeerDeviceStatistics: 22 "peer_device_statistics" {
        /// Data received from the peer, in sectors.
        peer_dev_received: u64 = 1,
        /// Data sent to the peer, in sectors.
        peer_dev_sent: u64 = 2,
        /// Requests that the peer has not answered.
        peer_dev_pending: u32 = 3,
        /// Requests of the peer that were not answered yet.
        peer_dev_unacked: u32 = 4,
        /// Out of sync, in sectors.
        peer_dev_out_of_sync: u64 = 5,
        /// Could not be resynced, in sectors.
        peer_dev_resync_failed: u64 = 6,
        /// Bitmap UUID.
        peer_dev_bitmap_uuid: u64 = 7,
        /// Flags of the metadata about the peer.
        peer_dev_flags: u32 = 9,
    }
}

attr_block! {
    /// Kind of an event; see [`super::Notification`].
    pub struct NotificationHeader: 23 "drbd_notification_header" {
        /// Type and flags.
        nh_type: u32 = 1,
    }
}

attr_block! {
    /// A handler that was called or came back.
    pub struct HelperInfo: 24 "drbd_helper_info" {
        /// Its name.
        helper_name: FixedStr<31> = 1,
        /// Its exit status, once it came back.
        helper_status: u32 = 2,
    }
}
