// SPDX-License-Identifier: GPL-2.0

//! Options below their least and above their greatest value are refused with DRBD's number and the
//! range, by the kernel and, before that, by our tool; nothing changes.

use anyhow::{ensure, Result};

use crate::{
    case::{Case, TANDEM},
    pair::Pair,
};

/// The C module takes most of them as they come, or cuts them to the range without a word.
pub(crate) const CASE: Case = Case::new("option_out_of_range_is_refused", run).pairs(&[TANDEM]);

/// `ERR_MANDATORY_TAG`.
const CODE: &str = "(126)";

/// Command, option, least and greatest value.
const OPTIONS: &[(&str, &str, u64, u64)] = &[
    ("disk-options 0", "al-extents", 67, 65534),
    ("disk-options 0", "resync-rate", 1, 4_194_304),
    ("disk-options 0", "c-delay-target", 1, 100),
    ("disk-options 0", "c-plan-ahead", 0, 300),
    ("net-options ipv4:10.99.0.1:7789 ipv4:10.99.0.2:7789", "ping-int", 1, 120),
    ("net-options ipv4:10.99.0.1:7789 ipv4:10.99.0.2:7789", "max-buffers", 32, 131_072),
    ("net-options ipv4:10.99.0.1:7789 ipv4:10.99.0.2:7789", "timeout", 1, 600),
];

fn run(pair: &Pair<'_>) -> Result<()> {
    let side = &pair.a;
    pair.connected()?;
    let before = side.ok("drbdsetup show; cat /proc/drbd")?;
    for (command, option, least, greatest) in OPTIONS {
        for wrong in [least.checked_sub(1), greatest.checked_add(1)].into_iter().flatten() {
            let line = format!("{command} --{option}={wrong}");
            let range = format!("{least} to {greatest}");
            // Debian's tool leaves it to the kernel.
            let kernel = side.sh(&format!("drbdsetup {line}"))?;
            ensure!(
                kernel.status == 10
                    && [CODE, *option, &range].iter().all(|text| kernel.stderr.contains(text)),
                "'drbdsetup {line}' should fail with {CODE}, {option} and {range}, but: {kernel:?}"
            );
            let tool = side.try_setup(&line)?;
            ensure!(
                tool.status == 20
                    && [*option, &range].iter().all(|text| tool.stderr.contains(text)),
                "'{line}' should be refused by the tool with {range}, but: {tool:?}"
            );
        }
    }
    let after = side.ok("drbdsetup show; cat /proc/drbd")?;
    ensure!(before == after, "before: {before}\nafter: {after}");
    Ok(())
}
