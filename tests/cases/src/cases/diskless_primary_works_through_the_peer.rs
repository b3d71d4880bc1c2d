// SPDX-License-Identifier: GPL-2.0

//! A Primary whose disk is detached reads and writes through its peer; when the disk is attached
//! again it gets what was written.

use anyhow::Result;
use vm::side::LOWER;

use crate::{
    case::Case,
    pair::Pair,
    trouble::{attach_again, expect_letter, write_letter},
};

pub(crate) const CASE: Case = Case::new("diskless_primary_works_through_the_peer", run);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.ok(&write_letter('x', 3))?;
    pair.a.setup("detach 0")?;
    pair.a.expect_proc("ds:Diskless/UpToDate")?;
    pair.b.await_event("peer-disk:Diskless")?;
    expect_letter(&pair.a, 'x', 3)?;
    pair.a.ok(&write_letter('y', 4))?;
    pair.a.write_mib(1, 4)?;
    expect_letter(&pair.a, 'y', 4)?;
    attach_again(&pair.a, LOWER, "")?;
    pair.await_in_sync()?;
    expect_letter(&pair.a, 'y', 4)?;
    pair.expect_equal()
}
