// SPDX-License-Identifier: GPL-2.0

//! Steps, and in which order those of several resources are done: first all objects, then all
//! disks, then all connections.

use super::{
    account::Account,
    lines::{
        self,
        Line, //
    },
    loaded::Loaded,
    runner::Runner,
    Target, //
};
use crate::registry;
use std::{
    collections::BTreeSet,
    path::{
        Path,
        PathBuf, //
    }, //
};

/// When a step is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Objects are made and removed.
    Objects,
    /// Options of resources change.
    Resource,
    /// Volumes for disks are made.
    Volumes,
    /// Disks are attached and changed.
    Disks,
    /// Connections end.
    Disconnects,
    /// Connections are made and changed.
    Connections,
}

impl Stage {
    const ALL: [(Stage, &'static str); 6] = [
        (Stage::Objects, "create res"),
        (Stage::Resource, "adjust res"),
        (Stage::Volumes, "prepare disk"),
        (Stage::Disks, "adjust disk"),
        (Stage::Disconnects, "prepare net"),
        (Stage::Connections, "adjust net"),
    ];
}

/// What to remember when a step is done: the configuration that something was made from.
#[derive(Clone, Debug)]
pub(super) enum Remember {
    Minor(u32, PathBuf),
    Resource(String, PathBuf),
}

impl Remember {
    pub(super) fn minor(minor: u32, file: &Path) -> Self {
        Self::Minor(minor, file.to_owned())
    }

    pub(super) fn resource(name: &str, file: &Path) -> Self {
        Self::Resource(name.to_owned(), file.to_owned())
    }
}

/// Lines that belong together.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The command, for messages.
    pub(super) name: String,
    pub(super) resource: String,
    /// Run one after the other, until one fails.
    pub(super) lines: Vec<Line>,
    /// Run when they are done; whether it fails does not matter.
    pub(super) afterwards: Option<Line>,
    pub(super) remember: Option<Remember>,
}

impl Step {
    pub(super) fn new(name: &str, resource: &str) -> Self {
        Self {
            name: name.to_owned(),
            resource: resource.to_owned(),
            lines: Vec::new(),
            afterwards: None,
            remember: None,
        }
    }

    /// Does it; returns the exit code.
    pub(super) fn run(&self, runner: &Runner) -> u8 {
        for line in &self.lines {
            let code = runner.run(&self.resource, line);
            if code != 0 {
                return code;
            }
        }
        if let Some(line) = &self.afterwards {
            runner.run_quietly(&self.resource, line);
        }
        match &self.remember {
            Some(Remember::Minor(minor, file)) => registry::remember_minor(*minor, file),
            Some(Remember::Resource(name, file)) => registry::remember_resource(name, file),
            None => {}
        }
        0
    }
}

/// Steps for later.
#[derive(Default)]
pub(super) struct Steps(Vec<(Stage, Step)>);

impl Steps {
    /// Adds a step behind those of its stage.
    pub(super) fn add(&mut self, stage: Stage, step: Step) {
        self.0.push((stage, step));
    }

    /// Does all of them, stage by stage. A resource whose objects cannot be made is left alone;
    /// other stages are begun only if the one before went well, unless an account is given.
    pub(super) fn run(&self, runner: &Runner, gives_account: bool) -> u8 {
        let mut account = Account::begin(gives_account && !runner.shows_lines());
        let mut left_alone = BTreeSet::new();
        let mut worst = 0;
        for (stage, title) in Stage::ALL {
            let steps: Vec<_> = self.0.iter().filter(|(of, _)| *of == stage).collect();
            if !steps.is_empty() {
                account.stage(title);
            }
            for (_, step) in steps {
                let Step { name, resource, .. } = step;
                let is_left_alone = left_alone.contains(resource);
                account.step(resource, is_left_alone);
                if is_left_alone {
                    if !account.is_on() {
                        eprintln!("tandem: {name} {resource}: skipped due to earlier error");
                    }
                    continue;
                }
                let code = step.run(runner);
                if code != 0 {
                    account.failed(name, code);
                    worst = 1;
                    if matches!(stage, Stage::Objects | Stage::Volumes) {
                        left_alone.insert(resource.clone());
                    }
                }
            }
            if worst != 0 && !account.is_on() {
                break;
            }
        }
        account.end();
        worst
    }

    /// The commands of all steps.
    pub(super) fn commands(&self) -> Vec<&str> {
        self.0.iter().map(|(_, step)| step.name.as_str()).collect()
    }

    /// Whether a resource has steps here.
    fn knows(&self, resource: &str) -> bool {
        self.0.iter().any(|(_, step)| step.resource == resource)
    }
}

/// The steps of `up` for a volume; with the first one those of its resource.
pub(super) fn up(later: &mut Steps, target: &Target<'_>, ends: &[String; 2], loaded: &Loaded) {
    let name = &target.resource.name;
    if !later.knows(name) {
        let whole = Target {
            volume: None,
            ..*target
        };
        later.add(
            Stage::Objects,
            lines::step("new-resource", &whole, &[], loaded),
        );
        let mut connect = Step::new("connect", name);
        connect
            .lines
            .push(lines::of_connection("connect", target, ends, &[]));
        later.add(Stage::Connections, connect);
    }
    later.add(
        Stage::Objects,
        lines::step("new-minor", target, &[], loaded),
    );
    later.add(Stage::Disks, lines::step("attach", target, &[], loaded));
}
