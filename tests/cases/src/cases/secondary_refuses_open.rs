// SPDX-License-Identifier: GPL-2.0

//! The device of a Secondary is not opened for writing ("Read-only file system") nor for reading
//! ("Wrong medium type").

use anyhow::{bail, Result};
use vm::side::DEVICE;

use crate::{case::{Case, DRBD_TANDEM, TANDEM}, pair::Pair};

pub(crate) const CASE: Case =
    Case::new("secondary_refuses_open", run).pairs(&[TANDEM, DRBD_TANDEM]);

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    for (command, expected) in [
        (
            format!("dd if=/dev/zero of={DEVICE} bs=4k count=1 conv=notrunc"),
            "Read-only file system",
        ),
        (format!("dd if={DEVICE} of=/dev/null bs=4k count=1"), "Wrong medium type"),
    ] {
        let output = pair.b.sh(&command)?;
        if output.success() || !output.stderr.contains(expected) {
            bail!("'{command}' should fail with '{expected}', but: {output:?}");
        }
    }
    pair.expect_equal()
}
