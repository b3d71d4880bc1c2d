// SPDX-License-Identifier: GPL-2.0

//! One connection to the peer, from the call to the end, over and over.
//!
//! The receiver thread ([`run`]) finds the peer, shakes hands, starts the session's other threads,
//! receives until something ends the session, and cleans up. Threads of a session:
//!
//! | thread | socket | file |
//! |---|---|---|
//! | receiver | reads data | `receive/` |
//! | sender | writes data | `send/` |
//! | ack receiver | reads meta, sends pings | `receive_meta.rs` |
//! | ack sender | writes meta | `send_meta.rs` |
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    AtomicU64,
    Ordering, //
};

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::answers::Answers;
use crate::engine::establish::{
    Accepted,
    Channel,
    Establish, //
};
use crate::engine::life::Pings;
use crate::engine::options::NetOptions;
use crate::engine::resource::{
    Event,
    Loss, //
};
use crate::engine::state::ConnState;
use crate::engine::wire::handshake::{
    Agreement,
    Features, //
};
use crate::engine::wire::{
    Command,
    Header,
    PROTOCOL_BEFORE_HANDSHAKE, //
};
use crate::handshake::shake_hands;
use crate::link::{
    Link,
    MetaItem, //
};
use crate::resource::Resource;
use crate::sys::clock;
use crate::sys::lock::{
    Mutex,
    SpinLock, //
};
use crate::sys::page::{
    PagePool,
    PAGES_MAX, //
};
use crate::sys::send::SendFlags;
use crate::sys::socket::{
    Address,
    Listener,
    Receive,
    TcpSocket, //
};
use crate::sys::thread::Thread;
use crate::tuning::Tuning;
use crate::words;

/// Longest a call waits for the peer's answer before the flags are looked at, in milliseconds.
const CALL_MS: u32 = 2000;

/// How long one wait for the peer's call is before the flags are looked at, in milliseconds.
const LISTEN_MS: u32 = 100;

/// Priorities of the two sockets (`TC_PRIO_INTERACTIVE_BULK`, `TC_PRIO_INTERACTIVE`).
const PRIORITY_DATA: u32 = 4;
const PRIORITY_META: u32 = 6;

/// A connection that is up, or going down.
pub struct Session {
    /// The data socket.
    pub data: TcpSocket,
    /// The meta socket.
    pub meta: TcpSocket,
    /// Options in force when it was made.
    pub net: NetOptions,
    /// Memory for the payloads that come.
    pub pool: PagePool,
    tuning: SpinLock<Tuning>,
    /// One sender at a time on the data socket.
    pub data_lock: Mutex<()>,
    /// Blocks are sent without a digest before them (`data-integrity-alg`). Changed under the lock.
    pub plain: AtomicBool,
    /// One sender at a time on the meta socket.
    pub meta_lock: Mutex<()>,
    version: AtomicU32,
    features: AtomicU32,
    down: AtomicBool,
    /// Nothing is sent any more from this time on, in milliseconds; 0: not so.
    parting: AtomicU64,
    loss: SpinLock<Option<Loss>>,
    /// The pings, of all threads.
    pub pings: SpinLock<Pings>,
    /// What the peer answered.
    pub answers: SpinLock<Answers>,
    /// When something last came from the peer, in milliseconds.
    pub last_received: AtomicU64,
}

impl Session {
    /// What was agreed with the peer.
    pub fn agreed(&self) -> Agreement {
        Agreement {
            version: self.version(),
            features: self.features(),
        }
    }

    /// Asks the peer for a sign of life, behind all that is queued for the meta socket; `wanted`:
    /// the engine hears of the answer. Any context.
    pub fn ping(&self, link: &Link, wanted: bool) {
        self.pings.lock().asked(wanted);
        link.queue_meta(MetaItem::Ping);
    }

    /// The protocol version in force.
    pub fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    /// The features in force.
    pub fn features(&self) -> Features {
        Features(self.features.load(Ordering::Acquire))
    }

    /// Puts what both nodes agreed upon in force.
    pub fn set_agreed(&self, agreed: Agreement) {
        self.version.store(agreed.version, Ordering::Release);
        self.features.store(agreed.features.0, Ordering::Release);
    }

    /// Whether the session is over.
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// Ends the session; the first reason counts. Wakes all its threads. May sleep.
    pub fn fail(&self, resource: &Resource, loss: Loss) {
        {
            let mut reason = self.loss.lock();
            if reason.is_none() {
                *reason = Some(loss);
            }
        }
        self.down.store(true, Ordering::Release);
        self.data.shutdown();
        self.meta.shutdown();
        resource.link.data_wake.raise();
        resource.link.meta_wake.raise();
        resource.link.epoch_wake.wake_all();
    }

    /// Says to the peer that nothing more comes, and leaves it some time to read what came
    /// before and to close the session itself ([`Session::end_parting`]). May sleep.
    pub fn part(&self, resource: &Resource) {
        self.parting
            .store(clock::monotonic_ms().max(1), Ordering::Release);
        resource.link.data_wake.raise();
        self.data.shutdown_sending();
    }

    /// Whether nothing is to be sent on the data socket any more.
    pub fn is_parting(&self) -> bool {
        self.parting.load(Ordering::Acquire) != 0
    }

    /// Ends a session whose peer was left enough time to end it. May sleep.
    pub fn end_parting(&self, resource: &Resource) {
        let since = self.parting.load(Ordering::Acquire);
        let left_ms = u64::from(self.tuning().silence.answer);
        if since != 0 && clock::monotonic_ms().saturating_sub(since) > left_ms {
            self.fail(resource, Loss::NetworkFailure);
        }
    }

    /// The options that may change while it lasts. Any context.
    pub fn tuning(&self) -> Tuning {
        *self.tuning.lock()
    }

    /// Puts changed options in force. May sleep.
    pub fn tune(&self, tuning: Tuning) {
        *self.tuning.lock() = tuning;
        self.pool.set_limit(pages_of(&tuning));
        for socket in [&self.data, &self.meta] {
            socket.set_send_timeout(Some(tuning.timeout));
            // The kernel keeps what it cannot have otherwise.
            let _ = socket.set_buffers(tuning.buffers());
        }
    }

    fn reason(&self) -> Loss {
        (*self.loss.lock()).unwrap_or(Loss::NetworkFailure)
    }

    /// Notes a sign of life.
    pub fn heard(&self) {
        self.last_received
            .store(clock::monotonic_ms(), Ordering::Relaxed);
    }
}

/// The receiver thread: connects again and again until the network is to be left.
pub fn run(resource: &Arc<Resource>) {
    while !resource.receiver.leaving() {
        resource.post(Event::Connecting);
        let Some(net) = resource.net_options() else {
            break;
        };
        let loss = match connect(resource, &net) {
            Ok(Some((data, meta, resolver))) => {
                let net = resource.net_options().unwrap_or(net);
                serve(resource, net, data, meta, resolver)
            }
            Ok(None) => Loss::NetworkFailure,
            Err(error) => {
                resource.complain(format_args!(
                    "cannot listen for the peer: {}; check the local address of the connection",
                    words::of_error(error)
                ));
                Loss::NetworkFailure
            }
        };
        resource.post(Event::Disconnected(loss));
        resource.receiver.pause();
    }
    if resource.conn() != ConnState::StandAlone {
        resource.post(Event::Disconnected(Loss::NetworkFailure));
    }
}

/// The sockets, one by one.
struct Pair {
    data: Option<TcpSocket>,
    meta: Option<TcpSocket>,
    establish: Establish,
}

impl Pair {
    fn put(&mut self, channel: Channel, socket: TcpSocket) {
        match channel {
            Channel::Data => self.data = Some(socket),
            Channel::Meta => self.meta = Some(socket),
        }
    }

    /// Throws dead sockets away.
    fn check(&mut self) {
        for (channel, socket) in [
            (Channel::Data, &mut self.data),
            (Channel::Meta, &mut self.meta),
        ] {
            if socket.as_ref().is_some_and(|socket| !is_alive(socket)) {
                *socket = None;
                self.establish.lost(channel);
            }
        }
    }
}

fn is_alive(socket: &TcpSocket) -> bool {
    match socket.receive(&mut [0; 4], Receive::Peek) {
        Ok(bytes) => bytes > 0,
        Err(error) => error == EAGAIN,
    }
}

/// Calls and listens until both sockets are there. `None`: the network is to be left.
fn connect(resource: &Resource, net: &NetOptions) -> Result<Option<(TcpSocket, TcpSocket, bool)>> {
    let sizes = Tuning::of(net).buffers();
    let (Some(own), Some(peer)) = resource.addresses() else {
        return Ok(None);
    };
    let listener = Listener::bind(&own, sizes)?;
    let mut pair = Pair {
        data: None,
        meta: None,
        establish: Establish::new((own.host(), own.port()) < (peer.host(), peer.port())),
    };
    loop {
        // Options that changed since the last call are in force.
        let net = &resource.net_options().unwrap_or_else(|| net.clone());
        if resource.receiver.leaving() {
            return Ok(None);
        }
        while let Some(channel) = pair.establish.next_call() {
            let Ok(socket) = TcpSocket::connect(&own, &peer, CALL_MS, sizes) else {
                break;
            };
            if announce(&socket, channel).is_err() {
                break;
            }
            pair.put(channel, socket);
            pair.establish.called(channel);
        }
        if !pair.establish.is_complete() {
            listen(
                resource,
                net,
                &listener,
                &peer,
                &mut pair,
                connect_pause(net),
                true,
            )?;
        }
        if pair.establish.is_complete() {
            // Calls of the other node may be on their way: see which sockets stay.
            let check = match net.socket_check_timeout {
                0 => net.ping_timeout,
                configured => configured,
            };
            listen(
                resource,
                net,
                &listener,
                &peer,
                &mut pair,
                check * 100,
                false,
            )?;
            pair.check();
        }
        if pair.establish.is_complete() {
            if let (Some(data), Some(meta)) = (pair.data.take(), pair.meta.take()) {
                return Ok(Some((data, meta, pair.establish.is_resolver())));
            }
        }
    }
}

/// How long to wait for the peer's call before calling again, in milliseconds: about
/// `connect-int`, but two nodes with the same interval must not call at the same time for ever.
fn connect_pause(net: &NetOptions) -> u32 {
    let base = net.connect_int * 1000;
    let jitter = base / 7;
    base - jitter + (clock::random_u64() % u64::from(2 * jitter + 1)) as u32
}

/// Takes calls of the peer for `left` milliseconds, or until both sockets are there
/// (`until_complete`).
fn listen(
    resource: &Resource,
    net: &NetOptions,
    listener: &Listener,
    peer: &Address,
    pair: &mut Pair,
    mut left: u32,
    until_complete: bool,
) -> Result {
    while left > 0 && !resource.receiver.leaving() {
        if until_complete && pair.establish.is_complete() {
            break;
        }
        let step = LISTEN_MS.min(left);
        left -= step;
        let Some(socket) = listener.accept(step)? else {
            continue;
        };
        if !socket.peer().is_ok_and(|from| from.same_host(peer)) {
            continue;
        }
        pair.check();
        let coin = clock::random_u64() & 1 == 0;
        let first = first_packet(&socket, net);
        match first.and_then(|command| pair.establish.accepted(command, coin)) {
            Some(Accepted::Take(channel)) => pair.put(channel, socket),
            Some(Accepted::Close) => {}
            None => resource.complain(format_args!(
                "Error receiving initial packet: the caller is no DRBD, or said nothing; see \
                 who else connects to this address"
            )),
        }
    }
    Ok(())
}

fn announce(socket: &TcpSocket, channel: Channel) -> Result {
    let header = Header {
        volume: 0,
        command: channel.first_packet(),
        length: 0,
    };
    let mut packet = [0; Header::MAX_LEN];
    let len = header
        .emit(&mut packet, PROTOCOL_BEFORE_HANDSHAKE)
        .map_err(|_| EINVAL)?;
    send_all(socket, packet.get(..len).ok_or(EINVAL)?, false)
}

fn first_packet(socket: &TcpSocket, net: &NetOptions) -> Option<Command> {
    socket.set_receive_timeout(Some(net.ping_timeout * 400));
    let mut bytes = [0; 8];
    socket.receive_exact(&mut bytes).ok()?;
    let header = Header::parse(&bytes, PROTOCOL_BEFORE_HANDSHAKE).ok()?;
    (header.length == 0).then_some(header.command)
}

/// Sends all of `bytes`; `more` says that something follows at once. May sleep.
pub fn send_all(socket: &TcpSocket, bytes: &[u8], more: bool) -> Result {
    send_patiently(socket, bytes, more, || false)
}

/// Like [`send_all`], but goes on after a timeout without progress if `patient` says so.
pub fn send_patiently(
    socket: &TcpSocket,
    mut bytes: &[u8],
    more: bool,
    mut patient: impl FnMut() -> bool,
) -> Result {
    let flags = SendFlags {
        more,
        dont_wait: false,
    };
    while !bytes.is_empty() {
        match socket.send(bytes, flags) {
            Ok(sent) => bytes = bytes.get(sent..).ok_or(EIO)?,
            Err(error) if error == EAGAIN && patient() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn configure(session: &Session) {
    let timeout = session.net.timeout * 100;
    let handshake = session.net.ping_timeout * 400;
    session.data.set_receive_timeout(Some(handshake));
    session.data.set_send_timeout(Some(handshake));
    session.meta.set_send_timeout(Some(timeout));
    session.data.set_no_delay();
    session.meta.set_no_delay();
    session.data.set_priority(PRIORITY_DATA);
    session.meta.set_priority(PRIORITY_META);
    session.data.set_use_reserves(true);
    session.meta.set_use_reserves(true);
}

/// One session, from the handshake to the end of all its threads. Returns why it ended.
fn serve(
    resource: &Arc<Resource>,
    net: NetOptions,
    data: TcpSocket,
    meta: TcpSocket,
    resolver: bool,
) -> Loss {
    let session = match new_session(net, data, meta) {
        Ok(session) => session,
        Err(_) => return Loss::NetworkFailure,
    };
    configure(&session);
    resource.drop_items();
    resource.link.reset(session.net.max_epoch_size);
    resource.set_session(Some(session.clone()));
    if shake_hands(resource, &session) {
        let threads = start_threads(resource, &session);
        if threads.is_ok() {
            // What changed since the call is in force from here on.
            resource.tune(&session);
            resource.post(Event::Handshaken { resolver });
            crate::send::introduction(resource, &session);
            let loss = crate::receive::run(resource, &session);
            session.fail(resource, loss);
        }
        session.fail(resource, Loss::NetworkFailure);
        // Dropping waits for them: after this nothing is sent or received any more.
        drop(threads);
    }
    session.fail(resource, Loss::NetworkFailure);
    // What was answered before the end counts.
    while resource.heed(&session) {}
    resource.set_session(None);
    session.reason()
}

/// Pages for what the peer sends: the largest request has to fit, and another one beside it.
fn pages_of(tuning: &Tuning) -> usize {
    (tuning.max_buffers as usize).max(2 * PAGES_MAX)
}

fn new_session(net: NetOptions, data: TcpSocket, meta: TcpSocket) -> Result<Arc<Session>> {
    let tuning = Tuning::of(&net);
    let pool = PagePool::new(pages_of(&tuning))?;
    let plain = net.data_integrity_alg.is_empty();
    Ok(Arc::new(
        Session {
            data,
            meta,
            net,
            pool,
            tuning: crate::spinlock!(tuning, c"tandem_tuning")?,
            data_lock: crate::mutex!((), c"tandem_data_socket")?,
            plain: AtomicBool::new(plain),
            meta_lock: crate::mutex!((), c"tandem_meta_socket")?,
            version: AtomicU32::new(PROTOCOL_BEFORE_HANDSHAKE),
            features: AtomicU32::new(0),
            down: AtomicBool::new(false),
            parting: AtomicU64::new(0),
            pings: crate::spinlock!(Pings::default(), c"tandem_pings")?,
            answers: crate::spinlock!(Answers::new()?, c"tandem_answers")?,
            loss: crate::spinlock!(None, c"tandem_loss")?,
            last_received: AtomicU64::new(clock::monotonic_ms()),
        },
        GFP_KERNEL,
    )?)
}

fn start_threads(resource: &Arc<Resource>, session: &Arc<Session>) -> Result<[Thread; 3]> {
    let parts = || (resource.clone(), session.clone());
    let (crew, name) = (&resource.crew, resource.name_str());
    let (r, s) = parts();
    let sender = Thread::spawn(crew, fmt!("drbd_w_{}", name), move || {
        crate::send::run(&r, &s);
    })?;
    let (r, s) = parts();
    let ack_sender = Thread::spawn(crew, fmt!("drbd_as_{}", name), move || {
        crate::send_meta::run(&r, &s);
    });
    let (r, s) = parts();
    let ack_receiver = Thread::spawn(crew, fmt!("drbd_a_{}", name), move || {
        crate::receive_meta::run(&r, &s);
    });
    match (ack_sender, ack_receiver) {
        (Ok(ack_sender), Ok(ack_receiver)) => Ok([sender, ack_sender, ack_receiver]),
        (Err(error), _) | (_, Err(error)) => {
            // Those that run have to see the end before they are waited for.
            session.fail(resource, Loss::NetworkFailure);
            Err(error)
        }
    }
}
