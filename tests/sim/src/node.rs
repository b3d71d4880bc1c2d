// SPDX-License-Identifier: GPL-2.0

//! One node: the engine's values and what its driver keeps beside them.

use std::collections::VecDeque;

use tandem_engine::engine::bitmap_code::TransferCursor;
use tandem_engine::engine::control::RetCode;
use tandem_engine::engine::ids::{Extent, PeerTicket, Ticket};
use tandem_engine::engine::life::Pings;
use tandem_engine::engine::options::{DiskOptions, NetOptions, ResourceOptions};
use tandem_engine::engine::resource::{Effect, Event, Handler, Resource, Token, VolumeRecord};
use tandem_engine::engine::state::{DeviceState, Role};
use tandem_engine::engine::stream::Stream;
use tandem_engine::engine::trace::Traced;
use tandem_engine::engine::volume::{DiscardLimits, Operation, WantedAck, WriteFlags};

use crate::disk::{Flush, MetaWrite};
use crate::listener::Listener;
use crate::oracle::{Completed, Lows};
use crate::packet::Packet;
use crate::story::Cause;
use crate::vol::Vol;

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

/// An item in the queue of the data socket.
#[derive(Clone, Debug)]
pub struct Queued {
    /// What is to be put there.
    pub item: Item,
    /// The volume that it is of.
    pub volume: usize,
    /// Why.
    pub cause: Cause,
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
    pub tx: VecDeque<Queued>,
    /// The write whose payload is being sent, and of which volume.
    pub sending: Option<(usize, Ticket)>,
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
    /// The bitmap that is being received: of which volume, and the next bit.
    pub bitmap: Option<(usize, TransferCursor)>,
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
    /// The engine's resource.
    pub resource: Traced<Resource, Listener>,
    /// The engine's records of the volumes.
    pub records: Vec<VolumeRecord>,
    /// The engine's stream.
    pub stream: Traced<Stream, Listener>,
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
    /// How far its clock is ahead of the world's, in ms.
    pub skew: u64,
    /// The key of the event that looks at the clock for the resource.
    pub timer: Option<(u64, u64)>,
    /// Next token of the administrator.
    pub token: u32,
    /// Commands of the administrator since the last crash, and when they were given.
    pub commands: Vec<(Token, u64)>,
    /// Answers to the administrator.
    pub answers: Vec<(Token, u16, i32)>,
    /// Configuration of the node.
    pub config: NodeConfig,
    /// Notices, as an administrator would see them.
    pub notices: Vec<String>,
    /// The event being handled is the end of a handler.
    pub handled: bool,
    /// Handlers that were called.
    pub handlers: Vec<Handler>,
    /// Its part of the volume in view.
    pub vol: Vol,
    /// Of the others, in their order.
    hidden: Vec<Vol>,
    /// Which volume is in view.
    at: usize,
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
    /// A node with power and its parts of volumes, of which there is at least one; nothing is
    /// configured.
    pub fn new(vols: Vec<Vol>, config: NodeConfig) -> Self {
        let ear = || config.listener.clone();
        let (name, epoch) = (format_args!("simulated"), config.net.max_epoch_size);
        let options = ResourceOptions::default();
        let mut resource =
            Traced::<Resource, _>::resource(ear(), ear().next_value(), name, options);
        let mut records = Vec::new();
        for number in 0..vols.len() {
            resource.volume_added(number as u16, number as u32);
            records.push(VolumeRecord::new(number as u16, number as u32));
        }
        let mut hidden = vols;
        let vol = hidden.remove(0);
        Self {
            up: true,
            life: 0,
            resource,
            records,
            stream: Traced::<Stream, _>::stream(ear(), ear().next_value(), name, epoch),
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
            skew: 0,
            timer: None,
            token: 0,
            commands: Vec::new(),
            answers: Vec::new(),
            config,
            notices: Vec::new(),
            handled: false,
            handlers: Vec::new(),
            vol,
            hidden,
            at: 0,
        }
    }

    /// The node as it is without power: only its disks are left.
    pub(crate) fn after_crash(&self) -> Self {
        Self {
            up: false,
            life: self.life + 1,
            token: self.token,
            ..Self::new(
                self.each(|vol| vol.after_crash(&self.config)),
                self.config.clone(),
            )
        }
    }

    /// Shows another volume.
    pub(crate) fn look_at(&mut self, volume: usize) {
        exchange(&mut self.vol, &mut self.hidden, self.at, volume);
        self.at = volume;
    }

    /// The part of a volume, in view or not.
    pub fn vol_of(&self, volume: usize) -> &Vol {
        match volume == self.at {
            true => &self.vol,
            false => &self.hidden[place(volume, self.at)],
        }
    }

    /// What `look` finds of each volume, in their order.
    pub fn each<T>(&self, look: impl FnMut(&Vol) -> T) -> Vec<T> {
        let volumes = 0..self.records.len();
        volumes
            .map(|volume| self.vol_of(volume))
            .map(look)
            .collect()
    }

    /// The states of all volumes.
    pub fn states(&self) -> Vec<DeviceState> {
        self.records.iter().map(|record| record.state).collect()
    }

    /// Whether it is Primary for any volume.
    pub fn serves(&self) -> bool {
        self.states().iter().any(|s| s.role == Role::Primary)
    }

    /// The state of the volume in view.
    pub fn state(&self) -> DeviceState {
        self.records[self.at].state
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
}

/// The place of a hidden one while `shown` is in view.
fn place(of: usize, shown: usize) -> usize {
    of - usize::from(of > shown)
}

/// Puts another one of several into view; the hidden ones keep their order.
pub(crate) fn exchange<T>(shown: &mut T, hidden: &mut Vec<T>, at: usize, wanted: usize) {
    if wanted != at {
        let next = hidden.remove(place(wanted, at));
        let former = core::mem::replace(shown, next);
        hidden.insert(place(at, wanted), former);
    }
}

#[cfg(test)]
mod tests {
    use super::exchange;

    #[test]
    fn what_is_not_in_view_keeps_its_order() {
        let (mut shown, mut hidden) = ('a', vec!['b', 'c']);
        exchange(&mut shown, &mut hidden, 0, 2);
        assert_eq!((shown, &hidden[..]), ('c', &['a', 'b'][..]));
        exchange(&mut shown, &mut hidden, 2, 1);
        assert_eq!((shown, &hidden[..]), ('b', &['a', 'c'][..]));
        exchange(&mut shown, &mut hidden, 1, 1);
        assert_eq!((shown, &hidden[..]), ('b', &['a', 'c'][..]));
    }
}
