// SPDX-License-Identifier: GPL-2.0

//! One session: an honest peer whose packets are changed on their way out.

use std::{
    io,
    time::{Duration, Instant},
};

use fastrand::Rng;
use tandem_engine::{
    state::ConnState,
    wire::{Command, PROTOCOL_BEFORE_HANDSHAKE},
};

use crate::tally::Tally;

use super::{
    mutate::{Mutator, Step},
    packet::{Packet, Socket},
    peer::{Peer, Stage},
    sockets::Sockets,
};

/// How long the peer waits for the module before it does the next thing, at most.
const TURN_MS: u64 = 6;

/// How long all turns may take, on a machine that is slow.
const TO_ACT: Duration = Duration::from_secs(20);

/// How long the module may take to close a connection whose other half is closed.
const TO_CLOSE: Duration = Duration::from_millis(300);

/// Why a session stopped.
enum Stop {
    /// The module closed it, or does not read.
    Module,
    /// The peer's packet was cut, or its socket closed.
    Peer,
    /// The module sent what is no packet, though nothing was changed.
    Garbage(String),
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Stop::Module
    }
}

/// A session that has its sockets.
pub(crate) struct Session<'a> {
    pub(crate) peer: Peer,
    pub(crate) mutator: Mutator,
    pub(crate) sockets: Sockets,
    pub(crate) tally: &'a mut Tally,
    pub(crate) rng: Rng,
    /// Who called has to say which socket is which.
    pub(crate) called: bool,
    /// Every byte is sent by itself.
    pub(crate) slow: bool,
    /// It is over when that comes, if nobody has introduced himself by then.
    pub(crate) until: Instant,
    /// How many turns it has from then on. Not how much time: what it reaches should not depend on
    /// how quick the machine is.
    pub(crate) lasts: u32,
}

impl Session<'_> {
    /// Runs it to its end; `up` is called once, when both have introduced themselves.
    ///
    /// Errors: the module did what it must not.
    pub(crate) fn run(mut self, mut up: impl FnMut()) -> Result<(), String> {
        self.tally.add("sessions", 1);
        let stop = match self.begin() {
            Ok(()) => self.turns(&mut up),
            Err(stop) => stop,
        };
        self.tally.add("packets changed", self.mutator.changed);
        if self.mutator.changed == 0 {
            self.tally.add("sessions unchanged", 1);
        }
        match stop {
            Stop::Garbage(what) => return Err(format!("the module sent {what}")),
            Stop::Module => self.tally.add("ended by the module", 1),
            Stop::Peer => self.end()?,
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Stop> {
        if self.called {
            for (socket, command) in [
                (Socket::Data, Command::InitialData),
                (Socket::Meta, Command::InitialMeta),
            ] {
                let mut packet = Packet::data(0, command, Vec::new());
                packet.socket = socket;
                self.send(packet)?;
            }
        }
        let offer = self.peer.offer();
        self.send(offer)
    }

    /// Takes what comes and answers; does something by itself when nothing comes.
    fn turns(&mut self, up: &mut impl FnMut()) -> Stop {
        let mut left = None;
        while Instant::now() < self.until && left != Some(0) {
            left = left.map(|turns: u32| turns - 1);
            let turn = Duration::from_millis(self.rng.u64(..TURN_MS));
            let came = match self.sockets.read(turn) {
                Ok(came) => came,
                Err(_) => return Stop::Module,
            };
            if let Err(stop) = self.answer_all() {
                return stop;
            }
            if self.sockets.closed {
                return Stop::Module;
            }
            if !came || self.rng.u32(..8) == 0 {
                for packet in self.peer.act() {
                    if let Err(stop) = self.send(packet) {
                        return stop;
                    }
                }
            }
            if self.peer.stage == Stage::Up && left.is_none() {
                left = Some(self.lasts);
                self.until = Instant::now() + TO_ACT;
                self.tally.add("introduced", 1);
                up();
            }
        }
        Stop::Peer
    }

    fn answer_all(&mut self) -> Result<(), Stop> {
        loop {
            let version = self.peer.agreed.version;
            let came = match self.sockets.next(version) {
                Ok(Some(came)) => came,
                Ok(None) => return Ok(()),
                // What was changed may have made it speak another version.
                Err(_) if self.mutator.changed > 0 => return Err(Stop::Peer),
                Err(what) => return Err(Stop::Garbage(what)),
            };
            self.tally.came(came.command);
            let before: Vec<ConnState> = self.states();
            for answer in self.peer.take(&came) {
                self.send(answer)?;
            }
            for (old, new) in before.into_iter().zip(self.states()) {
                if old != new {
                    self.tally.state(new);
                }
            }
            let capacity = self.peer.volumes.iter().map(|volume| volume.capacity).max();
            self.mutator.capacity = capacity.unwrap_or(0);
        }
    }

    fn states(&self) -> Vec<ConnState> {
        self.peer
            .volumes
            .iter()
            .map(|volume| volume.conn())
            .collect()
    }

    fn send(&mut self, packet: Packet) -> Result<(), Stop> {
        let first = matches!(
            Command::from_u16(packet.command),
            Command::InitialData | Command::InitialMeta | Command::ConnectionFeatures
        );
        let version = match first {
            true => PROTOCOL_BEFORE_HANDSHAKE,
            false => self.peer.agreed.version,
        };
        self.tally.add("packets sent", 1);
        for step in self.mutator.steps(packet) {
            match step {
                Step::Send(packet) => {
                    let bytes = packet.bytes(version);
                    self.sockets.send(packet.socket, &bytes, self.slow)?;
                }
                Step::Cut(packet, at) => {
                    let bytes = packet.bytes(version);
                    let at = at.min(bytes.len());
                    self.sockets.send(packet.socket, &bytes[..at], self.slow)?;
                    return Err(Stop::Peer);
                }
                Step::Noise(socket, bytes) => self.sockets.send(socket, &bytes, self.slow)?,
                Step::Half(socket) => self.sockets.half_close(socket),
            }
        }
        Ok(())
    }

    /// Ends the session in one of the ways in which peers end.
    fn end(mut self) -> Result<(), String> {
        match self.rng.u32(..5) {
            0 => self.sockets.reset(),
            1 => self.half_closed(Socket::Data),
            2 => self.half_closed(Socket::Meta),
            _ => drop(self.sockets),
        }
        Ok(())
    }

    /// One half is closed: the module has to notice.
    fn half_closed(&mut self, socket: Socket) {
        self.sockets.half_close(socket);
        let until = Instant::now() + TO_CLOSE;
        while !self.sockets.closed && Instant::now() < until {
            if self.sockets.read(TO_CLOSE).is_err() {
                return;
            }
        }
        if self.sockets.closed {
            self.tally.add("half closed, noticed", 1);
        }
    }
}
