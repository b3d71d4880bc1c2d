// SPDX-License-Identifier: GPL-2.0

//! What the peer answered on the meta socket, until the resource's worker tells the engine.
//!
//! What the engine decides may have to wait for a disk. The thread that reads the meta socket must
//! not: it sees to it that the peer's pings are answered, and takes its acknowledgements.
#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::engine::resource::{
    Event,
    RarePacket, //
};

/// More answers at a time than a node asks for.
const MOST: usize = 16;

#[derive(Clone, Copy)]
enum Answer {
    Ping,
    State { volume: u16, code: i32 },
}

/// The answers of one session, in the order in which they came.
pub struct Answers(KVec<Answer>);

impl Answers {
    /// None yet. May sleep.
    pub fn new() -> Result<Self> {
        Ok(Self(KVec::with_capacity(MOST, GFP_KERNEL)?))
    }

    /// The last ping was answered. Any context.
    pub fn ping(&mut self) {
        self.push(Answer::Ping);
    }

    /// A request for another state was answered, with the peer's code. Any context.
    pub fn state(&mut self, volume: u16, code: i32) {
        self.push(Answer::State { volume, code });
    }

    fn push(&mut self, answer: Answer) {
        // One that finds no place was not asked for: the engine would not heed it either.
        let _ = self.0.push_within_capacity(answer);
    }

    /// What the engine is to be told next. Any context.
    pub fn take(&mut self) -> Option<Event> {
        Some(match self.0.remove(0).ok()? {
            Answer::Ping => Event::PingAnswered,
            Answer::State { volume, code } => Event::Packet {
                volume,
                packet: RarePacket::StateReply(code),
            },
        })
    }
}
