// SPDX-License-Identifier: GPL-2.0

//! What must never be, and what becomes of it if it is.
//!
//! A broken invariant is a bug of ours: nothing that a peer, a disk or a user does can cause it.
//! Whoever finds one raises it in the [`Broken`] of its value and goes on as well as it can; the
//! value reports it with its next effects (`Report::Broken`), the driver counts it and hands it to
//! the resource (`Event::Broken`), which logs it once and gives up what is not certain any more:
//! the disk, the connection, or both. A handshake and a resync then find out what is true.

use core::fmt;

/// Something of our own that must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// A step had more effects than it may have: some are lost.
    Effects,
    /// Something was reported of an application's request that is not there, or not so far.
    Request,
    /// Something was reported of a request of the peer that is not there, or not so far.
    PeerRequest,
    /// A slot was given back that was free.
    Slot,
    /// A count of what is at the disk fell below zero.
    DiskCount,
    /// A count of what is between us and the peer fell below zero.
    PeerCount,
    /// A reference to the activity log was given back that nobody had.
    LogReference,
    /// A block of metadata has not the room that it must have.
    MetadataRoom,
    /// A write was taken out of an epoch, or finished in one, that does not have it.
    Epoch,
    /// A queue with a place for everything was full.
    Queue,
    /// An event named a volume that is not there.
    Volume,
}

/// What is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivesUp {
    /// The disk: what is on it, or in its metadata, is not certain.
    pub disk: bool,
    /// The connection: what the peer has, or was told, is not certain.
    pub connection: bool,
}

impl fmt::Display for GivesUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.disk, self.connection) {
            (true, true) => "disk and the connection",
            (true, false) => "disk",
            (false, _) => "connection",
        })
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Invariant {
    /// How many there are.
    pub const COUNT: usize = 11;

    /// All of them, each at the place of its number.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Effects,
        Self::Request,
        Self::PeerRequest,
        Self::Slot,
        Self::DiskCount,
        Self::PeerCount,
        Self::LogReference,
        Self::MetadataRoom,
        Self::Epoch,
        Self::Queue,
        Self::Volume,
    ];

    /// Its number, less than [`Self::COUNT`].
    pub const fn number(self) -> usize {
        self as usize
    }

    /// Its bit in a set.
    pub const fn bit(self) -> u32 {
        1_u32.wrapping_shl(self as u32)
    }

    /// A short name, for lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Effects => "effects",
            Self::Request => "request",
            Self::PeerRequest => "peer-request",
            Self::Slot => "slot",
            Self::DiskCount => "disk-count",
            Self::PeerCount => "peer-count",
            Self::LogReference => "log-reference",
            Self::MetadataRoom => "metadata-room",
            Self::Epoch => "epoch",
            Self::Queue => "queue",
            Self::Volume => "volume",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Effects => "a step had more effects than it may have",
            Self::Request => "a report about a request that is not there",
            Self::PeerRequest => "a report about a request of the peer that is not there",
            Self::Slot => "a slot was given back twice",
            Self::DiskCount => "more I/O ended at the disk than was begun",
            Self::PeerCount => "more requests between the nodes ended than were begun",
            Self::LogReference => "an extent of the activity log was left that nobody had entered",
            Self::MetadataRoom => "metadata does not fit into its block",
            Self::Epoch => "an epoch lost a write that it did not have",
            Self::Queue => "a queue with a place for everything was full",
            Self::Volume => "an event named a volume that is not there",
        }
    }

    /// What has to be given up.
    pub const fn gives_up(self) -> GivesUp {
        let (disk, connection) = match self {
            Self::Effects | Self::Request | Self::Slot | Self::Queue => (true, true),
            Self::DiskCount | Self::LogReference | Self::MetadataRoom => (true, false),
            Self::PeerRequest | Self::PeerCount | Self::Epoch | Self::Volume => (false, true),
        };
        GivesUp { disk, connection }
    }
}

/// The invariants of one value that were broken.
#[derive(Clone, Debug, Default)]
pub struct Broken {
    /// A bit for each that was not reported yet.
    waiting: u32,
    counts: [u32; Invariant::COUNT],
}

impl Broken {
    /// Notes that an invariant was broken; returns how often it was by now.
    #[cold]
    pub fn raise(&mut self, invariant: Invariant) -> u32 {
        self.waiting |= invariant.bit();
        match self.counts.get_mut(invariant.number()) {
            Some(count) => {
                *count = count.saturating_add(1);
                *count
            }
            None => 0,
        }
    }

    /// Takes one from a count, which cannot be zero.
    #[inline]
    pub fn decrease(&mut self, count: &mut u32, invariant: Invariant) {
        self.decrease_by(1, count, invariant);
    }

    /// Takes so many from a count, which cannot be less.
    #[inline]
    pub fn decrease_by(&mut self, by: u32, count: &mut u32, invariant: Invariant) {
        match count.checked_sub(by) {
            Some(less) => *count = less,
            None => {
                self.raise(invariant);
            }
        }
    }

    /// Whether there is something to report.
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.waiting != 0
    }

    /// Takes one that was not reported yet.
    pub fn take(&mut self) -> Option<Invariant> {
        let invariant = *Invariant::ALL.get(self.waiting.trailing_zeros() as usize)?;
        self.waiting &= !invariant.bit();
        Some(invariant)
    }

    /// How often an invariant was broken.
    pub fn count(&self, invariant: Invariant) -> u32 {
        self.counts.get(invariant.number()).copied().unwrap_or(0)
    }
}

#[cfg(test)]
#[path = "broken_tests.rs"]
mod tests;
