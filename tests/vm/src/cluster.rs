// SPDX-License-Identifier: GPL-2.0

//! A set of machines that belong together, known by a name.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    thread,
};

use anyhow::{anyhow, bail, Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    boot,
    monitor::Link,
    node::{Channel, Node, Places},
    paths::{run_folder, socket_folder},
    process,
    spec::Spec,
    write_cache,
};

/// Size of the disk that servers share: it holds who shall be reset, and nothing more.
const SHARED_BYTES: u64 = 8 << 20;

/// The file in a run's folder that says what the run is.
const STATE: &str = "state.json";

#[derive(Serialize, Deserialize)]
struct State {
    spec: Spec,
}

/// Machines a, b, c, ... with a cable between every two.
pub struct Cluster {
    name: String,
    spec: Spec,
    places: Places,
    nodes: Vec<Node>,
    /// Held by a program that takes its machines along when it ends.
    owner: Option<File>,
}

impl Cluster {
    /// Boots a new cluster that ends with this program, or when this value is dropped.
    ///
    /// # Errors
    ///
    /// The name is in use, or a machine does not boot or load its driver.
    pub fn up(name: &str, spec: &Spec) -> Result<Self> {
        let mut cluster = Self::prepare(name, spec, Channel::Harness)?;
        let owner = File::create(cluster.places.run.join("owner"))?;
        process::lock(&owner)?;
        cluster.owner = Some(owner);
        process::own(name);
        cluster.boot()?;
        Ok(cluster)
    }

    /// Boots a new cluster that stays when this program ends.
    ///
    /// # Errors
    ///
    /// As [`Cluster::up`].
    pub fn up_and_leave(name: &str, spec: &Spec) -> Result<Self> {
        let cluster = Self::prepare(name, spec, Channel::People)?;
        if let Err(error) = cluster.boot() {
            cluster.switch_off();
            return Err(error);
        }
        Ok(cluster)
    }

    /// Finds a cluster that runs.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn open(name: &str) -> Result<Self> {
        let run = run_folder(name);
        let text = fs::read(run.join(STATE))
            .map_err(|_| anyhow!("there is no cluster '{name}': begin with 'scripts/vm up'"))?;
        let state: State = serde_json::from_slice(&text)?;
        let places = Places {
            sockets: socket_folder(&run)?,
            run,
        };
        Ok(Self::assemble(name, state.spec, places, Channel::People))
    }

    fn prepare(name: &str, spec: &Spec, channel: Channel) -> Result<Self> {
        spec.check()?;
        let run = run_folder(name);
        if run.join(STATE).exists() {
            bail!(
                "there is a cluster '{name}' already: end it with 'scripts/vm down', \
                 or choose another --name"
            );
        }
        if run.exists() {
            fs::remove_dir_all(&run)?;
        }
        fs::create_dir_all(&run).with_context(|| format!("cannot make {}", run.display()))?;
        let places = Places {
            sockets: socket_folder(&run)?,
            run,
        };
        let cluster = Self::assemble(name, spec.clone(), places, channel);
        for node in &cluster.nodes {
            for disk in [1, 2] {
                File::create(node.disk_path(disk))?.set_len(spec.disk_bytes)?;
            }
            if spec.is_server(&node.name) {
                File::create(node.shared_disk())?.set_len(SHARED_BYTES)?;
                make_root_changes(&node.disk_path(2))?;
            }
        }
        let state = State { spec: spec.clone() };
        fs::write(
            cluster.places.run.join(STATE),
            serde_json::to_vec_pretty(&state)?,
        )?;
        Ok(cluster)
    }

    fn assemble(name: &str, spec: Spec, places: Places, channel: Channel) -> Self {
        let nodes = spec
            .names()
            .iter()
            .map(|node| Node::new(node, &spec, places.clone(), channel))
            .collect();
        Self {
            name: name.into(),
            spec,
            places,
            nodes,
            owner: None,
        }
    }

    /// Boots all nodes beside each other.
    fn boot(&self) -> Result<()> {
        thread::scope(|scope| {
            let boots: Vec<_> = self
                .nodes
                .iter()
                .map(|node| scope.spawn(|| node.start()))
                .collect();
            let mut result = Ok(());
            for boot in boots {
                let one = boot
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a boot panicked")));
                result = result.and(one);
            }
            result
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its settings.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The folder with its disks and consoles.
    pub fn folder(&self) -> &Path {
        &self.places.run
    }

    /// All nodes, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn node(&self, name: &str) -> Result<&Node> {
        self.nodes
            .iter()
            .find(|node| node.name() == name)
            .ok_or_else(|| {
                anyhow!(
                    "there is no node '{name}' here, only {}",
                    self.spec.names().join(", ")
                )
            })
    }

    /// Cuts the cable between two nodes, or joins it; it stays so over a node's restart.
    ///
    /// # Errors
    ///
    /// There is no such node, or a machine does not take the command.
    pub fn link(&self, one: &str, other: &str, link: Link) -> Result<()> {
        let (one, other) = (self.node(one)?, self.node(other)?);
        if one.name() == other.name() {
            bail!("a node has no link to itself");
        }
        fs::write(
            self.places.run.join(link_file(one.name(), other.name())),
            format!("{link:?}"),
        )?;
        for (here, there) in [(one, other), (other, one)] {
            if here.is_on() {
                here.set_card(&boot::card(there.name()), link)?;
            }
        }
        Ok(())
    }

    /// Fails if any node's kernel complained.
    ///
    /// # Errors
    ///
    /// The first complaint.
    pub fn check(&self) -> Result<()> {
        self.nodes.iter().try_for_each(Node::check)
    }

    /// Ends the cluster: machines off, disks gone; the consoles stay in [`Cluster::folder`].
    ///
    /// # Errors
    ///
    /// A node's kernel had complained.
    pub fn down(self) -> Result<()> {
        let result = self.check();
        self.switch_off();
        result
    }

    /// Lets the machines run on when this program ends.
    pub fn leave_running(mut self) {
        self.owner = None;
        process::disown(&self.name);
        let _ = fs::remove_file(self.places.run.join("owner"));
    }

    pub(crate) fn switch_off(&self) {
        for node in &self.nodes {
            if let Some(pid) = node.pid() {
                if let Err(error) = process::kill(pid) {
                    eprintln!("tandem: node {}: {error:#}", node.name());
                }
            }
            for disk in [1, 2] {
                let _ = fs::remove_file(node.disk_path(disk));
                write_cache::forget(&node.disk_path(disk));
            }
            let _ = fs::remove_file(node.pid_file());
            let _ = fs::remove_file(node.shared_disk());
        }
        let _ = fs::remove_dir_all(&self.places.sockets);
        let _ = fs::remove_file(self.places.run.join(STATE));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.owner.is_some() {
            process::disown(&self.name);
            self.switch_off();
            let _ = fs::remove_file(self.places.run.join("owner"));
        }
    }
}

/// An empty file system for what a server writes to its root.
fn make_root_changes(disk: &Path) -> Result<()> {
    let output = Command::new("mke2fs")
        .args(["-q", "-t", "ext4", "-E", "lazy_itable_init=1"])
        .arg(disk)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .context("cannot run mke2fs; run scripts/install-deps")?;
    if !output.status.success() {
        bail!("mke2fs: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// The names of all nodes but one.
pub(crate) fn others(spec: &Spec, name: &str) -> Vec<String> {
    spec.names()
        .into_iter()
        .filter(|other| other != name)
        .collect()
}

/// How the cable between two nodes was last set.
pub(crate) fn link_state(run: &Path, one: &str, other: &str) -> Result<Link> {
    match fs::read_to_string(run.join(link_file(one, other))) {
        Ok(text) if text == format!("{:?}", Link::Down) => Ok(Link::Down),
        _ => Ok(Link::Up),
    }
}

fn link_file(one: &str, other: &str) -> String {
    let (first, second) = if one < other {
        (one, other)
    } else {
        (other, one)
    };
    format!("link-{first}-{second}")
}
