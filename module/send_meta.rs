// SPDX-License-Identifier: GPL-2.0

//! The sender of the meta socket: acknowledgements and signs of life.
#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::engine::resource::Loss;
use crate::engine::volume::AckKind;
use crate::engine::wire::ack::{
    BarrierAck,
    BlockAck, //
};
use crate::engine::wire::data::{
    ID_IN_SYNC,
    ID_OUT_OF_SYNC, //
};
use crate::engine::wire::state::StateReply;
use crate::engine::wire::{
    Command,
    Header,
    WireError, //
};
use crate::link::MetaItem;
use crate::resource::Resource;
use crate::session::{
    send_all,
    Session, //
};
use crate::sys::short_list::ShortList;

/// Longest packet on the meta socket.
const PACKET: usize = Header::MAX_LEN + BlockAck::LEN;

/// Packets that are sent at once.
const BATCH: usize = 64;

/// Items that are taken out of the queue at once.
const SOME: usize = 16;

/// The protocol version that first has `P_RETRY_WRITE`.
const RETRY_SINCE: u32 = 100;

/// How long the sender sleeps when nothing wakes it, in milliseconds.
const IDLE_MS: u32 = 1000;

/// Sends until the session is down.
pub fn run(resource: &Resource, session: &Session) {
    let Ok(mut answers) = Answers::new() else {
        return session.fail(resource, Loss::NetworkFailure);
    };
    while !session.is_down() {
        match answers.send_queued(resource, session) {
            Ok(true) => {}
            Ok(false) => drop(resource.link.meta_wake.wait_timeout(IDLE_MS)),
            Err(_) => return session.fail(resource, Loss::BrokenPipe),
        }
    }
}

/// Room for a batch of packets.
pub struct Answers(KVec<u8>);

impl Answers {
    /// Allocates it. May sleep.
    pub fn new() -> Result<Self> {
        Ok(Self(KVec::from_elem(0, PACKET * BATCH, GFP_KERNEL)?))
    }

    /// Sends the first of what is queued for the meta socket; whether there was anything. May
    /// sleep.
    ///
    /// Errors: the socket's.
    pub fn send_queued(&mut self, resource: &Resource, session: &Session) -> Result<bool> {
        // Taken out and sent under the lock: the receiver sends, too, and no acknowledgement of a
        // barrier may overtake that of a write.
        let _sending = session.meta_lock.lock();
        let mut len = 0;
        let mut items = ShortList::<MetaItem, SOME>::new();
        let mut all = false;
        while !all && len + SOME * PACKET <= self.0.len() {
            items.clear();
            all = resource.link.take_meta(&mut items);
            while let Some(item) = items.pop() {
                let to = self.0.get_mut(len..).unwrap_or(&mut []);
                len += encode_item(session, item, to).unwrap_or(0);
            }
        }
        if len == 0 {
            return Ok(false);
        }
        send_all(&session.meta, self.0.get(..len).unwrap_or(&[]), false)?;
        Ok(true)
    }
}

fn encode_item(session: &Session, item: MetaItem, to: &mut [u8]) -> Result<usize> {
    match item {
        MetaItem::Ack {
            volume,
            kind,
            extent,
            block_id,
            sequence,
        } => {
            let block_id = match kind {
                AckKind::VerifyEqual => ID_IN_SYNC,
                AckKind::VerifyDifferent => ID_OUT_OF_SYNC,
                _ => block_id,
            };
            let command = ack_command(kind, session.version());
            let ack = BlockAck {
                sector: extent.sector,
                block_id,
                size: extent.bytes,
                seq_num: sequence,
            };
            encode(session, volume, command, to, |c, out| ack.emit(c, out))
        }
        MetaItem::BarrierAck { barrier, writes } => {
            let ack = BarrierAck {
                barrier,
                set_size: writes,
            };
            encode(session, 0, Command::BarrierAck, to, |c, out| {
                ack.emit(c, out)
            })
        }
        MetaItem::Ping => encode(session, 0, Command::Ping, to, |_, _| Ok(0)),
        MetaItem::PingAck => encode(session, 0, Command::PingAck, to, |_, _| Ok(0)),
    }
}

fn ack_command(kind: AckKind, version: u32) -> Command {
    match kind {
        AckKind::Retry if version >= RETRY_SINCE => Command::RetryWrite,
        AckKind::Superseded | AckKind::Retry => Command::Superseded,
        AckKind::Write => Command::WriteAck,
        AckKind::Received => Command::RecvAck,
        AckKind::ResyncWrite => Command::RsWriteAck,
        AckKind::ResyncEqual => Command::RsIsInSync,
        AckKind::Negative => Command::NegAck,
        AckKind::NegativeRead => Command::NegDReply,
        AckKind::NegativeResyncRead => Command::NegRsDReply,
        AckKind::ResyncCancelled => Command::RsCancel,
        AckKind::VerifyEqual | AckKind::VerifyDifferent => Command::OvResult,
    }
}

fn encode(
    session: &Session,
    volume: u16,
    command: Command,
    to: &mut [u8],
    emit: impl FnOnce(Command, &mut [u8]) -> Result<usize, WireError>,
) -> Result<usize> {
    let version = session.version();
    let head = Header::encoded_len(version);
    if to.len() < head {
        return Err(EINVAL);
    }
    let (header, body) = to.split_at_mut(head);
    let len = emit(command, body).map_err(|_| EINVAL)?;
    Header {
        volume,
        command,
        length: u32::try_from(len)?,
    }
    .emit(header, version)
    .map_err(|_| EINVAL)?;
    Ok(head + len)
}

/// Answers a request for a state change, past the queue: the socket may be closed right after.
/// May sleep.
pub fn send_state_reply(session: &Session, volume: u16, connection: bool, code: i32) -> Result {
    let command = if connection {
        Command::ConnStChgReply
    } else {
        Command::StateChgReply
    };
    let reply = StateReply { retcode: code };
    let mut packet = [0; PACKET];
    let len = encode(session, volume, command, &mut packet, |c, out| {
        reply.emit(c, out)
    })?;
    let _locked = session.meta_lock.lock();
    send_all(&session.meta, packet.get(..len).ok_or(EINVAL)?, false)
}
