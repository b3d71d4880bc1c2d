// SPDX-License-Identifier: GPL-2.0

//! What lines of the kernel's log say.

use anyhow::{Context, Result};

/// How much a resync has to copy, by the line of its begin, in KiB.
pub(crate) fn kib_to_sync(line: &str) -> Result<u64> {
    line.split_once("will sync ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .with_context(|| format!("no amount to sync in '{line}'"))
}
