// SPDX-License-Identifier: GPL-2.0

//! Fencing: a Primary without peer makes sure that the peer does not go on with old data.
//!
//! The handler `fence-peer` does it. With `resource-and-stonith`, I/O is frozen (`susp_fen`) from
//! the loss of the connection until the peer is known to be outdated, or is connected again.

use crate::engine::options::Fencing;
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role, //
};

use super::handler::{
    Call,
    Handler, //
};
use super::notice::Notice;
use super::Step;

/// A call of `fence-peer` under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fence {
    pub(super) call: Call,
    /// How many connections had been made by then: what the handler says of an earlier time means
    /// nothing.
    connections: u32,
}

/// What became of the wish to fence the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fencer {
    /// The policy asks for nothing.
    NotWanted,
    /// No volume of ours is even Consistent: the peer must not be fenced from here.
    Unfit,
    /// The handler runs; its end is told.
    Called,
}

/// What an exit code of `fence-peer` says.
struct Verdict {
    reason: &'static str,
    disk: Option<DiskState>,
    peer_disk: Option<DiskState>,
}

impl Verdict {
    /// `None` for an exit code without meaning: the handler is broken. `best` is our best disk.
    fn of(status: u8, best: DiskState) -> Option<Self> {
        let peer = |reason, disk| Self {
            reason,
            disk: None,
            peer_disk: Some(disk),
        };
        Some(match status {
            3 => peer("peer is inconsistent or worse", DiskState::Inconsistent),
            4 => peer("peer was fenced", DiskState::Outdated),
            5 if best == DiskState::UpToDate => peer(
                "peer is unreachable, assumed to be dead",
                DiskState::Outdated,
            ),
            5 => Self {
                reason: "peer unreachable, doing nothing since disk != UpToDate",
                disk: None,
                peer_disk: None,
            },
            6 => Self {
                reason: "peer is active",
                disk: Some(DiskState::Outdated),
                peer_disk: None,
            },
            7 => peer("peer was stonithed", DiskState::Outdated),
            _ => return None,
        })
    }
}

impl Step<'_> {
    /// The connection is gone: a Primary sees to it that the peer does not take its place.
    pub(super) fn fence_lost_peer(&mut self) {
        let unknown = |s: &DeviceState| s.peer_disk >= DiskState::DUnknown;
        if self.any_primary() && self.volumes.iter().any(|v| unknown(&v.state)) {
            self.fence_peer();
        }
    }

    /// Calls `fence-peer` if the policy says so.
    pub(super) fn fence_peer(&mut self) -> Fencer {
        match self.fencing_policy() {
            None => {
                self.tell(None, Notice::UnfitToFence);
                self.end_fencing();
                Fencer::Unfit
            }
            Some(Fencing::DontCare) => Fencer::NotWanted,
            Some(_) => {
                if self.resource.fence.is_none() {
                    let call = self.ask_handler(None, Handler::FencePeer);
                    self.resource.fence = Some(Fence {
                        call,
                        connections: self.resource.connections,
                    });
                }
                Fencer::Called
            }
        }
    }

    /// The strictest policy of the volumes with usable data; `None` if there is none of those.
    fn fencing_policy(&self) -> Option<Fencing> {
        self.volumes
            .iter()
            .filter(|v| v.disk_at_least(DiskState::Consistent).is_some())
            .map(|v| v.options.fencing)
            .max_by_key(|fencing| *fencing as u32)
    }

    /// The handler came back.
    pub(super) fn fence_done(&mut self, status: u8) {
        let Some(fence) = self.resource.fence.take() else {
            return;
        };
        let current = fence.connections == self.resource.connections;
        let apart = self.resource.conn < ConnState::WfReportParams && !self.resource.state_sent;
        if current && apart {
            self.judge_fenced(status);
        } else {
            self.tell(None, Notice::FenceIgnored);
        }
        self.promote_fenced(self.peer_is_outdated());
        if !current && apart {
            // The connection came and went meanwhile.
            self.fence_lost_peer();
        }
    }

    fn judge_fenced(&mut self, status: u8) {
        let best = self.volumes.iter().map(|v| v.state.disk).max();
        let verdict = Verdict::of(status, best.unwrap_or(DiskState::Diskless));
        let notice = match &verdict {
            Some(verdict) => Notice::Fenced {
                status,
                reason: verdict.reason,
            },
            None => Notice::FenceBroken { status },
        };
        self.tell(None, notice);
        // A broken handler leaves I/O frozen where it is.
        let Some(verdict) = verdict else {
            return;
        };
        for volume in 0..self.volumes.len() {
            let old = self.state(volume);
            let wanted = DeviceState {
                disk: verdict.disk.unwrap_or(old.disk),
                peer_disk: verdict.peer_disk.unwrap_or(old.peer_disk),
                ..old
            };
            // What the rules forbid does not happen: the volume keeps its state.
            let _ = self.request(volume, wanted);
        }
        if self.peer_is_outdated() {
            self.end_fencing();
        }
    }

    /// Whether no volume of the peer could be promoted.
    fn peer_is_outdated(&self) -> bool {
        self.volumes
            .iter()
            .all(|v| v.state.peer_disk <= DiskState::Outdated)
    }

    /// I/O is no longer frozen by fencing.
    pub(super) fn end_fencing(&mut self) {
        for volume in 0..self.volumes.len() {
            let mut wanted = self.state(volume);
            wanted.susp_fen = false;
            self.force(volume, wanted);
        }
    }

    /// All volumes are connected again: nothing that froze for want of the peer stays so.
    pub(super) fn thaw_connected(&mut self) {
        let apart = |s: &DeviceState| s.conn < ConnState::Connected;
        if self.volumes.iter().any(|v| apart(&v.state)) {
            return;
        }
        for record in self.volumes.iter_mut() {
            // The peer has what was written in the old generation, or the bitmap says what not.
            record.owes_generation = false;
        }
        for volume in 0..self.volumes.len() {
            let mut wanted = self.state(volume);
            wanted.susp_fen = false;
            wanted.susp_nod &= !has_good_data(&wanted);
            self.force(volume, wanted);
        }
    }

    /// A disk came up, here or at the peer: I/O that was frozen for want of data goes on.
    pub(super) fn thaw_attached(&mut self) {
        if self.volumes.iter().all(|v| has_good_data(&v.state)) {
            for volume in 0..self.volumes.len() {
                let mut wanted = self.state(volume);
                wanted.susp_nod = false;
                self.force(volume, wanted);
            }
        }
    }

    /// What freezes one volume freezes the resource.
    pub(super) fn spread_suspension(&mut self, old: DeviceState, new: DeviceState) {
        let flags = |s: &DeviceState| (s.susp, s.susp_nod, s.susp_fen);
        if flags(&old) == flags(&new) {
            return;
        }
        for volume in 0..self.volumes.len() {
            let mut wanted = self.state(volume);
            if flags(&wanted) != flags(&new) {
                (wanted.susp, wanted.susp_nod, wanted.susp_fen) = flags(&new);
                self.force(volume, wanted);
            }
        }
    }

    /// Whether a promotion may still be waited for: the fence handler takes its time.
    pub(super) fn is_fencing(&self) -> bool {
        self.resource.fence.is_some()
    }
}

pub(super) fn has_good_data(s: &DeviceState) -> bool {
    s.role != Role::Primary || s.disk == DiskState::UpToDate || s.peer_disk == DiskState::UpToDate
}

#[cfg(test)]
#[path = "fencing_tests.rs"]
mod tests;
