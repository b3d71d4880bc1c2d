// SPDX-License-Identifier: GPL-2.0

//! Some thousand messages of a tool that breaks the rules harm nothing, as root and as nobody: each
//! is answered, no kernel complains, nobody changes anything and is told no secret, and afterwards
//! a resource works. `make fuzz-netlink` does it for ten minutes.

use std::time::Duration;

use anyhow::Result;
use live_fuzz::host::{batch, install, reached, Fuzzer};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    turns::Turn,
};

pub(crate) const CASE: Case = Case::new("mutated_messages_harm_nothing", run)
    .pairs(&[TANDEM])
    .memory(1024)
    .limit(240);

/// So many messages of root, and of nobody twice, or as many as go into that time.
const MESSAGES: u64 = 8000;
const TIME: Duration = Duration::from_secs(20);

fn run(pair: &Pair<'_>) -> Result<()> {
    install(&pair.a)?;
    let seeds = (Turn::of_commit().seed(), MESSAGES);
    let tally = batch(
        &pair.a,
        pair.spec().time_scale(),
        Fuzzer::Netlink,
        seeds,
        TIME,
    )?;
    reached(Fuzzer::Netlink, &tally)?;
    // The module can be unloaded and loaded again: nothing was left behind that holds it.
    pair.a
        .ok("/payload/reset || { dmesg | tail -n 40; exit 1; }")
        .map(drop)
}
