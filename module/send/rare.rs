// SPDX-License-Identifier: GPL-2.0

//! Packets that the resource decided to send.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use kernel::prelude::*;

use crate::digests;
use crate::engine::options::{
    FixedStr,
    NetOptions,
    OPTION_TEXT_MAX, //
};
use crate::engine::resource::Outgoing;
use crate::engine::wire::params::{
    ProtocolSettings,
    SyncParams, //
};
use crate::engine::wire::Command;

use super::Sender;

impl Sender<'_> {
    pub(super) fn rare(&mut self) -> Result {
        let Some((volume, packet)) = self.resource.link.next_packet() else {
            return Ok(());
        };
        match packet {
            Outgoing::Protocol => {
                self.protocol(Command::Protocol, self.session.net.data_integrity_alg)
            }
            Outgoing::ProtocolUpdate => self.protocol_update(),
            Outgoing::SyncParams => self.sync_params(volume),
            Outgoing::Sizes(p) => self.packet(volume, Command::Sizes, |_, out, _| p.emit(out)),
            Outgoing::Uuids(p) => self.packet(volume, Command::Uuids, |c, out, _| p.emit(c, out)),
            Outgoing::State(p) => self.packet(volume, Command::State, |c, out, _| p.emit(c, out)),
            Outgoing::SyncUuid(p) => {
                self.packet(volume, Command::SyncUuid, |c, out, _| p.emit(c, out))
            }
            Outgoing::StateRequest(p) => {
                self.packet(volume, Command::StateChgReq, |c, out, _| p.emit(c, out))
            }
            Outgoing::ConnStateRequest(p) => {
                self.packet(volume, Command::ConnStChgReq, |c, out, _| p.emit(c, out))
            }
        }
    }

    /// The options in force; they may have changed since the session began.
    pub(super) fn net(&self) -> NetOptions {
        let options = self.resource.net_options();
        options.unwrap_or_else(|| self.session.net.clone())
    }

    /// Tells new settings; blocks that follow have the new digest.
    fn protocol_update(&mut self) -> Result {
        let name = self.net().data_integrity_alg;
        let integrity = digests::find(&name)?;
        self.protocol(Command::ProtocolUpdate, name)?;
        self.session
            .plain
            .store(integrity.is_none(), Ordering::Release);
        self.integrity = integrity;
        Ok(())
    }

    /// Tells the settings of this session.
    fn protocol(&mut self, command: Command, integrity: FixedStr<OPTION_TEXT_MAX>) -> Result {
        let net = match command {
            Command::Protocol => self.session.net.clone(),
            _ => self.net(),
        };
        let settings = ProtocolSettings {
            integrity_alg: integrity.as_bytes(),
            ..ProtocolSettings::of(&net)
        };
        self.packet(0, command, |c, out, version| settings.emit(c, out, version))
    }

    fn sync_params(&mut self, volume: u16) -> Result {
        let net = self.net();
        let disk = self.resource.disk_options(volume);
        let version = self.session.version();
        let params = SyncParams::of(&net, &disk);
        let command = SyncParams::command_in(version);
        self.packet(volume, command, |_, out, version| params.emit(out, version))
    }
}
