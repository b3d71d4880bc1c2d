// SPDX-License-Identifier: GPL-2.0

//! One node: the engine's values and what its driver keeps beside them.

use std::collections::{BTreeMap, VecDeque};

use tandem_engine::engine::control::RetCode;
use tandem_engine::engine::ids::{Extent, PeerTicket, Ticket};
use tandem_engine::engine::life::Pings;
use tandem_engine::engine::options::{DiskOptions, NetOptions, ResourceOptions};
use tandem_engine::engine::resource::{
    Effect, Event, Handler, LowerSizes, Resource, Token, VolumeRecord,
};
use tandem_engine::engine::state::DeviceState;
use tandem_engine::engine::stream::Stream;
use tandem_engine::engine::trace::Traced;
use tandem_engine::engine::volume::{
    DiscardLimits, DiskTables, Operation, OverlapNode, PeerSlot, RequestLimits, Slot, Tables,
    Volume, WantedAck, WriteFlags,
};

use crate::disk::{Disk, Flush, MetaWrite, META_SECTORS};
use crate::listener::Listener;
use crate::oracle::{Completed, Lows};
use crate::packet::Packet;
use crate::story::Cause;
use crate::Heap;

/// A request of the application.
#[derive(Clone, Debug)]
pub struct App {
    /// Name of the write, or 0.
    pub id: u32,
    /// What it does.
    pub kind: AppKind,
    /// How a write has to be treated.
    pub flags: WriteFlags,
    /// The range.
    pub extent: Extent,
    /// What is written, or was read.
    pub data: Vec<u32>,
    /// It was completed.
    pub done: bool,
    /// It was sent to the peer, and what ends the peer's half.
    pub sent: Option<WantedAck>,
    /// Life of the other node when it was submitted.
    pub peer_life: u32,
}

/// What a request of the application does.
#[derive(Clone, Debug)]
pub enum AppKind {
    /// Writes, discards, or writes zeroes.
    Write(Operation),
    /// Flushes; with what has to be durable then.
    Flush(Completed),
    /// Reads; with what must be returned at least.
    Read(Lows),
}

/// Something to put on the data socket.
#[derive(Clone, Debug)]
pub enum Item {
    /// A write, in its epoch.
    Write(Ticket, u32),
    /// A read that the peer shall serve.
    Read(Ticket),
    /// The end of an epoch.
    Barrier(u32),
    /// Data that the peer wanted.
    Reply(PeerTicket),
    /// The whole bitmap.
    Bitmap,
    /// An encoded packet.
    Packet(Packet),
}

/// What the receiver of the data socket waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxWait {
    /// Nothing.
    Nothing,
    /// The resource carries an event of its out.
    Resource,
    /// A slot for a request of the peer.
    Room,
    /// The application's I/O goes first, for some time.
    Later,
    /// What was sent before a write, on the other socket.
    Early,
    /// The peer's epoch drains and is flushed.
    Barrier,
}

/// One session.
#[derive(Debug)]
pub struct Conn {
    /// Its number.
    pub id: u64,
    /// Of two conflicting requests, this node's wins.
    pub resolver: bool,
    /// The data socket's queue.
    pub tx: VecDeque<(Item, Cause)>,
    /// The write whose payload is being sent.
    pub sending: Option<Ticket>,
    /// A turn of the sender is scheduled.
    pub tx_scheduled: bool,
    /// What came on the data socket.
    pub rx: VecDeque<Packet>,
    /// What came on the meta socket.
    pub rx_meta: VecDeque<Packet>,
    /// The packet of which only a part comes, behind all others, and how many bytes that is.
    pub part: Option<(Packet, usize)>,
    /// What the receiver waits for.
    pub rx_wait: RxWait,
    /// A turn of the receiver is scheduled.
    pub rx_scheduled: bool,
    /// Its pings.
    pub pings: Pings,
    /// Handshake: 0 features are awaited, 1 they are decided upon, 2 done.
    pub stage: u8,
    /// The handshake has ended.
    pub met: bool,
    /// The bitmap that is being received: next bit.
    pub bitmap: Option<tandem_engine::engine::bitmap_code::TransferCursor>,
}

/// The receiver thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// There is none.
    Off,
    /// It looks for the peer.
    Looking,
    /// It has a session.
    Up,
    /// It comes down.
    Closing,
}

/// Metadata writes on their way to the disk.
#[derive(Clone)]
pub struct MetaOp {
    /// The writes.
    pub writes: Vec<MetaWrite>,
    /// What the flush before them makes durable.
    pub flush: Flush,
    /// Who waits.
    pub for_log: bool,
}

impl MetaOp {
    /// What is written, for the story.
    pub fn describe(&self) -> String {
        let texts: Vec<String> = self.writes.iter().map(|w| w.describe()).collect();
        texts.join(", ")
    }
}

/// One node.
pub struct Node {
    /// Has power.
    pub up: bool,
    /// How often it crashed.
    pub life: u32,
    /// The disk, attached or not.
    pub disk: Disk,
    /// The engine's resource.
    pub resource: Traced<Resource, Listener>,
    /// The engine's record of the volume.
    pub records: Vec<VolumeRecord>,
    /// The engine's volume.
    pub volume: Traced<Volume<Heap>, Listener>,
    /// The engine's stream.
    pub stream: Traced<Stream, Listener>,
    /// Tables of the disk that is being attached.
    pub attaching: Option<DiskTables<Heap>>,
    /// It is going to be Primary although the other one has what it misses.
    pub parting: bool,
    /// The largest requests that its device takes.
    pub limits: RequestLimits,
    /// A lower disk is in use.
    pub lower: bool,
    /// Flushes of it for barriers of the peer.
    pub flushes: u32,
    /// Reads of the application that its disk serves without a slot.
    pub direct_reads: u32,
    /// An operation of it has failed.
    pub broken: bool,
    /// An operation of it or of a former one has failed since both were in sync.
    pub suspect: bool,
    /// Its disk was given up since both were in sync: it failed, did not answer, or was taken away.
    pub gave_up: bool,
    /// Somebody is going to look whether the disk still answers.
    pub watching: bool,
    /// Requests by slot.
    pub requests: Vec<Option<App>>,
    /// Requests without slot.
    pub parked: VecDeque<App>,
    /// Payloads of peer requests by slot.
    pub payloads: Vec<Option<Vec<u32>>>,
    /// What the peer has told to be in blocks that are verified, by slot of a peer request.
    pub told: Vec<Vec<u32>>,
    /// Events for the resource; whether the receiver waits for it.
    pub events: VecDeque<(Event, bool, Cause)>,
    /// Why the present event came, or itself once it is told.
    pub event_cause: Cause,
    /// Effects of the present event.
    pub effects: VecDeque<Effect>,
    /// An event is being carried out; whether the receiver waits for it.
    pub handling: Option<bool>,
    /// The present event is the end of the connection.
    pub ending: bool,
    /// An effect waits for the disk.
    pub worker_busy: bool,
    /// A turn of the worker is scheduled.
    pub worker_scheduled: bool,
    /// The receiver thread.
    pub net: Net,
    /// How long the engine wants to wait before the peer is looked for again, in ms.
    pub pause: u64,
    /// The session.
    pub conn: Option<Conn>,
    /// The log is being written.
    pub log_busy: bool,
    /// The block to write when the pages are durable.
    pub log_block: Option<MetaWrite>,
    /// Metadata writes: one is at the disk at a time, in this order.
    pub meta: BTreeMap<u64, MetaOp>,
    /// When the last of them is done.
    pub meta_until: u64,
    /// How far its clock is ahead of the world's, in ms.
    pub skew: u64,
    /// The key of the event that looks at the clock for the resource.
    pub timer: Option<(u64, u64)>,
    /// A resync ended (flag).
    pub resync_finished: bool,
    /// A verify ended (flag).
    pub verify_finished: bool,
    /// A resync tick is scheduled.
    pub resync_tick: bool,
    /// The device may be opened for writing.
    pub writable: bool,
    /// The device is open.
    pub open: bool,
    /// Next token of the administrator.
    pub token: u32,
    /// Commands of the administrator since the last crash, and when they were given.
    pub commands: Vec<(Token, u64)>,
    /// Answers to the administrator.
    pub answers: Vec<(Token, u16, i32)>,
    /// Blocks that a resync brought here, since the last look.
    pub resynced: u64,
    /// Configuration of the node.
    pub config: NodeConfig,
    /// Notices, as an administrator would see them.
    pub notices: Vec<String>,
    /// The event being handled is the end of a handler.
    pub handled: bool,
    /// Handlers that were called.
    pub handlers: Vec<Handler>,
}

/// What does not change by crashes.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Slots for application requests.
    pub slots: usize,
    /// Slots for peer requests.
    pub peers: usize,
    /// Extents in the activity log.
    pub al_extents: usize,
    /// What its disk says of discards.
    pub discard: DiscardLimits,
    /// Its disk takes discards, and does nothing.
    pub forgets_nothing: bool,
    /// Disk options.
    pub disk: DiskOptions,
    /// Network options.
    pub net: NetOptions,
    /// Exit codes of handlers; 0 for those that are not named.
    pub handlers: Vec<(Handler, u8)>,
    /// Who records what happens to the engine's values.
    pub listener: Listener,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            slots: 16,
            peers: 32,
            al_extents: 4,
            discard: DiscardLimits {
                most: 1 << 16,
                granularity: 8,
                alignment: 0,
            },
            forgets_nothing: false,
            disk: DiskOptions::default(),
            net: NetOptions::default(),
            handlers: Vec::new(),
            listener: Listener::default(),
        }
    }
}

impl Node {
    /// A node with power and a disk, nothing configured.
    pub fn new(disk: Disk, config: NodeConfig) -> Self {
        let (slots, peers) = (config.slots, config.peers);
        let tables = Tables {
            slots: vec![Slot::default(); slots],
            peers: vec![PeerSlot::default(); peers],
            overlap_nodes: vec![OverlapNode::default(); 2 * (slots + peers)],
            overlap_heads: vec![0; 16],
        };
        let ear = || config.listener.clone();
        let (name, epoch) = (format_args!("simulated"), config.net.max_epoch_size);
        let options = ResourceOptions::default();
        let mut resource =
            Traced::<Resource, _>::resource(ear(), ear().next_value(), name, options);
        resource.volume_added(0, 0);
        Self {
            up: true,
            life: 0,
            disk,
            resource,
            records: vec![VolumeRecord::new(0, 0)],
            volume: Traced::<Volume<Heap>, _>::volume(ear(), ear().next_value(), name, tables),
            stream: Traced::<Stream, _>::stream(ear(), ear().next_value(), name, epoch),
            attaching: None,
            parting: false,
            limits: RequestLimits::ANY,
            lower: false,
            flushes: 0,
            direct_reads: 0,
            broken: false,
            suspect: false,
            gave_up: false,
            watching: false,
            requests: vec![None; slots],
            parked: VecDeque::new(),
            payloads: vec![None; peers],
            told: vec![Vec::new(); peers],
            events: VecDeque::new(),
            event_cause: Cause::Nothing,
            effects: VecDeque::new(),
            handling: None,
            ending: false,
            worker_busy: false,
            worker_scheduled: false,
            net: Net::Off,
            pause: 0,
            conn: None,
            log_busy: false,
            log_block: None,
            meta: BTreeMap::new(),
            meta_until: 0,
            skew: 0,
            timer: None,
            resync_finished: false,
            verify_finished: false,
            resync_tick: false,
            writable: false,
            open: false,
            token: 0,
            commands: Vec::new(),
            answers: Vec::new(),
            resynced: 0,
            config,
            handled: false,
            handlers: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// The state of its volume.
    pub fn state(&self) -> DeviceState {
        self.records[0].state
    }

    /// The sizes of its lower devices, which only tell what they have now.
    pub fn lower_sizes(&self) -> LowerSizes {
        LowerSizes {
            data: self.disk.sectors(),
            meta: META_SECTORS,
        }
    }

    /// Whether write `id` or a later one of that sector is in memory, on its way to the disk.
    pub fn holds(&self, sector: u64, id: u32) -> bool {
        let waits = |index: usize| {
            let ticket = PeerTicket {
                index: index as u32,
            };
            let extent = self.volume.peer_view(ticket)?.extent;
            let at = sector.checked_sub(extent.sector)?;
            self.payloads[index].as_ref()?.get(at as usize).copied()
        };
        let waiting = (0..self.payloads.len()).filter_map(waits).max();
        waiting.max(self.disk.under_way(sector)) >= Some(id)
    }

    /// The last command was an attach, and that disk's data is not what applications have seen.
    pub fn refused_disk(&self) -> bool {
        let refused = |answer: &(Token, u16, i32)| answer.2 == RetCode::ERR_DATA_NOT_CURRENT.0;
        self.answers.last().is_some_and(refused)
    }

    /// The first command that was given before `time` (in ms) and not answered.
    pub fn unanswered(&self, time: u64) -> Option<Token> {
        let answered = |token: Token| self.answers.iter().any(|answer| answer.0 == token);
        let waits = |&&(token, at): &&(Token, u64)| at < time && !answered(token);
        self.commands.iter().find(waits).map(|&(token, _)| token)
    }

    /// The disk has served a read; nobody may wait for it any more.
    pub(crate) fn fill_read(&mut self, ticket: Ticket) {
        let wanted = self.volume.is_at_disk(ticket);
        let app = self.requests[ticket.index as usize].as_mut();
        if let Some(app) = app.filter(|_| wanted) {
            app.data = self.disk.read(app.extent);
        }
    }

    /// Requests of the application that are not completed.
    pub fn open_requests(&self) -> usize {
        self.parked.len()
            + self
                .requests
                .iter()
                .flatten()
                .filter(|app| !app.done)
                .count()
    }
}
