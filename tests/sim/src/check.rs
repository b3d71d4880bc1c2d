// SPDX-License-Identifier: GPL-2.0

//! The checks of the promises.

use tandem_engine::engine::options::OnIoError;
use tandem_engine::engine::state::{ConnState, DiskState, Role};

use crate::story::NAMES;
use crate::verify::ROT;
use crate::world::World;

impl World {
    /// A node is going to be Primary: the generation that it starts may reach its disk even if it
    /// crashes before anybody can use it.
    pub(crate) fn promoting(&mut self, n: usize) {
        if self.oracle.forcing.take() == Some(n) {
            let disk = self.nodes[n].vol.disk.cached.clone();
            self.oracle.adopt(&disk);
            self.oracle.behind = [n == 1, n == 0];
            return;
        }
        if self.unborn() {
            // Both were declared good by force, before they ever met.
            self.oracle.split |= self.oracle.declared.is_some_and(|other| other != n);
            self.oracle.declared = Some(n);
            let disk = self.nodes[n].vol.disk.cached.clone();
            let volume = self.config.volume() as usize;
            return self.oracle.adopt(&disk[..volume]);
        }
        let both = self.nodes[1 - n].state().role == Role::Primary && self.nodes[1 - n].up;
        let together = self.oracle.dual && self.nodes[n].state().conn >= ConnState::Connected;
        if both && !together {
            self.oracle.split = true;
        }
        if !self.oracle.synced && self.oracle.declared == Some(1 - n) {
            // Declared good by force, as the other one was, whose data it never got.
            self.oracle.split = true;
        }
        let serves_itself = self.nodes[n].state().disk == DiskState::UpToDate;
        if serves_itself && !self.oracle.split && self.oracle.behind[n] {
            self.tell(n, || "promoted although it misses writes: split".into());
            self.oracle.split = true;
            self.nodes[n].vol.parting =
                self.oracle.missed[n] && self.nodes[n].state().conn < ConnState::Connected;
        }
    }

    /// A node is Primary, and may be used.
    pub(crate) fn promoted(&mut self, n: usize) {
        // Where that could not be saved, nothing is read from the disk, and nothing kept.
        let serves_itself = self.nodes[n].state().disk == DiskState::UpToDate
            && self.nodes[n].vol.engine.keeps_metadata();
        self.oracle.parted |= core::mem::take(&mut self.nodes[n].vol.parting) && serves_itself;
        if self.unborn() || !serves_itself || self.oracle.split {
            return;
        }
        if self.oracle.torn && !self.oracle.weak[n] {
            self.oracle.take_over(&self.nodes[n].vol.disk.cached);
        }
        let result = self.oracle.check_content(&self.nodes[n].vol.disk.cached, n);
        self.check(result);
        let other = &self.nodes[1 - n];
        if self.oracle.dual && other.up && other.state().role == Role::Primary {
            // Its writes are under way.
            return;
        }
        let (cached, durable) = (
            self.nodes[n].vol.disk.cached.clone(),
            self.nodes[n].vol.disk.durable.clone(),
        );
        self.oracle.settle(n, &cached, &durable);
    }

    /// Nothing was written yet, and the disks were never in sync.
    fn unborn(&self) -> bool {
        !self.oracle.synced && !self.oracle.split && self.oracle.touched.is_empty()
    }

    /// Checks that nothing is left over on a pair that is in sync and idle.
    pub fn check_rest(&mut self) {
        let volume = self.volume;
        for (node, name) in self.nodes.iter().zip(NAMES) {
            let c = node.vol.engine.counters();
            let epochs = node.stream.unacked_epochs();
            let left = [
                ("requests", u64::from(node.vol.engine.requests())),
                (
                    "requests of the peer",
                    u64::from(node.vol.engine.peer_requests()),
                ),
                ("requests without slot", node.vol.parked.len() as u64),
                ("unanswered by the peer", u64::from(c.peer_pending)),
                ("unanswered to the peer", u64::from(c.unanswered)),
                ("at the disk", u64::from(c.local_pending)),
                ("epochs", epochs as u64),
                ("held", u64::from(node.vol.engine.policy().hold)),
                ("events", node.events.len() as u64),
                ("waiting", u64::from(node.records[volume].since.is_some())),
                ("metadata writes", node.vol.meta.len() as u64),
                (
                    "packets",
                    node.conn
                        .as_ref()
                        .map_or(0, |c| (c.tx.len() + c.rx.len()) as u64),
                ),
            ];
            if let Some((what, count)) = left.into_iter().find(|(_, count)| *count != 0) {
                return self.fail(format!("no rest on {name}: {what} {count}"));
            }
        }
    }

    /// An operation of a node's disk failed.
    pub(crate) fn disk_broke(&mut self, n: usize) {
        let node = &self.nodes[n];
        let passed_on = node.records[self.volume].options.on_io_error == OnIoError::PassOn;
        let other = node.state().conn >= ConnState::Connected
            && node.state().peer_disk == DiskState::UpToDate;
        if passed_on && !other {
            // The only good copy is bad, and goes on being used: nothing is promised.
            self.oracle.split = true;
        }
    }

    /// A broken disk was given up, and with it what it had not flushed.
    pub(crate) fn disk_died(&mut self, n: usize) {
        let state = self.nodes[n].state();
        self.oracle.weak[n] = true;
        self.oracle.weak_peer[n] = state.role != Role::Primary;
        let good = state.conn >= ConnState::Connected && state.peer_disk == DiskState::UpToDate;
        if state.role == Role::Primary && good {
            self.oracle.behind[n] = true;
        } else if state.role == Role::Primary {
            // It was the only good copy.
            self.oracle.weaken(n);
        }
    }

    /// A resync starts on a node: what its source lost is lost.
    pub(crate) fn resync_starts(&mut self, n: usize) {
        let source = match self.nodes[n].state().conn {
            ConnState::SyncSource | ConnState::PausedSyncS => n,
            ConnState::SyncTarget | ConnState::PausedSyncT => 1 - n,
            _ => return,
        };
        if source == n {
            self.oracle.went_on[n] = false;
        }
        if self.oracle.weak[source] {
            self.oracle.weaken(source);
            self.oracle.weak = [false; 2];
            self.oracle.weak_peer = [false; 2];
        }
    }

    /// Whether both nodes say that they are in sync.
    pub fn in_sync(&self) -> bool {
        self.nodes.iter().all(|node| {
            let s = node.state();
            node.up
                && s.conn == ConnState::Connected
                && s.disk == DiskState::UpToDate
                && s.peer_disk == DiskState::UpToDate
        })
    }

    /// Whether the two are connected, and neither disk is good since both were given up, one before
    /// the other one was good again.
    pub(crate) fn nobody_is_good(&self) -> bool {
        self.nodes.iter().all(|node| {
            let s = node.state();
            let both = [s.disk, s.peer_disk] == [DiskState::Inconsistent; 2];
            node.up && node.vol.gave_up && s.conn == ConnState::Connected && both
        })
    }

    pub(crate) fn look_for_sync(&mut self) {
        if self.in_sync() {
            if self.oracle.parted {
                self.fail("both nodes served data of their own, and were merged unseen".into());
            }
            for node in &mut self.nodes {
                node.vol.suspect = node.vol.broken;
                node.vol.gave_up = false;
            }
            self.oracle.behind = [false; 2];
            self.oracle.missed = [false; 2];
            self.oracle.weak = [false; 2];
            if self.oracle.torn && !self.oracle.split {
                // What is equal now is what there is.
                let disk = self.nodes[0].vol.disk.cached.clone();
                self.oracle.take_over(&disk);
                self.oracle.torn = false;
            }
            self.oracle.synced = true;
        }
    }

    /// First sector in which the disks differ, where nothing rotted.
    pub fn difference(&self) -> Option<usize> {
        let [a, b] = &self.nodes;
        let volume = a.vol.disk.superblock().last_size as usize;
        let equal = a.vol.disk.cached.iter().zip(&b.vol.disk.cached);
        equal
            .take(volume)
            .position(|(&a, &b)| a != b && a != ROT && b != ROT)
    }

    /// Checks that every difference is marked or covered by a log.
    pub fn check_marks(&mut self) {
        if !self.oracle.synced {
            return;
        }
        let mut suspects: Vec<u64> = Vec::new();
        for &sector in &self.oracle.touched {
            let [a, b] = &self.nodes;
            let [a, b] = [a, b].map(|node| node.vol.disk.cached[sector as usize]);
            if a != b && a != ROT && b != ROT {
                suspects.push(sector / 8);
            }
        }
        suspects.dedup();
        if suspects.is_empty() {
            return;
        }
        let mut covered = Vec::new();
        for node in &mut self.nodes {
            let on_disk = node.vol.disk.bitmap();
            let log = node.vol.disk.log_extents();
            let attached = node.up && node.vol.lower;
            for &block in &suspects {
                let marked = if attached {
                    node.vol.engine.bitmap().is_some_and(|b| b.is_set(block))
                } else {
                    on_disk.is_set(block)
                };
                if marked || log.contains(&((block / 1024) as u32)) {
                    covered.push(block);
                }
            }
        }
        for block in suspects {
            if !covered.contains(&block) {
                let [a, b] = &self.nodes;
                let i = block as usize * 8;
                let text = format!(
                    "block {block} differs and nobody knows: a {:?} b {:?}",
                    &a.vol.disk.cached[i..i + 8],
                    &b.vol.disk.cached[i..i + 8]
                );
                return self.fail(text);
            }
        }
    }

    /// Checks that disks which are said to be equal are.
    pub fn check_equal(&mut self) {
        if self.in_sync() {
            if let Some(sector) = self.difference() {
                let [a, b] = &self.nodes;
                let text = format!(
                    "in sync, but sector {sector} differs: a {} b {}",
                    a.vol.disk.cached[sector], b.vol.disk.cached[sector]
                );
                return self.fail(text);
            }
            let result = self
                .oracle
                .check_content(&self.nodes[0].vol.disk.cached.clone(), 0);
            self.check(result);
        }
    }
}
