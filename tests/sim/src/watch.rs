// SPDX-License-Identifier: GPL-2.0

//! What a change of states means for what applications may expect.

use tandem_engine::engine::state::{ConnState, DeviceState, DiskState, Role};

use crate::world::World;

impl World {
    /// Follows what a state change means for the application.
    pub(crate) fn watch(&mut self, n: usize, old: DeviceState, new: DeviceState) {
        if old.role != Role::Primary && new.role == Role::Primary {
            self.promoting(n);
        }
        let alone = new.conn < ConnState::Connected
            || new.conn == ConnState::Ahead
            || new.peer_disk < DiskState::Inconsistent;
        if new.role == Role::Primary && alone {
            // It starts a generation of its own.
            self.oracle.behind[1 - n] |= new.disk == DiskState::UpToDate;
            self.oracle.went_on[n] |= new.disk == DiskState::UpToDate;
            let other = &self.nodes[1 - n];
            // Both disks came at the same time, and each took the other one for missing.
            let s = other.state();
            let both = [s.disk, new.disk] == [DiskState::UpToDate; 2]
                && s.peer_disk < DiskState::Inconsistent;
            let apart = new.conn < ConnState::Connected || both;
            if self.oracle.dual && apart && other.up && s.role == Role::Primary {
                self.oracle.split = true;
            }
        }
        if old.disk > DiskState::Failed && new.disk == DiskState::Failed {
            self.gives_up(n, new);
        }
        if new.role == Role::Primary && new.disk < DiskState::Inconsistent {
            // The peer starts one.
            self.oracle.behind[n] = true;
        }
        let synced = old.conn == ConnState::SyncTarget
            && new.conn == ConnState::Connected
            && new.disk == DiskState::UpToDate;
        if synced && !self.oracle.went_on[1 - n] {
            // Its source may not know it yet.
            self.oracle.behind[n] = false;
            self.oracle.missed[n] = false;
            self.oracle.synced = true;
        }
        self.oracle.may_look_split |= may_look_split(old, new, self.oracle.behind[n]);
        let lives_on_peer = new.disk < DiskState::UpToDate
            && new.conn >= ConnState::Connected
            && new.peer_disk == DiskState::UpToDate;
        let cut = old.conn >= ConnState::Connected && new.conn < ConnState::Connected;
        let apart = old.conn < ConnState::Connected && new.conn < ConnState::Connected;
        let fails = apart && old.disk == DiskState::UpToDate && new.disk < DiskState::UpToDate;
        if new.role == Role::Primary && (cut && old.disk < DiskState::UpToDate || fails) {
            // What was in the send buffer only is lost, or is on a disk that nobody has.
            self.oracle.torn = true;
        }
        if new.role == Role::Primary && lives_on_peer && self.oracle.torn {
            let Self { nodes, oracle, .. } = self;
            oracle.take_over(&nodes[1 - n].vol.disk.cached);
        }
        if new.role == Role::Primary && lives_on_peer && self.oracle.weak[1 - n] {
            // Nobody but the peer has what it shows, and what the peer lost is lost: flushes of a
            // Primary are its own disk's, which is gone.
            let Self { nodes, oracle, .. } = self;
            oracle.live_on(&nodes[1 - n].vol.disk.cached);
        }
        self.look_for_sync();
    }

    /// A node's disk fails, hangs, or is taken away.
    fn gives_up(&mut self, n: usize, new: DeviceState) {
        self.nodes[n].vol.gave_up = true;
        let other = self.nodes[1 - n].state();
        let left = other.conn < ConnState::Connected && other.disk == DiskState::Inconsistent;
        // It counts on a target that has left, as its last acknowledgement says that it has all:
        // the target did not look at that any more.
        self.nodes[1 - n].vol.gave_up |= left && new.peer_disk == DiskState::UpToDate;
    }
}

/// Whether the two may look split from here on although no data went two ways; `behind`: the node
/// lacks what the other one did.
fn may_look_split(old: DeviceState, new: DeviceState, behind: bool) -> bool {
    let gone = |s: DiskState| s < DiskState::Inconsistent;
    let connected = new.conn >= ConnState::Connected;
    // The source's disk is gone, and the target may just have found the end of the resync.
    let ended = old.conn == ConnState::SyncSource && new.role == Role::Primary;
    // Whose disk comes back first is a race, and both may start a generation.
    let race = connected && gone(new.disk) && (gone(new.peer_disk) || ended);
    // It cannot know that its data is not that of a Primary without disk, and starts a generation
    // when that Primary is gone again.
    let met = old.conn < ConnState::Connected && new.conn == ConnState::Connected;
    race || met && gone(new.peer_disk) && new.peer == Role::Primary && behind
}
