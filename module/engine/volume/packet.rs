// SPDX-License-Identifier: GPL-2.0

//! What a write is on the wire, and back: the packet, its flags and the acknowledgement that is
//! wanted, as protocol version and features have it.
//!
//! Source: `drivers/block/drbd/drbd_main.c` (`bio_flags_to_wire`, `drbd_send_dblock`),
//! `drbd_receiver.c` (`receive_Data`, `wire_flags_to_bio`).

use crate::engine::options::WireProtocol;
use crate::engine::wire::data::DataFlags;
use crate::engine::wire::handshake::{
    Agreement,
    Features, //
};
use crate::engine::wire::Command;

use super::mirror::SendView;
use super::peer::WantedAck;
use super::slot::{
    Operation,
    WriteFlags, //
};

/// The first version in which a write says whether it is a flush, is forced to the medium, or
/// discards.
const SAYS_HOW: u32 = 95;

/// The first version in which a write says which acknowledgement it wants.
const SAYS_ACK: u32 = 100;

fn set(on: bool, flag: DataFlags) -> DataFlags {
    if on {
        flag
    } else {
        DataFlags::default()
    }
}

impl SendView {
    /// The packet that carries the write, and the flags in it.
    pub fn packet(&self, agreed: Agreement) -> (Command, DataFlags) {
        let (command, kind) = match self.operation {
            // Without that feature, the peer writes zeroes for every discard.
            Operation::Zeroes { unmap } if agreed.features.has(Features::WZEROES) => (
                Command::Zeroes,
                DataFlags::ZEROES.with(set(unmap, DataFlags::DISCARD)),
            ),
            Operation::Zeroes { .. } | Operation::Discard => (Command::Trim, DataFlags::DISCARD),
            Operation::Write | Operation::Flush | Operation::Read => {
                (Command::Data, DataFlags::default())
            }
        };
        let mut flags = set(self.flags.sync, DataFlags::RW_SYNC)
            .with(set(self.may_set_in_sync, DataFlags::MAY_SET_IN_SYNC));
        if agreed.version >= SAYS_HOW {
            flags = flags
                .with(kind)
                .with(set(self.flags.fua, DataFlags::FUA))
                .with(set(self.flags.preflush, DataFlags::FLUSH));
        }
        if agreed.version >= SAYS_ACK {
            flags = flags.with(match self.ack {
                WantedAck::Written => DataFlags::SEND_WRITE_ACK,
                WantedAck::Received => DataFlags::SEND_RECEIVE_ACK,
                WantedAck::None => DataFlags::default(),
            });
        }
        (command, flags)
    }
}

impl Operation {
    /// What a write of the peer without payload does.
    pub fn of_packet(command: Command, flags: DataFlags, agreed: Agreement) -> Self {
        match command {
            Command::Zeroes => Operation::Zeroes {
                unmap: flags.has(DataFlags::DISCARD),
            },
            // It may mean zeroes: the peer cannot say that.
            _ if !agreed.features.has(Features::WZEROES) => Operation::Zeroes { unmap: true },
            _ => Operation::Discard,
        }
    }
}

impl WriteFlags {
    /// How a write of the peer has to be treated.
    pub fn of_packet(flags: DataFlags) -> Self {
        Self {
            fua: flags.has(DataFlags::FUA),
            preflush: flags.has(DataFlags::FLUSH),
            sync: flags.has(DataFlags::RW_SYNC),
        }
    }

    /// What of it such a request can have: no disk takes a discard, or zeroes, that is to be on
    /// stable storage at once. No application asks for that, but a peer may.
    pub(super) fn on(self, operation: Operation) -> Self {
        match operation {
            Operation::Write | Operation::Flush => self,
            Operation::Discard | Operation::Zeroes { .. } | Operation::Read => Self {
                sync: self.sync,
                ..Self::default()
            },
        }
    }
}

impl WantedAck {
    /// What a write of the peer wants. Below version 100 the configured protocol says it, which is
    /// asked for only then.
    pub fn of_packet(
        flags: DataFlags,
        version: u32,
        protocol: impl FnOnce() -> WireProtocol,
    ) -> Self {
        if flags.has(DataFlags::SEND_WRITE_ACK) {
            return WantedAck::Written;
        }
        if flags.has(DataFlags::SEND_RECEIVE_ACK) {
            return WantedAck::Received;
        }
        if version >= SAYS_ACK {
            return WantedAck::None;
        }
        match protocol() {
            WireProtocol::A => WantedAck::None,
            WireProtocol::B => WantedAck::Received,
            WireProtocol::C => WantedAck::Written,
        }
    }
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
