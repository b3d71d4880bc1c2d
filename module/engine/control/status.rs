// SPDX-License-Identifier: GPL-2.0

//! Blocks of replies about one minor, and of the old broadcast `EVENT`.

use super::block::attr_block;
use crate::engine::options::{
    FixedBytes,
    FixedStr, //
};

/// Bytes of the four UUIDs in [`StateInfo::uuids`]; native byte order each.
const UUIDS_SIZE: usize = 32;

attr_block! {
    /// Words to a reply code. There may be several such attributes in one block; the last counts.
    pub struct CfgReply: 1 "drbd_cfg_reply" {
        /// What is wrong.
        info_text: Option<FixedStr<127>> = 1,
    }
}

attr_block! {
    /// Everything about one minor: reply to `GET_STATUS`, and body of an `EVENT`.
    pub struct StateInfo: 8 "state_info" {
        /// See [`SibReason`].
        sib_reason: Option<u32> = 1 [required],
        /// State of the minor, as DRBD packs it into 32 bits.
        current_state: Option<u32> = 2 [required],
        /// Size, in sectors.
        capacity: Option<u64> = 3,
        /// UUID of the data that applications have seen.
        ed_uuid: Option<u64> = 4,
        /// State before; in an event about a state change.
        prev_state: Option<u32> = 5,
        /// State after; in an event about a state change.
        new_state: Option<u32> = 6,
        /// Current, bitmap and two history UUIDs; with a disk only.
        uuids: Option<FixedBytes<UUIDS_SIZE>> = 7,
        /// Flags of the metadata; with a disk only.
        disk_flags: Option<u32> = 8,
        /// Bits of the bitmap; with a disk only.
        bits_total: Option<u64> = 9,
        /// Bits set in it; with a disk only.
        bits_oos: Option<u64> = 10,
        /// Bits to resync when the resync began; during a resync or verify only.
        bits_rs_total: Option<u64> = 11,
        /// Bits that could not be resynced; during a resync or verify only.
        bits_rs_failed: Option<u64> = 12,
        /// Name of the handler; in an event about a handler.
        helper: Option<FixedStr<31>> = 13,
        /// Its exit status; in an event after a handler.
        helper_exit_code: Option<u32> = 14,
        /// Data sent, in sectors.
        send_cnt: Option<u64> = 15,
        /// Data received, in sectors.
        recv_cnt: Option<u64> = 16,
        /// Data read, in sectors.
        read_cnt: Option<u64> = 17,
        /// Data written, in sectors.
        writ_cnt: Option<u64> = 18,
        /// Transactions of the activity log.
        al_writ_cnt: Option<u64> = 19,
        /// Writes of bitmap pages.
        bm_writ_cnt: Option<u64> = 20,
        /// Requests of applications under way.
        ap_bio_cnt: Option<u32> = 21,
        /// Requests to the peer that it has not answered.
        ap_pending_cnt: Option<u32> = 22,
        /// Resync requests that the peer has not answered.
        rs_pending_cnt: Option<u32> = 23,
    }
}

impl StateInfo {
    /// One of the four UUIDs: 0 current, 1 bitmap, 2 and 3 history.
    pub fn uuid(&self, index: usize) -> Option<u64> {
        let uuids = self.uuids.as_ref()?;
        let chunk = uuids.as_bytes().chunks_exact(8).nth(index)?;
        Some(u64::from_ne_bytes(chunk.try_into().ok()?))
    }
}

attr_block! {
    /// Reply to `GET_TIMEOUT_TYPE`.
    pub struct TimeoutParms: 11 "timeout_parms" {
        /// See [`TimeoutType`].
        timeout_type: Option<u32> = 1 [required],
    }
}

/// Which of the three timeouts `wait-connect` shall use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutType {
    /// `--wfc-timeout`.
    Default,
    /// `--degr-wfc-timeout`: this was a degraded cluster.
    Degraded,
    /// `--outdated-wfc-timeout`: the peer's disk is outdated.
    PeerOutdated,
}

impl TimeoutType {
    /// The number on netlink.
    pub fn number(self) -> u32 {
        match self {
            TimeoutType::Default => 0,
            TimeoutType::Degraded => 1,
            TimeoutType::PeerOutdated => 2,
        }
    }

    /// The type with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(TimeoutType::Default),
            1 => Some(TimeoutType::Degraded),
            2 => Some(TimeoutType::PeerOutdated),
            _ => None,
        }
    }
}

/// Why a [`StateInfo`] was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SibReason {
    /// It answers `GET_STATUS`.
    GetStatusReply,
    /// The state changed; `prev_state` and `new_state` are there.
    StateChange,
    /// A handler is about to be called; `helper` is there.
    HelperPre,
    /// A handler came back; `helper` and `helper_exit_code` are there.
    HelperPost,
    /// A resync got on.
    SyncProgress,
}

impl SibReason {
    /// The number on netlink.
    pub fn number(self) -> u32 {
        match self {
            SibReason::GetStatusReply => 1,
            SibReason::StateChange => 2,
            SibReason::HelperPre => 3,
            SibReason::HelperPost => 4,
            SibReason::SyncProgress => 5,
        }
    }

    /// The reason with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(SibReason::GetStatusReply),
            2 => Some(SibReason::StateChange),
            3 => Some(SibReason::HelperPre),
            4 => Some(SibReason::HelperPost),
            5 => Some(SibReason::SyncProgress),
            _ => None,
        }
    }
}
