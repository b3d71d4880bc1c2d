// SPDX-License-Identifier: GPL-2.0

//! Whether the peer lives: pings, their answers, and how long nothing may come.
//!
//! Several threads ask for a sign of life; one waits for what comes, and tells the time here. A
//! ping that it did not ask for itself it notices when it next looks, which may be after the
//! answer came: so what is open is counted, and nothing is remembered of what was asked.

/// How often whoever waits for packets has to look here, in milliseconds.
const LOOK_MS: u32 = 250;

/// How long nothing may come, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Until a ping is sent (`ping-int`).
    pub interval: u32,
    /// Until the answer to one has to be there (`ping-timeout`).
    pub answer: u32,
}

/// What silence leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeStep {
    /// Wait on.
    Wait,
    /// Send a ping ([`Pings::asked`]).
    Ping,
    /// The peer is dead.
    Dead,
}

/// The pings of one connection, of all threads.
#[derive(Debug, Default)]
pub struct Pings {
    /// Those that are not answered.
    open: u32,
    /// Somebody wants to know when all are.
    wanted: bool,
}

impl Pings {
    /// A ping is queued; `wanted`: somebody wants to know when it is answered, and with it all that
    /// was sent on that socket before.
    pub fn asked(&mut self, wanted: bool) {
        self.open = self.open.saturating_add(1);
        self.wanted |= wanted;
    }

    /// A ping was answered. True if that was the last one, and somebody wants to know. An answer to
    /// nothing means nothing.
    pub fn answered(&mut self) -> bool {
        let last = self.open == 1;
        self.open = self.open.saturating_sub(1);
        last && core::mem::take(&mut self.wanted)
    }
}

/// What whoever waits for packets knows of the peer's life.
#[derive(Debug, Default)]
pub struct Life {
    /// The answer to a ping is being waited for.
    awaited: bool,
    /// For how long nothing came since the last packet, or since the waiting began, in
    /// milliseconds.
    idle: u32,
}

impl Life {
    /// Something came.
    pub fn heard(&mut self) {
        *self = Self::default();
    }

    /// After what idle time something has to be done.
    fn limit(&self, silence: Silence) -> u32 {
        if self.awaited {
            silence.answer
        } else {
            silence.interval
        }
    }

    /// How long to wait for a packet, in milliseconds.
    pub fn wait(&self, silence: Silence) -> u32 {
        let left = self.limit(silence).saturating_sub(self.idle);
        left.clamp(1, LOOK_MS)
    }

    /// Nothing came for another `ms` milliseconds; on no socket for `quiet`.
    pub fn waited(&mut self, ms: u32, quiet: u64, pings: &Pings, silence: Silence) -> LifeStep {
        self.idle = self.idle.saturating_add(ms);
        let limit = self.limit(silence);
        let late = self.idle >= limit;
        if self.awaited {
            let dead = late && quiet >= u64::from(limit);
            return if dead { LifeStep::Dead } else { LifeStep::Wait };
        }
        if late || pings.open != 0 {
            *self = Self {
                awaited: true,
                idle: 0,
            };
        }
        if late {
            LifeStep::Ping
        } else {
            LifeStep::Wait
        }
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
