// SPDX-License-Identifier: GPL-2.0

//! The receiver of the meta socket.

use tandem_engine::engine::ids::{Extent, Ticket, ID_SYNCER};
use tandem_engine::engine::resource::{Event, RarePacket};
use tandem_engine::engine::state::ConnState;
use tandem_engine::engine::volume::Effects;
use tandem_engine::engine::wire::ack::{BarrierAck, BlockAck};
use tandem_engine::engine::wire::data::ID_OUT_OF_SYNC;
use tandem_engine::engine::wire::state::StateReply;
use tandem_engine::engine::wire::Command;

use crate::packet::Packet;
use crate::receive::Trouble;
use crate::world::World;

impl World {
    /// Gives a node a packet that its peer did not send; what it is refused for.
    pub fn refusal(&mut self, n: usize, meta: bool, packet: &Packet) -> Option<String> {
        self.harmed = true;
        let taken = match meta {
            true => self.meta_packet(n, packet),
            false => self.data_packet(n, packet).map(drop),
        };
        match taken {
            Err(Trouble::Protocol(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn receive_meta(&mut self, n: usize, id: u64) {
        let there = self.nodes[n].resource.conn() == ConnState::WfReportParams;
        if let Some(conn) = &mut self.nodes[n].conn {
            // Its receiver starts after the handshake, if there is an end of that.
            conn.met |= there;
            if !conn.met {
                return;
            }
        }
        while let Some(packet) = self.nodes[n]
            .conn
            .as_mut()
            .filter(|c| c.id == id)
            .and_then(|c| c.rx_meta.pop_front())
        {
            self.cause = packet.cause;
            self.tell_taken(n, &packet);
            if let Err(Trouble::Protocol(text)) = self.meta_packet(n, &packet) {
                self.fail(format!("{}: meta socket: {text}", ["a", "b"][n]));
            }
        }
    }

    pub(crate) fn meta_packet(&mut self, n: usize, packet: &Packet) -> Result<(), Trouble> {
        let version = self.version(n);
        let (header, body) = packet
            .open(version)
            .ok_or(Trouble::Protocol("header".into()))?;
        let command = header.command;
        if command.on_meta_socket(version) != Some(header.length) {
            return Err(Trouble::Protocol(format!("{command:?}")));
        }
        self.look_at_volume_of(&header)?;
        match command {
            Command::BarrierAck => {
                let ack = BarrierAck::parse(command, body)?;
                self.nodes[n]
                    .stream
                    .barrier_acked(ack.barrier, ack.set_size)
                    .map_err(|e| Trouble::Protocol(format!("{e:?}")))?;
                self.each_volume(|world| world.barrier_acked(n, ack.barrier));
                return Ok(());
            }
            Command::Ping => {
                self.ping(n, Command::PingAck);
                return Ok(());
            }
            Command::PingAck => {
                let conn = self.nodes[n].conn.as_mut();
                if conn.is_some_and(|conn| conn.pings.answered()) {
                    self.post(n, Event::PingAnswered, false);
                }
                return Ok(());
            }
            Command::StateChgReply | Command::ConnStChgReply => {
                let reply = StateReply::parse(command, body)?;
                let event = Event::Packet {
                    volume: header.volume,
                    packet: RarePacket::StateReply(reply.retcode),
                };
                self.post(n, event, false);
                return Ok(());
            }
            _ => {}
        }
        self.block_ack(n, command, BlockAck::parse(command, body)?)
    }

    /// Sends a ping, or the answer to one. A dead peer is noticed by the link's own timers.
    pub(crate) fn ping(&mut self, n: usize, command: Command) {
        let version = self.version(n);
        if let Some(conn) = &mut self.nodes[n].conn {
            if command == Command::Ping {
                conn.pings.asked(true);
            }
            let packet = Packet::new(version, command, vec![], |_| Ok(0));
            self.transmit(n, true, packet);
        }
    }

    /// The peer has all writes of an epoch on its disks.
    fn barrier_acked(&mut self, n: usize, barrier: u32) {
        if self.peer_is_flushed(n) {
            self.oracle.peer_flushed();
        }
        loop {
            let mut fx = Effects::new();
            let done = self.nodes[n].vol.engine.barrier_acked(barrier, &mut fx);
            self.finish(n, fx);
            if done {
                return;
            }
        }
    }

    fn block_ack(&mut self, n: usize, command: Command, ack: BlockAck) -> Result<(), Trouble> {
        let extent = Extent::new(ack.sector, ack.size);
        let ticket = Ticket::from_block_id(ack.block_id);
        let resync = ack.block_id == ID_SYNCER;
        if command == Command::NegRsDReply {
            self.oracle.verify.refused(extent);
        }
        let mut fx = Effects::new();
        let volume = &mut self.nodes[n].vol.engine;
        volume.peer_numbered(ack.seq_num, &mut fx);
        let taken = match command {
            Command::RsWriteAck if resync => volume.resync_acked(extent, true, &mut fx),
            Command::NegAck if resync => volume.resync_acked(extent, false, &mut fx),
            Command::WriteAck | Command::RecvAck => {
                volume.peer_answered(ticket, true, false, &mut fx)
            }
            Command::RsWriteAck => volume.peer_answered(ticket, true, true, &mut fx),
            Command::NegAck | Command::NegDReply => {
                volume.peer_answered(ticket, false, false, &mut fx)
            }
            Command::Superseded => volume.peer_put_off(ticket, true, &mut fx),
            Command::RetryWrite => volume.peer_put_off(ticket, false, &mut fx),
            Command::NegRsDReply => volume.resync_refused(extent, true, &mut fx),
            Command::RsIsInSync => volume.resync_equal(extent, &mut fx),
            Command::RsCancel => volume.resync_refused(extent, false, &mut fx),
            Command::OvResult => {
                let equal = ack.block_id != ID_OUT_OF_SYNC;
                volume.verify_result(extent, equal, &mut fx)
            }
            other => return Err(Trouble::Protocol(format!("{other:?}"))),
        };
        self.finish(n, fx);
        if command == Command::RsIsInSync {
            self.kick_resync(n);
        }
        taken.map_err(|e| Trouble::Protocol(format!("{command:?} {extent:?} {ticket:?}: {e:?}")))
    }
}
