// SPDX-License-Identifier: GPL-2.0

//! When the peer is looked for again after a connection was lost.
//!
//! A connection that lasted is looked for again at once. One that ends as soon as it was made will
//! most likely do so again: such connections are begun `connect-int` apart, then twice as long, and
//! so on. A part of each pause is left to chance, so that nodes that fail together do not go on
//! together.

use super::ids::Instant;

/// How often the pause is doubled.
const DOUBLINGS: u32 = 3;

/// Pauses are longer by up to this part, by chance.
const PART_BY_CHANCE: u64 = 4;

/// How the last connections ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    /// When the present connection, or the attempt at it, began.
    began: Option<Instant>,
    /// So many in a row ended too soon.
    failures: u32,
}

impl Backoff {
    /// The peer is called from now on, or has just been found.
    pub fn begin(&mut self, now: Instant) {
        self.began = Some(now);
    }

    /// The connection is over; returns how long to wait before the peer is looked for again, in
    /// milliseconds. `orderly`: a node's administrator ended it. `interval`: `connect-int`, in
    /// milliseconds. `random`: a fresh random number.
    pub fn end(&mut self, now: Instant, orderly: bool, interval: u64, random: u64) -> u64 {
        let lasted = self.began.take().map_or(0, |began| now.since(began));
        if orderly || lasted >= interval {
            self.failures = 0;
            return 0;
        }
        let pause = interval.saturating_mul(1 << self.failures.min(DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        let chance = random.checked_rem(pause / PART_BY_CHANCE).unwrap_or(0);
        pause.saturating_add(chance).saturating_sub(lasted)
    }

    /// So many connections in a row ended too soon.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
#[path = "backoff_tests.rs"]
mod tests;
