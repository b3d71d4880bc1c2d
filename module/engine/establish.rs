// SPDX-License-Identifier: GPL-2.0

//! Two sockets between two nodes that both call and listen at the same time.
//!
//! A connection has a data socket and a meta socket. Each node calls the other and listens for its
//! call; the first packet on a new socket tells which of the two it is to be. When both nodes call
//! at once, their sockets cross: the later one replaces the former, and a random pause breaks the
//! symmetry.
//!
//! Source: the behaviour of the C module (`drivers/block/drbd/drbd_receiver.c`).

use super::wire::Command;

/// Which of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The data socket.
    Data,
    /// The meta socket.
    Meta,
}

impl Channel {
    /// The packet that announces it.
    pub fn first_packet(self) -> Command {
        match self {
            Channel::Data => Command::InitialData,
            Channel::Meta => Command::InitialMeta,
        }
    }
}

/// What to do with a socket that the peer made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What it is to be, in place of the one there is.
    pub channel: Channel,
    /// It crossed with one of ours: pause for a random time before calling again.
    pub crossed: bool,
}

/// Which sockets exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Establish {
    data: bool,
    meta: bool,
    resolver: bool,
}

impl Establish {
    /// What the next socket that we make ourselves is to be; `None` when both are there.
    pub fn next_call(&self) -> Option<Channel> {
        match (self.data, self.meta) {
            (false, _) => Some(Channel::Data),
            (true, false) => Some(Channel::Meta),
            (true, true) => None,
        }
    }

    /// We reached the peer: the new socket is `channel`.
    pub fn called(&mut self, channel: Channel) {
        match channel {
            Channel::Data => self.data = true,
            Channel::Meta => {
                self.meta = true;
                self.resolver = false;
            }
        }
    }

    /// The peer reached us and sent its first packet. `None`: it is no packet to begin with.
    pub fn accepted(&mut self, first: Command) -> Option<Accepted> {
        let (channel, crossed) = match first {
            Command::InitialData => (Channel::Data, core::mem::replace(&mut self.data, true)),
            Command::InitialMeta => {
                self.resolver = true;
                (Channel::Meta, core::mem::replace(&mut self.meta, true))
            }
            _ => return None,
        };
        Some(Accepted { channel, crossed })
    }

    /// A socket turned out to be dead.
    pub fn lost(&mut self, channel: Channel) {
        match channel {
            Channel::Data => self.data = false,
            Channel::Meta => self.meta = false,
        }
    }

    /// Whether both sockets are there.
    pub fn is_complete(&self) -> bool {
        self.data && self.meta
    }

    /// Whether this node's requests win over concurrent ones of the peer: exactly one of both
    /// nodes accepted the meta socket.
    pub fn is_resolver(&self) -> bool {
        self.resolver
    }
}
