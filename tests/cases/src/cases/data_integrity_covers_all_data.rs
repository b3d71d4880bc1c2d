// SPDX-License-Identifier: GPL-2.0

//! With data-integrity-alg resync, writes, and reads through the peer carry digests that the other
//! node finds right. The algorithm changes on one node and then on the other while writes go on,
//! without ending the connection.

use anyhow::{bail, Result};
use vm::side::DEVICE;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("data_integrity_covers_all_data", run).limit(240);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.a.connect(&pair.b, "--data-integrity-alg=sha1")?;
    pair.b.connect(&pair.a, "--data-integrity-alg=sha1")?;
    for side in [pair.a, pair.b] {
        side.await_event("connection:Connected")?;
    }
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.a.write_mib(1, 2)?;
    pair.a.net_options(&pair.b, "--data-integrity-alg=sha256")?;
    pair.a.write_mib(4, 2)?;
    pair.b.net_options(&pair.a, "--data-integrity-alg=sha256")?;
    pair.a.write_mib(7, 2)?;
    pair.expect_equal()?;
    // What the peer serves has digests as well.
    let read = format!("dd if={DEVICE} iflag=direct bs=1M count=10 status=none | sha256sum");
    let local = pair.a.ok(&read)?;
    pair.a.setup("detach 0")?;
    let remote = pair.a.ok(&read)?;
    if local != remote {
        bail!("read from the own disk {local}, through the peer {remote}");
    }
    for side in [pair.a, pair.b] {
        side.expect_not_logged("-> (ProtocolError|BrokenPipe|NetworkFailure|Timeout)")?;
        side.await_event("connection:Connected")?;
    }
    Ok(())
}
