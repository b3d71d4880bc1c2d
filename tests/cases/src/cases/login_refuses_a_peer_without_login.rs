// SPDX-License-Identifier: GPL-2.0

//! A node with a login does not talk to one without: it becomes StandAlone, the other one goes on
//! looking for its peer. The log of the one with a login says why. (The other one may find its
//! connection closed before it has read anything that it could name.)

use anyhow::Result;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("login_refuses_a_peer_without_login", run);

const LOGIN: &str = "--cram-hmac-alg=sha256 --shared-secret=x";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    for (strict, open) in [(pair.a, pair.b), (pair.b, pair.a)] {
        strict.connect(&open, LOGIN)?;
        open.connect(&strict, "")?;
        strict.await_event("connection:StandAlone")?;
        strict.await_log("expected AuthChallenge packet, received: ReportProtocol")?;
        strict.await_log("Authentication of peer failed")?;
        open.await_event("connection:Connecting")?;
        open.disconnect(&strict)?;
    }
    Ok(())
}
