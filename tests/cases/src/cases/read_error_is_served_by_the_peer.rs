// SPDX-License-Identifier: GPL-2.0

//! With `on-io-error pass_on` a read that the disk fails is served by the peer; the disk stays,
//! Inconsistent, with the block marked. The next connection repairs just that.

use anyhow::Result;
use vm::side::DEVICE;

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    pair::Pair,
    trouble::{expect_letter, inject, write_letter, DATA_READS},
};

pub(crate) const CASE: Case =
    Case::new("read_error_is_served_by_the_peer", run).pairs(&[TANDEM, TANDEM_DRBD]);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.setup("disk-options 0 --on-io-error=pass_on")?;
    pair.a.ok(&write_letter('x', 77))?;
    inject(&pair.a, DATA_READS)?;
    expect_letter(&pair.a, 'x', 77)?;
    pair.a.await_event("^[a-z]+ device .* disk:Inconsistent")?;
    inject(&pair.a, 0)?;
    pair.a.expect_proc("oos:4")?;
    // Served by the disk where it is good, and by the peer where it is not.
    let sum = |of| format!("dd if={of} iflag=direct bs=1M count=8 status=none | sha256sum");
    let read = pair.a.ok(&sum(DEVICE))?;
    anyhow::ensure!(read == pair.b.ok(&sum(vm::side::LOWER))?, "the data is another");
    pair.a.disconnect(&pair.b)?;
    pair.a.connect(&pair.b, "")?;
    pair.await_in_sync()?;
    pair.a.expect_proc("oos:0")?;
    pair.expect_equal()
}
