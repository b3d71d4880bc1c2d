// SPDX-License-Identifier: GPL-2.0

//! A command that the kernel has to refuse, without any effect.

use anyhow::{ensure, Result};
use vm::{side::Side, Driver};

/// Exit status of a tool after a refusal of the kernel with one of DRBD's `ERR_*` numbers.
const REFUSED: i32 = 10;

/// Attaches a device with internal metadata, which has to fail with DRBD's number `code` and leave
/// every byte of the device and the volume's state as they were.
pub(crate) fn of_attach(side: &Side<'_>, lower: &str, options: &str, code: i32) -> Result<()> {
    let look =
        format!("cat /proc/drbd && dd if={lower} iflag=direct bs=1M status=none | sha256sum");
    let before = side.ok(&look)?;
    of(
        side,
        &format!("attach 0 {lower} {lower} internal {options}"),
        code,
    )?;
    let after = side.ok(&look)?;
    ensure!(
        before == after,
        "an attach failed, but not without effect: from {before} to {after}"
    );
    Ok(())
}

/// Runs a `drbdsetup` command line that has to fail with DRBD's number `code`, with our tool, if it
/// is our module, and with Debian's. Returns what they said.
pub(crate) fn of(side: &Side<'_>, arguments: &str, code: i32) -> Result<String> {
    let mut said = String::new();
    if side.driver() == Driver::Tandem {
        let output = side.try_setup(arguments)?;
        ensure!(
            output.status == REFUSED
                && output.stderr.contains(&format!("Failure: ({code}) "))
                && output.stderr.contains("what to do: "),
            "'{arguments}' should fail with ({code}) and say what to do, but: {output:?}"
        );
        said = output.stderr;
    }
    let output = side.sh(&format!("drbdsetup {arguments}"))?;
    ensure!(
        output.status == REFUSED && output.stderr.contains(&format!("Failure: ({code}) ")),
        "'drbdsetup {arguments}' should fail with ({code}), but: {output:?}"
    );
    Ok(said + &output.stderr)
}
