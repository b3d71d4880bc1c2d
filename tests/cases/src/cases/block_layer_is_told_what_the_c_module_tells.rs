// SPDX-License-Identifier: GPL-2.0

//! What the block layer may do with our device is what it may do with the C module's: pages do not
//! change while they are written (stable writes), whose absence made the two disks differ without
//! anybody's fault; and zeroes are never written by unmapping only.

use anyhow::{ensure, Result};
use vm::side::Side;

use crate::{
    case::{Case, TANDEM_DRBD},
    pair::Pair,
};

pub(crate) const CASE: Case =
    Case::new("block_layer_is_told_what_the_c_module_tells", run).pairs(&[TANDEM_DRBD]);

/// The limits, below `/sys/block/drbd0/queue`. (Not `fua`: ours takes it whatever the lower device
/// does, the C module only where that has it.)
const LIMITS: &str = "stable_writes write_cache logical_block_size physical_block_size \
    write_zeroes_max_bytes write_zeroes_unmap_max_bytes write_zeroes_unmap_max_hw_bytes \
    discard_max_bytes discard_granularity rotational add_random zoned dax";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    let [ours, theirs] = [limits(&pair.a)?, limits(&pair.b)?];
    ensure!(ours == theirs, "ours:\n{ours}\nthe C module's:\n{theirs}");
    ensure!(
        ours.contains("stable_writes 1"),
        "pages may change:\n{ours}"
    );
    Ok(())
}

fn limits(side: &Side<'_>) -> Result<String> {
    side.ok(&format!(
        "cd /sys/block/drbd0/queue && for limit in {LIMITS}; do \
         echo $limit $(cat $limit 2>/dev/null || echo none); done"
    ))
}
