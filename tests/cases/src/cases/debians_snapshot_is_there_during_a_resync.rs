// SPDX-License-Identifier: GPL-2.0

//! With the scripts that Debian proposes for `before-resync-target` and `after-resync-target`, a
//! target on LVM has a snapshot of its consistent old data while it is resynced, and not any more
//! afterwards. The module holds the volume open meanwhile, and writes to it.

use anyhow::{ensure, Result};
use vm::side::{Side, LOWER};

use crate::{
    case::{Case, TANDEM, TANDEM_DRBD},
    debian::{await_handled, in_sync, proposal},
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("debians_snapshot_is_there_during_a_resync", run)
    .pairs(&[TANDEM, TANDEM_DRBD])
    .limit(300);

/// The target's lower device.
const VOLUME: &str = "/dev/vg/data";

/// Its snapshot, as the script calls it.
const SNAPSHOT: &str = "/dev/vg/data-before-resync";

/// No daemon makes device nodes in these machines, nor watches how full a snapshot is.
const LVM: &str = "devices { obtain_device_list_from_udev = 0 }
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
";

fn run(pair: &Pair<'_>) -> Result<()> {
    let [a, b] = [pair.a, pair.b];
    let handlers = [
        proposal(&b, "before-resync-target")?,
        proposal(&b, "after-resync-target")?,
    ];
    b.write_file("/etc/lvm/lvmlocal.conf", LVM.as_bytes())?;
    b.ok(
        "pvcreate -q /dev/data1 /dev/data2 && vgcreate -q vg /dev/data1 /dev/data2 &&
        lvcreate -q -L 12M -n data vg",
    )?;
    in_sync(pair, [LOWER, VOLUME], "", &handlers)?;
    await_handled(&b, "after-resync-target")?;
    ensure!(volumes(&b)? == "data", "after the first: {}", volumes(&b)?);

    b.ok("drbdadm disconnect r0")?;
    a.await_event("connection:Connecting")?;
    a.write_mib(2, 4)?;
    let old = b.sum_of(VOLUME)?;
    rate(pair, "64K")?;
    b.ok("dmesg --clear; drbdadm connect r0")?;
    b.await_event("replication:SyncTarget")?;
    await_handled(&b, "before-resync-target")?;
    ensure!(
        volumes(&b)? == "data data-before-resync",
        "during the resync there is: {}",
        volumes(&b)?
    );
    // It has begun to write.
    b.await_proc(r"sync'ed: *([1-9]|0\.[1-9])")?;
    ensure!(
        b.sum_of(SNAPSHOT)? == old,
        "the snapshot has not the old data"
    );
    b.expect_proc("cs:SyncTarget")?;

    rate(pair, "512M")?;
    pair.await_in_sync()?;
    await_handled(&b, "after-resync-target")?;
    ensure!(volumes(&b)? == "data", "after the resync: {}", volumes(&b)?);
    ensure!(a.sum_of(LOWER)? == b.sum_of(VOLUME)?, "the disks differ");
    ensure!(b.sum_of(VOLUME)? != old, "nothing was resynced");
    b.ok("drbdadm down r0 && vgremove -q -f vg").map(drop)
}

/// The logical volumes of a node.
fn volumes(side: &Side<'_>) -> Result<String> {
    side.ok("echo $(lvs --noheadings -o lv_name vg)")
}

fn rate(pair: &Pair<'_>, rate: &str) -> Result<()> {
    for side in [pair.a, pair.b] {
        side.ok(&format!("drbdadm disk-options --resync-rate={rate} r0"))?;
    }
    Ok(())
}
