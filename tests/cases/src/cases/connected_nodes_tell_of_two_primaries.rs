// SPDX-License-Identifier: GPL-2.0

//! As `connected_nodes_tell_the_same`, with two Primaries: what refuses a second one and what lets
//! it be, what is refused while there are two, and disks, commands and a peer that come and go
//! meanwhile. `make alike` runs it.

use anyhow::Result;

use crate::{
    alike::{
        connected::{
            Step::{self, Acts, Follows},
            Story, BACK, BACK_BITMAP, BACK_SOURCE, IN_SYNC, NOT_CRASHED, UP,
        },
        Known,
    },
    case::{Case, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("connected_nodes_tell_of_two_primaries", run)
    .pairs(&[TANDEM_DRBD])
    .limit(500)
    .on_demand();

const STEPS: &[Step] = &[
    UP,
    IN_SYNC,
    Acts("drbdadm primary r0"),
    Follows("drbdadm primary r0\ndrbdadm primary r0 --force"),
    Acts("drbdsetup net-options ADDRESSES --allow-two-primaries"),
    Follows(
        "
drbdadm primary r0
drbdadm role r0
drbdadm status r0 --verbose
drbdsetup get-gi 0
dd if=/dev/zero of=/dev/drbd0 bs=64k count=4 oflag=direct conv=fsync status=none",
    ),
    Acts(
        "
await_proc 'ro:Primary/Primary'
drbdadm status r0
drbdsetup net-options ADDRESSES --allow-two-primaries=no
drbdsetup net-options ADDRESSES --protocol=A
drbdsetup net-options ADDRESSES --protocol=B --allow-two-primaries
drbdadm adjust r0
dd if=/dev/zero of=/dev/drbd0 bs=64k count=4 seek=8 oflag=direct conv=fsync status=none
drbdsetup get-gi 0
drbdadm outdate r0
drbdadm invalidate r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'
drbdadm invalidate-remote r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'
drbdadm new-current-uuid r0
drbdadm verify r0 && await_proc 'cs:Connected'
drbdadm resize r0
drbdadm pause-sync r0
drbdadm resume-sync r0
drbdadm suspend-io r0
drbdadm resume-io r0
drbdadm detach r0
drbdadm status r0
drbdadm secondary r0
drbdadm primary r0
drbdadm attach r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup get-gi 0 | cut -d: -f1,2,5-
drbdadm primary r0
drbdadm disconnect r0
drbdadm status r0",
    ),
    Follows("await_proc 'cs:WFConnection'\ndrbdadm status r0\ndrbdadm secondary r0"),
    Acts(
        "
drbdadm secondary r0
drbdadm down r0
cat /run/handled",
    ),
    Follows("drbdadm down r0\ncat /run/handled"),
];

/// What differs on purpose, on the node that acts.
const ACTING: &[Known] = &[NOT_CRASHED];

/// And on its peer.
const FOLLOWING: &[Known] = &[
    BACK_BITMAP,
    BACK_SOURCE,
    Known {
        command: "events",
        ours: "WFBitMapS ro:Primary/Primary ds:UpToDate/Consistent",
        theirs: "WFBitMapS ro:Primary/Primary ds:UpToDate/Inconsistent",
        why: BACK,
    },
];

const STORY: Story = Story {
    name: "two-primaries",
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
