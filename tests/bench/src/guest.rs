// SPDX-License-Identifier: GPL-2.0

//! The machine with the pair, or the two machines, and what is asked of them.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{bail, Result};
use vm::{Cluster, Driver, Drivers, Node, Spec};

use crate::{
    job::JOBS,
    memory::Steps,
    record::{Figures, Record},
    Cli, Clock, Module, Setup,
};

/// The guest's half.
const SCRIPT: &str = include_str!("../guest/pair.sh");

/// MiB of each RAM disk.
const DISK_MIB: u32 = 128;

/// How long one module's jobs may take.
const LIMIT: Duration = Duration::from_secs(400);

/// How often the host looks whether the guest is done; it looks from outside, so that the guest
/// spends nothing on it.
const LOOK: Duration = Duration::from_millis(100);

/// Booted machines with filled RAM disks and no module loaded.
pub(crate) struct Guest {
    cluster: Cluster,
    setup: Setup,
    clock: Clock,
    runs: u32,
}

impl Guest {
    /// Boots it.
    pub(crate) fn boot(setup: Setup, clock: Clock, seed: u32) -> Result<Self> {
        let (nodes, cpus) = match setup {
            Setup::Pair => (1, 2),
            Setup::Machines => (2, 1),
        };
        let spec = Spec {
            nodes,
            cpus,
            drivers: Drivers::all(Driver::Tandem),
            mem_mib: 2048,
            icount: clock == Clock::Icount,
            seed,
            disk_bytes: 1 << 20,
            ..Spec::default()
        };
        let cluster = Cluster::up(&format!("bench-{}", std::process::id()), &spec)?;
        for node in cluster.nodes() {
            node.write_file("/usr/local/sbin/pair", SCRIPT.as_bytes())?;
            node.ok(&format!(
                "chmod +x /usr/local/sbin/pair; rmmod tandem; pair fill {DISK_MIB}"
            ))?;
        }
        Ok(Self {
            cluster,
            setup,
            clock,
            runs: 0,
        })
    }

    /// What the script on a node has to know.
    fn environment(&self, own: &str, peer: &str, protocol: &str) -> Result<String> {
        let address = |node| self.cluster.node(node).map(Node::address);
        Ok(match self.setup {
            Setup::Pair => format!("export PROTOCOL={protocol}"),
            Setup::Machines => format!(
                "export PROTOCOL={protocol} OWN={} PEER={}",
                address(own)?,
                address(peer)?
            ),
        })
    }

    /// Sets the other machine up, or takes it down; what there is one machine for does so itself.
    fn other(&self, what: &str, module: Module, protocol: &str) -> Result<()> {
        if self.setup == Setup::Pair || module == Module::Bare {
            return Ok(());
        }
        let environment = self.environment("b", "a", protocol)?;
        let command = format!("{environment}; pair {what} {}", module.as_str());
        self.cluster.node("b")?.ok(&command).map(drop)
    }

    fn node(&self) -> Result<&Node> {
        self.cluster.node("a")
    }

    /// What a module takes for a volume of that size.
    pub(crate) fn memory(&self, module: Module, size: &str) -> Result<Steps> {
        let text = self
            .node()?
            .ok_within(&format!("pair memory {} {size}", module.as_str()), LIMIT)?;
        self.cluster.check()?;
        Steps::parse(&text)
    }

    /// All jobs with one module.
    pub(crate) fn run(&mut self, cli: &Cli, module: Module, seed: u32) -> Result<Vec<Record>> {
        self.runs += 1;
        let folder = format!("/run/bench-{}", self.runs);
        let jobs: Vec<_> = JOBS.iter().filter(|job| cli.wants(job.name)).collect();
        let mut words = format!("{} {folder}", module.as_str());
        for job in &jobs {
            let arguments = job.arguments(self.clock, cli.runtime, seed);
            words.push_str(&format!(" {} {arguments}", job.name));
        }
        self.other("join", module, &cli.protocol)?;
        self.background(&words, &folder, &cli.protocol)?;
        self.other("leave", module, &cli.protocol)?;
        let node = self.node()?;
        let mut records = Vec::new();
        for job in jobs {
            if job.is_resync() && module == Module::Bare {
                continue;
            }
            let figures = if job.is_resync() {
                let sectors: f64 = node.ok(&format!("cat {folder}/sectors"))?.parse()?;
                Figures::from_resync(
                    &node.ok(&format!("cat {folder}/resync.log"))?,
                    sectors / 8.0,
                )
            } else {
                Figures::from_fio(job, &node.ok(&format!("cat {folder}/{}.json", job.name))?)
            };
            records.push(figures?.record(
                job,
                (self.setup, self.clock),
                module,
                &cli.protocol,
                seed,
            ));
        }
        self.cluster.check()?;
        Ok(records)
    }

    /// Runs the script beside the agent, and waits for the mark that its end leaves on the console.
    fn background(&self, words: &str, folder: &str, protocol: &str) -> Result<()> {
        let node = self.node()?;
        let mark = format!("tandem-bench: {folder} ended");
        let environment = self.environment("a", "b", protocol)?;
        node.ok(&format!(
            "mkdir {folder}; {environment}; ({{ pair run {words} >{folder}/log 2>&1; \
             echo $? >{folder}/status; echo '{mark}' >/dev/kmsg; }} </dev/null >/dev/null 2>&1 &)"
        ))?;
        let begin = Instant::now();
        let limit = LIMIT.mul_f64(vm::time_scale());
        while !node.console()?.contains(&mark) {
            self.cluster.check()?;
            if !node.is_on() || begin.elapsed() > limit {
                let state = node.sh("cat /proc/drbd; dmesg | tail -n 40");
                bail!("'pair run {words}' did not end: {state:?}");
            }
            thread::sleep(LOOK);
        }
        if node.ok(&format!("cat {folder}/status"))? != "0" {
            let log = node.ok(&format!("cat {folder}/log; dmesg | tail -n 40"))?;
            bail!("'pair run {words}' failed:\n{log}");
        }
        Ok(())
    }

    /// Ends it.
    pub(crate) fn down(self) -> Result<()> {
        self.cluster.down()
    }
}
