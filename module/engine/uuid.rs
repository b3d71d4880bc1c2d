// SPDX-License-Identifier: GPL-2.0

//! Generation UUIDs: how they change, and what two sets of them say about the data.
//!
//! A volume has four: the *current* generation of its data; the *bitmap* generation, which its
//! bitmap counts from (0: not in use); and two former generations, the *history*. A node that
//! changes data without its peer makes a new current one and moves the old one to the bitmap slot,
//! so that both can tell on the next connection who has to copy which blocks to whom.
//!
//! The lowest bit of the current UUID says "Primary", the others take it along; comparisons
//! ignore it.
//!
//! Source: `drivers/block/drbd/drbd_receiver.c` (`drbd_uuid_compare`), `drbd_main.c`
//! (`drbd_uuid_*`, `drbd_gen_and_send_sync_uuid`), `drbd_worker.c` (`drbd_resync_finished`),
//! `drbd_int.h`, `include/uapi/linux/drbd.h`.

use super::state::Role;
use super::wire::handshake::Features;

/// Current UUID of a volume whose metadata was just created.
pub const JUST_CREATED: u64 = 4;

/// How much a resync UUID is above the bitmap UUID that it replaces.
pub const NEW_BITMAP_OFFSET: u64 = 0x0001_0000_0000_0000;

/// The bit that says "Primary".
const PRIMARY: u64 = 1;

/// A UUID without the Primary bit.
const fn bare(uuid: u64) -> u64 {
    uuid & !PRIMARY
}

/// Whether two UUIDs name the same generation.
const fn same(a: u64, b: u64) -> bool {
    bare(a) == bare(b)
}

/// The UUIDs of one volume on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Uuids {
    /// Generation of the data.
    pub current: u64,
    /// Generation that the bitmap counts from; 0 if not in use.
    pub bitmap: u64,
    /// Former generations, latest first.
    pub history: [u64; 2],
}

impl Uuids {
    /// The UUIDs of freshly created metadata.
    pub const CREATED: Self = Self {
        current: JUST_CREATED,
        bitmap: 0,
        history: [0; 2],
    };

    /// Puts a generation into the history.
    fn remember(&mut self, uuid: u64) {
        let [latest, _] = self.history;
        self.history = [uuid, latest];
    }

    /// Sets the Primary bit of the current UUID as the role is.
    pub fn mark_role(&mut self, primary: bool) {
        self.current = bare(self.current) | u64::from(primary);
    }

    /// Replaces the current UUID; nothing is remembered.
    pub fn set_current(&mut self, uuid: u64, primary: bool) {
        self.current = uuid;
        self.mark_role(primary);
    }

    /// Whether a resync of the peer has begun here, and is not known to have ended.
    pub fn resync_begun(&self) -> bool {
        let [before, _] = self.history;
        self.bitmap != 0 && bare(before).wrapping_add(NEW_BITMAP_OFFSET) == bare(self.bitmap)
    }

    /// Whether the peer may have the present generation, or get it: when the data goes its own way,
    /// a new one has to be started.
    pub fn may_be_shared(&self) -> bool {
        self.bitmap == 0 || self.resync_begun()
    }

    /// Starts a new generation, counted by the bitmap from the present one on. A bitmap that counts
    /// already goes on counting from where it began, which is what the peer may have: the present
    /// generation goes to the history. If a resync of the peer has begun, it is there since then.
    ///
    /// `random` is a fresh random number.
    pub fn new_current(&mut self, random: u64, primary: bool) {
        if self.bitmap == 0 {
            self.bitmap = self.current;
        } else if !self.resync_begun() {
            self.remember(self.current);
        }
        self.set_current(random, primary);
    }

    /// Takes `peer` for a former generation of ours, as this data was declared good by force and
    /// the peer's not. A peer that is related to ours already stays so.
    pub fn overrule(&mut self, peer: u64) {
        let known = [self.current, self.bitmap, self.history[0], self.history[1]];
        if matches!(bare(peer), 0 | JUST_CREATED) || known.iter().any(|&uuid| same(uuid, peer)) {
            return;
        }
        if self.resync_begun() {
            self.history[1] = peer;
        } else {
            self.remember(peer);
        }
    }

    /// Takes the bitmap out of use; its generation goes to the history.
    pub fn clear_bitmap(&mut self) {
        if self.bitmap != 0 {
            self.remember(self.bitmap);
            self.bitmap = 0;
        }
    }

    /// Lets the bitmap count from `uuid`; the former generation goes to the history, if any.
    fn rotate_bitmap(&mut self, uuid: u64) {
        if self.bitmap != 0 {
            self.remember(self.bitmap);
        }
        self.bitmap = uuid;
    }

    /// Lets the bitmap count from `uuid`, without the Primary bit.
    ///
    /// Returns the bitmap UUID that was lost by it: it should be 0, else say so in the log. With
    /// `uuid` 0 it is `clear_bitmap`.
    pub fn set_bitmap(&mut self, uuid: u64) -> u64 {
        if uuid == 0 {
            self.clear_bitmap();
            return 0;
        }
        core::mem::replace(&mut self.bitmap, bare(uuid))
    }

    /// Starts a resync as its source; returns the UUID to tell the target in SyncUuid.
    ///
    /// `target` is the generation that the target has now, `random` is used where the bitmap has
    /// none to count from. The target may miss the start, or be lost before we hear of the end: the
    /// history keeps what it has in the one case, and in the other. Where it is not known here,
    /// because its changes are given up, it has to stay a relative.
    pub fn start_as_source(&mut self, random: u64, target: u64) -> u64 {
        let [latest, _] = self.history;
        let fresh = matches!(bare(target), 0 | JUST_CREATED);
        let former = [self.bitmap, self.history[0], self.history[1]];
        let known = former.into_iter().find(|&uuid| same(uuid, target));
        let known = known.filter(|_| !fresh);
        let given_up = known.is_none() && !fresh && !same(target, self.current);
        let before = match (known, self.bitmap) {
            // With the Primary bit that it had here.
            (Some(known), _) => known,
            (None, bitmap) if given_up && !matches!(bitmap, 0 | JUST_CREATED) => bitmap,
            // Nobody has it.
            _ => random.wrapping_sub(NEW_BITMAP_OFFSET),
        };
        self.history = [before, if given_up { latest } else { self.current }];
        self.bitmap = before.wrapping_add(NEW_BITMAP_OFFSET);
        self.bitmap
    }

    /// Starts a resync as its target, with the UUID out of SyncUuid.
    pub fn start_as_target(&mut self, uuid: u64, primary: bool) {
        self.set_current(uuid, primary);
        self.bitmap = 0;
    }

    /// A resync ended well; this node was the source.
    pub fn finish_as_source(&mut self) {
        self.clear_bitmap();
    }

    /// A resync ended well; this node was the target of `peer`.
    pub fn finish_as_target(&mut self, peer: &Self, primary: bool) {
        let resync = self.current;
        self.bitmap = peer.bitmap;
        self.history = peer.history;
        self.rotate_bitmap(resync);
        self.set_current(peer.current, primary);
        self.clear_bitmap();
    }
}

/// What is to happen between two nodes that have just met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncDecision {
    /// The data is the same.
    NoSync,
    /// The peer copies from this node.
    Source {
        /// All blocks, not only those in the bitmap.
        full: bool,
    },
    /// This node copies from the peer.
    Target {
        /// All blocks, not only those in the bitmap.
        full: bool,
    },
    /// Both changed the data since they parted; policies may decide who loses.
    SplitBrain,
    /// The same, but the bitmaps don't tell the changes: only a full sync is possible, and policies
    /// count only with `always-asbp`.
    AmbiguousSplitBrain,
    /// The data was never the same.
    Unrelated,
    /// Only a newer protocol can tell; the data must not be used together.
    NeedsProtocol {
        /// The version that both need.
        version: u32,
        /// The features that both need.
        features: Features,
    },
}

impl SyncDecision {
    /// Returns the number that the C module logs for the decision.
    pub const fn number(self) -> i32 {
        match self {
            Self::NoSync => 0,
            Self::Source { full: false } => 1,
            Self::Source { full: true } => 2,
            Self::Target { full: false } => -1,
            Self::Target { full: true } => -2,
            Self::SplitBrain => 100,
            Self::AmbiguousSplitBrain => -100,
            Self::Unrelated => -1000,
            Self::NeedsProtocol { version, features } => {
                if features.0 == 0 {
                    -1000 - version as i32
                } else {
                    -(0x10000 | version as i32 | (features.0 as i32) << 8)
                }
            }
        }
    }
}

/// One node, as far as the comparison looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its UUIDs.
    pub uuids: Uuids,
    /// It was Primary when it crashed.
    pub crashed_primary: bool,
    /// Its role.
    pub role: Role,
}

/// What the two nodes agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Protocol version.
    pub version: u32,
    /// Common features.
    pub features: Features,
    /// This node is the one that gives in where nothing else decides (`RESOLVE_CONFLICTS`).
    pub resolve_conflicts: bool,
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What is to happen.
    pub decision: SyncDecision,
    /// The number of the rule that decided, as it is logged.
    pub rule: u8,
    /// The peer's UUIDs are wrong after a broken resync, and have to be taken as these.
    pub peer_fix: Option<Uuids>,
}

impl Comparison {
    const fn new(rule: u8, decision: SyncDecision) -> Self {
        Self {
            decision,
            rule,
            peer_fix: None,
        }
    }

    const fn needs_91(rule: u8) -> Self {
        let features = Features::NONE;
        Self::new(
            rule,
            SyncDecision::NeedsProtocol {
                version: 91,
                features,
            },
        )
    }
}

const SOURCE: SyncDecision = SyncDecision::Source { full: false };
const TARGET: SyncDecision = SyncDecision::Target { full: false };
const FULL_SOURCE: SyncDecision = SyncDecision::Source { full: true };
const FULL_TARGET: SyncDecision = SyncDecision::Target { full: true };

/// Compares the UUIDs of two nodes that have just met.
///
/// | rule | when | decision |
/// |---|---|---|
/// | 10 | both just created | nothing |
/// | 20, 30 | one just created, or without UUID | full sync |
/// | 34, 35 | the end of a resync was missed by one | sync |
/// | 36, 37 | a resync did not really start | sync |
/// | 40 | same data; one or both crashed as Primary | sync from it |
/// | 41 | the same, and one is Primary now | sync from it |
/// | 50, 70 | the bitmap of one counts from the other's data | sync |
/// | 51, 71 | the start of a resync was missed by one | sync |
/// | 60, 80 | one has the other's data in its history | full sync |
/// | 90 | both bitmaps count from the same data | split brain |
/// | 100 | the histories touch, or not | ambiguous split brain, or unrelated |
///
/// With rules 34, 35, 51 and 71 the UUIDs of one node say more than what came true. The C module
/// corrects them at once; here those of the source say so until the resync that follows has ended,
/// since it may be interrupted, and the word of the start may still be on its way: the rules decide
/// alike then. The target takes the source's as they will be.
pub fn compare(own: &Party, peer: &Party, terms: &Terms) -> Comparison {
    let (o, p) = (&own.uuids, &peer.uuids);
    let (mine, theirs) = (bare(o.current), bare(p.current));
    if mine == JUST_CREATED && theirs == JUST_CREATED {
        return Comparison::new(10, SyncDecision::NoSync);
    }
    if (mine == JUST_CREATED || mine == 0) && theirs != JUST_CREATED {
        return Comparison::new(20, FULL_TARGET);
    }
    if mine != JUST_CREATED && (theirs == JUST_CREATED || theirs == 0) {
        return Comparison::new(30, FULL_SOURCE);
    }
    if mine == theirs {
        return missed_end(o, p, terms).unwrap_or_else(|| same_data(own, peer, terms));
    }
    peer_is_ahead(o, p, terms)
        .or_else(|| own_is_ahead(o, p, terms))
        .unwrap_or_else(|| diverged(o, p))
}

/// Rules 34 to 37: the same data, but one bitmap is still in use.
fn missed_end(own: &Uuids, peer: &Uuids, terms: &Terms) -> Option<Comparison> {
    let source = match (own.bitmap, peer.bitmap) {
        (bitmap, 0) if bitmap != 0 => true,
        (0, bitmap) if bitmap != 0 => false,
        _ => return None,
    };
    if terms.version < 91 {
        return Some(Comparison::needs_91(30));
    }
    // One ended the resync, and rotated its UUIDs; the other has still to do that.
    let (behind, ended) = if source { (own, peer) } else { (peer, own) };
    let [latest, older] = ended.history;
    if !same(behind.bitmap, latest) || !same(behind.history[0], older) {
        let rule = if source { 36 } else { 37 };
        return Some(Comparison::new(rule, if source { SOURCE } else { TARGET }));
    }
    if source {
        return Some(Comparison::new(34, SOURCE));
    }
    let mut fixed = *behind;
    fixed.clear_bitmap();
    Some(Comparison {
        peer_fix: Some(fixed),
        ..Comparison::new(35, TARGET)
    })
}

/// Rules 40 and 41: the same data; a crash may have left differences.
fn same_data(own: &Party, peer: &Party, terms: &Terms) -> Comparison {
    if !own.crashed_primary && !peer.crashed_primary {
        return Comparison::new(40, SyncDecision::NoSync);
    }
    let primaries = (own.role == Role::Primary, peer.role == Role::Primary);
    if primaries != (false, false) {
        if !terms.features.has(Features::WSAME) {
            let version = super::wire::PROTOCOL_MAX;
            let features = Features::WSAME;
            return Comparison::new(41, SyncDecision::NeedsProtocol { version, features });
        }
        let decision = match primaries {
            (true, true) => SyncDecision::AmbiguousSplitBrain,
            (true, false) => SOURCE,
            _ => TARGET,
        };
        return Comparison::new(41, decision);
    }
    let target = match (own.crashed_primary, peer.crashed_primary) {
        (true, true) => terms.resolve_conflicts,
        (crashed, _) => !crashed,
    };
    Comparison::new(40, if target { TARGET } else { SOURCE })
}

/// Whether `party` started a resync as source, and its SyncUuid got lost on the way.
///
/// `other_history` is the latest generation in the history of the other party.
fn lost_start(party: &Uuids, other_history: u64, terms: &Terms) -> bool {
    let [latest, older] = party.history;
    if terms.version < 96 {
        same(other_history, older)
    } else {
        bare(latest).wrapping_add(NEW_BITMAP_OFFSET) == bare(party.bitmap)
    }
}

/// Takes back the start of a resync as source.
fn undo_start(party: &Uuids) -> Uuids {
    let [latest, older] = party.history;
    Uuids {
        bitmap: latest,
        history: [older, older],
        ..*party
    }
}

/// Rules 50, 51 and 60: the peer knows this node's data as a former generation.
fn peer_is_ahead(own: &Uuids, peer: &Uuids, terms: &Terms) -> Option<Comparison> {
    if same(own.current, peer.bitmap) {
        return Some(Comparison::new(50, TARGET));
    }
    let [latest, older] = peer.history;
    if same(own.current, latest) && lost_start(peer, own.history[0], terms) {
        if terms.version < 91 {
            return Some(Comparison::needs_91(51));
        }
        let peer_fix = Some(undo_start(peer));
        return Some(Comparison {
            peer_fix,
            ..Comparison::new(51, TARGET)
        });
    }
    if same(own.current, latest) || same(own.current, older) {
        return Some(Comparison::new(60, FULL_TARGET));
    }
    None
}

/// Rules 70, 71 and 80: this node knows the peer's data as a former generation.
fn own_is_ahead(own: &Uuids, peer: &Uuids, terms: &Terms) -> Option<Comparison> {
    if same(own.bitmap, peer.current) {
        return Some(Comparison::new(70, SOURCE));
    }
    let [latest, older] = own.history;
    if same(latest, peer.current) && lost_start(own, peer.history[0], terms) {
        if terms.version < 91 {
            return Some(Comparison::needs_91(71));
        }
        return Some(Comparison::new(71, SOURCE));
    }
    if same(latest, peer.current) || same(older, peer.current) {
        return Some(Comparison::new(80, FULL_SOURCE));
    }
    None
}

/// Rules 90 and 100: neither knows the other's data.
fn diverged(own: &Uuids, peer: &Uuids) -> Comparison {
    if same(own.bitmap, peer.bitmap) && bare(own.bitmap) != 0 {
        return Comparison::new(90, SyncDecision::SplitBrain);
    }
    let related = own
        .history
        .iter()
        .any(|&a| peer.history.iter().any(|&b| same(a, b)));
    let decision = if related {
        SyncDecision::AmbiguousSplitBrain
    } else {
        SyncDecision::Unrelated
    };
    Comparison::new(100, decision)
}

#[cfg(test)]
#[path = "uuid_tests.rs"]
mod tests;
