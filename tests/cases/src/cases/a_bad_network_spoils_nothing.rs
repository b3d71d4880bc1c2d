// SPDX-License-Identifier: GPL-2.0

//! A network that loses, delays, reorders, doubles and corrupts what it carries, in both
//! directions, only makes things slow: writes with each protocol, a resync and a verify come to
//! their end, both disks are equal, and no data is taken that its digest does not fit.

use anyhow::Result;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("a_bad_network_spoils_nothing", run)
    .pairs(&[TANDEM])
    .limit(240)
    .by_turns();

/// In the words of `tc netem`. A frame has up to 32,000 bytes: the disk is some thousand of them.
const BAD: &str = "delay 3ms 2ms reorder 25% 50% loss 1% duplicate 2% corrupt 1%";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    // Lost words are said again after a while, which is no reason to give the peer up.
    let options = "--data-integrity-alg=sha1 --verify-alg=sha1 --ping-timeout=100 --timeout=100 \
                   --ping-int=20";
    pair.a.connect(&pair.b, options)?;
    pair.b.connect(&pair.a, options)?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    for (side, peer) in [(pair.a, pair.b), (pair.b, pair.a)] {
        side.bad_link(&peer, BAD)?;
    }
    for (at, protocol) in ["A", "B", "C"].into_iter().enumerate() {
        pair.a
            .net_options(&pair.b, &format!("--protocol={protocol}"))?;
        pair.a.write_mib(2 * at as u32, 2)?;
    }
    pair.await_in_sync()?;
    pair.b.disconnect(&pair.a)?;
    pair.a.await_event("connection:Connecting")?;
    pair.a.write_mib(4, 6)?;
    pair.b.connect(&pair.a, options)?;
    pair.await_in_sync()?;
    pair.b.setup("verify 0")?;
    pair.b.await_log("Online verify done")?;
    for (side, peer) in [(pair.a, pair.b), (pair.b, pair.a)] {
        side.quick_link(&peer)?;
        side.expect_not_logged("Out of sync|Digest integrity check FAILED")?;
        side.expect_proc("oos:0")?;
    }
    pair.await_in_sync()?;
    pair.expect_equal()
}
