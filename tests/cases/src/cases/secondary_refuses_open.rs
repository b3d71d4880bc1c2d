// SPDX-License-Identifier: GPL-2.0

//! The device of a Secondary is not opened for writing ("Read-only file system") nor for reading
//! ("Wrong medium type"). A module with `allow_oos` has it read.

use anyhow::{bail, Result};
use vm::side::{Side, DEVICE, LOWER};

use crate::{
    case::{Case, DRBD_TANDEM, TANDEM},
    pair::Pair,
    trouble::attach_again,
};

pub(crate) const CASE: Case =
    Case::new("secondary_refuses_open", run).pairs(&[TANDEM, DRBD_TANDEM]);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let write = format!("dd if=/dev/zero of={DEVICE} bs=4k count=1 conv=notrunc");
    let read = format!("dd if={DEVICE} of=/dev/null bs=4k count=1");
    refused(&pair.b, &write, "Read-only file system")?;
    refused(&pair.b, &read, "Wrong medium type")?;
    pair.expect_equal()?;

    let module = pair.b.driver();
    pair.b.setup("down r0")?;
    pair.b.ok(&format!(
        "/payload/one-cpu rmmod {module} && \
         /payload/load-driver usermode_helper=disabled allow_oos=1"
    ))?;
    pair.b.new_resource()?;
    attach_again(&pair.b, LOWER, "")?;
    pair.b.ok(&read)?;
    refused(&pair.b, &write, "Read-only file system")
}

fn refused(side: &Side<'_>, command: &str, why: &str) -> Result<()> {
    let output = side.sh(command)?;
    if output.success() || !output.stderr.contains(why) {
        bail!("'{command}' should fail with '{why}', but: {output:?}");
    }
    Ok(())
}
