// SPDX-License-Identifier: GPL-2.0

//! Two nodes replicate over IPv6.

use anyhow::Result;
use vm::side::Side;

use crate::{case::Case, pair::Pair};

pub(crate) const CASE: Case = Case::new("ipv6_carries_a_connection", run).limit(240);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.attached()?;
    for (side, own) in [(pair.a, "fd00::a"), (pair.b, "fd00::b")] {
        side.ok(&format!(
            "device=$(ip -o -4 addr show | awk '$2 != \"lo\" {{ print $2; exit }}') && \
             ip -6 addr add {own}/64 dev $device nodad"
        ))?;
    }
    connect(&pair.a, "a", "b")?;
    connect(&pair.b, "b", "a")?;
    for side in [pair.a, pair.b] {
        side.await_event("connection:Connected")?;
    }
    pair.a.primary_force()?;
    pair.await_in_sync()?;
    pair.a.write_mib(0, 2)?;
    pair.expect_equal()
}

fn connect(side: &Side<'_>, own: &str, peer: &str) -> Result<()> {
    side.setup(&format!(
        "connect r0 ipv6:[fd00::{own}]:7789 ipv6:[fd00::{peer}]:7789 --protocol=C \
         --max-buffers=20000 --ping-timeout=30 --connect-int=2"
    ))
    .map(drop)
}
