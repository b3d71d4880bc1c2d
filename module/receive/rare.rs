// SPDX-License-Identifier: GPL-2.0

//! Packets that the resource decides about.
#![forbid(unsafe_code)]

use crate::engine::resource::{
    Event,
    PeerSyncParams,
    RarePacket, //
};
use crate::engine::wire::params::{
    ProtocolSettings,
    SyncParams, //
};
use crate::engine::wire::state::{
    SizeReport,
    StateReport,
    StateRequest,
    SyncUuid,
    UuidReport, //
};
use crate::engine::wire::{
    Command,
    Header, //
};
use crate::words::Problem;

use super::{
    Outcome,
    Receiver,
    Stop, //
};

impl Receiver<'_> {
    /// A packet that the resource decides about.
    pub(super) fn rare(&mut self, header: Header) -> Outcome {
        let command = header.command;
        let bytes = self.bytes(header.length);
        let packet = match command {
            Command::Sizes => Self::parse(
                header,
                SizeReport::parse(bytes, self.session.features()).map(RarePacket::Sizes),
            )?,
            Command::Uuids => Self::parse(
                header,
                UuidReport::parse(command, bytes).map(RarePacket::Uuids),
            )?,
            Command::State => Self::parse(
                header,
                StateReport::parse(command, bytes).map(RarePacket::State),
            )?,
            Command::SyncUuid => Self::parse(
                header,
                SyncUuid::parse(command, bytes).map(RarePacket::SyncUuid),
            )?,
            Command::StateChgReq => Self::parse(
                header,
                StateRequest::parse(command, bytes).map(RarePacket::StateRequest),
            )?,
            Command::ConnStChgReq => Self::parse(
                header,
                StateRequest::parse(command, bytes).map(RarePacket::ConnStateRequest),
            )?,
            Command::Protocol => {
                let version = self.session.version();
                let settings =
                    Self::parse(header, ProtocolSettings::parse(command, bytes, version))?;
                RarePacket::Protocol(settings.into())
            }
            Command::ProtocolUpdate => return self.protocol_update(header),
            Command::SyncParam | Command::SyncParam89 => {
                let version = self.session.version();
                let params = Self::parse(header, SyncParams::parse(bytes, version))?;
                RarePacket::SyncParams(PeerSyncParams::new(&params, version))
            }
            _ => return Err(Stop::refused(command, Problem::Unexpected)),
        };
        self.resource.post(Event::Packet {
            volume: header.volume,
            packet,
        });
        if command == Command::SyncUuid {
            // We are about to become inconsistent: a handler may forbid it, and until it has
            // answered nothing of what follows may touch the disk.
            self.inbox.answer()?;
            let session = self.session;
            self.resource.wait_for_handlers(|| session.is_down());
        }
        Ok(())
    }
}
