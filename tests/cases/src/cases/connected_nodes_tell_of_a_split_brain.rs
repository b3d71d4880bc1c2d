// SPDX-License-Identifier: GPL-2.0

//! As `connected_nodes_tell_the_same`, with data that parts: both nodes find the split brain and
//! stay apart, with no, one and two Primaries; whose data is lost is decided by hand, or by a
//! policy. `make alike` runs it.

use anyhow::Result;

use crate::{
    alike::{
        connected::{
            Step::{self, Acts, Follows},
            Story, IN_SYNC, UP,
        },
        Known,
    },
    case::{Case, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("connected_nodes_tell_of_a_split_brain", run)
    .pairs(&[TANDEM_DRBD])
    .limit(500)
    .on_demand();

/// One node leaves and changes data.
const LEAVES: Step = Acts(
    "
drbdadm disconnect r0
drbdadm primary r0
dd if=/dev/zero of=/dev/drbd0 bs=64k count=4 oflag=direct conv=fsync status=none
drbdsetup get-gi 0",
);

/// So does the other one.
const PARTS: Step = Follows(
    "
await_proc 'cs:WFConnection'
drbdadm primary r0
dd if=/dev/zero of=/dev/drbd0 bs=64k count=2 seek=8 oflag=direct conv=fsync status=none
drbdsetup get-gi 0",
);

/// They meet, and part.
const MEETS: Step = Acts("drbdadm connect r0 && await_proc 'cs:StandAlone'\ndrbdadm status r0");

/// The one that did not act is left, too.
const LEFT: Step = Follows("await_proc 'cs:StandAlone'\ndrbdsetup get-gi 0\ndrbdadm status r0");

/// It gives its data up.
const GIVES_UP: Step = Follows("drbdadm connect --discard-my-data r0");

/// The other one does not.
const RESOLVED: Step = Acts(
    "
drbdadm connect r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup get-gi 0 | cut -d: -f1,2,5-",
);

const DEMOTED: Step = Follows("drbdadm secondary r0");

const STEPS: &[Step] = &[
    UP,
    IN_SYNC,
    // No Primary.
    LEAVES,
    Acts("drbdadm secondary r0"),
    PARTS,
    DEMOTED,
    MEETS,
    LEFT,
    GIVES_UP,
    RESOLVED,
    // One.
    LEAVES,
    PARTS,
    DEMOTED,
    MEETS,
    LEFT,
    GIVES_UP,
    RESOLVED,
    // Two: one that gives its data up is no Primary.
    LEAVES,
    PARTS,
    MEETS,
    LEFT,
    GIVES_UP,
    DEMOTED,
    GIVES_UP,
    RESOLVED,
    // The policy of both: the one that changed less.
    LEAVES,
    Acts("drbdadm secondary r0"),
    PARTS,
    DEMOTED,
    Follows("drbdadm disconnect r0\ndrbdadm connect r0 --after-sb-0pri=discard-least-changes"),
    Acts(
        "
drbdadm connect r0 --after-sb-0pri=discard-least-changes && await_proc 'cs:Connected'
await_proc 'cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup get-gi 0 | cut -d: -f1,2,5-
drbdsetup show r0
drbdadm down r0
cat /run/handled",
    ),
    Follows("drbdadm down r0\ncat /run/handled"),
];

/// What differs on purpose, on the node that acts.
const ACTING: &[Known] = &[];

/// And on its peer.
const FOLLOWING: &[Known] = &[];

const STORY: Story = Story {
    name: "split-brain",
    volumes: 1,
    options: "",
    begin: "",
    steps: STEPS,
    acting: ACTING,
    following: FOLLOWING,
};

fn run(pair: &Pair<'_>) -> Result<()> {
    STORY.play(pair)
}
