// SPDX-License-Identifier: GPL-2.0

//! The receiver of the meta socket: acknowledgements, and signs of life.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::ids::{
    Extent,
    Ticket,
    ID_SYNCER, //
};
use crate::engine::life::{
    Life,
    LifeStep,
    Silence, //
};
use crate::engine::resource::Loss;
use crate::engine::wire::ack::{
    BarrierAck,
    BlockAck, //
};
use crate::engine::wire::data::ID_OUT_OF_SYNC;
use crate::engine::wire::state::StateReply;
use crate::engine::wire::{
    Command,
    Header, //
};
use crate::link::MetaItem;
use crate::resource::Resource;
use crate::session::Session;
use crate::sys::clock;
use crate::sys::socket::Receive;
use crate::sys::thread;
use crate::words::{
    Problem,
    Refusal,
    Socket, //
};

/// Bytes that are read at once: many acknowledgements.
const BUFFER: usize = 4096;

/// Receives until the session is down.
pub fn run(resource: &Arc<Resource>, session: &Session) {
    thread::set_fifo_low();
    let Ok(buffer) = KVec::from_elem(0, BUFFER, GFP_KERNEL) else {
        return session.fail(resource, Loss::NetworkFailure);
    };
    let mut receiver = Receiver {
        resource,
        session,
        buffer,
        len: 0,
        device: None,
    };
    let mut life = Life::default();
    while !session.is_down() {
        let silence = session.tuning().silence;
        let wait = life.wait(silence);
        session.meta.set_receive_timeout(Some(wait));
        match receiver.packets() {
            Ok(()) => life.heard(),
            Err(Ended::Idle) if may_live(resource, session, &mut life, wait, silence) => {}
            Err(Ended::Idle) => {
                resource.complain(format_args!("PingAck did not arrive in time."));
                return session.fail(resource, Loss::NetworkFailure);
            }
            Err(Ended::Network) => return session.fail(resource, Loss::NetworkFailure),
            Err(Ended::Protocol(refusal)) => {
                resource.complain(format_args!("{}, dropping connection", refusal));
                return session.fail(resource, Loss::ProtocolError);
            }
        }
    }
}

/// Nothing came for `waited` milliseconds. Whether the peer may live.
fn may_live(
    resource: &Resource,
    session: &Session,
    life: &mut Life,
    waited: u32,
    silence: Silence,
) -> bool {
    let last = session.last_received.load(Ordering::Relaxed);
    let quiet = clock::monotonic_ms().saturating_sub(last);
    let step = life.waited(waited, quiet, &session.pings.lock(), silence);
    if step == LifeStep::Ping {
        session.ping(&resource.link, false);
    }
    step != LifeStep::Dead
}

/// Why no packet was handled.
enum Ended {
    /// Nothing came in time.
    Idle,
    /// The socket is closed.
    Network,
    /// The packet must not come here, or not with that content.
    Protocol(Refusal),
}

struct Receiver<'a> {
    resource: &'a Arc<Resource>,
    session: &'a Session,
    buffer: KVec<u8>,
    /// How much of the buffer is filled: a packet may come in pieces.
    len: usize,
    /// The device of the packet before this one, if both came together: most are of one volume.
    device: Option<Arc<Device>>,
}

impl Receiver<'_> {
    /// Waits for bytes, and handles all packets that are complete then.
    fn packets(&mut self) -> core::result::Result<(), Ended> {
        let room = self.buffer.get_mut(self.len..).ok_or(Ended::Network)?;
        match self.session.meta.receive(room, Receive::Some) {
            Ok(0) => return Err(Ended::Network),
            Ok(bytes) => self.len += bytes,
            Err(error) if error == EAGAIN => return Err(Ended::Idle),
            Err(_) => return Err(Ended::Network),
        }
        self.session.heard();
        let mut at = 0;
        while let Some(next) = self.packet(at)? {
            at = next;
        }
        self.device = None;
        self.buffer.copy_within(at..self.len, 0);
        self.len -= at;
        Ok(())
    }

    /// Handles the packet at `at`; returns where the next one starts, or `None` if it is not
    /// complete.
    fn packet(&mut self, at: usize) -> core::result::Result<Option<usize>, Ended> {
        let version = self.session.version();
        let head = Header::encoded_len(version);
        let bytes = self.buffer.get(at..self.len).unwrap_or(&[]);
        if bytes.len() < head {
            return Ok(None);
        }
        let header = Header::parse(bytes, version)
            .map_err(|error| Ended::Protocol(Refusal::header(error, bytes, version)))?;
        let command = header.command;
        let refuse = |problem| Ended::Protocol(Refusal::new(command, Socket::Meta, problem));
        match command.on_meta_socket(version) {
            None => return Err(refuse(Problem::Unexpected)),
            Some(expected) if expected != header.length => {
                return Err(refuse(Problem::Length {
                    expected,
                    received: header.length,
                }));
            }
            Some(_) => {}
        }
        let end = head + header.length as usize;
        let Some(payload) = bytes.get(head..end) else {
            return Ok(None);
        };
        let (resource, session) = (self.resource, self.session);
        handle(resource, session, header, payload, &mut self.device)
            .ok_or(refuse(Problem::Unknown))?;
        Ok(Some(at + end))
    }
}

/// `None`: not allowed.
fn handle(
    resource: &Arc<Resource>,
    session: &Session,
    header: Header,
    payload: &[u8],
    device: &mut Option<Arc<Device>>,
) -> Option<()> {
    let command = header.command;
    match command {
        Command::Ping => resource.link.queue_meta(MetaItem::PingAck),
        Command::PingAck => {
            if session.pings.lock().answered() {
                session.answers.lock().ping();
                resource.wake.raise();
            }
        }
        Command::DelayProbe => {}
        Command::BarrierAck => {
            let ack = BarrierAck::parse(command, payload).ok()?;
            barrier_acked(resource, ack)?;
        }
        Command::StateChgReply | Command::ConnStChgReply => {
            let reply = StateReply::parse(command, payload).ok()?;
            session.answers.lock().state(header.volume, reply.retcode);
            resource.wake.raise();
        }
        _ => {
            let ack = BlockAck::parse(command, payload).ok()?;
            if device
                .as_ref()
                .is_none_or(|device| device.number != header.volume)
            {
                *device = Some(resource.link.device(header.volume)?);
            }
            block_acked(device.as_ref()?, command, ack)?;
        }
    }
    Some(())
}

fn barrier_acked(resource: &Resource, ack: BarrierAck) -> Option<()> {
    resource
        .link
        .barrier_acked(ack.barrier, ack.set_size)
        .ok()?;
    for device in resource.link.devices() {
        while !device.feed(|volume, fx| volume.barrier_acked(ack.barrier, fx)) {}
    }
    Some(())
}

fn block_acked(device: &Arc<Device>, command: Command, ack: BlockAck) -> Option<()> {
    let extent = Extent::new(ack.sector, ack.size);
    let ticket = Ticket::from_block_id(ack.block_id);
    let resync = ack.block_id == ID_SYNCER;
    device
        .feed(|volume, fx| {
            volume.peer_numbered(ack.seq_num, fx);
            match command {
                Command::RsWriteAck if resync => volume.resync_acked(extent, true, fx),
                Command::NegAck if resync => volume.resync_acked(extent, false, fx),
                Command::WriteAck | Command::RecvAck => {
                    volume.peer_answered(ticket, true, false, fx)
                }
                Command::RsWriteAck => volume.peer_answered(ticket, true, true, fx),
                Command::NegAck | Command::NegDReply => {
                    volume.peer_answered(ticket, false, false, fx)
                }
                Command::Superseded => volume.peer_put_off(ticket, true, fx),
                Command::RetryWrite => volume.peer_put_off(ticket, false, fx),
                Command::NegRsDReply => volume.resync_refused(extent, true, fx),
                Command::RsIsInSync => volume.resync_equal(extent, fx),
                Command::RsCancel => volume.resync_refused(extent, false, fx),
                Command::OvResult => {
                    let equal = ack.block_id != ID_OUT_OF_SYNC;
                    volume.verify_result(extent, equal, fx)
                }
                // Nothing that we send is answered by these.
                _ => Err(crate::engine::volume::PeerRequestError::Unexpected),
            }
        })
        .ok()
}
