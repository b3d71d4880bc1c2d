// SPDX-License-Identifier: GPL-2.0

//! How much of a resync or a verify may be on its way at a time.
//!
//! Who asks stops when the window is full (`max-buffers`), or when its requests have half of the
//! slots: the rest is for writes. When half of that has come, it goes on by itself, and need not
//! wait for the next [`Volume::sync_tick`].

use crate::engine::ids::BLOCK_SECTORS;

use super::effect::Effects;
use super::{
    Storage,
    Volume, //
};

/// What lets a resync or a verify ask for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asks {
    /// The next tick: nothing is left to ask for, or the pace says so.
    #[default]
    AtTick,
    /// That half of what is on its way comes.
    WhenHalfCame,
    /// Room for its effects.
    AtOnce,
}

impl<S: Storage> Volume<S> {
    /// Whether nothing more may be asked for until something has come; if so, that is noticed.
    pub(super) fn is_window_full(&mut self) -> bool {
        // Writes of the peer come on the same stream before what is asked for: they need slots.
        let crowded = self.peers.used() >= self.peers.len() / 2;
        let full = crowded || self.sectors_asked_for() >= self.window();
        self.asks = if full {
            Asks::WhenHalfCame
        } else {
            Asks::AtTick
        };
        full
    }

    /// Whether so much has come that asking goes on.
    #[inline]
    pub(super) fn has_window_again(&self) -> bool {
        match self.asks {
            Asks::AtTick => false,
            Asks::AtOnce => true,
            Asks::WhenHalfCame => {
                self.sectors_asked_for() <= self.window() / 2
                    && self.peers.used() <= self.peers.len() / 4
            }
        }
    }

    /// Goes on asking, as far as there is room for effects.
    #[inline(never)]
    pub(super) fn ask_again(&mut self, fx: &mut Effects) {
        self.asks = Asks::AtTick;
        if self.resync_more(fx) || self.verify_more(fx) {
            self.asks = Asks::AtOnce;
        }
    }

    fn window(&self) -> u64 {
        u64::from(self.pace.limits().in_flight)
    }

    /// What is on its way, in sectors.
    fn sectors_asked_for(&self) -> u64 {
        let verified = u64::from(self.verify.open()).saturating_mul(BLOCK_SECTORS);
        verified.saturating_add(u64::from(self.resync.in_flight()))
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
