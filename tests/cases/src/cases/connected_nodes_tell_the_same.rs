// SPDX-License-Identifier: GPL-2.0

//! A node with our module and one with the C module are connected. Each of them does the same, one
//! after the other, while its peer follows: what Debian's `drbdsetup` and `drbdadm` print,
//! handlers, `/proc/drbd`, generations and events are the same, on the one that acts and on the one
//! that follows. `make alike` runs it.

use anyhow::Result;

use crate::{
    alike::{
        connected::{
            Step::{self, Acts, Follows},
            Story, BACK, BACK_BITMAP, BACK_SOURCE, NOT_CRASHED,
        },
        Known,
    },
    case::{Case, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("connected_nodes_tell_the_same", run)
    .pairs(&[TANDEM_DRBD])
    .limit(300)
    .on_demand();

/// What both do before they know each other.
const BEGIN: &str = "
drbdadm dump | sed 's/10\\.99\\.0\\.[12]/HOST/; s/ on [ab]:/ on HOST:/'
drbdadm dump-xml r0 | sed 's/10\\.99\\.0\\.[12]/HOST/'
drbdadm sh-resources
drbdadm sh-dev r0
drbdadm sh-minor r0
drbdadm sh-ll-dev r0
drbdadm sh-udev minor-0
drbdadm sh-mod-parms
drbdadm dstate r0
drbdadm -d up r0
drbdadm role r0
drbdadm new-resource r0
drbdadm new-minor r0
drbdadm check-resize r0
drbdadm attach r0
drbdadm -d adjust r0
drbdadm adjust nobody
";

/// After a full resync former generations differ: there was none that the bitmap could count from,
/// so that it is a random one, and ours keeps what the target has when it finishes unheard in the
/// history.
const STEPS: &[Step] = &[
    Follows("drbdadm connect r0"),
    Acts(
        "
drbdadm connect r0 && await_proc 'cs:Connected.*ds:Inc.*/Inconsistent C r-'
drbdadm wait-connect r0
drbdadm adjust r0
drbdsetup status
drbdadm status r0
drbdsetup status r0 --verbose --statistics
drbdsetup sh-status
drbdadm cstate r0
drbdadm dstate r0
drbdadm show-gi r0
drbdsetup get-gi 0
drbdadm primary r0
drbdadm secondary r0
drbdsetup verify 0
drbdadm resize r0
drbdsetup outdate 0
drbdsetup attach 0 /dev/data1 /dev/data1 internal
drbdsetup connect r0 ADDRESSES
drbdsetup new-current-uuid 0
drbdadm new-current-uuid r0/0 --clear-bitmap && await_proc 'ds:UpToDate/UpToDate'
drbdsetup get-gi 0
drbdsetup show-gi 0
drbdsetup wait-sync 0
drbdadm primary r0
drbdsetup get-gi 0
dd if=/dev/zero of=/dev/drbd0 bs=64k count=4 oflag=direct conv=fsync status=none
drbdsetup get-gi 0",
    ),
    Follows(
        "
await_proc 'ro:Secondary/Primary'
drbdadm primary r0
drbdadm primary r0 --force
drbdadm secondary r0
drbdadm outdate r0
drbdadm status
drbdsetup get-gi 0",
    ),
    Acts(
        "
drbdadm outdate r0
drbdsetup new-current-uuid 0
drbdadm disconnect r0
drbdsetup get-gi 0
drbdadm -d adjust r0
drbdadm adjust r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup get-gi 0
drbdadm pause-sync r0
drbdadm pause-sync r0
drbdadm resume-sync r0
drbdadm invalidate-remote r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup get-gi 0 | cut -d: -f1,2,5-
drbdadm verify r0 && await_proc 'cs:Connected'
drbdsetup verify 0 --start=8 --stop=8192 && await_proc 'cs:Connected'
drbdadm resize r0
drbdsetup net-options ADDRESSES --protocol=A
drbdsetup net-options ADDRESSES --protocol=C --allow-two-primaries
drbdadm adjust r0
drbdadm detach r0
drbdadm status r0
drbdsetup get-gi 0 | cut -d: -f1,2,5-
drbdadm detach r0
drbdadm attach r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup get-gi 0 | cut -d: -f1,2,5-
drbdadm secondary r0
drbdadm invalidate r0 && await_proc 'cs:Connected.*ds:UpToDate/UpToDate'
drbdsetup get-gi 0 | cut -d: -f1,2,5-
drbdadm disconnect r0
drbdsetup get-gi 0 | cut -d: -f1,2,5-
drbdadm primary r0",
    ),
    Follows("drbdsetup get-gi 0 | cut -d: -f1,2,5-\ndrbdadm down r0\ncat /run/handled"),
    Acts("drbdadm down r0\ndrbdadm down r0\ndrbdadm dstate r0\ncat /run/handled"),
];

/// What differs on purpose, on the node that acts.
const ACTING: &[Known] = &[
    Known {
        command: "verify 0",
        ours: "(-2) Need access to UpToDate data",
        theirs: "(-10) State change was refused by peer node",
        why: "the node knows by itself that there is nothing to compare with, and says so",
    },
    Known {
        command: "verify 0",
        ours: "exit 17",
        theirs: "exit 11",
        why: "the code of that answer",
    },
    Known {
        command: "drbdsetup outdate 0",
        ours: "(-16) Disk state is lower than outdated",
        theirs: "exit 0",
        why: WORSE,
    },
    Known {
        command: "drbdsetup outdate 0",
        ours: "exit 5",
        theirs: "ro:Secondary/Secondary ds:UpToDate/Inconsistent",
        why: WORSE,
    },
    Known {
        command: "drbdsetup outdate 0",
        ours: "",
        theirs: "oos:32728",
        why: WORSE,
    },
    Known {
        command: "events",
        ours: "",
        theirs: "cs:Connected ro:Secondary/Secondary ds:UpToDate/Inconsistent r---",
        why: WORSE,
    },
    NOT_CRASHED,
];

/// And on its peer.
const FOLLOWING: &[Known] = &[
    BACK_BITMAP,
    BACK_SOURCE,
    Known {
        command: "events",
        ours: "WFBitMapS ro:Secondary/Primary ds:UpToDate/Consistent",
        theirs: "WFBitMapS ro:Secondary/Primary ds:UpToDate/Inconsistent",
        why: BACK,
    },
];

/// Why an Inconsistent disk is not outdated.
const WORSE: &str = "what is worse than outdated stays so; with the C module, a disk that never \
                     was in sync is good afterwards";

const STORY: Story = Story {
    name: "connected",
    volumes: 1,
    options: "",
    begin: BEGIN,
    steps: STEPS,
    acting: ACTING,
    following: FOLLOWING,
};

fn run(pair: &Pair<'_>) -> Result<()> {
    STORY.play(pair)
}
