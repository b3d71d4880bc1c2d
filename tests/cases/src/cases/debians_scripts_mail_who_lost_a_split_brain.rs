// SPDX-License-Identifier: GPL-2.0

//! The scripts of Debian's drbd-utils, as handlers of a split brain, mail root which volume of
//! which resource parted from whom (`notify-split-brain.sh`), and that a Primary lost
//! (`notify-pri-lost-after-sb.sh`, `notify-pri-lost.sh`). A peer with the C module mails the same.

use std::time::Duration;

use anyhow::Result;
use vm::{
    side::{Side, LOWER},
    Link,
};

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    debian::{await_handled, expect_mails, in_sync, only_told, proposal, NAME},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("debians_scripts_mail_who_lost_a_split_brain", run)
    .pairs(&[TANDEM, TANDEM_DRBD])
    .limit(240);

/// How long a program may take to open the device.
const SOON: Duration = Duration::from_secs(60);

/// Debian proposes nothing for it.
const PRI_LOST: &str = "pri-lost \"/usr/lib/drbd/notify-pri-lost.sh root\";";

/// Who changed nothing loses, and gives its role up.
const GIVES_UP: &str =
    "--after-sb-0pri=discard-zero-changes --after-sb-1pri=call-pri-lost-after-sb";

/// Who changed nothing is the target, Primary or not, which a handler is told.
const IS_TOLD: &str = "--after-sb-0pri=discard-zero-changes --after-sb-1pri=violently-as0p \
    --rr-conflict=call-pri-lost";

fn run(pair: &Pair<'_>) -> Result<()> {
    let handlers = [
        proposal(&pair.a, "split-brain")?,
        only_told(&pair.a, "pri-lost-after-sb")?,
        PRI_LOST.into(),
    ];
    in_sync(pair, [LOWER; 2], "", &handlers)?;
    let [a, b] = [pair.a, pair.b];
    part(pair)?;

    meet(pair, "")?;
    for side in [a, b] {
        await_handled(&side, "split-brain")?;
    }
    leave(pair)?;

    // A reader holds the device, so the role cannot be given up.
    a.ok(
        "rm -f /run/hold /run/held; mkfifo /run/hold; touch /run/held
        (exec 3</dev/drbd0; echo held; cat /run/hold) </dev/null >/run/held 2>&1 &",
    )?;
    a.await_in("tail -n +1 -F /run/held", "^held$", SOON)?;
    meet(pair, GIVES_UP)?;
    await_handled(&a, "pri-lost-after-sb")?;
    leave(pair)?;
    a.ok("echo >/run/hold")?;

    meet(pair, IS_TOLD)?;
    await_handled(&a, "pri-lost")?;
    // Who lost, and could not give up, has a split brain that is not resolved.
    let found = split("a", "b");
    expect_mails(&a, &[found.clone(), lost_after(), found, lost()])?;
    expect_mails(&b, &[split("b", "a")])
}

/// Node b changes its data, and node a becomes Primary, without each other.
fn part(pair: &Pair<'_>) -> Result<()> {
    let [a, b] = [pair.a, pair.b];
    a.ok("drbdadm secondary r0")?;
    pair.cut()?;
    b.ok("drbdadm primary r0")?;
    b.write_mib(9, 1)?;
    b.ok("drbdadm secondary r0")?;
    a.ok("drbdadm primary r0")?;
    leave(pair)?;
    pair.cable(Link::Up)
}

/// Both are told to connect.
fn meet(pair: &Pair<'_>, options: &str) -> Result<()> {
    for side in [pair.b, pair.a] {
        side.ok(&format!("drbdadm connect r0 {options}"))?;
    }
    Ok(())
}

/// Neither looks for its peer any more.
fn leave(pair: &Pair<'_>) -> Result<()> {
    let leaves = |side: Side<'_>| {
        // Refused where it has left already.
        side.sh("drbdadm disconnect r0")?;
        side.await_proc("cs:StandAlone").map(drop)
    };
    leaves(pair.a)?;
    leaves(pair.b)
}

fn split(node: &str, peer: &str) -> [String; 2] {
    [
        format!("DRBD split brain on resource {NAME}"),
        format!("DRBD has detected split brain on resource {NAME} between {node} and {peer}."),
    ]
}

fn lost_after() -> [String; 2] {
    [
        format!(
            "DRBD resource {NAME} is currently Primary, but lost split brain auto recovery on a"
        ),
        format!("The DRBD resource {NAME} is currently in the Primary role on host a, but was"),
    ]
}

fn lost() -> [String; 2] {
    [
        format!("DRBD resource {NAME} is currently Primary, but is to become SyncTarget on a"),
        format!("The DRBD resource {NAME} is currently in the Primary role on host a, but lost"),
    ]
}
