// SPDX-License-Identifier: GPL-2.0

//! Two sockets between two nodes that both call and listen at the same time.
//!
//! A connection has a data socket and a meta socket. Each node calls the other and listens for its
//! call; the first packet on a new socket tells which of the two it is to be. When both nodes call
//! at once, their sockets cross: of two sockets for the same purpose only one may stay, and both
//! nodes have to agree which.
//!
//! The rule here: the call of the node with the lower address stays. The C module always takes the
//! peer's call instead; against it the rule fails when our address is the higher one, then both
//! sockets die, and from the second crossing on a coin decides on this side too.
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
pub enum Accepted {
    /// It is to be this, in place of one that there may be.
    Take(Channel),
    /// Ours stays: close it.
    Close,
}

/// Which sockets exist, and who called.
#[derive(Clone, Copy, Debug)]
pub struct Establish {
    data: bool,
    meta: bool,
    resolver: bool,
    /// Our calls stay when they cross with the peer's.
    preferred: bool,
    crossings: u32,
}

impl Establish {
    /// Nothing is there yet. `preferred`: our address is lower than the peer's.
    pub fn new(preferred: bool) -> Self {
        Self {
            data: false,
            meta: false,
            resolver: false,
            preferred,
            crossings: 0,
        }
    }

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

    /// The peer reached us and sent its first packet; `coin` is a random bit. `None`: it is no
    /// packet to begin with.
    pub fn accepted(&mut self, first: Command, coin: bool) -> Option<Accepted> {
        let (channel, crossed) = match first {
            Command::InitialData => (Channel::Data, self.data),
            Command::InitialMeta => (Channel::Meta, self.meta),
            _ => return None,
        };
        if crossed {
            self.crossings = self.crossings.saturating_add(1);
            // Two crossings are one collision: one for each socket.
            if self.preferred || (self.crossings > 2 && coin) {
                return Some(Accepted::Close);
            }
        }
        match channel {
            Channel::Data => self.data = true,
            Channel::Meta => {
                self.meta = true;
                self.resolver = true;
            }
        }
        Some(Accepted::Take(channel))
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

#[cfg(test)]
#[path = "establish_tests.rs"]
mod tests;
