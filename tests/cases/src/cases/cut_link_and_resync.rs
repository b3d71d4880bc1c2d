// SPDX-License-Identifier: GPL-2.0

//! A Primary whose network is cut goes on alone and remembers what changed; when the network is
//! back that is copied, and no more than that many extents.

use anyhow::Result;
use vm::Link;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("cut_link_and_resync", run).every_pair();

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.cut()?;
    pair.a.write_mib(5, 3)?;
    pair.a.expect_proc("oos:3072")?;
    pair.cable(Link::Up)?;
    pair.await_in_sync()?;
    pair.a.expect_proc("oos:0")?;
    pair.b.expect_proc("oos:0")?;
    pair.expect_equal()
}
