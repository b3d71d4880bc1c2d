// SPDX-License-Identifier: GPL-2.0

//! As `connected_nodes_tell_the_same`, with fencing: a Primary loses its peer, and what the handler
//! `fence-peer` answers is obeyed; a node without peer that is to be promoted asks it, too; who
//! leaves a peer that would be fenced outdates it, or itself. `make alike` runs it.

use anyhow::Result;
use vm::Link;

use crate::{
    alike::{
        connected::{
            Step::{self, Acts, Cable, Follows},
            Story, IN_SYNC, UP,
        },
        Known,
    },
    case::{Case, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("connected_nodes_tell_of_fencing", run)
    .pairs(&[TANDEM_DRBD])
    .limit(400)
    .on_demand();

const CUT: Step = Cable(Link::Down);
const JOINED: Step = Cable(Link::Up);

/// The Primary goes on when the peer is fenced.
const GOES_ON: Step = Acts(
    "
await_proc 'cs:WFConnection.*ds:UpToDate/(Outdated|Inconsistent) C r---'
drbdadm status r0 --verbose
dd if=/dev/zero of=/dev/drbd0 bs=64k count=4 oflag=direct conv=fsync status=none
drbdsetup get-gi 0",
);

/// It does not when that is not certain; the administrator lets it.
const RELEASED: Step = Acts(
    "
await_proc 'cs:WFConnection.*ds:UpToDate/DUnknown C s---'
drbdadm status r0 --verbose
drbdsetup get-gi 0
drbdadm resume-io r0
drbdadm status r0
drbdsetup get-gi 0",
);

/// They meet again, and what the peer missed is copied.
const BACK: Step = Acts("await_proc 'cs:Connected.*ds:UpToDate/UpToDate'\ndrbdsetup get-gi 0");

const STEPS: &[Step] = &[
    UP,
    IN_SYNC,
    Acts("drbdadm primary r0\n~echo 4 >/run/handler.fence-peer"),
    CUT,
    GOES_ON,
    // The other one is not promoted by a handler that finds a Primary, or finds out nothing.
    Follows(
        "
await_proc 'cs:WFConnection'
~echo 1 >/run/handler.fence-peer
drbdadm primary r0
~echo 6 >/run/handler.fence-peer
drbdadm primary r0
drbdsetup get-gi 0
drbdadm primary r0
drbdadm status r0 --verbose",
    ),
    JOINED,
    BACK,
    Acts("~echo 5 >/run/handler.fence-peer"),
    CUT,
    GOES_ON,
    JOINED,
    BACK,
    Acts("~echo 3 >/run/handler.fence-peer"),
    CUT,
    GOES_ON,
    JOINED,
    BACK,
    Acts("~echo 7 >/run/handler.fence-peer"),
    CUT,
    GOES_ON,
    JOINED,
    BACK,
    // A peer that is Primary, they say; and a broken handler.
    Acts("~echo 6 >/run/handler.fence-peer"),
    CUT,
    RELEASED,
    JOINED,
    BACK,
    Acts("~echo 1 >/run/handler.fence-peer"),
    CUT,
    RELEASED,
    JOINED,
    BACK,
    // Nothing is frozen.
    Acts(
        "
drbdsetup disk-options 0 --fencing=resource-only
~echo 7 >/run/handler.fence-peer",
    ),
    CUT,
    GOES_ON,
    JOINED,
    BACK,
    // Who leaves.
    Follows("drbdadm disconnect r0\ndrbdsetup get-gi 0\ndrbdadm primary r0"),
    Acts("await_proc 'cs:WFConnection'\ndrbdadm status r0"),
    Follows("drbdadm connect r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'"),
    Acts("drbdadm disconnect r0\ndrbdsetup get-gi 0\ndrbdadm secondary r0"),
    Follows("await_proc 'cs:WFConnection'\ndrbdadm status r0\ndrbdadm primary r0"),
    Acts("drbdadm connect r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'"),
    // A promotion alone, with a handler that fenced and one that did not.
    CUT,
    Acts(
        "
await_proc 'cs:WFConnection'
~echo 1 >/run/handler.fence-peer
drbdadm primary r0
~echo 7 >/run/handler.fence-peer
drbdadm primary r0
drbdsetup get-gi 0
drbdadm status r0
drbdadm secondary r0
drbdadm down r0
cat /run/handled",
    ),
    Follows(
        "
await_proc 'cs:WFConnection'
~echo 1 >/run/handler.fence-peer
drbdadm primary r0 --force
drbdsetup get-gi 0
drbdadm status r0
drbdadm secondary r0
drbdadm down r0
cat /run/handled",
    ),
    JOINED,
];

/// What differs on purpose, on the node that acts.
const ACTING: &[Known] = &[];

/// And on its peer.
const FOLLOWING: &[Known] = &[];

const STORY: Story = Story {
    name: "fencing",
    volumes: 1,
    options: "  disk { fencing resource-and-stonith; }\n  net { ping-int 1; ping-timeout 30; }\n",
    begin: "",
    steps: STEPS,
    acting: ACTING,
    following: FOLLOWING,
};

fn run(pair: &Pair<'_>) -> Result<()> {
    STORY.play(pair)
}
