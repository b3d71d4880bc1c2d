// SPDX-License-Identifier: GPL-2.0

//! The application: its requests, and what their completion promises.

use tandem_engine::engine::ids::Extent;
use tandem_engine::engine::options::WireProtocol;
use tandem_engine::engine::state::{ConnState, DiskState};
use tandem_engine::engine::volume::{
    Effects, LocalUse, Operation, ReadRoute, Refusal, WantedAck, WriteFlags,
};

use crate::event::What;
use crate::node::{App, AppKind};
use crate::packet::contents;
use crate::world::World;

impl World {
    pub(crate) fn unpark(&mut self, n: usize) {
        while self.nodes[n].vol.engine.has_room() {
            let Some(app) = self.nodes[n].vol.parked.pop_front() else {
                return;
            };
            self.submit(n, app);
        }
    }

    pub(crate) fn submit(&mut self, n: usize, app: App) {
        let mut fx = Effects::new();
        let node = &mut self.nodes[n];
        let taken = match app.kind {
            AppKind::Write(_) | AppKind::Flush(_) => {
                let op = match app.kind {
                    AppKind::Write(operation) => operation,
                    _ => Operation::Flush,
                };
                node.vol
                    .engine
                    .write(op, app.extent, app.flags, &mut fx)
                    .map(Some)
            }
            AppKind::Read(_) => {
                node.vol
                    .engine
                    .read(app.extent, &mut fx)
                    .map(|route| match route {
                        ReadRoute::Local => None,
                        ReadRoute::Slot(ticket) => Some(ticket),
                    })
            }
        };
        match taken {
            Ok(Some(ticket)) => node.vol.requests[ticket.index as usize] = Some(app),
            Ok(None) => {
                let delay = self.rng.within(1, self.config.disk);
                let what = if self.disk_fails(n) {
                    What::DirectReadFailed(Box::new(app))
                } else {
                    What::DirectRead(Box::new(app))
                };
                self.nodes[n].vol.direct_reads += 1;
                self.after(n, delay, what);
            }
            Err(Refusal::Full) => node.vol.parked.push_front(app),
            Err(Refusal::Io) => self.completed(n, app, false),
        }
        self.finish(n, fx);
    }

    /// The own disk could not be read: perhaps the peer's can.
    pub(crate) fn direct_read_failed(&mut self, n: usize, app: App) {
        let mut fx = Effects::new();
        let node = &mut self.nodes[n];
        node.vol.direct_reads -= 1;
        match node.vol.engine.read_failed(app.extent, &mut fx) {
            Ok(ticket) => node.vol.requests[ticket.index as usize] = Some(app),
            Err(Refusal::Full) => node.vol.parked.push_back(app),
            Err(Refusal::Io) => self.completed(n, app, false),
        }
        self.finish(n, fx);
    }

    /// The application writes; returns the name of the write.
    pub fn write(&mut self, n: usize, sector: u64, sectors: u32) -> u32 {
        let fua = self.config.forces && self.rng.chance(20);
        self.write_as(n, sector, sectors, fua)
    }

    /// The application writes; `fua`: it has to be on stable storage when it is done.
    pub fn write_as(&mut self, n: usize, sector: u64, sectors: u32, fua: bool) -> u32 {
        let extent = Extent::new(sector, sectors * 512);
        let id = self.oracle.start(extent);
        let data = vec![id; sectors as usize];
        self.tell(n, || {
            let forced = if fua { " (FUA)" } else { "" };
            format!("application writes {id} to {sector}+{sectors}{forced}")
        });
        let flags = WriteFlags {
            fua,
            ..WriteFlags::default()
        };
        self.issue_as(n, id, AppKind::Write(Operation::Write), flags, extent, data);
        id
    }

    /// The application flushes.
    pub fn flush(&mut self, n: usize) {
        let completed = self.oracle.completed();
        self.tell(n, || "application flushes".into());
        self.issue(
            n,
            0,
            AppKind::Flush(completed),
            Extent::default(),
            Vec::new(),
        );
    }

    /// The application reads.
    pub fn read(&mut self, n: usize, sector: u64, sectors: u32) {
        let extent = Extent::new(sector, sectors * 512);
        let lows = self.oracle.lows(extent);
        self.tell(n, || format!("application reads {sector}+{sectors}"));
        self.issue(n, 0, AppKind::Read(lows), extent, Vec::new());
    }

    pub(crate) fn issue(
        &mut self,
        n: usize,
        id: u32,
        kind: AppKind,
        extent: Extent,
        data: Vec<u32>,
    ) {
        self.issue_as(n, id, kind, WriteFlags::default(), extent, data);
    }

    fn issue_as(
        &mut self,
        n: usize,
        id: u32,
        kind: AppKind,
        flags: WriteFlags,
        extent: Extent,
        data: Vec<u32>,
    ) {
        let app = App {
            id,
            kind,
            flags,
            extent,
            data,
            done: false,
            sent: None,
            peer_life: self.nodes[1 - n].life,
        };
        if self.nodes[n].vol.engine.has_room() && self.nodes[n].vol.parked.is_empty() {
            self.submit(n, app);
        } else {
            self.nodes[n].vol.parked.push_back(app);
        }
    }

    pub(crate) fn completed(&mut self, n: usize, app: App, ok: bool) {
        if !ok {
            if matches!(app.kind, AppKind::Flush(_)) {
                self.oracle.flush_failed();
            }
            return self.tell(n, || format!("application's request {} failed", app.id));
        }
        match app.kind {
            AppKind::Write(_) => self.written(n, &app),
            AppKind::Flush(completed) => {
                self.tell(n, || "application's flush is done".into());
                // A flush is the own disk's: who lives on the peer's is promised nothing.
                let node = &self.nodes[n];
                if node.vol.engine.policy().local == LocalUse::Full && !node.vol.broken {
                    self.oracle.flushed(completed);
                    if self.peer_is_flushed(n) {
                        self.oracle.peer_flushed();
                    }
                }
            }
            AppKind::Read(lows) => {
                self.tell(n, || {
                    format!("application has read {}", contents(&app.data))
                });
                let result = self.oracle.check_read(app.extent, &lows, &app.data);
                self.check(result);
            }
        }
    }

    /// Nothing that the application was told to be written is only in the caches of the peer.
    pub(crate) fn peer_is_flushed(&self, n: usize) -> bool {
        let node = &self.nodes[n];
        let whole = node
            .resource
            .net()
            .is_none_or(|net| net.protocol == WireProtocol::C);
        node.stream.unacked_epochs() == 0 && (whole || !node.stream.is_open())
    }

    /// Whether a node has a write as the protocol demands it: on its disk, or in its memory.
    fn has(&self, n: usize, app: &App) -> bool {
        let node = &self.nodes[n];
        let on_disk = |&(_, content): &(u64, &u32)| !self.oracle.is_older(*content, app.id);
        let content = node.vol.disk.read(app.extent);
        let mut missing = (app.extent.sector..).zip(&content).filter(|s| !on_disk(s));
        match app.sent {
            // In our send buffer.
            Some(WantedAck::None) => true,
            Some(WantedAck::Received) => missing.all(|(sector, _)| node.vol.holds(sector, app.id)),
            Some(WantedAck::Written) | None => missing.next().is_none(),
        }
    }

    fn written(&mut self, n: usize, app: &App) {
        let peer = 1 - n;
        self.tell(n, || format!("application's write {} is done", app.id));
        self.oracle.ack(app.id, app.extent, app.sent);
        let there = &self.nodes[peer];
        let session = |n: usize| self.nodes[n].conn.as_ref().map(|c| c.id);
        let same_life = session(n) == session(peer) && there.up && there.life == app.peer_life;
        let seen = self.nodes[n].state();
        let expected = seen.conn >= ConnState::Connected && seen.peer_disk == DiskState::UpToDate;
        let good = there.state().disk == DiskState::UpToDate;
        let has = self.has(peer, app);
        let suspect = there.vol.suspect;
        // It may have had it, and lost it with its power before the answer came here.
        let lost = expected && there.life != app.peer_life;
        if expected && good && same_life && !has && !suspect {
            let text = format!("write {} completed without the peer", app.id);
            self.fail(text);
        }
        self.oracle.missed[peer] |= !has && !lost;
        if !has || !expected || !good {
            self.oracle.behind[peer] = true;
        }
        let safe = expected && good && same_life && has && app.sent == Some(WantedAck::Written);
        let own = self.nodes[n].vol.disk.read(app.extent);
        let lacks = own.iter().any(|&c| self.oracle.is_older(c, app.id));
        if lacks {
            // Only the peer has it, whatever its state is called here.
            self.oracle.behind[n] = true;
            self.oracle.behind[peer] &= !has;
        }
        let node = &self.nodes[n];
        let keeps = node.vol.lower && node.vol.engine.policy().local == LocalUse::Full;
        if app.flags.fua && keeps && !node.vol.broken && !lacks {
            self.oracle.forced(app.id, app.extent, safe && !suspect);
        }
        let node = &self.nodes[n];
        if keeps && !node.vol.suspect && lacks {
            self.fail(format!("write {} completed without the own disk", app.id));
        }
    }
}
