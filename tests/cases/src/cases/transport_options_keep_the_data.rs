// SPDX-License-Identifier: GPL-2.0

//! `sndbuf-size` and `rcvbuf-size` are the sizes of the sockets' buffers; with small ones, without
//! `tcp-cork`, and with `disable_sendpage` the data is the same on both disks.

use anyhow::{ensure, Result};
use vm::side::Side;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("transport_options_keep_the_data", run);

const OPTIONS: &str = "--sndbuf-size=64K --rcvbuf-size=128K --tcp-cork=no";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    for side in [pair.a, pair.b] {
        let module = side.driver();
        side.ok(&format!(
            "echo Y >/sys/module/{module}/parameters/disable_sendpage"
        ))?;
    }
    pair.a.connect(&pair.b, OPTIONS)?;
    pair.b.connect(&pair.a, OPTIONS)?;
    pair.a.await_event("connection:Connected")?;
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        expect_buffers(&side)?;
    }
    pair.a.write_mib(1, 8)?;
    pair.expect_equal()
}

/// Both sockets have buffers of these sizes.
fn expect_buffers(side: &Side<'_>) -> Result<()> {
    let sockets = side.ok("ss --tcp --memory -nH state established | grep -A1 :7789")?;
    let sized = sockets.matches("rb131072").count();
    ensure!(
        sized == 2 && sockets.matches("tb65536").count() == 2,
        "node {}: the sockets are\n{sockets}",
        side.name()
    );
    Ok(())
}
