// SPDX-License-Identifier: GPL-2.0

//! A node goes over to the stock C module and comes back, with its data and its generations, and
//! resyncs nothing either time.

use anyhow::{ensure, Result};
use vm::side::{Side, LOWER};

use crate::{
    case::{Case, Drivers, TANDEM, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("node_changes_its_driver_and_back", run)
    .pairs(&[TANDEM, TANDEM_DRBD] as &[Drivers])
    .stock_only()
    .limit(240);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.write_mib(1, 2)?;
    pair.a.secondary()?;
    change(pair, "/payload/one-cpu rmmod tandem && modprobe drbd usermode_helper=disabled")?;
    pair.a.expect_proc("srcversion: ")?;
    pair.a.primary()?;
    pair.a.write_mib(5, 2)?;
    pair.a.secondary()?;
    change(pair, "/payload/one-cpu rmmod drbd && /payload/load-driver")?;
    pair.a.expect_proc("srcversion: TANDEM")?;
    pair.a.primary()?;
    pair.a.write_mib(9, 1)?;
    pair.expect_equal()
}

/// Node a with another module: the same disk, the same generations, no resync.
fn change(pair: &Pair<'_>, modules: &str) -> Result<()> {
    let a = &pair.a;
    let (data, generations) = (a.lower_sum()?, generations(a)?);
    a.setup("down r0")?;
    for side in [pair.a, pair.b] {
        side.ok("dmesg --clear")?;
    }
    a.ok(modules)?;
    a.ok("drbdmeta 0 v08 /dev/data1 internal apply-al")?;
    a.new_resource()?;
    a.attach()?;
    a.connect(&pair.b, "")?;
    pair.await_in_sync()?;
    let now = self::generations(a)?;
    ensure!(now == generations, "generations {generations} became {now}");
    let sum = a.lower_sum()?;
    ensure!(sum == data, "the data of {LOWER} is another: {data}, now {sum}");
    for side in [pair.a, pair.b] {
        side.expect_not_logged("Began resync")?;
    }
    Ok(())
}

/// The four generations, without the flags.
fn generations(side: &Side<'_>) -> Result<String> {
    let line = side.ok("drbdsetup get-gi 0")?;
    Ok(line.split(':').take(4).collect::<Vec<_>>().join(":"))
}
