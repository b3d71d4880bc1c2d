// SPDX-License-Identifier: GPL-2.0

//! Tables of the policies after a split brain.

use super::*;
use AfterSplitBrain0 as P0;
use AfterSplitBrain1 as P1;

const OWN: Option<Loser> = Some(Loser::Own);
const PEER: Option<Loser> = Some(Loser::Peer);

/// Who was Primary when the data parted, and who changed how many blocks; this node first.
fn sides(was_primary: [bool; 2], changes: [u64; 2]) -> Sides {
    let [own_was_primary, peer_was_primary] = was_primary;
    let [own_changes, peer_changes] = changes;
    Sides {
        own_was_primary,
        peer_was_primary,
        own_changes,
        peer_changes,
        resolver: true,
    }
}

/// The same split brain as the peer sees it.
fn mirrored(sides: &Sides) -> Sides {
    Sides {
        own_was_primary: sides.peer_was_primary,
        peer_was_primary: sides.own_was_primary,
        own_changes: sides.peer_changes,
        peer_changes: sides.own_changes,
        resolver: !sides.resolver,
    }
}

fn opposite(loser: Option<Loser>) -> Option<Loser> {
    loser.map(|loser| match loser {
        Loser::Own => Loser::Peer,
        Loser::Peer => Loser::Own,
    })
}

#[test]
fn without_primaries_each_policy_has_its_loser() {
    let neither = [false, false];
    for (policy, was_primary, changes, loser) in [
        (P0::Disconnect, neither, [1, 2], None),
        (P0::DiscardYoungerPrimary, [true, false], [1, 9], PEER),
        (P0::DiscardYoungerPrimary, [false, true], [9, 1], OWN),
        (P0::DiscardOlderPrimary, [true, false], [9, 1], OWN),
        (P0::DiscardOlderPrimary, [false, true], [1, 9], PEER),
        // Age tells nothing: who changed nothing loses, then who changed less.
        (P0::DiscardYoungerPrimary, neither, [1, 0], PEER),
        (P0::DiscardYoungerPrimary, [true, true], [1, 2], OWN),
        (P0::DiscardOlderPrimary, neither, [0, 1], OWN),
        (P0::DiscardOlderPrimary, [true, true], [2, 1], PEER),
        (P0::DiscardZeroChanges, neither, [0, 1], OWN),
        (P0::DiscardZeroChanges, neither, [1, 0], PEER),
        (P0::DiscardZeroChanges, neither, [1, 2], None),
        (P0::DiscardZeroChanges, neither, [0, 0], OWN),
        (P0::DiscardLeastChanges, neither, [1, 2], OWN),
        (P0::DiscardLeastChanges, neither, [2, 1], PEER),
        // The tie-break: the resolver gives way.
        (P0::DiscardLeastChanges, neither, [2, 2], OWN),
        (P0::DiscardLocal, neither, [9, 1], OWN),
        (P0::DiscardRemote, neither, [1, 9], PEER),
    ] {
        let sides = sides(was_primary, changes);
        let decided = without_primary(policy, &sides);
        assert_eq!(decided, loser, "{policy:?} {sides:?}");
        // A policy that names a node is the opposite one at the peer.
        let at_peer = match policy {
            P0::DiscardLocal => P0::DiscardRemote,
            P0::DiscardRemote => P0::DiscardLocal,
            same => same,
        };
        let theirs = without_primary(at_peer, &mirrored(&sides));
        assert_eq!(theirs, opposite(loser), "the peer: {policy:?} {sides:?}");
    }
}

#[test]
fn with_one_primary_each_policy_has_its_loser() {
    for (policy, primary, by_changes, loser) in [
        (P1::Disconnect, true, OWN, None),
        (P1::Consensus, true, PEER, PEER),
        (P1::Consensus, true, OWN, None),
        (P1::Consensus, false, OWN, OWN),
        (P1::Consensus, false, PEER, None),
        (P1::Consensus, true, None, None),
        (P1::DiscardSecondary, true, OWN, PEER),
        (P1::DiscardSecondary, false, None, OWN),
        (P1::CallPriLost, true, OWN, OWN),
        (P1::CallPriLost, false, PEER, PEER),
        (P1::CallPriLost, true, None, None),
        (P1::ViolentlyAs0Primary, true, OWN, OWN),
        (P1::ViolentlyAs0Primary, false, None, None),
    ] {
        let decided = with_one_primary(policy, primary, by_changes);
        assert_eq!(decided, loser, "{policy:?} {primary} {by_changes:?}");
        let theirs = with_one_primary(policy, !primary, opposite(by_changes));
        assert_eq!(theirs, opposite(loser), "the peer: {policy:?} {primary}");
    }
}
