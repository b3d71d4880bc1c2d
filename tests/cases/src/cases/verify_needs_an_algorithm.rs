// SPDX-License-Identifier: GPL-2.0

//! Without verify-alg no verify begins, and nodes with different ones do not connect: the option is
//! named.

use anyhow::{bail, Result};

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("verify_needs_an_algorithm", run).limit(240);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let output = pair.a.try_setup("verify 0")?;
    if output.success() {
        bail!("a verify began without verify-alg: {output:?}");
    }
    pair.a.expect_proc("cs:Connected ro:")?;
    // Set on one node while connected, it is set on both.
    pair.a.net_options(&pair.b, "--verify-alg=sha256")?;
    pair.b.await_log("using verify-alg: \"sha256\"")?;
    pair.b.setup("verify 0")?;
    pair.b.await_log("Online verify done")?;
    pair.b.disconnect(&pair.a)?;
    pair.b.connect(&pair.a, "--verify-alg=sha1")?;
    pair.await_log_on_either(
        "Different verify-alg settings. me=\"sha256\" peer=\"sha1\"",
        "Different verify-alg settings. me=\"sha1\" peer=\"sha256\"",
    )
    .map(drop)
}
