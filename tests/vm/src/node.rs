// SPDX-License-Identifier: GPL-2.0

//! One machine of a cluster.

use std::{
    fs,
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail, Context, Result};

use crate::{
    agent::{Agent, Looks, Output},
    boot,
    console::{self, Splat},
    monitor::{Link, Monitor},
    process,
    spec::{Driver, Spec},
    write_cache::{self, Loss, Luck},
};

/// How long a command may take when nothing else is said.
const COMMAND: Duration = Duration::from_secs(120);

/// Which of a guest's two agents is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The one of the program that has the cluster.
    Harness,
    /// The one of people who look in.
    People,
}

/// Where a node's files are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The run's folder.
    pub(crate) run: PathBuf,
    /// The folder of its sockets.
    pub(crate) sockets: PathBuf,
}

/// A machine: switched off, or running and answering.
pub struct Node {
    pub(crate) name: String,
    pub(crate) spec: Spec,
    pub(crate) places: Places,
    channel: Channel,
    agent: Mutex<Option<Agent>>,
}

/// A machine that stands still in the middle of a power cut.
pub struct Stopped<'a> {
    node: &'a Node,
    pid: rustix::process::Pid,
}

impl Stopped<'_> {
    /// The second half: the machine is off, and `luck` has decided how much of what it had not
    /// flushed is on its volatile disks. Tells what that was, for data disk 1.
    ///
    /// # Errors
    ///
    /// The machine does not end, or its disks cannot be written.
    pub fn kill(self, luck: Luck) -> Result<Loss> {
        let Self { node, pid } = self;
        *node.agent() = None;
        process::kill(pid)?;
        if !node.spec.volatile_disks {
            return Ok(Loss::default());
        }
        let loss = write_cache::lose(&node.disk_path(1), luck)?;
        write_cache::lose(&node.disk_path(2), luck)?;
        Ok(loss)
    }
}

impl Node {
    pub(crate) fn new(name: &str, spec: &Spec, places: Places, channel: Channel) -> Self {
        Self {
            name: name.into(),
            spec: spec.clone(),
            places,
            channel,
            agent: Mutex::new(None),
        }
    }

    /// Its name: a, b, ...
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its driver.
    pub fn driver(&self) -> Driver {
        self.spec.drivers.of(&self.name)
    }

    /// Its address on the replication network.
    pub fn address(&self) -> String {
        boot::address(&self.name)
    }

    /// The file with everything its console ever printed.
    pub fn console_path(&self) -> PathBuf {
        self.places.run.join(format!("{}.console.log", self.name))
    }

    /// The file behind its data disk 1 or 2.
    pub fn disk_path(&self, disk: usize) -> PathBuf {
        self.places
            .run
            .join(format!("{}.data{disk}.raw", self.name))
    }

    /// The file behind the disk that servers share.
    pub(crate) fn shared_disk(&self) -> PathBuf {
        self.places.run.join("shared.raw")
    }

    /// Everything its console ever printed.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn console(&self) -> Result<String> {
        console::read(&self.console_path())
    }

    /// Whether the machine is on.
    pub fn is_on(&self) -> bool {
        self.pid().is_some()
    }

    /// Runs a shell command and returns its output and status, whatever that is.
    ///
    /// # Errors
    ///
    /// The machine is off or stops meanwhile, or the command takes longer than two minutes.
    pub fn sh(&self, command: &str) -> Result<Output> {
        self.run(command, None, COMMAND)
    }

    /// As [`Node::sh`], with another limit.
    ///
    /// # Errors
    ///
    /// As [`Node::sh`].
    pub fn sh_within(&self, command: &str, limit: Duration) -> Result<Output> {
        self.run(command, None, limit)
    }

    /// Runs a shell command that must succeed; returns its standard output without the last line
    /// end.
    ///
    /// # Errors
    ///
    /// Also when the command's status is not 0: the error has its output.
    pub fn ok(&self, command: &str) -> Result<String> {
        self.ok_within(command, COMMAND)
    }

    /// As [`Node::ok`], with another limit.
    ///
    /// # Errors
    ///
    /// As [`Node::ok`].
    pub fn ok_within(&self, command: &str, limit: Duration) -> Result<String> {
        let output = self.run(command, None, limit)?;
        if !output.success() {
            bail!(
                "node {}: '{command}' ended with status {}\n{}{}",
                self.name,
                output.status,
                output.stdout,
                output.stderr
            );
        }
        Ok(output.stdout.trim_end().to_owned())
    }

    /// Writes a file in the guest.
    ///
    /// # Errors
    ///
    /// As [`Node::ok`].
    pub fn write_file(&self, path: &str, content: &[u8]) -> Result<()> {
        let output = self.run(&format!("cat > '{path}'"), Some(content), COMMAND)?;
        if !output.success() {
            bail!("node {}: cannot write {path}: {}", self.name, output.stderr);
        }
        Ok(())
    }

    /// Reads a file of the guest, whatever bytes it has.
    ///
    /// # Errors
    ///
    /// There is none, or the machine is off.
    pub fn read_file(&self, path: &str) -> Result<Vec<u8>> {
        self.ask(|agent| agent.read_file(path))
            .with_context(|| format!("node {}: cannot read {path}", self.name))
    }

    /// Blocks until a line of the driver's event stream (`drbdsetup events2`) matches a regular
    /// expression (bash's kind), and returns it. The stream begins with the present state.
    ///
    /// # Errors
    ///
    /// No line matched in time: the error has the lines that came.
    pub fn await_event(&self, regex: &str, limit: Duration) -> Result<String> {
        self.await_in("drbdsetup events2", regex, limit)
    }

    /// As [`Node::await_event`], for the lines that another command prints.
    ///
    /// # Errors
    ///
    /// As [`Node::await_event`].
    pub fn await_in(&self, source: &str, regex: &str, limit: Duration) -> Result<String> {
        let seconds = limit.mul_f64(self.spec.time_scale()).as_secs().max(1);
        let quoted = regex.replace('\'', r"'\''");
        self.ok_within(
            &format!("await-event {seconds} '{quoted}' {source}"),
            limit + Duration::from_secs(20),
        )
    }

    /// Switches the machine off as a power cut does: nothing of it runs any more, and only what it
    /// had sent to its disks is there. Of volatile disks, only what it had flushed.
    ///
    /// # Errors
    ///
    /// The machine is not on.
    pub fn kill(&self) -> Result<()> {
        self.stop()?.kill(Luck::None).map(drop)
    }

    /// The first half of a power cut: the machine does nothing any more, but its end is not seen
    /// yet. So the power of several machines can be cut at the same moment.
    ///
    /// # Errors
    ///
    /// The machine is not on.
    pub fn stop(&self) -> Result<Stopped<'_>> {
        let pid = self
            .pid()
            .ok_or_else(|| anyhow!("node {} is not on", self.name))?;
        if self.spec.volatile_disks {
            process::halt(pid)?;
        }
        Ok(Stopped { node: self, pid })
    }

    /// Boots the machine on the disks it has and waits until it answers with its driver loaded.
    ///
    /// # Errors
    ///
    /// It is on already, does not boot, or its driver does not load.
    pub fn start(&self) -> Result<()> {
        if self.is_on() {
            bail!("node {} is on already", self.name);
        }
        *self.agent() = None;
        boot::start(self)
    }

    /// Waits until the machine is off by its own doing: a reset, a shutdown, or a panic ends it.
    ///
    /// # Errors
    ///
    /// It is still on after that time.
    pub fn await_off(&self, limit: Duration) -> Result<()> {
        let Some(pid) = self.pid() else { return Ok(()) };
        let limit = limit.mul_f64(self.spec.time_scale());
        if !process::ends_within(pid, limit)? {
            bail!("node {} is still on after {limit:?}", self.name);
        }
        *self.agent() = None;
        Ok(())
    }

    /// Forgets what the console of a machine that is off has printed, such as a panic that was
    /// wanted.
    ///
    /// # Errors
    ///
    /// It is on, or the file cannot be written.
    pub fn forget_console(&self) -> Result<()> {
        if self.is_on() {
            bail!("node {} is on: its console is written", self.name);
        }
        fs::write(self.console_path(), "")?;
        Ok(())
    }

    /// Empties both data disks of a machine that is off.
    ///
    /// # Errors
    ///
    /// It is on, or the files cannot be written.
    pub fn wipe_disks(&self) -> Result<()> {
        if self.is_on() {
            bail!(
                "node {} is on: its disks cannot be wiped from outside",
                self.name
            );
        }
        for disk in [1, 2] {
            fs::File::create(self.disk_path(disk))?.set_len(self.spec.disk_bytes)?;
        }
        Ok(())
    }

    /// The first complaint of this node's kernel, if there is one.
    ///
    /// # Errors
    ///
    /// The console's log cannot be read.
    pub fn complaint(&self) -> Result<Option<Splat>> {
        Ok(console::complaint(
            &self.name,
            self.driver(),
            &self.console()?,
        ))
    }

    /// Fails if this node's kernel complained.
    ///
    /// # Errors
    ///
    /// The complaint.
    pub fn check(&self) -> Result<()> {
        match self.complaint()? {
            Some(splat) => bail!("{splat}"),
            None => Ok(()),
        }
    }

    pub(crate) fn pid(&self) -> Option<rustix::process::Pid> {
        process::living(&self.pid_file(), &self.places.run.display().to_string())
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.places.run.join(format!("{}.pid", self.name))
    }

    pub(crate) fn socket(&self, what: &str) -> PathBuf {
        self.places.sockets.join(format!("{}.{what}", self.name))
    }

    pub(crate) fn set_card(&self, card: &str, link: Link) -> Result<()> {
        self.with_monitor(|monitor| monitor.set_link(card, link))
    }

    /// Lets the machine stand still, as if time had stopped there.
    ///
    /// # Errors
    ///
    /// It does not take the command.
    pub fn freeze(&self) -> Result<()> {
        self.with_monitor(Monitor::freeze)
    }

    /// Lets the machine go on.
    ///
    /// # Errors
    ///
    /// It does not take the command.
    pub fn thaw(&self) -> Result<()> {
        self.with_monitor(Monitor::thaw)
    }

    fn with_monitor(&self, command: impl FnOnce(&mut Monitor) -> Result<()>) -> Result<()> {
        // The machine's control socket serves one at a time.
        let guard = fs::File::create(self.socket("qmp.lock"))?;
        process::lock(&guard)?;
        command(&mut Monitor::connect(&self.socket("qmp"))?)
    }

    /// Waits until the guest answers.
    pub(crate) fn connect(&self, deadline: Instant) -> Result<()> {
        let socket = match self.channel {
            Channel::Harness => self.socket("harness"),
            Channel::People => self.socket("people"),
        };
        *self.agent() = Some(Agent::connect(&socket, deadline, self.spec.time_scale())?);
        Ok(())
    }

    fn run(&self, command: &str, input: Option<&[u8]>, limit: Duration) -> Result<Output> {
        self.run_once(command, input, limit).with_context(|| {
            let state = if self.is_on() { "runs" } else { "has stopped" };
            let console = self.console().unwrap_or_default();
            format!(
                "node {} ({state}), command '{command}'; end of its console:\n{}\n",
                self.name,
                console::tail(&console, 25)
            )
        })
    }

    fn run_once(&self, command: &str, input: Option<&[u8]>, limit: Duration) -> Result<Output> {
        let limit = limit.mul_f64(self.spec.time_scale());
        let begin = Instant::now();
        let pid = self.ask(|agent| agent.start(command, input))?;
        let mut looks = Looks::new();
        loop {
            if let Some(output) = self.ask(|agent| agent.look(pid))? {
                return Ok(output);
            }
            if begin.elapsed() > limit {
                let _ = self.ask(|agent| agent.start(&format!("kill -9 {pid}"), None));
                bail!("it did not end within {} s", limit.as_secs());
            }
            looks.pause();
        }
    }

    /// One request to the agent. People's connections end with each request, so that several
    /// programs can take turns.
    fn ask<T>(&self, request: impl FnOnce(&mut Agent) -> Result<T>) -> Result<T> {
        if self.pid().is_none() {
            *self.agent() = None;
            bail!("the machine is off");
        }
        if self.agent().is_none() {
            self.connect(Instant::now() + Duration::from_secs(30).mul_f64(self.spec.time_scale()))?;
        }
        let mut agent = self.agent();
        let Some(open) = agent.as_mut() else {
            bail!("the machine was switched off meanwhile");
        };
        let answer = request(open);
        if answer.is_err() || self.channel == Channel::People {
            *agent = None;
        }
        answer
    }

    fn agent(&self) -> std::sync::MutexGuard<'_, Option<Agent>> {
        self.agent
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
