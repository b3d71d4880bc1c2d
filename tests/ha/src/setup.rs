// SPDX-License-Identifier: GPL-2.0

//! From empty machines to a cluster with a mail server, as `Documentation/HA.md` tells it.

use std::str::FromStr;

use anyhow::{bail, Result};
use vm::{Cluster, Driver, Drivers, Node, Spec};

use crate::{
    narrator::Narrator,
    servers::{await_that, proc, Servers, LIMIT},
};

/// Files that are the same on all machines, by their names in `/srv/setup`.
const FILES: [(&str, &str); 14] = [
    ("break-disk.sh", include_str!("../guest/break-disk.sh")),
    ("cluster.crm", include_str!("../guest/cluster.crm")),
    ("corosync.conf", include_str!("../guest/corosync.conf")),
    ("dovecot.conf", include_str!("../guest/dovecot.conf")),
    ("first.sh", include_str!("../guest/first.sh")),
    ("install.sh", include_str!("../guest/install.sh")),
    (
        "mail-postfix.service",
        include_str!("../guest/mail-postfix.service"),
    ),
    ("main.cf", include_str!("../guest/main.cf")),
    ("r0.res", include_str!("../guest/r0.res")),
    ("rc.local", include_str!("../guest/rc.local")),
    ("read.py", include_str!("../guest/read.py")),
    ("sbd", include_str!("../guest/sbd")),
    ("send.py", include_str!("../guest/send.py")),
    ("start.sh", include_str!("../guest/start.sh")),
];

/// Who answers `fence-peer`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handlers {
    /// `tandem fence-peer`.
    Ours,
    /// `crm-fence-peer.sh`.
    Scripts,
}

impl FromStr for Handlers {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "ours" => Ok(Self::Ours),
            "scripts" => Ok(Self::Scripts),
            _ => bail!("unknown handlers '{text}': there are ours and scripts"),
        }
    }
}

impl Handlers {
    /// What fence-peer answers of a peer that was fenced. The script does not understand what
    /// Pacemaker 3 says of nodes: it waits out its timeout, and takes every peer for dead.
    pub(crate) fn fenced(self) -> u8 {
        match self {
            Self::Ours => 7,
            Self::Scripts => 5,
        }
    }

    /// What it answers of a peer that the cluster manager hears, and will not promote any more. For
    /// the script, see [`Handlers::fenced`].
    pub(crate) fn outdated(self) -> u8 {
        match self {
            Self::Ours => 4,
            Self::Scripts => 5,
        }
    }

    /// What stands in the configuration for fence-peer and for after-resync-target.
    fn commands(self) -> (&'static str, &'static str) {
        match self {
            Self::Ours => (
                "/usr/local/sbin/tandem fence-peer",
                "/usr/local/sbin/tandem unfence-peer",
            ),
            Self::Scripts => (
                "/usr/lib/drbd/crm-fence-peer.sh --timeout 10 --dc-timeout 30",
                "/usr/lib/drbd/crm-unfence-peer.sh",
            ),
        }
    }
}

/// Boots two servers and a client.
pub(crate) fn boot(name: &str, driver: Driver, narrator: &Narrator) -> Result<Cluster> {
    narrator.say(&format!(
        "Three machines boot: servers a and b with systemd and the module {driver}, client c"
    ));
    let spec = Spec {
        nodes: 3,
        servers: 2,
        drivers: Drivers::parse(&format!("a={driver},b={driver},c=none"))?,
        driver_args: "usermode_helper=/sbin/drbdadm".into(),
        cpus: 1,
        disk_bytes: 256 << 20,
        ..Spec::default()
    };
    Cluster::up(name, &spec)
}

/// Makes a cluster of the servers, with the mail server as its resource.
pub(crate) fn form(cluster: &Cluster, handlers: Handlers, narrator: &Narrator) -> Result<()> {
    let servers = Servers::of(cluster)?;
    let (fence, unfence) = handlers.commands();
    for node in cluster.nodes() {
        node.ok("mkdir -p /srv/setup")?;
        for (name, text) in FILES {
            let text = text
                .replace("@FENCE_PEER@", fence)
                .replace("@UNFENCE_PEER@", unfence);
            node.write_file(&format!("/srv/setup/{name}"), text.as_bytes())?;
        }
        node.ok("chmod +x /srv/setup/*.sh && install -m 755 /srv/setup/rc.local /etc/rc.local")?;
        node.ok("/etc/rc.local")?;
    }
    narrator.say("Replicated disk, Corosync, Pacemaker, SBD, Postfix and Dovecot are configured");
    run(servers.a, "install.sh")?;
    let cib = servers.a.read_file("/srv/setup/cib.xml")?;
    servers.b.write_file("/srv/setup/cib.xml", &cib)?;
    run(servers.b, "install.sh")?;
    await_that("the two disks are connected", || {
        Ok(proc(servers.a)?.contains("cs:Connected"))
    })?;
    narrator.say("A file system with the places of mail queue and mailboxes is made on the disk");
    run(servers.a, "first.sh")?;
    narrator.say("The cluster manager takes over");
    for server in [servers.a, servers.b] {
        run(server, "start.sh")?;
    }
    servers.await_well()
}

fn run(node: &Node, script: &str) -> Result<()> {
    node.ok_within(&format!("/srv/setup/{script}"), LIMIT)
        .map(drop)
}
