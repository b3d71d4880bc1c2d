// SPDX-License-Identifier: GPL-2.0

//! What every case is judged by besides its own words.

use std::time::Duration;

use anyhow::{bail, Result};
use vm::{Cluster, Driver};

/// How long the search for lost memory may take.
const SEARCH: Duration = Duration::from_secs(120);

/// Fails if a kernel complained.
pub(crate) fn complaints(cluster: &Cluster) -> Result<()> {
    cluster.check()
}

/// Fails if our module lost memory: nothing is configured any more on these machines, which run the
/// debug kernel, and the module that the case used is unloaded.
pub(crate) fn lost_memory(cluster: &Cluster) -> Result<()> {
    for node in cluster.nodes() {
        if node.driver() != Driver::Tandem {
            continue;
        }
        let found = node.sh_within("/payload/leaks", SEARCH)?;
        if !found.success() {
            bail!(
                "node {} lost memory:\n{}{}",
                node.name(),
                found.stdout,
                found.stderr
            );
        }
    }
    Ok(())
}
