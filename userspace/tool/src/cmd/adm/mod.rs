// SPDX-License-Identifier: GPL-2.0

//! `tandem adm`: does what the configuration says, as `drbdadm` does.
//!
//! A command is turned into the lines of `drbdsetup` and `drbdmeta` that it consists of (`lines`,
//! `adjust`), and these are run or printed (`runner`). What is no such line (`dump`, `sh-...`,
//! handlers) has a file of its own.

mod account;
mod adjust;
pub(super) mod doctor;
mod fallback;
mod handler;
mod lines;
mod loaded;
mod peers;
mod runner;
mod shell;
mod steps;
mod wait;

use crate::{
    cli::adm::{
        Adm,
        AdmCommand,
        Level,
        Scope,
        COMMANDS, //
    },
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    intent::parse_minor, //
};
use loaded::Loaded;
use runner::Runner;
use steps::Steps;
use tandem_config::{
    Dump,
    Host,
    Resource,
    Volume,
    Xml, //
};

/// From this exit code on, nothing more is tried.
const FATAL: u8 = 20;

/// What a command works on.
#[derive(Clone, Copy)]
struct Target<'a> {
    resource: &'a Resource,
    /// This node's section.
    host: &'a Host,
    /// One volume, or all of them.
    volume: Option<&'a Volume>,
}

/// A command at work.
struct Work<'a> {
    adm: &'a Adm,
    command: &'static AdmCommand,
    loaded: &'a Loaded,
    runner: Runner,
    /// Steps of several resources that are done stage by stage at the end.
    later: Steps,
}

/// Does what was asked for.
pub(crate) fn run(adm: &Adm) -> Outcome {
    let Some(command) = adm.command else {
        shell::versions();
        return Ok(Exit::Success);
    };
    if command.name == "hidden-commands" {
        list_commands();
        return Ok(Exit::Success);
    }
    if adm.general.stacked {
        return Err(Failure::call(
            "stacked resources are not supported",
            "leave --stacked away; for a stacked resource use drbdadm of Debian's drbd-utils",
        ));
    }
    let mut loaded = Loaded::read(adm, command)?;
    let is_dump = matches!(command.name, "dump" | "dump-xml");
    let expands = !is_dump || adm.general.dry_run > 0 || adm.general.verbose > 0;
    loaded.prepare(expands, command.scope != Scope::All && !is_dump)?;
    let mut work = Work {
        adm,
        command,
        loaded: &loaded,
        runner: Runner::new(&adm.general),
        later: Steps::default(),
    };
    let code = match (command.scope, is_dump) {
        (Scope::All, _) => work.about_all()?,
        (_, true) => work.dump()?,
        _ => work.about_resources()?,
    };
    let later = work
        .later
        .run(&work.runner, command.name == "adjust-with-progress");
    Ok(exit(code.max(later)))
}

fn exit(code: u8) -> Exit {
    match code {
        0 => Exit::Success,
        code => Exit::Child(code),
    }
}

impl<'a> Work<'a> {
    /// Commands that need no resource.
    fn about_all(&mut self) -> Result<u8, Failure> {
        if !self.adm.names.is_empty() {
            eprintln!(
                "tandem: {} ignores the names of resources",
                self.command.name
            );
        }
        match self.command.name {
            "sh-nop" => Ok(0),
            "sh-resources" => {
                shell::resources(self.loaded);
                Ok(0)
            }
            "sh-mod-parms" => {
                shell::module_parameters(self.loaded);
                Ok(0)
            }
            "sh-status" => shell::status(self.loaded, &self.runner),
            _ => wait::until_connected_or_told(self.loaded, &self.runner),
        }
    }

    /// Whether everything is meant.
    fn means_all(&self) -> bool {
        self.adm.names.first().is_none_or(|name| name == "all")
    }

    fn dump(&mut self) -> Result<u8, Failure> {
        let is_xml = self.command.name == "dump-xml";
        let node = &self.loaded.node;
        if self.means_all() {
            for target in self.loaded.mine() {
                self.check_address(&target)?;
            }
            let is_mine = |resource: &Resource| node.host_of(resource).is_some();
            let config = &self.loaded.config;
            match is_xml {
                true => print!("{}", Xml::config(config)),
                false => print!("{}", Dump::config(config, node.name(), is_mine)),
            }
            return Ok(0);
        }
        for name in &self.adm.names {
            let target = self.find(name)?;
            match is_xml {
                true => print!("{}", Xml::one(target.resource)),
                false => print!("{}", Dump::one(target.resource, node.name(), true)),
            }
        }
        Ok(0)
    }

    fn about_resources(&mut self) -> Result<u8, Failure> {
        let mut worst = 0;
        let targets = if self.means_all() {
            let all: Vec<_> = self.loaded.mine().collect();
            if all.is_empty() {
                return Err(self.loaded.nothing_for_this_node());
            }
            all
        } else {
            let names = self.adm.names.iter();
            names
                .map(|name| self.find(name).and_then(|target| self.fit(name, target)))
                .collect::<Result<_, _>>()?
        };
        for target in &targets {
            self.check_address(target)?;
        }
        for target in targets {
            let code = self.about(target)?;
            worst = worst.max(code);
            if code >= FATAL {
                return Ok(code);
            }
        }
        Ok(worst)
    }

    /// A resource, `RESOURCE/VOLUME`, or the volume with a minor.
    fn find(&self, name: &str) -> Result<Target<'a>, Failure> {
        let loaded: &'a Loaded = self.loaded;
        let (resource, number) = match name.split_once('/') {
            Some((resource, number)) => (resource, number.parse::<u32>().ok()),
            None => (name, None),
        };
        let minor = parse_minor(name).ok();
        for target in loaded.mine() {
            let mut volumes = target.host.volumes.iter();
            if target.resource.name == resource && !name.contains('/') {
                return Ok(target);
            }
            let volume = if target.resource.name == resource {
                volumes.find(|volume| Some(volume.number) == number)
            } else {
                volumes.find(|volume| minor == Some(volume.minor()))
            };
            if volume.is_some() {
                return Ok(Target { volume, ..target });
            }
        }
        Err(Failure::call(
            format!(
                "'{name}' not defined in your config (for this host). ({}, host {})",
                loaded.file.display(),
                loaded.node.name()
            ),
            "'sh-resources' lists what is defined for this host",
        ))
    }

    /// Looks whether a command is for resources or for volumes.
    fn fit(&self, name: &str, mut target: Target<'a>) -> Result<Target<'a>, Failure> {
        let command = self.command.name;
        match (self.command.scope, target.volume) {
            (Scope::Resources, Some(volume)) if volume.implicit => target.volume = None,
            (Scope::Resources, Some(_)) => {
                return Err(Failure::call(
                    format!(
                        "{command} operates on whole resources, but you specified a specific \
                         volume!"
                    ),
                    format!("name the resource alone: {}", target.resource.name),
                ))
            }
            (Scope::OneVolume, None) => {
                target.volume = target.host.volumes.iter().find(|volume| volume.implicit);
                if target.volume.is_none() {
                    return Err(Failure::call(
                        format!("{command} requires a specific volume id, but none is specified."),
                        format!("try '{command} minor-NUMBER' or '{command} {name}/VOLUME'"),
                    ));
                }
            }
            _ => {}
        }
        Ok(target)
    }

    /// Looks whether the own address of a resource is one of this node.
    fn check_address(&self, target: &Target<'_>) -> Result<(), Failure> {
        let off = self.loaded.config.global.disable_ip_verification;
        if !self.command.checks_address || off || self.adm.general.dry_run == 1 {
            return Ok(());
        }
        let Some(address) = &target.host.address else {
            return Ok(());
        };
        if self.loaded.node.has_address(address) {
            return Ok(());
        }
        Err(Failure::Unfit {
            what: format!(
                "{}: in resource {}, on {}: IP {} not found on this host.",
                target.host.place,
                target.resource.name,
                target.host.names.join(" "),
                address.host
            ),
            hint: "give the address to an interface ('ip address'), or correct the configuration"
                .into(),
        })
    }

    /// The command for a resource: for all of it, for each of its volumes, or for one.
    fn about(&mut self, target: Target<'a>) -> Result<u8, Failure> {
        if self.command.scope != Scope::Volumes || target.volume.is_some() {
            return self.one(target);
        }
        for volume in &target.host.volumes {
            let code = self.one(Target {
                volume: Some(volume),
                ..target
            })?;
            if code != 0 {
                return Ok(code);
            }
        }
        Ok(0)
    }

    fn one(&mut self, target: Target<'a>) -> Result<u8, Failure> {
        let name = self.command.name;
        let passed = &self.adm.passed;
        let peer = || {
            let wanted = self.adm.general.peer.as_deref();
            self.loaded.peer(&target, wanted)
        };
        if self.command.level == Level::Handler {
            return Ok(handler::run(
                name,
                &target,
                peer().ok(),
                self.loaded,
                &self.runner,
            ));
        }
        if let Some(code) = shell::about(name, &target, self.loaded, &self.runner) {
            return code;
        }
        match name {
            "up" => {
                let ends = lines::ends(&target, peer()?)?;
                steps::up(&mut self.later, &target, &ends, self.loaded);
                Ok(0)
            }
            "adjust" | "adjust-with-progress" => {
                let ends = lines::ends(&target, peer()?)?;
                adjust::plan(&mut self.later, &target, &ends, self.loaded)?;
                Ok(0)
            }
            "connect" | "net-options" | "disconnect" => {
                let ends = lines::ends(&target, peer()?)?;
                let line = lines::of_connection(name, &target, &ends, passed);
                Ok(self.runner.run(&target.resource.name, &line))
            }
            "outdate" | "invalidate" | "dstate" | "show-gi" | "get-gi" | "check-resize" => {
                Ok(fallback::run(name, &target, passed, &self.runner))
            }
            _ => Ok(lines::step(name, &target, passed, self.loaded).run(&self.runner)),
        }
    }
}

/// All commands that help does not list.
fn list_commands() {
    for (level, title) in [
        (Level::Shell, "For scripts:"),
        (Level::Handler, "Handlers, as the kernel calls them:"),
        (Level::Expert, "For experts:"),
    ] {
        println!("{title}\n");
        for command in COMMANDS.iter().filter(|command| command.level == level) {
            println!("  {:<22} {}", command.name, command.about);
        }
        println!();
    }
}
