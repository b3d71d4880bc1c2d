// SPDX-License-Identifier: GPL-2.0

//! The receiver of the meta socket: acknowledgements, and signs of life.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::ids::{
    Extent,
    Ticket,
    ID_SYNCER, //
};
use crate::engine::resource::{
    Event,
    Loss,
    RarePacket, //
};
use crate::engine::wire::ack::{
    BarrierAck,
    BlockAck, //
};
use crate::engine::wire::state::StateReply;
use crate::engine::wire::{
    Command,
    Header, //
};
use crate::link::MetaItem;
use crate::resource::Resource;
use crate::session::Session;
use crate::sys::clock;
use crate::sys::thread;

/// Longest payload on the meta socket.
const PAYLOAD: usize = BlockAck::LEN;

/// Receives until the session is down.
pub fn run(resource: &Arc<Resource>, session: &Session) {
    thread::set_fifo_low();
    let mut pinged = false;
    while !session.is_down() {
        let wait = if pinged {
            session.net.ping_timeout * 100
        } else {
            session.net.ping_int * 1000
        };
        session.meta.set_receive_timeout(Some(wait));
        match packet(resource, session) {
            Ok(()) => pinged = false,
            Err(Ended::Idle) if !pinged || heard_since(session, wait) => {
                resource.link.queue_meta(MetaItem::Ping);
                pinged = true;
            }
            Err(Ended::Idle) => {
                resource.log(format_args!("the peer did not answer a ping in time"));
                return session.fail(resource, Loss::NetworkFailure);
            }
            Err(Ended::Network) => return session.fail(resource, Loss::NetworkFailure),
            Err(Ended::Protocol(command)) => {
                resource.log(format_args!(
                    "connection dropped: {} on the meta socket is not allowed here",
                    command.as_str()
                ));
                return session.fail(resource, Loss::ProtocolError);
            }
        }
    }
}

fn heard_since(session: &Session, ms: u32) -> bool {
    let last = *session.last_received.lock();
    clock::monotonic_ms().saturating_sub(last) < u64::from(ms)
}

/// Why no packet was handled.
enum Ended {
    /// Nothing came in time.
    Idle,
    /// The socket is closed.
    Network,
    /// The packet must not come here, or not with that content.
    Protocol(Command),
}

fn packet(resource: &Arc<Resource>, session: &Session) -> core::result::Result<(), Ended> {
    let version = session.version();
    let mut bytes = [0; Header::MAX_LEN];
    let head = bytes
        .get_mut(..Header::encoded_len(version))
        .ok_or(Ended::Network)?;
    session.meta.receive_exact(head).map_err(|error| {
        if error == EAGAIN {
            Ended::Idle
        } else {
            Ended::Network
        }
    })?;
    let bad = |_| Ended::Protocol(Command::Unknown(0xffff));
    let header = Header::parse(head, version).map_err(bad)?;
    let command = header.command;
    if command.on_meta_socket() != Some(header.length) {
        return Err(Ended::Protocol(command));
    }
    let mut payload = [0; PAYLOAD];
    let payload = payload
        .get_mut(..header.length as usize)
        .ok_or(Ended::Protocol(command))?;
    session
        .meta
        .receive_exact(payload)
        .map_err(|_| Ended::Network)?;
    session.heard();
    handle(resource, header, payload).ok_or(Ended::Protocol(command))
}

/// `None`: not allowed.
fn handle(resource: &Arc<Resource>, header: Header, payload: &[u8]) -> Option<()> {
    let command = header.command;
    match command {
        Command::Ping => resource.link.queue_meta(MetaItem::PingAck),
        Command::PingAck | Command::DelayProbe => {}
        Command::BarrierAck => {
            let ack = BarrierAck::parse(command, payload).ok()?;
            barrier_acked(resource, ack)?;
        }
        Command::StateChgReply | Command::ConnStChgReply => {
            let reply = StateReply::parse(command, payload).ok()?;
            resource.post(Event::Packet {
                volume: header.volume,
                packet: RarePacket::StateReply(reply.retcode),
            });
        }
        _ => {
            let ack = BlockAck::parse(command, payload).ok()?;
            let device = resource.link.device(header.volume)?;
            block_acked(&device, command, ack)?;
        }
    }
    Some(())
}

fn barrier_acked(resource: &Resource, ack: BarrierAck) -> Option<()> {
    resource.link.barrier_acked(ack.barrier, ack.set_size).ok()?;
    let mut position = 0;
    while let Some(device) = resource.link.device_at(position) {
        while !device.feed(|volume, fx| volume.barrier_acked(ack.barrier, fx)) {}
        position += 1;
    }
    Some(())
}

fn block_acked(device: &Arc<Device>, command: Command, ack: BlockAck) -> Option<()> {
    let extent = Extent::new(ack.sector, ack.size);
    let ticket = Ticket::from_block_id(ack.block_id);
    let resync = ack.block_id == ID_SYNCER;
    device
        .feed(|volume, fx| match command {
            Command::RsWriteAck if resync => {
                volume.resync_acked(extent, true, fx);
                Ok(())
            }
            Command::NegAck if resync => {
                volume.resync_acked(extent, false, fx);
                Ok(())
            }
            Command::WriteAck | Command::RecvAck => volume.peer_answered(ticket, true, false, fx),
            Command::RsWriteAck => volume.peer_answered(ticket, true, true, fx),
            Command::NegAck | Command::NegDReply => {
                volume.peer_answered(ticket, false, false, fx)
            }
            Command::NegRsDReply => volume.resync_refused(extent, true, fx),
            Command::RsCancel => volume.resync_refused(extent, false, fx),
            // Nothing that we send is answered by these.
            _ => Err(crate::engine::volume::PeerRequestError::Unexpected),
        })
        .ok()
}
