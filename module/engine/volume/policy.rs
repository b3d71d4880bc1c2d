// SPDX-License-Identifier: GPL-2.0

//! What the resource tells a volume to do with requests, until it says otherwise.
//!
//! The resource decides over states; the volume's hot path only looks here.

use crate::engine::ids::{
    MAX_DISCARD_BYTES,
    MAX_REQUEST_BYTES, //
};
use crate::engine::options::ReadBalancing;

use super::congestion::Congestion;
use super::peer::WantedAck;
use super::slot::Operation;

/// Where reads are served and whether writes have a local half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalUse {
    /// No usable local disk.
    #[default]
    None,
    /// The local disk is written, but not read: which blocks are in sync is not known yet.
    WriteOnly,
    /// The local disk is written, but only blocks in sync may be read (`Inconsistent`).
    WriteMostly,
    /// The local disk is good (`UpToDate`, or `Consistent` and alone).
    Full,
}

/// What happens to the peer's copy of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MirrorUse {
    /// Nothing is sent; the range is marked out of sync.
    #[default]
    Mark,
    /// The range is marked and the peer is told to mark it too (`P_OUT_OF_SYNC`).
    MarkAndTell,
    /// The write is sent.
    Send,
}

/// Our part in a resync that is running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResyncUse {
    /// None is running, or it is paused.
    #[default]
    None,
    /// We give the data.
    Source,
    /// We ask for the data.
    Target,
}

/// Requests whose end somebody waits for; [`super::Report::Drained`] tells it, once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drain {
    /// Nobody waits.
    #[default]
    None,
    /// The application's: completed, and what the peer has is on its stable storage.
    Own,
    /// The peer's: nothing of them is on its way to our disk.
    Peer,
}

/// Who has left whom behind on a link that is too slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lead {
    /// Nobody.
    #[default]
    None,
    /// We the peer: it is told ranges until what was sent before has arrived.
    Ahead,
    /// The peer us: we are told ranges, and a resync comes later.
    Behind,
}

/// Which node decides about concurrent writes of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflicts {
    /// Two Primaries are not allowed: there are none.
    #[default]
    None,
    /// This node.
    Decides,
    /// The peer.
    PeerDecides,
}

/// The largest requests that a node takes, in bytes; 0: none of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Writes and reads.
    pub write: u32,
    /// Discards.
    pub discard: u32,
    /// Writes of zeroes.
    pub zeroes: u32,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self::ANY
    }
}

impl RequestLimits {
    /// All that a slot can hold.
    pub const ANY: Self = Self {
        write: MAX_REQUEST_BYTES,
        discard: MAX_DISCARD_BYTES,
        zeroes: MAX_DISCARD_BYTES,
    };

    /// Whether such a request is taken.
    pub(super) fn allow(&self, operation: Operation, bytes: u32) -> bool {
        let most = match operation {
            Operation::Discard => self.discard,
            Operation::Zeroes { .. } => self.zeroes,
            Operation::Write | Operation::Flush | Operation::Read => self.write,
        };
        bytes <= most
    }
}

/// The whole policy of one volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Use of the local disk.
    pub local: LocalUse,
    /// What becomes of the peer's copy.
    pub mirror: MirrorUse,
    /// Our part in a resync.
    pub resync: ResyncUse,
    /// Reads may be sent to the peer.
    pub peer_readable: bool,
    /// New requests wait, and requests whose mirror half was lost are not completed.
    pub hold: bool,
    /// An application may have the device open.
    pub primary: bool,
    /// Writes take part in the activity log (we are Primary, and `al-updates` is on).
    pub log: bool,
    /// The peer writes and has no disk: only we have the data, and mark it.
    pub only_disk: bool,
    /// The peer is Primary: it may write at any time.
    pub peer_writes: bool,
    /// Good data is within reach, on our disk or the peer's; else writes fail.
    pub good_data: bool,
    /// The nodes are about to find out whose data is right: the peer must not ask for any, nor send
    /// it.
    pub meeting: bool,
    /// What ends the peer's half of a write: the protocol.
    pub ack: WantedAck,
    /// A write can ask for another one (version 100 and up).
    pub tells_ack: bool,
    /// Writes of the peer take part in the activity log.
    pub peer_log: bool,
    /// Who decides about concurrent writes.
    pub conflicts: Conflicts,
    /// Requests whose end somebody waits for.
    pub drain: Drain,
    /// Which of two good copies serves a read.
    pub balancing: ReadBalancing,
    /// After so many milliseconds without an answer the disk is given up; 0: never.
    pub disk_timeout_ms: u32,
    /// After so many milliseconds without the acknowledgement of a write the peer is given up
    /// (`timeout` x `ko-count`); 0: never.
    pub peer_timeout_ms: u32,
    /// The disk was given up by force: what can be completed without its answer is.
    pub abandon: bool,
    /// A request that found no good copy waits for another policy instead of failing
    /// (`on-no-data-accessible suspend-io`).
    pub keep_failed: bool,
    /// When the peer counts as too slow.
    pub congestion: Option<Congestion>,
    /// Who has left whom behind because of it.
    pub lead: Lead,
    /// What is discarded reads as zeroes (`discard-zeroes-if-aligned`).
    pub discards: bool,
    /// What the peer takes.
    pub takes: RequestLimits,
}

impl Policy {
    /// Whether a read from our disk needs a slot: it is counted, or another copy may have to
    /// serve it in the end.
    pub(super) fn watches_reads(&self) -> bool {
        self.disk_timeout_ms != 0 || self.balancing == ReadBalancing::LeastPending
    }
}
