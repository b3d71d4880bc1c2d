// SPDX-License-Identifier: GPL-2.0

//! Why the connection ended the last time, kept to be shown.

use core::fmt;

use crate::engine::ids::Instant;
use crate::engine::login::LoginError;
use crate::engine::state::Role;

use super::effect::Loss;
use super::notice::Notice;
use super::Step;

/// The last end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// When it was decided.
    pub at: Instant,
    /// Why.
    pub why: Why,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The administrator said so.
    Command,
    /// The link or the peer failed, or the peer left.
    Lost(Loss),
    /// The login failed.
    Login(LoginError),
    /// What was found forbids to go on.
    Found {
        /// The number of the volume that it is about, if it is about one.
        volume: Option<u16>,
        /// What it is.
        notice: Notice,
    },
}

impl Notice {
    /// Whether it can be why a connection ends.
    fn ends(self) -> bool {
        matches!(
            self,
            Notice::VersionMismatch { .. }
                | Notice::Incompatible(_)
                | Notice::DifferentDigest { .. }
                | Notice::NeedsProtocol { .. }
                | Notice::OnlyVolumeZero { .. }
                | Notice::TooLarge
                | Notice::BadPacket { .. }
                | Notice::UnrelatedData
                | Notice::SplitBrain { .. }
                | Notice::PrimaryWouldBeTarget
                | Notice::InconsistentSource
                | Notice::PeerTooSmall { .. }
                | Notice::WrongData { .. }
                | Notice::ResyncForbidden { .. }
                | Notice::Overdue { .. }
                | Notice::Unanswered
                | Notice::Congested { .. }
                | Notice::DryRun { .. }
                | Notice::Refused { .. }
                | Notice::Broken { .. }
        )
    }
}

/// What is known of the changes of one node when a split brain is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Its role now.
    pub role: Role,
    /// It was Primary when the data sets parted.
    pub was_primary: bool,
    /// Blocks of 4 KiB that it may have changed since.
    pub blocks: u64,
    /// For how many milliseconds it has been going its own way, where that is known: not of the
    /// peer, and not of changes before the disk was attached.
    pub since_ms: Option<u64>,
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.role.as_str())?;
        if self.was_primary && self.role != Role::Primary {
            write!(f, ", was Primary when they parted")?;
        }
        let kib = self.blocks.saturating_mul(4);
        write!(f, ", {} changed blocks ({kib} KiB)", self.blocks)?;
        match self.since_ms {
            Some(ms) => write!(f, " since {} s", ms / 1000),
            None => Ok(()),
        }
    }
}

impl Step<'_> {
    /// Keeps what may be why the connection ends in this event.
    pub(super) fn may_end_by(&mut self, volume: Option<usize>, notice: Notice) {
        if notice.ends() {
            let volume = volume.and_then(|at| self.volumes.get(at)).map(|v| v.number);
            self.found = Some(Why::Found { volume, notice });
        }
    }

    /// The connection is about to end. What was found in this event is why, else `why`.
    pub(super) fn note_ending(&mut self, why: Why) {
        self.resource.ending = Some(Ending {
            at: self.env.now,
            why: self.found.unwrap_or(why),
        });
    }
}

#[cfg(test)]
#[path = "ending_tests.rs"]
mod tests;
