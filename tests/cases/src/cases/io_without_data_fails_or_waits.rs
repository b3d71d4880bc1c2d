// SPDX-License-Identifier: GPL-2.0

//! A Primary without disk that loses its peer calls `pri-on-incon-degr` and answers with errors,
//! or, with `on-no-data-accessible suspend-io`, with nothing until the peer is back; then all goes
//! on.

use anyhow::{ensure, Result};
use vm::{Driver, Link};

use crate::{
    case::Case,
    handlers::{await_call, install},
    pair::Pair,
    trouble::{await_end, begin, expect_letter, expect_running, write_letter},
};

pub(crate) const CASE: Case = Case::new("io_without_data_fails_or_waits", run).limit(240);

fn run(pair: &Pair<'_>) -> Result<()> {
    install(&pair.a)?;
    pair.in_sync()?;
    pair.a.ok(&write_letter('x', 3))?;
    pair.a.setup("detach 0")?;
    pair.b.await_event("peer-disk:Diskless")?;
    pair.cable(Link::Down)?;
    pair.a.await_event("peer-disk:DUnknown")?;
    await_call(&pair.a, "pri-on-incon-degr minor-0")?;
    ensure!(
        !pair.a.sh(&write_letter('y', 3))?.success(),
        "a write succeeded that no disk has"
    );
    pair.cable(Link::Up)?;
    pair.a.await_event("peer-disk:UpToDate")?;
    expect_letter(&pair.a, 'x', 3)?;

    pair.a
        .setup("resource-options r0 --on-no-data-accessible=suspend-io")?;
    pair.cable(Link::Down)?;
    pair.a.await_event("suspended:no-data")?;
    begin(&pair.a, "write", &write_letter('z', 3))?;
    if pair.a.driver() == Driver::Tandem {
        // The C module does not count what it does not begin.
        pair.a.await_proc("ap:1")?;
    }
    expect_running(&pair.a, "write")?;
    pair.cable(Link::Up)?;
    await_end(&pair.a, "write", 0)?;
    expect_letter(&pair.a, 'z', 3)
}
