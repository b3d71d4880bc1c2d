// SPDX-License-Identifier: GPL-2.0

//! The agent `ocf:linbit:drbd` of Debian's drbd-utils, its actions called as Pacemaker calls them,
//! on nodes whose only tool is ours.

use anyhow::{ensure, Result};
use vm::side::Side;

use crate::{
    case::Case,
    own::{drbdadm, install, with_path, PLACE},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("the_ocf_agent_runs_on_our_tool", run).limit(300);

/// What stands in for the cluster manager.
const FUNCTIONS: &str = include_str!("../../guest/ocf-shellfuncs");

const SUCCESS: i32 = 0;
const NOT_RUNNING: i32 = 7;
const RUNNING_PRIMARY: i32 = 8;

fn run(pair: &Pair<'_>) -> Result<()> {
    for side in [pair.a, pair.b] {
        install(&side, "")?;
        side.write_file(&format!("{PLACE}/ocf-shellfuncs"), FUNCTIONS.as_bytes())?;
        let master = format!("#!/bin/bash\n. {PLACE}/ocf-shellfuncs\ncrm_master \"$@\"\n");
        side.write_file(&format!("{PLACE}/crm_master"), master.as_bytes())?;
        side.ok(&format!("chmod +x {PLACE}/crm_master"))?;
        drbdadm(&side, "create-md r0")?;
        agent(&side, "monitor", NOT_RUNNING)?;
        agent(&side, "start", SUCCESS)?;
    }
    // Both: what b tells of its disk when it is connected must not come after what a does now.
    for side in [pair.a, pair.b] {
        side.await_event("replication:Established")?;
    }
    drbdadm(&pair.a, "new-current-uuid r0 --clear-bitmap")?;
    pair.await_in_sync()?;
    for side in [pair.a, pair.b] {
        agent(&side, "notify", SUCCESS)?;
        agent(&side, "monitor", SUCCESS)?;
        let score = side.ok(&format!("cat {PLACE}/score"))?;
        ensure!(score == "10000", "the score of {} is {score}", side.name());
    }
    agent(&pair.a, "promote", SUCCESS)?;
    agent(&pair.a, "monitor", RUNNING_PRIMARY)?;
    pair.a.write_mib(3, 1)?;
    agent(&pair.a, "demote", SUCCESS)?;
    agent(&pair.b, "promote", SUCCESS)?;
    agent(&pair.b, "monitor", RUNNING_PRIMARY)?;
    agent(&pair.a, "stop", SUCCESS)?;
    agent(&pair.a, "monitor", NOT_RUNNING)?;
    agent(&pair.b, "stop", SUCCESS)?;
    agent(&pair.b, "monitor", NOT_RUNNING)
}

/// One action, with its exit code.
fn agent(side: &Side<'_>, action: &str, code: i32) -> Result<()> {
    let peer = if side.name() == "a" { "b" } else { "a" };
    let output = side.sh(&with_path(&format!(
        "export OCF_ROOT=/usr/lib/ocf OCF_FUNCTIONS_DIR={PLACE} OCF_RESOURCE_INSTANCE=drbd:0
        export OCF_RESKEY_drbd_resource=r0 OCF_RESKEY_drbdconf={PLACE}/drbd.conf
        export OCF_RESKEY_wfc_timeout=1 OCF_RESKEY_crm_feature_set=3.0.14
        export OCF_RESKEY_CRM_meta_clone_max=2 OCF_RESKEY_CRM_meta_clone_node_max=1
        export OCF_RESKEY_CRM_meta_master_max=1 OCF_RESKEY_CRM_meta_master_node_max=1
        export OCF_RESKEY_CRM_meta_notify=true OCF_RESKEY_CRM_meta_interval=10000
        export OCF_RESKEY_CRM_meta_notify_type=post OCF_RESKEY_CRM_meta_notify_operation=start
        export OCF_RESKEY_CRM_meta_notify_start_uname={peer}
        /usr/lib/ocf/resource.d/linbit/drbd {action}"
    )))?;
    ensure!(
        output.status == code,
        "'{action}' on {} should end with {code}, but: {output:?}",
        side.name()
    );
    Ok(())
}
