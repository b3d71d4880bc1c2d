// SPDX-License-Identifier: GPL-2.0

//! Nodes whose only tool is ours: `drbdadm`, `drbdsetup` and `drbdmeta` are names of it, and come
//! first in the path; the kernel calls it for handlers.

use anyhow::Result;
use vm::side::Side;

/// Where its names are, and the files of these cases.
pub(crate) const PLACE: &str = "/run/own";

/// The configuration of both nodes; `more` stands in `common`.
fn configuration(more: &str) -> String {
    format!(
        "global {{ usage-count no; }}
common {{
  net {{ protocol C; ping-int 2; ping-timeout 30; timeout 20; connect-int 2; }}
  disk {{ resync-rate 512M; c-plan-ahead 0; c-min-rate 0; al-extents 67; }}
  handlers {{ before-resync-target \"{PLACE}/handler before\";
             after-resync-target \"{PLACE}/handler after\"; }}
  {more}
}}
include \"*.res\";
"
    )
}

/// The resource, in a file of its own.
const RESOURCE: &str = "resource r0 {
  device /dev/drbd0;
  disk /dev/data1;
  meta-disk internal;
  on a { address 10.99.0.1:7789; }
  on b { address 10.99.0.2:7789; }
}
";

/// Notes what it knows from its environment.
const HANDLER: &str = "#!/bin/sh
echo \"$1 $DRBD_RESOURCE $DRBD_MINOR $DRBD_VOLUME $DRBD_LL_DISK $DRBD_PEER $DRBD_PEER_ADDRESS\" \\
	>>/run/own/handlers
";

/// Installs the tool under all names, with a configuration.
pub(crate) fn install(side: &Side<'_>, more: &str) -> Result<()> {
    let module = side.driver();
    side.ok(&format!(
        "rm -rf {PLACE} /var/run/drbd && mkdir {PLACE} && cd {PLACE} &&
        for name in drbdadm drbdsetup drbdmeta; do ln -s \"$(command -v tandem)\" $name; done &&
        printf {PLACE}/drbdadm >/sys/module/{module}/parameters/usermode_helper"
    ))?;
    configure(side, more)?;
    side.write_file(&format!("{PLACE}/r0.res"), RESOURCE.as_bytes())?;
    side.write_file(&format!("{PLACE}/handler"), HANDLER.as_bytes())?;
    side.ok(&format!("chmod +x {PLACE}/handler")).map(drop)
}

/// Writes another configuration.
pub(crate) fn configure(side: &Side<'_>, more: &str) -> Result<()> {
    let path = format!("{PLACE}/drbd.conf");
    side.write_file(&path, configuration(more).as_bytes())
}

/// A command with our tool first in the path.
pub(crate) fn with_path(command: &str) -> String {
    format!("export PATH={PLACE}:$PATH; {command}")
}

/// Runs `drbdadm`, which is ours, and which must succeed.
pub(crate) fn drbdadm(side: &Side<'_>, arguments: &str) -> Result<String> {
    side.ok(&with_path(&format!(
        "drbdadm -c {PLACE}/drbd.conf {arguments}"
    )))
}
