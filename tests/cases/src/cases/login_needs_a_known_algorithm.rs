// SPDX-License-Identifier: GPL-2.0

//! A login with a digest that the kernel does not have is refused at once, with the option's name;
//! the connection is not made.

use anyhow::{bail, Result};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("login_needs_a_known_algorithm", run).pairs(&[TANDEM]);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    let output = pair
        .a
        .try_connect(&pair.b, "--cram-hmac-alg=rot13 --shared-secret=x")?;
    if output.success() || !output.stderr.contains("cram-hmac-alg") {
        bail!("it should fail and name cram-hmac-alg: {output:?}");
    }
    pair.a.expect_proc("cs:StandAlone")?;
    // With another one it works, and running it cannot be changed to the unknown one either.
    pair.a
        .connect(&pair.b, "--cram-hmac-alg=sha256 --shared-secret=x")?;
    let output = pair.a.try_net_options(&pair.b, "--cram-hmac-alg=rot13")?;
    if output.success() || !output.stderr.contains("cram-hmac-alg") {
        bail!("it should fail and name cram-hmac-alg: {output:?}");
    }
    pair.b
        .connect(&pair.a, "--cram-hmac-alg=sha256 --shared-secret=x")?;
    pair.a.await_event("connection:Connected").map(drop)
}
