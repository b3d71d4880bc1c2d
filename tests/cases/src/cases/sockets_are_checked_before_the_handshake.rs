// SPDX-License-Identifier: GPL-2.0

//! Before the handshake a node waits for `socket-check-timeout`, and looks whether both sockets
//! are still there then.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("sockets_are_checked_before_the_handshake", run)
    .pairs(&[TANDEM, TANDEM_DRBD]);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    let begin = Instant::now();
    pair.a.connect(&pair.b, "--socket-check-timeout=80")?;
    pair.b.connect(&pair.a, "--socket-check-timeout=80")?;
    pair.a.await_event("connection:Connected")?;
    let passed = begin.elapsed();
    ensure!(
        passed >= Duration::from_secs(8),
        "connected {passed:?} after the first call"
    );
    Ok(())
}
