// SPDX-License-Identifier: GPL-2.0

//! Two nodes and the ways to bring them where tests begin.

use std::{
    ops::Deref,
    time::{Duration, Instant},
};

use anyhow::{bail, Result};

use crate::{
    side::{Side, LOWER},
    Cluster, Link, Spec,
};

/// How long one of two nodes is looked at, when either may say something.
const TURN: Duration = Duration::from_secs(2);

/// And how long both together.
const TURNS: Duration = Duration::from_secs(90);

/// Nodes a and b of a fresh cluster: drivers loaded, disks empty.
pub struct Pair<'a> {
    cluster: &'a Cluster,
    /// Node a.
    pub a: Side<'a>,
    /// Node b.
    pub b: Side<'a>,
}

impl Deref for Pair<'_> {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

/// Boots two machines for a long run, and ends them after it. When that fails, its error says where
/// their consoles are; with `keep`, the machines go on, to be looked at.
///
/// # Errors
///
/// They do not boot, or what the run says.
pub fn long_run(
    name: &str,
    spec: &Spec,
    keep: bool,
    run: impl FnOnce(&Pair<'_>) -> Result<()>,
) -> Result<()> {
    let cluster = Cluster::up(&format!("{name}-{}", std::process::id()), spec)?;
    match run(&Pair::new(&cluster)) {
        Ok(()) => cluster.down(),
        Err(error) => {
            let folder = cluster.folder().display().to_string();
            if keep {
                println!(
                    "machines kept: scripts/vm --name {} sh a ...",
                    cluster.name()
                );
                cluster.leave_running();
            }
            Err(error.context(format!("the consoles are in {folder}")))
        }
    }
}

impl<'a> Pair<'a> {
    /// The pair of a cluster of two nodes.
    pub fn new(cluster: &'a Cluster) -> Self {
        let [a, b] = cluster.nodes() else {
            unreachable!("a pair has two nodes")
        };
        Self {
            cluster,
            a: Side::new(a),
            b: Side::new(b),
        }
    }

    /// Both: fresh metadata, resource, disk attached.
    pub fn attached(&self) -> Result<()> {
        for side in [self.a, self.b] {
            side.create_md()?;
            side.new_resource()?;
            side.attach()?;
        }
        Ok(())
    }

    /// Both: two volumes with a disk each, the second one with further options. Connected, and
    /// node a's data of both is good; both resyncs as slow as `rate` says.
    pub fn two_volumes(&self, second: &str, rate: &str) -> Result<()> {
        for side in [self.a, self.b] {
            side.create_md()?;
            side.create_md_on("/dev/data2")?;
            side.new_resource()?;
            side.setup("new-minor r0 1 1")?;
            side.attach()?;
            side.setup(&format!(
                "attach 1 /dev/data2 /dev/data2 internal --c-plan-ahead=0 --resync-rate=512M \
                 --c-min-rate=0 {second}"
            ))?;
            side.setup(&format!("disk-options 0 --resync-rate={rate}"))?;
        }
        self.a.connect(&self.b, "")?;
        self.b.connect(&self.a, "")?;
        for minor in [0, 1] {
            self.a.await_proc(&format!(" {minor}: cs:Connected"))?;
            self.a.setup(&format!("primary {minor} --force"))?;
        }
        Ok(())
    }

    /// Waits until both nodes have both volumes in sync, and nothing paused.
    pub fn await_both_in_sync(&self) -> Result<()> {
        for side in [self.a, self.b] {
            for minor in [0, 1] {
                side.await_proc(&format!(
                    " {minor}: cs:Connected .* ds:UpToDate/UpToDate C r---"
                ))?;
            }
        }
        Ok(())
    }

    /// Both: attached and connected, no data good yet.
    pub fn connected(&self) -> Result<()> {
        self.attached()?;
        self.a.connect(&self.b, "")?;
        self.b.connect(&self.a, "")?;
        for side in [self.a, self.b] {
            side.await_event("connection:Connected")?;
        }
        Ok(())
    }

    /// Node a Primary, both disks in sync after a full sync.
    pub fn in_sync(&self) -> Result<()> {
        self.connected()?;
        self.a.primary_force()?;
        self.await_in_sync()
    }

    /// The same on a part of each lower device, of so many sectors, with further options of disks.
    pub fn in_sync_on_parts(&self, sectors: u64, options: &str) -> Result<()> {
        for side in [self.a, self.b] {
            let part = side.part_of(LOWER, 0, sectors)?;
            side.create_md_on(&part)?;
            side.new_resource()?;
            side.attach_to(&part, options)?;
        }
        self.a.connect(&self.b, "")?;
        self.b.connect(&self.a, "")?;
        self.a.await_event("connection:Connected")?;
        self.a.primary_force()?;
        self.await_in_sync()
    }

    /// From here on both nodes want resyncs to be as fast as that, in the words of `drbdsetup`.
    pub fn resync_rate(&self, rate: &str) -> Result<()> {
        for side in [self.a, self.b] {
            side.setup(&format!(
                "disk-options 0 --c-plan-ahead=0 --resync-rate={rate}"
            ))?;
        }
        Ok(())
    }

    /// In sync: node b leaves, misses so many MiB from the device's begin, and comes back to a
    /// resync at that rate.
    pub fn resync_slowly(&self, mib: u32, rate: &str) -> Result<()> {
        self.b.disconnect(&self.a)?;
        self.a.await_event("connection:Connecting")?;
        self.a.write_mib(0, mib)?;
        self.resync_rate(rate)?;
        self.b.connect(&self.a, "")
    }

    /// The cable is cut, and both nodes have noticed.
    pub fn cut(&self) -> Result<()> {
        self.cable(Link::Down)?;
        self.a.await_apart()?;
        self.b.await_apart()
    }

    /// Waits until both nodes know that both disks are good.
    pub fn await_in_sync(&self) -> Result<()> {
        self.a.await_in_sync()?;
        self.b.await_in_sync()
    }

    /// Waits until one of the nodes has logged its text; each is looked at for a moment in turn.
    pub fn await_log_on_either(&self, on_a: &str, on_b: &str) -> Result<String> {
        let begin = Instant::now();
        loop {
            for (side, text) in [(&self.a, on_a), (&self.b, on_b)] {
                let found = side.await_log_within(text, TURN);
                if found.is_ok() || begin.elapsed() > TURNS {
                    return found;
                }
            }
        }
    }

    /// Fails unless both lower devices have the same data.
    pub fn expect_equal(&self) -> Result<()> {
        let (a, b) = (self.a.lower_sum()?, self.b.lower_sum()?);
        if a != b {
            bail!("the disks differ: {a} on a, {b} on b");
        }
        Ok(())
    }

    /// Cuts or joins the cable.
    pub fn cable(&self, link: Link) -> Result<()> {
        self.cluster.link("a", "b", link)
    }

    /// The other node.
    pub fn peer_of(&self, side: &Side<'_>) -> Side<'a> {
        if side.name() == "a" {
            self.b
        } else {
            self.a
        }
    }

    /// Node `side` after a power cut: booted again, its disk attached, looking for its peer.
    pub fn returns(&self, side: &Side<'_>) -> Result<()> {
        side.start()?;
        self.joins(side, "")
    }

    /// Node `side` after its boot: its disk attached, looking for its peer with further options.
    pub fn joins(&self, side: &Side<'_>, options: &str) -> Result<()> {
        // As drbdadm does before each attach: the log's extents are to be resynced.
        side.meta("0 v08 /dev/data1 internal apply-al")?;
        side.new_resource()?;
        side.attach()?;
        side.connect(&self.peer_of(side), options)
    }
}
