// SPDX-License-Identifier: GPL-2.0

//! Keeps what repeats itself from filling the log: so many lines in so much time, then one that
//! counts what was left out.

use super::ids::Instant;

/// Lines that may come at once.
const BURST: u32 = 5;

/// How long those count, in milliseconds.
const PERIOD_MS: u64 = 60_000;

/// Counts the lines of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Throttle {
    since: Option<Instant>,
    lines: u32,
    left_out: u32,
}

impl Throttle {
    /// A throttle that has seen nothing.
    pub const fn new() -> Self {
        Self {
            since: None,
            lines: 0,
            left_out: 0,
        }
    }

    /// Whether a line may be written now; if so, how many were left out since the last one.
    pub fn admit(&mut self, now: Instant) -> Option<u32> {
        let over = self.since.is_none_or(|since| now.since(since) >= PERIOD_MS);
        if over {
            self.since = Some(now);
            self.lines = 0;
        }
        if self.lines >= BURST {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.lines += 1;
        Some(core::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
#[path = "throttle_tests.rs"]
mod tests;
