// SPDX-License-Identifier: GPL-2.0

//! After `suspend-io` nothing is served, and every face says so, until `resume-io`.

use anyhow::Result;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{await_end, begin, expect_letter, expect_running, write_letter},
};

pub(crate) const CASE: Case = Case::new("suspended_io_waits_for_resume_io", run).pairs(&[TANDEM]);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.setup("suspend-io 0")?;
    pair.a.await_event("suspended:user")?;
    pair.a.expect_proc("UpToDate/UpToDate C s-----")?;
    begin(&pair.a, "write", &write_letter('x', 3))?;
    pair.a.await_proc("ap:1")?;
    expect_running(&pair.a, "write")?;
    pair.a.setup("resume-io 0")?;
    await_end(&pair.a, "write", 0)?;
    pair.a.expect_proc("UpToDate/UpToDate C r-----")?;
    expect_letter(&pair.a, 'x', 3)?;
    pair.expect_equal()
}
