// SPDX-License-Identifier: GPL-2.0

//! The lines of `drbdsetup` and `drbdmeta` that commands consist of.

use super::{
    loaded::Loaded,
    steps::{
        Remember,
        Step, //
    },
    Target, //
};
use crate::failure::Failure;
use tandem_config::{
    Host,
    Meta,
    Setting,
    Volume, //
};

/// Which tool a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    Setup,
    Meta,
    Shell,
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) tool: For,
    /// Its words behind the tool.
    pub(super) words: Vec<String>,
}

impl Line {
    /// A line of `drbdsetup`.
    pub(super) fn setup(words: &[&str]) -> Self {
        Self {
            tool: For::Setup,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    /// The same with more words.
    pub(super) fn with(mut self, words: impl IntoIterator<Item = String>) -> Self {
        self.words.extend(words);
        self
    }
}

/// Own end and the peer's, as `drbdsetup` takes them.
pub(super) fn ends(target: &Target<'_>, peer: &Host) -> Result<[String; 2], Failure> {
    match (&target.host.address, &peer.address) {
        (Some(own), Some(peer)) => Ok([own.to_string(), peer.to_string()]),
        // The parser refuses hosts without address.
        _ => Err(Failure::call("a host has no address", "give it one")),
    }
}

/// Options as arguments.
pub(super) fn arguments(settings: &[Setting]) -> Vec<String> {
    let settings = settings.iter();
    settings
        .map(|each| format!("--{}={}", each.name, each.value))
        .collect()
}

/// Device with the metadata of a volume, and the place on it, for `attach`.
pub(super) fn meta_of(volume: &Volume) -> (&str, String) {
    match &volume.meta {
        Some(Meta::Flexible(path)) => (path, "flexible".into()),
        Some(Meta::Indexed(path, index)) => (path, index.to_string()),
        Some(Meta::Internal) | None => (volume.lower(), "internal".into()),
    }
}

/// A line of `drbdmeta`.
pub(super) fn meta(volume: &Volume, command: &str, passed: &[String]) -> Line {
    let (path, place) = meta_of(volume);
    let place = match place.as_str() {
        "flexible" => "flex-external".to_owned(),
        _ => place,
    };
    let minor = volume.minor().to_string();
    Line {
        tool: For::Meta,
        words: vec![minor, "v08".into(), path.into(), place, command.into()],
    }
    .with(passed.iter().cloned())
}

/// Both lines of an attach: the log is applied first.
pub(super) fn attach(volume: &Volume, passed: &[String]) -> Vec<Line> {
    let (path, place) = meta_of(volume);
    let minor = volume.minor().to_string();
    let line = Line::setup(&["attach", &minor, volume.lower(), path, &place])
        .with(arguments(&volume.options))
        .with(passed.iter().cloned());
    vec![meta(volume, "apply-al", &[]), line]
}

/// `new-minor`.
pub(super) fn new_minor(target: &Target<'_>, volume: &Volume) -> Line {
    Line::setup(&[
        "new-minor",
        &target.resource.name,
        &volume.minor().to_string(),
        &volume.number.to_string(),
    ])
}

/// `new-resource`.
pub(super) fn new_resource(target: &Target<'_>, passed: &[String]) -> Line {
    Line::setup(&["new-resource", &target.resource.name])
        .with(arguments(&target.resource.settings.options))
        .with(passed.iter().cloned())
}

/// `connect`, `net-options` or `disconnect`.
pub(super) fn of_connection(
    command: &str,
    target: &Target<'_>,
    ends: &[String; 2],
    passed: &[String],
) -> Line {
    let mut line = Line::setup(&[command]);
    if command == "connect" {
        line.words.push(target.resource.name.clone());
    }
    line = line.with(ends.iter().cloned());
    if command == "connect" {
        line = line.with(arguments(&target.resource.settings.net));
    }
    line.with(passed.iter().cloned())
}

/// Both lines of a resize; what the second says does not matter.
pub(super) fn resize(volume: &Volume, passed: &[String]) -> [Line; 2] {
    let minor = volume.minor().to_string();
    let size = volume.option("size").map(|size| format!("--size={size}"));
    let line = Line::setup(&["resize", &minor])
        .with(size)
        .with(passed.iter().cloned());
    [line, Line::setup(&["check-resize", &minor])]
}

/// The step of a command that does the same for every volume, or for the resource.
pub(super) fn step(name: &str, target: &Target<'_>, passed: &[String], loaded: &Loaded) -> Step {
    let resource = &target.resource.name;
    let mut step = Step::new(name, resource);
    let Some(volume) = target.volume else {
        let line = match name {
            "new-resource" => {
                step.remember = loaded
                    .is_remembered
                    .then(|| Remember::resource(resource, &loaded.file));
                new_resource(target, passed)
            }
            _ => Line::setup(&[name, resource]).with(passed.iter().cloned()),
        };
        step.lines.push(line);
        return step;
    };
    let minor = volume.minor();
    match name {
        "attach" => step.lines = attach(volume, passed),
        "new-minor" | "sh-new-minor" => {
            step.remember = loaded
                .is_remembered
                .then(|| Remember::minor(minor, &loaded.file));
            step.lines.push(new_minor(target, volume));
        }
        "resize" => {
            let [resize, check] = self::resize(volume, passed);
            step.lines.push(resize);
            step.afterwards = Some(check);
        }
        "wait-connect" | "wait-sync" => {
            let line = Line::setup(&[name, &minor.to_string()])
                .with(arguments(&target.resource.settings.startup));
            step.lines.push(line.with(passed.iter().cloned()));
        }
        "create-md" | "dump-md" | "wipe-md" | "apply-al" | "set-gi" => {
            step.lines.push(meta(volume, name, passed));
        }
        _ => {
            let line = Line::setup(&[name, &minor.to_string()]);
            step.lines.push(line.with(passed.iter().cloned()));
        }
    }
    step
}
