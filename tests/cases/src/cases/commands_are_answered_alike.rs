// SPDX-License-Identifier: GPL-2.0

//! All commands of `drbdsetup` that need no peer, in order and out of order, get the same answers
//! from our module and from the C module.

use anyhow::Result;

use crate::{
    alike::{self, Known},
    case::{Case, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("commands_are_answered_alike", run)
    .pairs(&[TANDEM_DRBD])
    .limit(300);

const COMMANDS: &str = "
drbdsetup status
drbdsetup show
drbdsetup sh-status
drbdsetup down nobody
drbdsetup del-resource nobody
drbdsetup resource-options nobody
drbdsetup show nobody
drbdsetup status nobody
drbdsetup new-resource r0
drbdsetup new-resource r0
drbdsetup new-resource a/b
drbdsetup new-resource ''
drbdsetup new-minor r0 0 0
drbdsetup new-minor r0 0 0
drbdsetup new-minor r0 0 1
drbdsetup new-minor r0 1 0
drbdsetup new-minor nobody 1 0
drbdsetup new-minor r0 1048576 1
drbdsetup new-minor r0 1 65535
drbdsetup new-minor r0 1 65534
drbdsetup del-minor 1
drbdsetup del-minor 1
drbdsetup new-minor r0 1 1
drbdsetup role 0
drbdsetup state 0
drbdsetup cstate 0
drbdsetup dstate 0
drbdsetup sh-status
drbdsetup sh-status 0
drbdsetup sh-status r0
drbdsetup show-gi 0
drbdsetup get-gi 0
drbdsetup udev 0
drbdsetup check-resize 0
drbdsetup primary 0
drbdsetup primary 0 --force
drbdsetup secondary 0
drbdsetup invalidate 0
drbdsetup invalidate-remote 0
drbdsetup outdate 0
drbdsetup resize 0
drbdsetup verify 0
drbdsetup new-current-uuid 0
drbdsetup disk-options 0
drbdsetup role 7
drbdsetup primary 7
drbdsetup detach 7
drbdsetup attach 7 /dev/data1 /dev/data1 internal
drbdsetup attach 0 /dev/data1 /dev/data1 internal
drbdsetup attach 0 /dev/null /dev/null internal
drbdsetup attach 0 /dev/nothing /dev/data1 internal
drbdsetup attach 0 /dev/data1 /dev/nothing 0
drbdsetup attach 0 /dev/data1 /dev/data1 -5
~drbdmeta --force 0 v08 /dev/data1 internal create-md >/dev/null
~drbdmeta --force 1 v08 /dev/data2 internal create-md >/dev/null
drbdsetup attach 0 /dev/data1 /dev/data1 internal --al-extents=67
drbdsetup attach 0 /dev/data1 /dev/data1 internal
drbdsetup attach 1 /dev/data1 /dev/data1 internal
drbdsetup attach 1 /dev/data2 /dev/data2 internal --resync-after=0 --fencing=resource-only
drbdsetup disk-options 0 --resync-after=1
drbdsetup disk-options 0 --resync-after=0
drbdsetup disk-options 0 --resync-after=5
drbdsetup disk-options 0 --resync-after=-1
drbdsetup status r0 --verbose --statistics
drbdsetup status
drbdsetup show
drbdsetup show 0
drbdsetup sh-status
drbdsetup cstate 0
drbdsetup dstate 0
drbdsetup check-resize 0
drbdsetup udev 0
drbdsetup primary 0
drbdsetup get-gi 0
drbdsetup new-current-uuid 0
drbdsetup get-gi 0
drbdsetup new-current-uuid 0 --clear-bitmap
drbdsetup get-gi 0
drbdsetup outdate 0
drbdsetup primary 0
drbdsetup primary 0 --force
drbdsetup primary 0
drbdsetup role 0
drbdsetup dstate 0
drbdsetup get-gi 0
drbdsetup show-gi 0
drbdsetup status
drbdsetup outdate 0
drbdsetup invalidate 0
drbdsetup verify 0
drbdsetup verify 0 --start=8 --stop=16
drbdsetup pause-sync 0
drbdsetup pause-sync 0
drbdsetup resume-sync 0
drbdsetup resume-sync 0
drbdsetup suspend-io 0
drbdsetup suspend-io 0
drbdsetup status
drbdsetup sh-status 0
drbdsetup resume-io 0
drbdsetup resume-io 0
drbdsetup resize 0
drbdsetup resize 0 --size=20M
drbdsetup resize 0 --size=10M
drbdsetup resize 0 --size=1T
drbdsetup resize 0 --assume-peer-has-space
drbdsetup resize 0 --assume-clean
drbdsetup resize 0 --al-stripes=2 --al-stripe-size-kB=16
drbdsetup resize 0 --al-stripes=2 --al-stripe-size-kB=16777216 --assume-peer-has-space
drbdsetup resize 0 --al-stripes=1 --al-stripe-size-kB=4 --assume-peer-has-space
drbdsetup invalidate-remote 0
drbdsetup disk-options 0 --c-max-rate=4M --resync-rate=1M
drbdsetup show r0
drbdsetup disk-options 0 --set-defaults
drbdsetup disk-options 0 --size=1M
drbdsetup resource-options r0 --on-no-data-accessible=suspend-io
drbdsetup show r0
drbdsetup show r0 --show-defaults
drbdsetup resource-options r0 --set-defaults
drbdsetup del-minor 0
drbdsetup del-resource r0
drbdsetup secondary 0
drbdsetup get-gi 0
drbdsetup secondary 0
drbdsetup outdate 0
drbdsetup outdate 0
drbdsetup primary 0
drbdsetup invalidate 0
drbdsetup dstate 0
drbdsetup get-gi 0
drbdsetup invalidate-remote 0
drbdsetup connect nobody ipv4:$OWN:7789 ipv4:$PEER:7790
drbdsetup disconnect ipv4:$OWN:7789 ipv4:$PEER:7790
drbdsetup net-options ipv4:$OWN:7789 ipv4:$PEER:7790
drbdsetup connect r0 ipv4:$OWN:7789 ipv4:$PEER:7790 --protocol=A --on-congestion=pull-ahead
drbdsetup connect r0 ipv4:$OWN:7789 ipv4:$PEER:7790
drbdsetup new-resource r1
drbdsetup connect r1 ipv4:$OWN:7789 ipv4:$PEER:7791
drbdsetup connect r1 ipv4:$OWN:7791 ipv4:$PEER:7790
drbdsetup del-resource r1
drbdsetup net-options ipv4:$OWN:7789 ipv4:$PEER:7790 --max-buffers=4000
drbdsetup net-options ipv4:$OWN:7789 ipv4:$PEER:7790 --allow-two-primaries
drbdsetup net-options ipv4:$OWN:7789 ipv4:$PEER:7790 --discard-my-data
drbdsetup net-options ipv4:$OWN:7789 ipv4:$PEER:7791
drbdsetup show r0
drbdsetup cstate 0
drbdsetup status
drbdsetup status --verbose
drbdsetup sh-status
drbdsetup events2 --now
drbdsetup events2 --now --statistics r0
drbdsetup wait-connect 0 --wfc-timeout=1
drbdsetup wait-sync 0 --wfc-timeout=1 --degr-wfc-timeout=1 --outdated-wfc-timeout=1
drbdsetup wait-connect 7
drbdsetup invalidate 0
drbdsetup invalidate-remote 0
drbdsetup verify 0
drbdsetup pause-sync 0
drbdsetup resume-sync 0
drbdsetup new-current-uuid 0
drbdsetup resize 0
drbdsetup outdate 1
drbdsetup primary 1
drbdsetup primary 1 --force
drbdsetup detach 1
drbdsetup secondary 1
drbdsetup del-resource r0
drbdsetup del-minor 0
drbdsetup disconnect ipv4:$OWN:7789 ipv4:$PEER:7790
drbdsetup disconnect ipv4:$OWN:7789 ipv4:$PEER:7790
drbdsetup connect r0 ipv4:$OWN:7789 ipv4:$PEER:7790 --discard-my-data --tentative
drbdsetup disconnect ipv4:$OWN:7789 ipv4:$PEER:7790 --force
drbdsetup detach 0 --force
drbdsetup detach 0
drbdsetup dstate 0
drbdsetup del-minor 0
drbdsetup del-minor 0
drbdsetup attach 1 /dev/data2 /dev/data2 internal
drbdsetup connect r0 ipv4:$OWN:7789 ipv4:$PEER:7790
drbdsetup primary 1
drbdsetup down r0
drbdsetup down r0
drbdsetup del-resource r0
drbdsetup status
";

/// What differs on purpose.
const DIFFERENT: &[Known] = &[
    Known {
        command: "attach 0 /dev/data1 /dev/data1 internal",
        ours: "additional info from kernel:",
        theirs: "",
        why: "the reply says why, and what to do",
    },
    Known {
        command: "attach 0 /dev/data1 /dev/data1 internal",
        ours: "no metadata found; create it",
        theirs: "",
        why: "the reply says why, and what to do",
    },
    Known {
        command: "attach 1 /dev/data1",
        ours: "additional info from kernel:",
        theirs: "",
        why: "the reply says why, and what to do",
    },
    Known {
        command: "attach 1 /dev/data1",
        ours: "the device is in use",
        theirs: "",
        why: "the reply says why, and what to do",
    },
    Known {
        command: "-gi 0",
        ours: "<generation 0>:<generation 1>:0000000000000004:",
        theirs: "<generation 1>:0000000000000004:0000000000000000:",
        why: "the bitmap goes on counting from what the peer may have",
    },
];

fn run(pair: &Pair<'_>) -> Result<()> {
    let transcripts = alike::alone(pair.a, pair.b, COMMANDS.trim_start())?;
    alike::compare(CASE.name, &transcripts, DIFFERENT)
}
