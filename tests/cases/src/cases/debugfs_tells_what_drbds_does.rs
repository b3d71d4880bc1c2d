// SPDX-License-Identifier: GPL-2.0

//! Our module has the files of the C module in debugfs, with the same heads and columns: which
//! requests are under way and how far, what the activity log has, and the data's generations.

use std::time::Duration;

use anyhow::{ensure, Result};
use vm::{side::Side, Link};

use crate::{
    case::{Case, TANDEM_DRBD},
    pair::Pair,
    trouble::{await_end, begin, write_letter},
};

pub(crate) const CASE: Case =
    Case::new("debugfs_tells_what_drbds_does", run).pairs(&[TANDEM_DRBD]);

const TREE: &str = "/sys/kernel/debug/drbd";
const PEER: &str = "resources/r0/connections/peer";

/// How long a write may take to be shown. The peer is missed after `ping-int`, 10 seconds.
const SOON: Duration = Duration::from_secs(30);

/// All files and folders, and what is the same of their contents on two healthy nodes.
const SAME: &str = "find . | sort; readlink minors/0; grep = version;
    head -n 3 minors/0/oldest_requests; sed 's/:.*//' minors/0/act_log_extents | head -n 4;
    head -n 1 minors/0/resync_extents; head -n 3 resources/r0/connections/peer/callback_history;
    cat resources/r0/connections/peer/oldest_requests;
    grep -vE '^(unread|unacked|generated|[0-9])' resources/r0/in_flight_summary;
    head -n 1 minors/0/data_gen_id | sed 's/.$//'; wc -l <minors/0/data_gen_id;
    sed 's/.$//' minors/0/ed_gen_id";

fn run(pair: &Pair<'_>) -> Result<()> {
    pair.in_sync()?;
    pair.a.write_mib(1, 2)?;
    let [ours, c] = [read(&pair.a, SAME)?, read(&pair.b, SAME)?];
    ensure!(ours == c, "ours:\n{ours}\nthe C module's:\n{c}");

    let log = read(&pair.a, "cat minors/0/act_log_extents")?;
    ensure!(
        log.contains("act_log: used:") && log.contains(":      0 -\"- "),
        "the extent that was written is missing:\n{log}"
    );
    pair.cable(Link::Down)?;
    begin(&pair.a, "write", &write_letter('x', 2))?;
    pair.a.await_in(
        &format!("sh -c 'while :; do cat {TREE}/{PEER}/oldest_requests; done'"),
        "^0\t0\t0x[0-9a-f]+\t16\t8\tW\t[0-9]+\t.*\tmaster: pending\tlocal: .*\
         completed\\|ok\tnet: pending\\|sent : C\\|barr$",
        SOON,
    )?;
    pair.cable(Link::Up)?;
    await_end(&pair.a, "write", 0)?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        if side.name() == "a" {
            side.secondary()?;
        }
        side.setup("down r0")?;
        let left = read(&side, "find resources minors -mindepth 1")?;
        ensure!(left.is_empty(), "left after down:\n{left}");
    }
    Ok(())
}

/// What a command prints in the tree.
fn read(side: &Side<'_>, command: &str) -> Result<String> {
    side.ok(&format!("cd {TREE} && {{ {command}; }}"))
}
