// SPDX-License-Identifier: GPL-2.0

//! Nodes with different secrets refuse each other: both become StandAlone and say why. With the
//! same secret they connect.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("login_refuses_a_wrong_secret", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    let options = |secret| format!("--cram-hmac-alg=sha256 --shared-secret={secret}");
    pair.a.connect(&pair.b, &options("right"))?;
    pair.b.connect(&pair.a, &options("wrong"))?;
    for side in [pair.a, pair.b] {
        side.await_event("connection:StandAlone")?;
        side.await_log("Authentication of peer failed")?;
    }
    pair.a.connect(&pair.b, &options("right"))?;
    pair.b.connect(&pair.a, &options("right"))?;
    for side in [pair.a, pair.b] {
        side.await_event("connection:Connected")?;
    }
    Ok(())
}
