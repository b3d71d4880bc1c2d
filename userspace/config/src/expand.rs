// SPDX-License-Identifier: GPL-2.0

//! What holds after `common` is taken over into resources, and resources into volumes.

use crate::{
    error::Problem,
    model::{
        Config,
        Setting,
        Volume, //
    },
    node::Node, //
};

/// Takes what is not set from `from`. What is taken comes first, the last one first: `drbdadm`
/// builds its command lines so, and ours are the same.
fn take_over(list: &mut Vec<Setting>, from: &[Setting]) {
    for setting in from {
        if !list.iter().any(|mine| mine.name == setting.name) {
            list.insert(0, setting.clone());
        }
    }
}

impl Config {
    /// Takes options over: from `common` into resources, from there and from volumes for all hosts
    /// into the volumes of hosts.
    pub fn expand(&mut self) {
        let common = self.common.clone().unwrap_or_default();
        for resource in &mut self.resources {
            let settings = &mut resource.settings;
            take_over(&mut settings.net, &common.net);
            take_over(&mut settings.disk, &common.disk);
            take_over(&mut settings.startup, &common.startup);
            take_over(&mut settings.handlers, &common.handlers);
            take_over(&mut settings.options, &common.options);
            settings.stacked_timeouts |= common.stacked_timeouts;
            if settings.become_primary_on.is_empty() {
                settings.become_primary_on = common.become_primary_on.clone();
            }
            let all_hosts = &resource.volumes;
            for volume in resource.hosts.iter_mut().flat_map(|host| &mut host.volumes) {
                let device = volume.device_path();
                volume.device.get_or_insert(device);
                take_over(&mut volume.options, &settings.disk);
                let same = |each: &&Volume| each.number == volume.number;
                if let Some(for_all) = all_hosts.iter().find(same) {
                    prefer(&mut volume.options, &for_all.options, &settings.disk);
                }
            }
        }
    }
}

/// What a volume says for all hosts counts more than what the resource says.
fn prefer(list: &mut Vec<Setting>, from: &[Setting], weaker: &[Setting]) {
    for setting in from {
        let inherited = |mine: &Setting| {
            mine.name == setting.name && weaker.iter().any(|each| each.place == mine.place)
        };
        list.retain(|mine| !inherited(mine));
    }
    take_over(list, from);
}

/// Turns what names something into what `drbdsetup` takes: resources behind `resync-after` into
/// minors, `discard-node-NAME` into `discard-local` or `discard-remote`.
///
/// # Errors
/// Names that nobody has. With `lenient` (nobody looks) an unknown resource is forgotten instead:
/// a node must not fail because of a resource that somebody deleted.
pub fn resolve(config: &mut Config, node: &Node, lenient: bool) -> Result<Vec<Problem>, Problem> {
    let minors = minors(config, node);
    let mut notes = Vec::new();
    for resource in &mut config.resources {
        let volumes = resource.hosts.iter_mut().flat_map(|host| &mut host.volumes);
        for volume in volumes {
            let mut kept = Vec::new();
            for mut setting in std::mem::take(&mut volume.options) {
                if setting.name == "resync-after" && setting.value != "-1" {
                    match minor_of(&minors, &setting) {
                        Ok(minor) => setting.value = minor.to_string(),
                        Err(problem) if lenient => {
                            notes.push(problem);
                            continue;
                        }
                        Err(problem) => return Err(problem),
                    }
                }
                kept.push(setting);
            }
            volume.options = kept;
        }
        for setting in &mut resource.settings.net {
            let Some(name) = setting.value.strip_prefix("discard-node-") else {
                continue;
            };
            let mut names = resource.hosts.iter().flat_map(|host| &host.names);
            if !names.any(|each| each == name) {
                return Err(Problem::new(
                    &setting.place,
                    format!("'{name}' is no host of this resource; expected one of them"),
                ));
            }
            let here = name == node.name();
            setting.value = if here {
                "discard-local"
            } else {
                "discard-remote"
            }
            .to_owned();
        }
    }
    Ok(notes)
}

/// Names of resources here, with their volumes and minors.
fn minors(config: &Config, node: &Node) -> Vec<(String, Vec<(u32, u32)>)> {
    let local = |resource: &crate::Resource| {
        let host = node.host_of(resource)?;
        let volumes = host.volumes.iter();
        let volumes = volumes.map(|volume| (volume.number, volume.minor()));
        Some((resource.name.clone(), volumes.collect()))
    };
    config.resources.iter().filter_map(local).collect()
}

fn minor_of(minors: &[(String, Vec<(u32, u32)>)], setting: &Setting) -> Result<u32, Problem> {
    let (name, number) = match setting.value.split_once('/') {
        Some((name, number)) => (name, number.parse::<u32>().ok()),
        None => (setting.value.as_str(), None),
    };
    let unknown = || {
        Problem::new(
            &setting.place,
            format!(
                "resync-after: expected a resource of this host, got '{}'",
                setting.value
            ),
        )
    };
    let (_, volumes) = minors
        .iter()
        .find(|(each, _)| each == name)
        .ok_or_else(unknown)?;
    match (number, volumes.as_slice()) {
        (None, [(_, minor)]) if !setting.value.contains('/') => Ok(*minor),
        (None, _) if !setting.value.contains('/') => Err(Problem::new(
            &setting.place,
            format!("resync-after: '{name}' has several volumes; expected '{name}/NUMBER'"),
        )),
        (number, volumes) => volumes
            .iter()
            .find(|(each, _)| Some(*each) == number)
            .map(|(_, minor)| *minor)
            .ok_or_else(unknown),
    }
}
