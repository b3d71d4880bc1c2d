// SPDX-License-Identifier: GPL-2.0

//! What a resource waits for, to be shown: commands, states that must not last, frozen I/O. (Of
//! handlers that run only the driver knows.)

use core::fmt;

use crate::engine::ids::Instant;
use crate::engine::state::ConnState;

use super::admin::Goal;
use super::record::VolumeRecord;
use super::{
    Resource,
    Step, //
};

/// Something that has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The peer's answer to a command.
    Answer,
    /// The application's requests, or the peer's, before a command goes on.
    Requests,
    /// A sign of life of the peer, before a promotion.
    LifeSign,
    /// The handler `fence-peer`, before a promotion.
    Promotion,
    /// The end of the connection.
    Departure,
    /// The end of the disk's last I/O.
    Disk,
    /// A handler, before a resync.
    ResyncHandler,
    /// What the peer has to send in that state.
    Peer(ConnState),
    /// What was sent before we pulled ahead has to arrive.
    CatchUp,
    /// I/O is frozen by these.
    Thaw {
        /// The administrator (`suspend-io`).
        by_user: bool,
        /// There is no good data within reach (`on-no-data-accessible`).
        by_data: bool,
        /// The peer is not known to be fenced (`fencing`).
        by_fencing: bool,
    },
}

impl Awaited {
    /// Who waits, in one word.
    pub fn who(&self) -> &'static str {
        match self {
            Awaited::Answer
            | Awaited::Requests
            | Awaited::LifeSign
            | Awaited::Promotion
            | Awaited::Departure
            | Awaited::Disk => "command",
            Awaited::ResyncHandler | Awaited::Peer(_) | Awaited::CatchUp => "state",
            Awaited::Thaw { .. } => "io",
        }
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Awaited::Answer => "the peer has to answer",
            Awaited::Requests => "requests in progress have to end",
            Awaited::LifeSign => {
                "the peer is Primary, or has not told: it is asked for a sign of life"
            }
            Awaited::Promotion => "the handler fence-peer has to say that the peer is fenced",
            Awaited::Departure => "the connection has to come down",
            Awaited::Disk => "the last I/O of the lower device has to end",
            Awaited::ResyncHandler => "the handler before a resync runs",
            Awaited::CatchUp => "Ahead: what was sent before has to arrive at the peer",
            Awaited::Peer(conn) => {
                return write!(f, "{}: the peer has to go on", conn.as_str());
            }
            Awaited::Thaw {
                by_user,
                by_data,
                by_fencing,
            } => {
                f.write_str("frozen by")?;
                let reasons = [
                    (by_user, " suspend-io (resume-io ends it)"),
                    (
                        by_data,
                        " on-no-data-accessible (no good data is within reach)",
                    ),
                    (by_fencing, " fencing (the peer is not known to be fenced)"),
                ];
                return reasons
                    .iter()
                    .filter(|(on, _)| *on)
                    .try_for_each(|(_, text)| f.write_str(text));
            }
        };
        f.write_str(text)
    }
}

/// One thing that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The number of the volume that it is about, if it is about one.
    pub volume: Option<u16>,
    /// What is waited for.
    pub what: Awaited,
    /// Since when.
    pub since: Instant,
}

impl Goal {
    fn awaited(&self) -> (Option<usize>, Awaited) {
        match *self {
            Goal::State { volume, .. } | Goal::AskDetach { volume } => {
                (Some(volume), Awaited::Answer)
            }
            Goal::RoleWhenDrained { volume, .. } => (Some(volume), Awaited::Requests),
            Goal::PromoteSoon { volume, .. } => (Some(volume), Awaited::LifeSign),
            Goal::Fence { volume, .. } => (Some(volume), Awaited::Promotion),
            Goal::Disconnect { .. } => (None, Awaited::Answer),
            Goal::Leaving => (None, Awaited::Departure),
            Goal::Detach { volume } => (Some(volume), Awaited::Disk),
        }
    }
}

impl Resource {
    /// Everything that is waited for, in no order that means anything.
    pub fn waiting(&self, volumes: &[VolumeRecord], mut tell: impl FnMut(Waiting)) {
        if let Some(pending) = &self.pending {
            let (volume, what) = pending.goal.awaited();
            tell(Waiting {
                volume: volume.and_then(|at| volumes.get(at)).map(|v| v.number),
                what,
                since: pending.since,
            });
        }
        for record in volumes {
            record.waiting(&mut tell);
        }
    }
}

impl VolumeRecord {
    fn waiting(&self, tell: &mut impl FnMut(Waiting)) {
        let mut say = |what, since| {
            tell(Waiting {
                volume: Some(self.number),
                what,
                since,
            });
        };
        if let Some((conn, since)) = self.since {
            let asks = self.starting.is_some();
            say(
                if asks {
                    Awaited::ResyncHandler
                } else {
                    Awaited::Peer(conn)
                },
                since,
            );
        }
        if let Some(since) = self.ahead {
            say(Awaited::CatchUp, since);
        }
        if let Some(since) = self.frozen {
            let s = self.state;
            say(
                Awaited::Thaw {
                    by_user: s.susp,
                    by_data: s.susp_nod,
                    by_fencing: s.susp_fen,
                },
                since,
            );
        }
    }
}

impl Step<'_> {
    /// Notes since when what is shown has been so.
    pub(super) fn note_waiting(&mut self) {
        let now = self.env.now;
        let since = |is: bool, former: Option<Instant>| is.then(|| former.unwrap_or(now));
        for record in self.volumes.iter_mut() {
            let state = record.state;
            record.frozen = since(state.is_suspended(), record.frozen);
            record.ahead = since(state.conn == ConnState::Ahead, record.ahead);
        }
    }
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
