// SPDX-License-Identifier: GPL-2.0

//! The scripts of Debian's drbd-utils, as handlers, mail root of blocks that a verify finds to
//! differ (`notify-out-of-sync.sh`, on both nodes), of a disk that fails (`notify-io-error.sh`),
//! and of a Primary that has lost all good data (`notify-pri-on-incon-degr.sh`). A peer with the C
//! module mails the same.

use anyhow::Result;
use vm::{side::LOWER, Link};

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    debian::{await_handled, expect_mails, in_sync, only_told, proposal, spoil, NAME},
    pair::Pair,
    trouble::fragile,
};

pub(crate) const CASE: Case = Case::new("debians_scripts_mail_of_bad_data", run)
    .pairs(&[TANDEM, TANDEM_DRBD])
    .limit(240);

fn run(pair: &Pair<'_>) -> Result<()> {
    let handlers = [
        proposal(&pair.a, "out-of-sync")?,
        only_told(&pair.a, "local-io-error")?,
        only_told(&pair.a, "pri-on-incon-degr")?,
    ];
    let [a, b] = [pair.a, pair.b];
    let lower = fragile(&a)?;
    let disk = "on-io-error call-local-io-error;";
    in_sync(pair, [&lower, LOWER], disk, &handlers)?;

    b.ok(&format!(
        "dd if=/dev/urandom of={LOWER} oflag=direct bs=4096 seek=4096 count=2 conv=notrunc \
         status=none"
    ))?;
    a.ok("drbdadm verify r0")?;
    for side in [a, b] {
        await_handled(&side, "out-of-sync")?;
    }

    spoil(&a)?;
    a.write_mib(1, 1)?;
    await_handled(&a, "local-io-error")?;
    b.await_event("peer-disk:Diskless")?;

    pair.cable(Link::Down)?;
    await_handled(&a, "pri-on-incon-degr")?;
    expect_mails(&a, &[differs("a", "b"), failed(), without_data()])?;
    expect_mails(&b, &[differs("b", "a")])
}

fn differs(node: &str, peer: &str) -> [String; 2] {
    [
        format!("DRBD resource {NAME} has out-of-sync blocks"),
        format!(
            "DRBD has detected out-of-sync blocks on resource {NAME} between {node} and {peer}."
        ),
    ]
}

fn failed() -> [String; 2] {
    [
        format!("DRBD resource {NAME} detected a local I/O error"),
        format!("DRBD has detected an I/O error on resource {NAME} on a."),
    ]
}

fn without_data() -> [String; 2] {
    [
        format!("DRBD resource {NAME} no longer has access to valid data on a"),
        format!(
            "DRBD has detected that the resource {NAME} on a has lost access to its backing \
             device, and has also lost connection to its peer, b."
        ),
    ]
}
