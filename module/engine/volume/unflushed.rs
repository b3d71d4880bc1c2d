// SPDX-License-Identifier: GPL-2.0

//! What an application was told to be written and has not flushed yet.

/// Whether something done, and not flushed, may be gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unflushed {
    /// All is flushed, or a flush that has begun answers for it.
    #[default]
    Nothing,
    /// Something may be in the cache of the own disk only.
    Cached,
    /// That disk is not there any more, and nobody was told yet.
    Lost,
}

impl Unflushed {
    /// The own disk has a write, perhaps in its cache.
    pub(super) fn written(&mut self) {
        if *self == Self::Nothing {
            *self = Self::Cached;
        }
    }

    /// The own disk is flushed; if it fails at that, the flush says so.
    pub(super) fn flush_begins(&mut self) {
        if *self == Self::Cached {
            *self = Self::Nothing;
        }
    }

    /// The disk is given up. `elsewhere`: the peer has everything that was done.
    pub(super) fn disk_leaves(&mut self, elsewhere: bool) {
        if *self == Self::Cached {
            *self = if elsewhere { Self::Nothing } else { Self::Lost };
        }
    }

    /// A flush is reported. Returns whether it has to say that something is lost, which is said
    /// once.
    pub(super) fn tell_loss(&mut self) -> bool {
        let lost = *self == Self::Lost;
        if lost {
            *self = Self::Nothing;
        }
        lost
    }
}
