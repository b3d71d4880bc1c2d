// SPDX-License-Identifier: GPL-2.0

//! What an administrator can do about what the kernel log says.
#![forbid(unsafe_code)]

use crate::engine::resource::Notice;
use crate::{
    disk_words,
    size_words, //
};

/// What an administrator can do about a notice; nothing if nothing is wrong.
pub fn on(notice: Notice) -> &'static str {
    match notice {
        Notice::VersionMismatch { .. } => {
            "install versions that share a protocol on both nodes, then connect again"
        }
        Notice::Incompatible(_) | Notice::DifferentDigest { .. } => {
            "make that option equal on both nodes, then connect again"
        }
        Notice::NeedsProtocol { .. } => "update the older node, then connect again",
        Notice::OnlyVolumeZero { .. } => "update the peer, or make resources of other volumes",
        Notice::UnrelatedData => {
            "check that both nodes mean the same volume; to give one node's data up, create its \
             metadata anew (create-md) and connect again"
        }
        Notice::SplitBrain { .. } => {
            "choose the node whose changes shall be lost, make it Secondary, and connect it with \
             --discard-my-data; connect the other one as usual"
        }
        Notice::PrimaryWouldBeTarget
        | Notice::InconsistentSource
        | Notice::WrongData { .. }
        | Notice::ResyncForbidden { .. }
        | Notice::Refused { .. } => on_roles(notice),
        Notice::PeerTooSmall { .. } => size_words::PEER_TOO_SMALL,
        Notice::SizeTooBig { .. } => "enlarge the lower devices of both nodes, or ask for less",
        Notice::FenceBroken { .. } => {
            "make the handler fence-peer return 3 to 7; if I/O is frozen, connect the nodes \
             again, or resume-io once the peer is surely not Primary"
        }
        Notice::ForcedSplitBrain => {
            "make sure that the peer is not Primary, or both nodes' data will part"
        }
        Notice::Overdue { .. } => "look at the peer's log; the connection begins anew by itself",
        Notice::Unanswered => "look at the peer's disk and load",
        Notice::Absent => "configure the volume on the peer too, or remove it here",
        Notice::Broken { .. } => {
            "report this bug with the log and /sys/kernel/debug/tandem/broken; \
             if the disk is gone, attach it again"
        }
        Notice::DiskFailed | Notice::DiskTimeout => disk_words::DISK_FAILED,
        Notice::Agreed { .. }
        | Notice::WriteOrder { .. }
        | Notice::LoggedIn { .. }
        | Notice::UsingDigest { .. }
        | Notice::VerifyDone
        | Notice::Compared { .. }
        | Notice::FullSync { .. }
        | Notice::Resized { .. }
        | Notice::GrowthIsSynced
        | Notice::GrowthIsClean
        | Notice::TooLarge
        | Notice::BadPacket { .. }
        | Notice::Congested { .. }
        | Notice::ResyncStarted { .. }
        | Notice::ResyncDone { .. }
        | Notice::SplitBrainSolved { .. }
        | Notice::SplitBrainByHand { .. }
        | Notice::GaveUpRole
        | Notice::DryRun { .. }
        | Notice::OverwritesPrimary
        | Notice::UnfitToFence
        | Notice::FenceIgnored
        | Notice::Fenced { .. }
        | Notice::Forced => "",
    }
}

/// What to do when the nodes cannot agree on whose data is right, or may not go by it.
fn on_roles(notice: Notice) -> &'static str {
    match notice {
        Notice::PrimaryWouldBeTarget => {
            "stop using the device here, make this node Secondary, and connect again"
        }
        Notice::InconsistentSource => {
            "make the node with the good data Primary (primary --force there), or invalidate the \
             other one, then connect again"
        }
        Notice::WrongData { .. } => {
            "connect to the node that this one was connected to before, or make this one \
             Secondary first"
        }
        Notice::ResyncForbidden { .. } => {
            "see why the handler before-resync-target or before-resync-source refused, then \
             connect again"
        }
        _ => "see both nodes' roles and disks, change what is wrong, then connect again",
    }
}
