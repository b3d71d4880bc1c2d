// SPDX-License-Identifier: GPL-2.0

//! Nodes whose digests have different lengths refuse each other and try again, so that the login
//! works as soon as the options are made equal, without connecting anew.

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("login_waits_for_the_same_algorithm", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    pair.a
        .connect(&pair.b, "--cram-hmac-alg=sha1 --shared-secret=x")?;
    pair.b
        .connect(&pair.a, "--cram-hmac-alg=sha256 --shared-secret=x")?;
    for side in [pair.a, pair.b] {
        side.await_log("Authentication of peer failed, trying again")?;
    }
    pair.b.net_options(&pair.a, "--cram-hmac-alg=sha1")?;
    for side in [pair.a, pair.b] {
        side.await_event("connection:Connected")?;
    }
    Ok(())
}
