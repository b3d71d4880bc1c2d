// SPDX-License-Identifier: GPL-2.0

//! With `on-io-error call-local-io-error` the handler `local-io-error` is called for a disk that
//! fails, and the disk is detached.

use std::time::Duration;

use anyhow::Result;

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
    trouble::{inject, DATA_WRITES},
};

pub(crate) const CASE: Case = Case::new("local_io_error_calls_its_handler", run).pairs(&[TANDEM]);

/// Notes how it was called, and what the peer is told by then.
const HANDLER: &str = "#!/bin/sh\necho \"$1 $2\" >>/run/handlers\n";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.write_file("/run/handler", HANDLER.as_bytes())?;
    pair.a.ok(
        "chmod +x /run/handler; rm -f /run/handlers; touch /run/handlers
        printf /run/handler >/sys/module/tandem/parameters/usermode_helper",
    )?;
    pair.a
        .setup("disk-options 0 --on-io-error=call-local-io-error")?;
    inject(&pair.a, DATA_WRITES)?;
    pair.a.write_mib(1, 1)?;
    let called = "tail -n +1 -F /run/handlers";
    pair.a
        .await_in(called, "^local-io-error minor-0$", Duration::from_secs(60))?;
    pair.b.await_event("peer-disk:Diskless")?;
    pair.a.expect_proc("ds:Diskless/UpToDate")
}
