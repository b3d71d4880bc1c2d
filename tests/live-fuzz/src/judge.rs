// SPDX-License-Identifier: GPL-2.0

//! Which states no peer and no administrator can bring a volume into, judged by `/proc/drbd`.

use std::fs;

use anyhow::{bail, ensure, Context, Result};
use vm::states::volumes;

/// What the module counts of its own broken invariants.
const BROKEN: &str = "/sys/kernel/debug/tandem/broken";

/// What is waited for inside of the module.
pub(crate) const WAITING: &str = "/sys/kernel/debug/tandem/waiting";

/// `/proc/drbd`.
pub(crate) const PROC: &str = "/proc/drbd";

/// Fails if a volume's state is impossible, or an invariant of the module is broken.
pub(crate) fn states() -> Result<()> {
    let all = fs::read_to_string(PROC).context(PROC)?;
    for volume in volumes(&all) {
        if let Some(wrong) = volume.impossible() {
            bail!("impossible, {wrong}: {volume}");
        }
    }
    let broken = fs::read_to_string(BROKEN).context(BROKEN)?;
    ensure!(
        broken.is_empty(),
        "broken invariants of the module: {broken}"
    );
    Ok(())
}
