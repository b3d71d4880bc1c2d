// SPDX-License-Identifier: GPL-2.0

//! Nodes with different data-integrity-alg do not connect: who reads the other's settings first
//! becomes StandAlone and names the option. An algorithm that the kernel does not have is refused
//! at once.

use std::time::Duration;

use anyhow::{bail, Result};
use vm::Driver;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("data_integrity_needs_the_same_algorithm", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    for side in [pair.a, pair.b] {
        if side.driver() == Driver::Tandem {
            let peer = if side.name() == "a" { pair.b } else { pair.a };
            let output = side.try_connect(&peer, "--data-integrity-alg=rot13")?;
            if output.success() || !output.stderr.contains("data-integrity-alg") {
                bail!("it should fail and name data-integrity-alg: {output:?}");
            }
        }
    }
    pair.a.connect(&pair.b, "--data-integrity-alg=sha1")?;
    pair.b.connect(&pair.a, "--data-integrity-alg=sha256")?;
    // The other one may see no more than a closed connection.
    let alone = "connection:StandAlone";
    let first = if (*pair.a)
        .await_event(alone, Duration::from_secs(15))
        .is_ok()
    {
        0
    } else {
        pair.b.await_event(alone)?;
        1
    };
    let sides = [pair.a, pair.b];
    sides[first].await_log("incompatible data-integrity-alg settings")?;
    for side in sides {
        side.expect_not_logged("-> Connected")?;
    }
    Ok(())
}
