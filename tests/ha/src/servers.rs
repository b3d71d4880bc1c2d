// SPDX-License-Identifier: GPL-2.0

//! The two servers: who is active, how the cluster is, what their journals say.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use vm::{Cluster, Link, Node};

use crate::{
    clock,
    timeline::{Timeline, LINES},
};

/// The longest that anything may take; many times what it takes on an idle one.
pub(crate) const LIMIT: Duration = Duration::from_secs(480);

/// What a Primary's line in `/proc/drbd` has when all is well.
const WELL: &str = "cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate";

/// What came of waiting for a server that came back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Well {
    /// All is well.
    Yes,
    /// It went off.
    Off,
}

/// What the ids of fencing constraints begin with.
const BAN: &str = "drbd-fence-by-handler";

/// Both servers, and the client that is their network.
pub(crate) struct Servers<'a> {
    cluster: &'a Cluster,
    pub(crate) a: &'a Node,
    pub(crate) b: &'a Node,
    client: &'a Node,
}

impl<'a> Servers<'a> {
    pub(crate) fn of(cluster: &'a Cluster) -> Result<Self> {
        Ok(Self {
            cluster,
            a: cluster.node("a")?,
            b: cluster.node("b")?,
            client: cluster.node("c")?,
        })
    }

    /// The server that is Primary and the one that is not.
    pub(crate) fn active_and_standby(&self) -> Result<(&'a Node, &'a Node)> {
        match (is_primary(self.a)?, is_primary(self.b)?) {
            (true, false) => Ok((self.a, self.b)),
            (false, true) => Ok((self.b, self.a)),
            (true, true) => bail!("both servers are Primary"),
            (false, false) => bail!("no server is Primary"),
        }
    }

    /// The replication cable.
    pub(crate) fn replication(&self, link: Link) -> Result<()> {
        self.cluster.link("a", "b", link)
    }

    /// Every way by which the servers hear each other; the client hears both.
    pub(crate) fn all_links(&self, link: Link) -> Result<()> {
        let isolated = match link {
            Link::Down => "on",
            Link::Up => "off",
        };
        self.client.ok(&format!(
            "for card in eth0 eth1; do \
             ip link set $card type bridge_slave isolated {isolated} || exit 1; done"
        ))?;
        self.replication(link)
    }

    /// Waits until one server is Primary, both disks are up to date, nothing is forbidden any more
    /// and nothing is left to do. A kernel that complains ends that at once.
    pub(crate) fn await_well(&self) -> Result<()> {
        self.await_well_unless(|| false).map(drop)
    }

    /// The same, unless that server goes off before.
    pub(crate) fn await_well_or_off(&self, server: &Node) -> Result<Well> {
        self.await_well_unless(|| !server.is_on())
    }

    fn await_well_unless(&self, is_off: impl Fn() -> bool) -> Result<Well> {
        let mut complaint = Ok(());
        let mut well = Well::Yes;
        await_that("the cluster is well", || {
            complaint = self.cluster.check();
            if is_off() {
                well = Well::Off;
            }
            Ok(complaint.is_err() || well == Well::Off || self.is_well()?)
        })?;
        complaint.map(|()| well)
    }

    fn is_well(&self) -> Result<bool> {
        let Ok((active, standby)) = self.active_and_standby() else {
            return Ok(false);
        };
        if !proc(active)?.contains(WELL) {
            return Ok(false);
        }
        let cib = active.ok("cibadmin --query")?;
        let out = "crm_mon -1 --exclude=all --include=nodes | grep -c 'Online: \\[ a b \\]'";
        Ok(!cib.contains(BAN) && standby.ok(&format!("{out} || :"))? == "1")
    }

    /// Fails unless a comparison of both disks finds no difference.
    pub(crate) fn verify(&self) -> Result<()> {
        let (active, _) = self.active_and_standby()?;
        active.ok("drbdadm verify r0")?;
        await_that("the comparison of both disks ends", || {
            Ok(!proc(active)?.contains("cs:Verify"))
        })?;
        let proc = proc(active)?;
        if !proc.contains(WELL) || !proc.contains("oos:0") {
            bail!("the comparison of both disks found a difference:\n{proc}");
        }
        Ok(())
    }
}

/// Asks each second until something is so.
pub(crate) fn await_that(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT.mul_f64(vm::time_scale());
    loop {
        match is_so() {
            Ok(true) => return Ok(()),
            Err(error) if Instant::now() > deadline => {
                return Err(error.context(format!("waiting until {what}")))
            }
            _ if Instant::now() > deadline => bail!("it does not come to pass that {what}"),
            _ => thread::sleep(Duration::from_secs(1)),
        }
    }
}

/// What `/proc/drbd` says.
pub(crate) fn proc(node: &Node) -> Result<String> {
    node.ok("cat /proc/drbd")
}

/// Whether a server is on and Primary.
pub(crate) fn is_primary(node: &Node) -> Result<bool> {
    Ok(node.is_on() && proc(node)?.contains("ro:Primary/"))
}

/// What a server's journal says of a take-over since a moment of the host's clock.
pub(crate) fn timeline(node: &Node, since: f64) -> Result<Timeline> {
    let ahead = clock::ahead(node)?;
    let from = since + ahead - 1.0;
    let journal = node.ok(&format!(
        "journalctl --no-pager -o short-unix --since=@{from:.0} | grep '{LINES}' || :"
    ))?;
    Ok(Timeline::read(&journal, ahead))
}

/// The same, once it tells what is looked for: the journal may be seconds behind the kernel.
pub(crate) fn await_timeline(
    node: &Node,
    since: f64,
    tells: impl Fn(&Timeline) -> bool,
) -> Result<Timeline> {
    let mut read = timeline(node, since)?;
    await_that("the journal tells what happened", || {
        if !tells(&read) {
            read = timeline(node, since)?;
        }
        Ok(tells(&read))
    })?;
    Ok(read)
}

/// When fence-peer was called first after a moment, when it came back, and with which code.
pub(crate) fn await_handler(node: &Node, after: f64) -> Result<(f64, f64, u8)> {
    let told = await_timeline(node, after, |timeline| timeline.handler(after).is_some())?;
    told.handler(after)
        .context("nobody asked what became of the peer")
}
