// SPDX-License-Identifier: GPL-2.0

//! The world of a pair: the queue of what will happen, the link, the power, the administrator.

use std::collections::BTreeMap;

use tandem_engine::engine::ids::{Extent, Instant, PeerTicket, Ticket};
use tandem_engine::engine::meta::activity_log::{ActivityLog, LogSlot};
use tandem_engine::engine::meta::activity_log_block::BLOCK_BYTES;
use tandem_engine::engine::meta::bitmap::PAGE_BYTES;
use tandem_engine::engine::resource::{Admin, Disk as EngineDisk, Event, IoKind, Loss, Token};
use tandem_engine::engine::state::{ConnState, DiskState, Role};
use tandem_engine::engine::volume::{
    DiskTables, Effects, LocalUse, Operation, ReadRoute, Refusal, Report, VolumeEffect, WriteFlags,
};
use tandem_engine::engine::wire::state::QueueLimits;

use crate::disk::{crc32c, Disk, MetaWrite, RING};
use crate::node::{App, AppKind, Item, Net, Node, NodeConfig};
use crate::oracle::Oracle;
use crate::packet::Packet;
use crate::rng::Rng;
use crate::worker::show;

/// How long things take and how large they are.
#[derive(Clone, Debug)]
pub struct Config {
    /// Longest pause between two steps of one thread, in ms.
    pub step: u64,
    /// Longest disk operation, in ms.
    pub disk: u64,
    /// Longest way of a packet, in ms.
    pub wire: u64,
    /// Longest pause before the peer is looked for again, in ms.
    pub reconnect: u64,
    /// Largest resync request, in bytes.
    pub resync_bytes: u32,
    /// Size of the volumes, in sectors.
    pub sectors: [u64; 2],
    /// The nodes.
    pub node: NodeConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            step: 1,
            disk: 8,
            wire: 5,
            reconnect: 30,
            resync_bytes: 1 << 20,
            sectors: [6 * 8192; 2],
            node: NodeConfig::default(),
        }
    }
}

/// Something that will happen on one node.
pub enum What {
    /// A turn of the resource's thread.
    Worker,
    /// Metadata writes completed.
    MetaDone(u64),
    /// A disk that is given up may be unused now.
    TryRelease,
    /// The resource looks at the clock.
    Tick,
    /// The receiver begins to look for the peer.
    Connecting,
    /// A turn of the sender.
    Sender(u64),
    /// The payload of a write is on the wire.
    SendDone(u64, Ticket),
    /// A turn of the receiver.
    RxData(u64),
    /// A disk flush for the peer's barrier completed.
    EpochFlushed(u64, Vec<(u64, u32)>),
    /// A reply cannot be sent any more.
    ReplyDropped(PeerTicket),
    /// The receiver notices that the connection is gone.
    Lost(u64, Loss),
    /// A local write completed.
    LocalWrite(Ticket, u64),
    /// A local flush completed.
    LocalFlush(Ticket, Vec<(u64, u32)>),
    /// A local read of a slot completed.
    LocalRead(Ticket),
    /// A local read without slot completed.
    DirectRead(Box<App>),
    /// A local I/O has failed.
    LocalFailed(Ticket),
    /// A write of the peer completed.
    PeerWrite(PeerTicket, u64),
    /// A read for the peer completed.
    PeerRead(PeerTicket),
    /// An I/O for the peer failed.
    PeerFailed(PeerTicket),
    /// The activity log is to be written.
    WriteLog,
    /// Parked requests may find a slot.
    Unpark,
    /// The resync may ask for more.
    Resync,
    /// The administrator's patience with a command is over.
    GiveUp(Token),
    /// The lower device failed.
    IoError(bool),
}

/// Something that will happen.
pub enum Ev {
    /// On one node, if it did not crash since.
    Node {
        /// The node.
        n: usize,
        /// Its life.
        life: u32,
        /// What.
        what: What,
    },
    /// A packet arrives.
    Deliver {
        /// Where.
        to: usize,
        /// The session.
        conn: u64,
        /// On the meta socket.
        meta: bool,
        /// The packet.
        packet: Packet,
    },
    /// The end of the peer's stream arrives.
    Eof {
        /// Where.
        to: usize,
        /// The session.
        conn: u64,
    },
    /// The two nodes meet.
    Establish,
    /// The scenario goes on.
    Script,
}

/// A pair of nodes and all around it.
pub struct World {
    /// The time in ms.
    pub now: u64,
    order: u64,
    events: BTreeMap<(u64, u64), Ev>,
    /// The nodes.
    pub nodes: [Node; 2],
    /// All chance.
    pub rng: Rng,
    /// The link works.
    pub link: bool,
    /// How long things take.
    pub config: Config,
    /// What the application may expect.
    pub oracle: Oracle,
    /// What happened, if anybody wants to read it.
    pub story: Option<Vec<String>>,
    /// The first broken promise.
    pub failure: Option<String>,
    pub(crate) meeting: bool,
    pub(crate) next_conn: u64,
    pub(crate) cut_conn: u64,
    pub(crate) last_arrival: [[u64; 2]; 2],
    ops: u64,
    /// Set when a [`Ev::Script`] event was taken.
    pub script_due: bool,
}

const NAMES: [&str; 2] = ["a", "b"];

impl World {
    /// Two nodes with power, a working link, and disks with fresh metadata and different data.
    pub fn new(seed: u64, config: Config) -> Self {
        let node = |n: usize| {
            let disk = Disk::new(config.sectors[n], n as u32 + 1, n as u64 + 77);
            Node::new(disk, config.node.clone())
        };
        let mut oracle = Oracle::new(config.sectors[0].min(config.sectors[1]), 1);
        oracle.synced = false;
        Self {
            now: 0,
            order: 0,
            events: BTreeMap::new(),
            nodes: [node(0), node(1)],
            rng: Rng::new(seed),
            link: true,
            oracle,
            story: None,
            failure: None,
            meeting: false,
            next_conn: 0,
            cut_conn: 0,
            last_arrival: [[0; 2]; 2],
            ops: 0,
            script_due: false,
            config,
        }
    }

    /// Two nodes whose disks were in sync when they went down.
    pub fn synced(seed: u64, config: Config) -> Self {
        use tandem_engine::engine::meta::superblock::Flags;
        let mut world = Self::new(seed, config);
        let sectors = world.oracle.lows(Extent::new(0, 0)).len();
        debug_assert_eq!(sectors, 0);
        for node in &mut world.nodes {
            node.disk.cached.fill(1);
            node.disk.durable.fill(1);
            let mut superblock = node.disk.superblock();
            superblock.uuids.current = 0x1000;
            superblock.uuids.history = [0x2000, 0x3000];
            superblock.last_size = node.disk.sectors();
            superblock
                .flags
                .put(Flags::CONSISTENT.with(Flags::WAS_UP_TO_DATE), true);
            node.disk.put_superblock(&superblock);
        }
        world.oracle.synced = true;
        world
    }

    /// Notes something for the reader of the story.
    pub fn tell(&mut self, n: usize, text: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let line = format!("{:6} {} {}", self.now, NAMES[n], text());
            story.push(line);
        }
    }

    /// A promise was broken.
    pub fn fail(&mut self, text: String) {
        self.tell(0, || format!("FAILURE {text}"));
        self.failure.get_or_insert(text);
    }

    fn check(&mut self, result: Result<(), String>) {
        if let Err(text) = result {
            self.fail(text);
        }
    }

    pub(crate) fn next_op(&mut self) -> u64 {
        self.ops += 1;
        self.ops
    }

    /// Lets something happen after `delay` ms.
    pub fn at(&mut self, delay: u64, ev: Ev) {
        self.order += 1;
        self.events.insert((self.now + delay, self.order), ev);
    }

    pub(crate) fn after(&mut self, n: usize, delay: u64, what: What) {
        let life = self.nodes[n].life;
        self.at(delay, Ev::Node { n, life, what });
    }

    /// Lets the next thing happen; false when nothing is left.
    pub fn step(&mut self) -> bool {
        let Some(((time, _), ev)) = self.events.pop_first() else {
            return false;
        };
        self.now = time;
        match ev {
            Ev::Node { n, life, what } => {
                if self.nodes[n].up && self.nodes[n].life == life {
                    self.happen(n, what);
                }
            }
            Ev::Deliver {
                to,
                conn,
                meta,
                packet,
            } => self.deliver(to, conn, meta, packet),
            Ev::Eof { to, conn } => {
                if conn > self.cut_conn {
                    self.lost(to, conn, Loss::NetworkFailure);
                }
            }
            Ev::Establish => self.establish(),
            Ev::Script => self.script_due = true,
        }
        true
    }

    /// Runs until `time`, or until a promise is broken.
    pub fn run_until(&mut self, time: u64) {
        while self.failure.is_none() {
            match self.events.first_key_value() {
                Some((&(at, _), _)) if at <= time => self.step(),
                _ => break,
            };
        }
        self.now = self.now.max(time);
    }

    /// Runs until nothing more happens; fails after `limit` ms.
    pub fn rest(&mut self, limit: u64) {
        let end = self.now + limit;
        while self.failure.is_none() {
            match self.events.first_key_value() {
                Some((&(at, _), _)) if at <= end => self.step(),
                Some(_) => {
                    let text = format!(
                        "no rest: a {} b {}",
                        show(self.nodes[0].state()),
                        show(self.nodes[1].state())
                    );
                    return self.fail(text);
                }
                None => break,
            };
        }
    }

    fn happen(&mut self, n: usize, what: What) {
        let mut fx = Effects::new();
        let now = Instant(self.now);
        match what {
            What::Worker => self.worker(n),
            What::MetaDone(op) => self.meta_done(n, op),
            What::TryRelease => self.try_release(n),
            What::Tick => self.post(n, Event::Tick, false),
            What::Connecting => {
                if self.nodes[n].net == Net::Looking {
                    self.post(n, Event::Connecting, false);
                }
            }
            What::Sender(id) => self.sender(n, id),
            What::SendDone(id, ticket) => self.send_done(n, id, ticket),
            What::RxData(id) => self.receive_data(n, id),
            What::EpochFlushed(id, flushed) => self.epoch_flushed(n, id, &flushed),
            What::ReplyDropped(ticket) => {
                self.nodes[n].volume.peer_reply_sent(ticket, &mut fx);
                self.finish(n, fx);
            }
            What::Lost(id, loss) => self.lost(n, id, loss),
            What::LocalWrite(ticket, op) => {
                self.write_done(n, op);
                self.nodes[n].volume.local_done(ticket, true, &mut fx);
                self.finish(n, fx);
            }
            What::LocalFlush(ticket, flushed) => {
                self.nodes[n].disk.end_flush(&flushed);
                self.nodes[n].volume.local_done(ticket, true, &mut fx);
                self.finish(n, fx);
            }
            What::LocalRead(ticket) => {
                let node = &mut self.nodes[n];
                if let Some(app) = &mut node.requests[ticket.index as usize] {
                    app.data = node.disk.read(app.extent);
                }
                node.volume.local_done(ticket, true, &mut fx);
                self.finish(n, fx);
            }
            What::DirectRead(mut app) => {
                app.data = self.nodes[n].disk.read(app.extent);
                self.completed(n, *app, true);
            }
            What::LocalFailed(ticket) => {
                self.nodes[n].volume.local_done(ticket, false, &mut fx);
                self.finish(n, fx);
            }
            What::PeerWrite(ticket, op) => {
                self.write_done(n, op);
                self.nodes[n].volume.peer_io_done(ticket, true, &mut fx);
                self.finish(n, fx);
                self.kick_resync(n);
            }
            What::PeerRead(ticket) => {
                let node = &mut self.nodes[n];
                if let Some(view) = node.volume.peer_view(ticket) {
                    node.payloads[ticket.index as usize] = Some(node.disk.read(view.extent));
                }
                node.volume.peer_io_done(ticket, true, &mut fx);
                self.finish(n, fx);
            }
            What::PeerFailed(ticket) => {
                self.nodes[n].volume.peer_io_done(ticket, false, &mut fx);
                self.finish(n, fx);
            }
            What::WriteLog => {
                if !self.nodes[n].log_busy {
                    self.log_begin(n);
                }
            }
            What::Unpark => self.unpark(n),
            What::Resync => {
                self.nodes[n].resync_tick = false;
                loop {
                    let mut fx = Effects::new();
                    let more = self.nodes[n].volume.resync_more(now, &mut fx);
                    self.finish(n, fx);
                    if !more {
                        break;
                    }
                }
                if self.nodes[n].volume.resync_progress().is_some()
                    && self.nodes[n].state().conn == ConnState::SyncTarget
                {
                    self.nodes[n].resync_tick = true;
                    self.after(n, 20, What::Resync);
                }
            }
            What::GiveUp(token) => {
                let waits = !self.nodes[n].answers.iter().any(|a| a.0 == token);
                if waits {
                    self.post(n, Event::GiveUp(token), false);
                }
            }
            What::IoError(write) => {
                let kind = if write { IoKind::Write } else { IoKind::Read };
                self.post(n, Event::IoError { volume: 0, kind }, false);
            }
        }
    }

    fn write_done(&mut self, n: usize, op: u64) {
        if let Some(extent) = self.nodes[n].disk.complete(op, false) {
            let content = self.nodes[n].disk.read(extent);
            self.tell(n, || {
                format!(
                    "disk write {}+{}: {content:?}",
                    extent.sector,
                    content.len()
                )
            });
        }
    }

    fn lost(&mut self, n: usize, id: u64, loss: Loss) {
        if self.nodes[n].conn.as_ref().is_some_and(|c| c.id == id) {
            self.tell(n, || format!("session {id} is lost"));
            self.close(n, loss);
        }
    }

    pub(crate) fn kick_resync(&mut self, n: usize) {
        if !self.nodes[n].resync_tick && self.nodes[n].volume.resync_progress().is_some() {
            self.nodes[n].resync_tick = true;
            self.after(n, 1, What::Resync);
        }
    }

    /// Carries the effects of a volume's step out, and what follows from them.
    pub(crate) fn finish(&mut self, n: usize, mut fx: Effects) {
        let mut more = self.nodes[n].volume.has_work();
        loop {
            let effects: Vec<VolumeEffect> = fx.take().collect();
            for effect in effects {
                self.carry(n, effect);
            }
            if !more {
                return;
            }
            self.nodes[n].volume.resume(&mut fx);
            more = self.nodes[n].volume.has_work();
        }
    }

    fn carry(&mut self, n: usize, effect: VolumeEffect) {
        match effect {
            VolumeEffect::SubmitLocal(ticket) => self.submit_local(n, ticket),
            VolumeEffect::QueueWrite(ticket) => {
                let placed = self.nodes[n].stream.place_write();
                if let Some(barrier) = placed.barrier {
                    self.queue(n, Item::Barrier(barrier));
                }
                self.queue(n, Item::Write(ticket, placed.epoch));
            }
            VolumeEffect::QueueRead(ticket) => self.queue(n, Item::Read(ticket)),
            VolumeEffect::QueueOutOfSync(extent) => {
                use tandem_engine::engine::wire::{data::BlockDesc, Command};
                let desc = BlockDesc {
                    sector: extent.sector,
                    size: extent.bytes,
                };
                let command = Command::OutOfSync;
                let version = self.version(n);
                let packet = Packet::new(version, command, vec![], |o| desc.emit(command, o));
                self.queue(n, Item::Packet(packet));
            }
            VolumeEffect::QueueResyncRequest(extent) => {
                use tandem_engine::engine::ids::ID_SYNCER;
                use tandem_engine::engine::wire::{data::BlockRequest, Command};
                let request = BlockRequest {
                    sector: extent.sector,
                    block_id: ID_SYNCER,
                    size: extent.bytes,
                };
                let command = Command::RsDataRequest;
                let version = self.version(n);
                let packet = Packet::new(version, command, vec![], |o| request.emit(command, o));
                self.queue(n, Item::Packet(packet));
            }
            VolumeEffect::QueueReply(ticket) => self.queue(n, Item::Reply(ticket)),
            VolumeEffect::CloseEpoch(epoch) => {
                self.nodes[n].stream.close_epoch(epoch);
                self.kick_sender(n);
            }
            VolumeEffect::FlushStream => {
                self.nodes[n].stream.flush();
                self.kick_sender(n);
            }
            VolumeEffect::Complete { ticket, ok } => {
                let slot = &mut self.nodes[n].requests[ticket.index as usize];
                if let Some(app) = slot {
                    app.done = true;
                    let app = app.clone();
                    self.completed(n, app, ok);
                }
            }
            VolumeEffect::Release(ticket) => {
                self.nodes[n].requests[ticket.index as usize] = None;
            }
            VolumeEffect::WriteLog => self.after(n, 0, What::WriteLog),
            VolumeEffect::Room => {
                if !self.nodes[n].parked.is_empty() {
                    self.after(n, 0, What::Unpark);
                }
            }
            VolumeEffect::SubmitPeer(ticket) => self.submit_peer(n, ticket),
            VolumeEffect::Ack {
                kind,
                extent,
                block_id,
            } => self.queue_ack(n, kind, extent, block_id),
            VolumeEffect::PeerWriteFinished => self.peer_write_finished(n),
            VolumeEffect::ReleasePeer(ticket) => {
                self.nodes[n].payloads[ticket.index as usize] = None;
                self.kick_receiver(n);
            }
            VolumeEffect::Report(report) => match report {
                Report::ResyncFinished => {
                    self.nodes[n].resync_finished = true;
                    self.kick_worker(n);
                }
                Report::IoError { write } => self.after(n, 0, What::IoError(write)),
                Report::PeerWriteFailed => {}
            },
        }
    }

    fn submit_local(&mut self, n: usize, ticket: Ticket) {
        let delay = self.rng.within(1, self.config.disk);
        let op = self.next_op();
        let node = &mut self.nodes[n];
        let Some(app) = node.requests[ticket.index as usize]
            .clone()
            .filter(|_| node.lower)
        else {
            return self.after(n, 0, What::LocalFailed(ticket));
        };
        match app.kind {
            AppKind::Write => {
                if !node.disk.submit(op, app.extent, app.data) {
                    self.fail(format!("overlapping writes at the disk of {}", NAMES[n]));
                }
                self.check_logged(n, app.extent);
                self.after(n, delay, What::LocalWrite(ticket, op));
            }
            AppKind::Flush(_) => {
                let flushed = node.disk.begin_flush();
                self.after(n, delay, What::LocalFlush(ticket, flushed));
            }
            AppKind::Read(_) => self.after(n, delay, What::LocalRead(ticket)),
        }
    }

    fn check_logged(&mut self, n: usize, extent: Extent) {
        if !self.nodes[n].volume.policy().log {
            return;
        }
        let logged = self.nodes[n].disk.log_extents();
        for e in extent.sector / 8192..=(extent.end() - 1) / 8192 {
            if !logged.contains(&(e as u32)) {
                self.fail(format!(
                    "{} writes to extent {e} that is not in the log",
                    NAMES[n]
                ));
            }
        }
    }

    fn submit_peer(&mut self, n: usize, ticket: PeerTicket) {
        let delay = self.rng.within(1, self.config.disk);
        let op = self.next_op();
        let node = &mut self.nodes[n];
        let view = node.volume.peer_view(ticket).filter(|_| node.lower);
        let Some(view) = view else {
            return self.after(n, 0, What::PeerFailed(ticket));
        };
        if view.operation == Operation::Read {
            return self.after(n, delay, What::PeerRead(ticket));
        }
        let data = node.payloads[ticket.index as usize]
            .take()
            .unwrap_or_default();
        let whole = data.len() as u32 * 512 == view.extent.bytes;
        if !whole || !node.disk.submit(op, view.extent, data) {
            self.fail(format!("bad write of the peer at the disk of {}", NAMES[n]));
        }
        self.after(n, delay, What::PeerWrite(ticket, op));
    }

    fn log_begin(&mut self, n: usize) {
        let mut block = Box::new([0; BLOCK_BYTES]);
        let Some(write) = self.nodes[n].volume.log_prepare(&mut block, crc32c) else {
            return;
        };
        let mut pages = Vec::new();
        for &page in write.pages() {
            let mut image = Box::new([0; PAGE_BYTES]);
            if self.nodes[n].volume.take_bitmap_page(page, &mut image) {
                pages.push(MetaWrite::Page(page, image));
            }
        }
        let node = &mut self.nodes[n];
        node.log_busy = true;
        node.log_block = Some(MetaWrite::Log(write.block, block));
        if pages.is_empty() {
            self.log_step(n);
        } else {
            self.write_meta(n, pages, true);
        }
    }

    /// The pages, or the block, of a log transaction are on disk.
    pub(crate) fn log_step(&mut self, n: usize) {
        match self.nodes[n].log_block.take() {
            Some(block) => self.write_meta(n, vec![block], true),
            None => {
                self.nodes[n].log_busy = false;
                let mut fx = Effects::new();
                self.nodes[n].volume.log_committed(true, &mut fx);
                self.finish(n, fx);
                if !self.nodes[n].log_busy {
                    self.log_begin(n);
                }
            }
        }
    }

    fn unpark(&mut self, n: usize) {
        while self.nodes[n].volume.has_room() {
            let Some(app) = self.nodes[n].parked.pop_front() else {
                return;
            };
            self.submit(n, app);
        }
    }

    fn submit(&mut self, n: usize, app: App) {
        let mut fx = Effects::new();
        let node = &mut self.nodes[n];
        let taken = match app.kind {
            AppKind::Write | AppKind::Flush(_) => {
                let op = if matches!(app.kind, AppKind::Write) {
                    Operation::Write
                } else {
                    Operation::Flush
                };
                node.volume
                    .write(op, app.extent, WriteFlags::default(), &mut fx)
                    .map(Some)
            }
            AppKind::Read(_) => node
                .volume
                .read(app.extent, &mut fx)
                .map(|route| match route {
                    ReadRoute::Local => None,
                    ReadRoute::Slot(ticket) => Some(ticket),
                }),
        };
        match taken {
            Ok(Some(ticket)) => node.requests[ticket.index as usize] = Some(app),
            Ok(None) => {
                let delay = self.rng.within(1, self.config.disk);
                self.after(n, delay, What::DirectRead(Box::new(app)));
            }
            Err(Refusal::Full) => node.parked.push_front(app),
            Err(Refusal::Io) => self.completed(n, app, false),
        }
        self.finish(n, fx);
    }

    /// The application writes; returns the name of the write.
    pub fn write(&mut self, n: usize, sector: u64, sectors: u32) -> u32 {
        let extent = Extent::new(sector, sectors * 512);
        let id = self.oracle.start(extent);
        let data = vec![id; sectors as usize];
        self.tell(n, || format!("app write {id} at {sector}+{sectors}"));
        self.issue(n, id, AppKind::Write, extent, data);
        id
    }

    /// The application flushes.
    pub fn flush(&mut self, n: usize) {
        let completed = self.oracle.completed();
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
        self.issue(n, 0, AppKind::Read(lows), extent, Vec::new());
    }

    fn issue(&mut self, n: usize, id: u32, kind: AppKind, extent: Extent, data: Vec<u32>) {
        let app = App {
            id,
            kind,
            extent,
            data,
            done: false,
            peer_life: self.nodes[1 - n].life,
        };
        if self.nodes[n].volume.has_room() && self.nodes[n].parked.is_empty() {
            self.submit(n, app);
        } else {
            self.nodes[n].parked.push_back(app);
        }
    }

    fn completed(&mut self, n: usize, app: App, ok: bool) {
        let peer = 1 - n;
        if !ok {
            return self.tell(n, || format!("app request {} failed", app.id));
        }
        match app.kind {
            AppKind::Write => {
                self.tell(n, || format!("app write {} completed", app.id));
                self.oracle.ack(app.id, app.extent);
                let there = &self.nodes[peer];
                let same_life = there.up && there.life == app.peer_life;
                let seen = self.nodes[n].state();
                let expected = seen.conn >= ConnState::Connected
                    && seen.peer_disk == DiskState::UpToDate
                    && there.state().disk == DiskState::UpToDate;
                let has = there.disk.read(app.extent).iter().all(|&c| c >= app.id);
                if expected && same_life && !has {
                    self.fail(format!(
                        "write {} completed without the peer's disk",
                        app.id
                    ));
                }
                if !has || !expected {
                    self.oracle.behind[peer] = true;
                }
                let own = self.nodes[n].disk.read(app.extent);
                if own.iter().any(|&c| c < app.id) {
                    // Only the peer has it, whatever its state is called here.
                    self.oracle.behind[n] = true;
                    self.oracle.behind[peer] &= !has;
                }
                if self.nodes[n].lower {
                    let own = self.nodes[n].disk.read(app.extent);
                    if self.nodes[n].volume.policy().local == LocalUse::Full
                        && own.iter().any(|&c| c < app.id)
                    {
                        self.fail(format!("write {} completed without the own disk", app.id));
                    }
                }
            }
            AppKind::Flush(completed) => {
                self.tell(n, || "app flush completed".into());
                self.oracle.flushed(&completed);
            }
            AppKind::Read(lows) => {
                let result = self.oracle.check_read(app.extent, &lows, &app.data);
                self.check(result);
            }
        }
    }

    // The administrator.

    /// Gives a command; returns its token.
    pub fn admin(&mut self, n: usize, command: Admin) -> Token {
        self.nodes[n].token += 1;
        let token = Token(self.nodes[n].token);
        self.post(n, Event::Admin(token, command), false);
        self.after(n, 3000, What::GiveUp(token));
        token
    }

    /// The number that a command was answered with.
    pub fn answer(&self, n: usize, token: Token) -> Option<i32> {
        self.nodes[n]
            .answers
            .iter()
            .find(|a| a.0 == token)
            .map(|a| a.2)
    }

    /// Attaches the disk of a node.
    pub fn attach(&mut self, n: usize) -> Token {
        let node = &mut self.nodes[n];
        if node.state().disk != DiskState::Diskless || node.lower {
            node.token += 1;
            return Token(node.token);
        }
        node.disk.apply_log();
        let slots = node.config.al_extents;
        let log = ActivityLog::new(vec![LogSlot::default(); slots], vec![0; slots], RING, 0);
        node.attaching = Some(DiskTables {
            bitmap: node.disk.bitmap(),
            log: log.expect("log"),
        });
        let disk = EngineDisk {
            superblock: node.disk.superblock(),
            max_capacity: node.disk.sectors(),
            max_bio_bytes: 1 << 20,
            limits: QueueLimits::default(),
        };
        let options = node.config.disk.clone();
        self.admin(
            n,
            Admin::Attach {
                volume: 0,
                disk,
                options,
            },
        )
    }

    /// Configures the network of a node.
    pub fn connect(&mut self, n: usize) -> Token {
        let options = self.nodes[n].config.net.clone();
        self.admin(n, Admin::Connect { options })
    }

    /// Promotes a node.
    pub fn promote(&mut self, n: usize, force: bool) -> Token {
        self.admin(n, Admin::Promote { volume: 0, force })
    }

    /// Demotes a node.
    pub fn demote(&mut self, n: usize) -> Token {
        self.nodes[n].open = false;
        self.admin(n, Admin::Demote { volume: 0 })
    }

    /// Disconnects a node.
    pub fn disconnect(&mut self, n: usize) -> Token {
        self.admin(n, Admin::Disconnect { force: false })
    }

    /// Takes the disk of a node away.
    pub fn detach(&mut self, n: usize) -> Token {
        self.admin(
            n,
            Admin::Detach {
                volume: 0,
                force: false,
            },
        )
    }

    // The world's harm.

    /// Cuts the link: packets on their way are lost.
    pub fn cut(&mut self) {
        if !self.link {
            return;
        }
        self.tell(0, || "LINK CUT".into());
        self.link = false;
        self.break_session();
    }

    fn break_session(&mut self) {
        self.cut_conn = self.next_conn;
        for n in 0..2 {
            if let Some(conn) = &self.nodes[n].conn {
                let id = conn.id;
                let delay = self.rng.within(1, 60);
                self.after(n, delay, What::Lost(id, Loss::NetworkFailure));
            }
        }
    }

    /// Mends the link.
    pub fn heal(&mut self) {
        if !self.link {
            self.tell(0, || "LINK UP".into());
            self.link = true;
            self.try_establish();
        }
    }

    /// Breaks the present session, but leaves the link.
    pub fn reset_session(&mut self) {
        self.tell(0, || "SESSION BROKEN".into());
        self.break_session();
    }

    /// A node loses power.
    pub fn crash(&mut self, n: usize) {
        if !self.nodes[n].up {
            return;
        }
        self.tell(n, || "CRASH".into());
        let primary = self.nodes[n].state().role == Role::Primary;
        let conn = self.nodes[n].conn.as_ref().map(|c| c.id);
        let node = &mut self.nodes[n];
        for op in core::mem::take(&mut node.meta).into_values() {
            if self.rng.chance(50) {
                node.disk.end_flush(&op.flush);
                for write in &op.writes {
                    node.disk.write_meta(write, Some(&mut self.rng));
                }
            }
        }
        node.disk.crash(&mut self.rng);
        let life = node.life + 1;
        let (disk, config) = (node.disk.clone(), node.config.clone());
        let token = node.token;
        let mut fresh = Node::new(disk, config);
        fresh.up = false;
        fresh.life = life;
        fresh.token = token;
        self.nodes[n] = fresh;
        let peer = 1 - n;
        self.oracle.weak[n] = true;
        if !primary && self.nodes[peer].up && !self.oracle.behind[peer] {
            self.oracle.behind[n] = true;
        }
        if let (Some(id), Some(_)) = (conn, &self.nodes[peer].conn) {
            let delay = self.rng.within(1, 60);
            self.after(peer, delay, What::Lost(id, Loss::NetworkFailure));
        }
    }

    /// A node gets power again; nothing is configured.
    pub fn power_on(&mut self, n: usize) {
        if !self.nodes[n].up {
            self.tell(n, || "POWER ON".into());
            self.nodes[n].up = true;
        }
    }

    // Checks.

    pub(crate) fn promoted(&mut self, n: usize) {
        if !self.oracle.synced && !self.oracle.split && self.oracle.touched.is_empty() {
            let disk = self.nodes[n].disk.cached.clone();
            return self
                .oracle
                .adopt(&disk[..self.config.sectors[0].min(self.config.sectors[1]) as usize]);
        }
        let serves_itself = self.nodes[n].state().disk == DiskState::UpToDate;
        if self.nodes[1 - n].state().role == Role::Primary && self.nodes[1 - n].up {
            self.oracle.split = true;
        }
        if !serves_itself || self.oracle.split {
            return;
        }
        if self.oracle.behind[n] {
            self.tell(n, || "promoted although it misses writes: split".into());
            self.oracle.split = true;
            return;
        }
        let result = self.oracle.check_content(&self.nodes[n].disk.cached, n);
        self.check(result);
        let (cached, durable) = (
            self.nodes[n].disk.cached.clone(),
            self.nodes[n].disk.durable.clone(),
        );
        self.oracle.settle(n, &cached, &durable);
    }

    /// A resync starts on a node: what its source lost is lost.
    pub(crate) fn resync_starts(&mut self, n: usize) {
        let source = match self.nodes[n].state().conn {
            ConnState::SyncSource | ConnState::PausedSyncS => n,
            ConnState::SyncTarget | ConnState::PausedSyncT => 1 - n,
            _ => return,
        };
        if self.oracle.weak[source] {
            self.oracle.weaken();
            self.oracle.weak = [false; 2];
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

    pub(crate) fn look_for_sync(&mut self) {
        if self.in_sync() {
            self.oracle.behind = [false; 2];
            self.oracle.weak = [false; 2];
            self.oracle.synced = true;
        }
    }

    /// First sector in which the disks differ.
    pub fn difference(&self) -> Option<usize> {
        let [a, b] = &self.nodes;
        a.disk
            .cached
            .iter()
            .zip(&b.disk.cached)
            .position(|(a, b)| a != b)
    }

    /// Checks that every difference is marked or covered by a log.
    pub fn check_marks(&mut self) {
        if !self.oracle.synced {
            return;
        }
        let mut suspects: Vec<u64> = Vec::new();
        for &sector in &self.oracle.touched {
            let [a, b] = &self.nodes;
            if a.disk.cached[sector as usize] != b.disk.cached[sector as usize] {
                suspects.push(sector / 8);
            }
        }
        suspects.dedup();
        if suspects.is_empty() {
            return;
        }
        let mut covered = Vec::new();
        for node in &mut self.nodes {
            let on_disk = node.disk.bitmap();
            let log = node.disk.log_extents();
            let attached = node.up && node.lower;
            for &block in &suspects {
                let marked = if attached {
                    node.volume.bitmap().is_some_and(|b| b.is_set(block))
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
                    &a.disk.cached[i..i + 8],
                    &b.disk.cached[i..i + 8]
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
                    a.disk.cached[sector], b.disk.cached[sector]
                );
                return self.fail(text);
            }
            let result = self
                .oracle
                .check_content(&self.nodes[0].disk.cached.clone(), 0);
            self.check(result);
        }
    }
}
