// SPDX-License-Identifier: GPL-2.0

//! With Debian's `stonith_admin-fence-peer.sh` as `fence-peer`, a Primary that lost its peer has
//! the cluster manager fence that peer, by its name, and its frozen I/O goes on when that is done.
//! The cluster manager is played. When it fails, I/O stays frozen.

use anyhow::{ensure, Result};
use vm::{
    side::{Side, LOWER},
    Link,
};

use crate::{
    case::{Case, TANDEM},
    debian::in_sync,
    pair::Pair,
    trouble::{await_end, begin, expect_running, write_letter},
};

pub(crate) const CASE: Case = Case::new("debians_stonith_script_fences_a_lost_peer", run)
    .pairs(&[TANDEM])
    .limit(240);

/// Debian proposes another one.
const HANDLER: &str = "fence-peer \"/usr/lib/drbd/stonith_admin-fence-peer.sh\";";

/// Notes what it is asked for; the case decides what comes of it.
const STONITH_ADMIN: &str = "#!/bin/sh
echo \"$*\" >>/run/fenced
exit $(cat /run/fenced.code)
";

fn run(pair: &Pair<'_>) -> Result<()> {
    let a = &pair.a;
    let script = "/usr/bin/stonith_admin";
    a.write_file(script, STONITH_ADMIN.as_bytes())?;
    a.ok(&format!("chmod +x {script}"))?;
    let disk = "fencing resource-and-stonith;";
    in_sync(pair, [LOWER; 2], disk, &[HANDLER.into()])?;

    lose(pair, 0)?;
    a.await_log("fence-peer r0 exit code 7 (0x700)")?;
    a.await_event("peer-disk:Outdated")?;
    a.await_event("resource .*suspended:no")?;
    a.write_mib(3, 1)?;
    fenced(a)?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;

    lose(pair, 1)?;
    a.await_log("fence-peer r0 exit code 1 (0x100)")?;
    fenced(a)?;
    a.await_event("resource .*suspended:fencing")?;
    begin(a, "write", &write_letter('x', 2000))?;
    expect_running(a, "write")?;
    pair.cable(Link::Up)?;
    await_end(a, "write", 0)?;
    pair.await_in_sync()?;
    pair.expect_equal()
}

/// The link to the peer is lost, and fencing it will end so.
fn lose(pair: &Pair<'_>, code: u8) -> Result<()> {
    pair.a
        .ok(&format!("rm -f /run/fenced; echo {code} >/run/fenced.code"))?;
    pair.cable(Link::Down)
}

/// The cluster manager was asked for the peer, once.
fn fenced(side: &Side<'_>) -> Result<()> {
    let asked = side.ok("cat /run/fenced")?;
    ensure!(
        asked == "--tolerance 5s --tag drbd --fence b",
        "asked for: {asked}"
    );
    Ok(())
}
