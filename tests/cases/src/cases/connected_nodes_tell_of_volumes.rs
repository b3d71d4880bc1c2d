// SPDX-License-Identifier: GPL-2.0

//! As `connected_nodes_tell_the_same`, with two volumes: roles, disks, resyncs that wait for each
//! other, and a volume that goes and comes, each beside one that stays. `make alike` runs it.

use anyhow::Result;

use crate::{
    alike::{
        connected::{
            Step::{self, Acts, Follows},
            Story,
        },
        Known,
    },
    case::{Case, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("connected_nodes_tell_of_volumes", run)
    .pairs(&[TANDEM_DRBD])
    .limit(300)
    .on_demand();

const BEGIN: &str = "
drbdadm sh-dev r0
drbdadm -d up r0
drbdadm new-resource r0
drbdadm new-minor r0
drbdadm attach r0
drbdadm status r0
";

const STEPS: &[Step] = &[
    Follows("drbdadm connect r0"),
    Acts(
        "
drbdadm connect r0 && await_proc ' 1: cs:Connected.*ds:Inc.*/Inconsistent C r-'
drbdadm status r0
drbdadm cstate r0
drbdadm dstate r0
drbdadm dstate r0/1
drbdadm role r0
drbdsetup sh-status
drbdadm new-current-uuid --clear-bitmap r0/0 && await_proc ' 0: .*ds:UpToDate/UpToDate'
drbdadm status r0
drbdadm primary r0
drbdadm role r0
drbdsetup role 1
drbdadm new-current-uuid --clear-bitmap r0/1 && await_proc ' 1: .*ds:UpToDate/UpToDate'
drbdadm primary r0
drbdsetup status --verbose
drbdsetup secondary 1
drbdadm role r0/0
drbdadm role r0/1
drbdadm status r0",
    ),
    Follows(
        "
drbdadm status r0
drbdsetup primary 1
drbdsetup primary 0
drbdsetup secondary 1
drbdsetup invalidate 1 && await_proc ' 1: cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup detach 1
drbdadm status r0
drbdadm attach r0/1 && await_proc ' 1: cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup status --verbose",
    ),
    Acts(
        "
drbdsetup detach 1
drbdadm status r0
drbdadm attach r0/1 && await_proc ' 1: cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup disk-options 1 --resync-after=0
drbdsetup disk-options 0 --resync-after=1
drbdsetup show r0
drbdsetup pause-sync 0
drbdsetup invalidate-remote 0 && await_proc ' 0: cs:PausedSyncS'
drbdsetup invalidate-remote 1 && await_proc ' 1: cs:PausedSyncS'
drbdadm status r0
drbdsetup resume-sync 0 && await_proc ' 1: cs:Connected.*ds:UpToDate/UpToDate'
await_proc ' 0: cs:Connected.*ds:UpToDate/UpToDate'
drbdadm adjust r0
drbdsetup verify 1 && await_proc ' 1: cs:Connected'
drbdsetup suspend-io 1
drbdadm status r0
drbdsetup resume-io 1
drbdadm resize r0
drbdadm disconnect r0
drbdadm status r0
drbdsetup del-minor 1
drbdsetup detach 1
drbdsetup del-minor 1
drbdadm status r0
drbdadm -d adjust r0
drbdadm adjust r0 && await_proc ' 0: cs:Connected.*ds:UpToDate/UpToDate'
await_proc ' 1: cs:Connected.*ds:UpToDate/UpToDate'
drbdadm status r0
drbdadm secondary r0
drbdadm disconnect r0",
    ),
    Follows("drbdadm status r0\ndrbdadm down r0\ncat /run/handled"),
    Acts("drbdadm down r0\ncat /run/handled"),
];

/// What differs on purpose, on the node that acts.
const ACTING: &[Known] = &[];

/// And on its peer.
const FOLLOWING: &[Known] = &[];

const STORY: Story = Story {
    name: "volumes",
    volumes: 2,
    options: "",
    begin: BEGIN,
    steps: STEPS,
    acting: ACTING,
    following: FOLLOWING,
};

fn run(pair: &Pair<'_>) -> Result<()> {
    STORY.play(pair)
}
