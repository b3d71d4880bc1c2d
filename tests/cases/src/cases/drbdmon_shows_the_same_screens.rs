// SPDX-License-Identifier: GPL-2.0

//! Debian's `drbdmon` runs on a node with our module and on one with the C module, which are
//! connected, and shows the same screens of what happens. (Before a resource was connected for the
//! first time it says of either module that it cannot read the events.)

use anyhow::{ensure, Result};
use vm::side::Side;

use crate::{
    case::{Case, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case =
    Case::new("drbdmon_shows_the_same_screens", run).pairs(&[TANDEM_DRBD]);

/// Runs a program on a screen.
const SCREEN: &str = include_str!("../../guest/screen.sh");

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.connected()?;
    let [a, b] = [pair.a, pair.b];
    for side in [a, b] {
        side.write_file("/run/screen.sh", SCREEN.as_bytes())?;
        side.ok("bash /run/screen.sh begin drbdmon --ascii")?;
    }
    let connected = ["RES: +r0 .*Secondary", "Connected +Secondary", "Inconsistent"];
    let begin = same([screen(&a, &connected)?, screen(&b, &connected)?])?;
    ensure!(begin.contains("Inconsistent"), "{begin}");

    let primary = ["RES: +r0 .*Primary", "Resources: +1 *$"];
    let secondary = ["RES: +r0 .*Secondary", "Resources: +1 *$"];
    a.primary_force()?;
    pair.await_in_sync()?;
    let [ours_primary, theirs_secondary] = [screen(&a, &primary)?, screen(&b, &secondary)?];
    a.secondary()?;
    b.primary()?;
    let [ours_secondary, theirs_primary] = [screen(&a, &secondary)?, screen(&b, &primary)?];
    same([ours_primary, theirs_primary])?;
    same([ours_secondary, theirs_secondary])?;

    b.secondary()?;
    b.disconnect(&a)?;
    let alone = ["RES: +r0 ", "!peer"];
    let looks = ["Connecting +Unknown"];
    let [ours_looks, theirs_alone] = [screen(&a, &looks)?, screen(&b, &alone)?];
    b.connect(&a, "")?;
    pair.await_in_sync()?;
    a.disconnect(&b)?;
    let [ours_alone, theirs_looks] = [screen(&a, &alone)?, screen(&b, &looks)?];
    same([ours_alone, theirs_alone])?;
    same([ours_looks, theirs_looks])?;

    for side in [a, b] {
        side.setup("down r0")?;
    }
    same([screen(&a, &["Resources: +0"])?, screen(&b, &["Resources: +0"])?])?;
    for side in [a, b] {
        side.ok("bash /run/screen.sh end q")?;
    }
    Ok(())
}

/// The screen once it has lines that match.
fn screen(side: &Side<'_>, regexes: &[&str]) -> Result<String> {
    let regexes: Vec<_> = regexes.iter().map(|regex| format!("'{regex}'")).collect();
    let screen = side.ok(&format!("bash /run/screen.sh await {}", regexes.join(" ")))?;
    let own = format!("Node {}", side.name());
    ensure!(screen.contains(&own), "whose screen is this?\n{screen}");
    Ok(screen.replace(&own, "Node"))
}

/// The screen of both.
fn same([ours, theirs]: [String; 2]) -> Result<String> {
    ensure!(ours == theirs, "with our module:\n{ours}\nwith the C module:\n{theirs}");
    Ok(ours)
}
