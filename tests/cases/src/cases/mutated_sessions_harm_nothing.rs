// SPDX-License-Identifier: GPL-2.0

//! Some hundred sessions of a peer that breaks the rules at every stage harm nothing: no kernel
//! complains, no command hangs, no state is impossible, nothing outside of a volume is written, and
//! afterwards a resource works. `make fuzz-wire` does it for ten minutes.

use std::time::Duration;

use anyhow::Result;
use live_fuzz::host::{batch, install, reached_something, Fuzzer};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    turns::Turn,
};

pub(crate) const CASE: Case = Case::new("mutated_sessions_harm_nothing", run)
    .pairs(&[TANDEM])
    .memory(1024)
    .on_demand()
    .limit(240);

/// So many sessions, or as many as go into that time.
const SESSIONS: u64 = 800;
const TIME: Duration = Duration::from_secs(30);

fn run(pair: &Pair<'_>) -> Result<()> {
    install(&pair.a)?;
    let seeds = (Turn::of_commit().seed(), SESSIONS);
    let tally = batch(&pair.a, pair.spec().time_scale(), Fuzzer::Wire, seeds, TIME)?;
    reached_something(&tally)
}
