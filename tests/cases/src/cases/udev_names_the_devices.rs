// SPDX-License-Identifier: GPL-2.0

//! The daemon of udev, with the rule of Debian's drbd-utils, makes and removes the same links to
//! our devices as to those of the C module: by resource, by lower device, and by the name in the
//! configuration. The rule asks `drbdadm`: Debian's, and then ours.

use std::thread;

use anyhow::{anyhow, ensure, Result};
use vm::side::Side;

use crate::{
    case::{Case, TANDEM_DRBD},
    own::PLACE,
    pair::Pair,
};

pub(crate) const CASE: Case = Case::new("udev_names_the_devices", run).pairs(&[TANDEM_DRBD]);

/// Each node has one of its own, in which nobody listens at the peer's port: both are promoted
/// here, which connected nodes would be refused.
fn configuration(side: &Side<'_>) -> String {
    let [a, b] = match side.name() {
        "a" => [7789, 7790],
        _ => [7790, 7789],
    };
    format!(
        "global {{ usage-count no; }}
resource r0 {{
  volume 0 {{ device minor 0; disk /dev/data1; meta-disk internal; }}
  volume 3 {{ device /dev/drbd_other minor 1; disk /dev/data2; meta-disk internal; }}
  on a {{ address 10.99.0.1:{a}; }}
  on b {{ address 10.99.0.2:{b}; }}
}}
"
    )
}

/// Where the rule is, and where one with our tool takes its place.
const RULE: &str = "/usr/lib/udev/rules.d/65-drbd.rules";
const OWN_RULE: &str = "/run/udev/rules.d/65-drbd.rules";

/// What there is while the resource is up.
const LINKS: &str = "/dev/drbd/by-disk/data1 drbd0
/dev/drbd/by-disk/data2 drbd1
/dev/drbd/by-res/r0/0 drbd0
/dev/drbd/by-res/r0/3 drbd1
/dev/drbd_other drbd1";

fn run(pair: &Pair<'_>) -> Result<()> {
    thread::scope(|scope| {
        let both = [pair.a, pair.b].map(|side| scope.spawn(move || on(&side)));
        both.into_iter().try_for_each(|side| {
            side.join()
                .unwrap_or_else(|_| Err(anyhow!("it panicked")))
        })
    })
}

/// One node, with the daemon for as long as it takes.
fn on(side: &Side<'_>) -> Result<()> {
    side.write_file("/etc/drbd.conf", configuration(side).as_bytes())?;
    side.ok("drbdadm create-md r0 --force")?;
    side.ok("/usr/lib/systemd/systemd-udevd --daemon")?;
    let result = follows(side);
    // Other cases want none. Its control socket is how other tools tell that it runs.
    side.ok(&format!(
        "udevadm control --exit && rm -rf {OWN_RULE} /run/udev /dev/drbd /dev/drbd_*"
    ))?;
    result
}

fn follows(side: &Side<'_>) -> Result<()> {
    comes_and_goes(side, "drbdadm")?;
    side.ok(&format!(
        "rm -rf {PLACE} && mkdir -p {PLACE} && ln -s \"$(command -v tandem)\" {PLACE}/drbdadm &&
        mkdir -p \"$(dirname {OWN_RULE})\" &&
        sed 's,/usr/sbin/drbdadm,{PLACE}/drbdadm,' {RULE} >{OWN_RULE} &&
        grep -q {PLACE} {OWN_RULE} && udevadm control --reload"
    ))?;
    comes_and_goes(side, "tandem adm")
}

/// The links follow the devices of the resource.
fn comes_and_goes(side: &Side<'_>, drbdadm: &str) -> Result<()> {
    for (command, expected) in [("up", LINKS), ("primary --force", LINKS), ("down", "")] {
        side.ok(&format!("{drbdadm} {command} r0 && udevadm settle"))?;
        let links = side.ok(
            "find /dev/drbd* -type l -exec sh -c \
             'for link; do echo \"$link $(basename \"$(readlink \"$link\")\")\"; done' - {} + \
             2>/dev/null | sort",
        )?;
        ensure!(
            links == expected,
            "node {}, after '{drbdadm} {command}' there is:\n{links}",
            side.name()
        );
    }
    Ok(())
}
