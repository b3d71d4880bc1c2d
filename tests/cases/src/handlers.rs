// SPDX-License-Identifier: GPL-2.0

//! Handlers of the administrator that note how they are called.

use std::time::Duration;

use anyhow::Result;
use vm::side::Side;

/// How long a call may take to come.
const SOON: Duration = Duration::from_secs(60);

/// Where the calls are noted, one a line: name, and what it is called for.
pub(crate) const HANDLED: &str = "/run/handlers";

const HANDLER: &str = "#!/bin/sh
echo \"$1 $2\" >>/run/handlers
";

/// From here on the node calls our handler, whatever it calls.
pub(crate) fn install(side: &Side<'_>) -> Result<()> {
    side.write_file("/run/handler", HANDLER.as_bytes())?;
    let module = side.driver();
    side.ok(&format!(
        "chmod +x /run/handler; rm -f {HANDLED}; touch {HANDLED}
        printf /run/handler >/sys/module/{module}/parameters/usermode_helper"
    ))
    .map(drop)
}

/// Waits until a handler was called in that way.
pub(crate) fn await_call(side: &Side<'_>, line: &str) -> Result<()> {
    side.await_in(
        &format!("tail -n +1 -F {HANDLED}"),
        &format!("^{line}$"),
        SOON,
    )
    .map(drop)
}
