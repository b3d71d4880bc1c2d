// SPDX-License-Identifier: GPL-2.0

//! What every case is judged by besides its own words.

use anyhow::Result;
use vm::Cluster;

/// Fails if a kernel complained.
pub(crate) fn leftovers(cluster: &Cluster) -> Result<()> {
    cluster.check()
}
