// SPDX-License-Identifier: GPL-2.0

//! `outdate` declares the data of a Secondary without peer out of date: it is not promoted (exit
//! code 17) until it has met good data again. A Primary's cannot be.

use anyhow::{ensure, Result};

use crate::{
    case::Case,
    pair::Pair,
    trouble::ours, //
};

pub(crate) const CASE: Case = Case::new("outdated_data_is_not_promoted", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    let [ours, peer] = ours(pair);
    pair.in_sync()?;
    ours.disconnect(&peer)?;
    let refused = pair.a.try_setup("outdate 0")?;
    ensure!(
        refused.status == 17,
        "a Primary was outdated, or refused otherwise: {refused:?}"
    );
    pair.a.secondary()?;
    ours.setup("outdate 0")?;
    ours.expect_proc("ds:Outdated/")?;
    let refused = ours.try_setup("primary 0")?;
    ensure!(refused.status == 17, "promoted, or refused otherwise: {refused:?}");
    ours.expect_proc("ro:Secondary/Unknown")?;
    ours.connect(&peer, "")?;
    // Who was left may have given up, too.
    if peer.proc()?.contains("cs:StandAlone") {
        peer.connect(&ours, "")?;
    }
    pair.await_in_sync()?;
    ours.primary()
}
