// SPDX-License-Identifier: GPL-2.0

//! `adjust`: what has to be done so that what runs is what is configured.

use super::{
    lines::{
        self,
        arguments,
        Line, //
    },
    loaded::Loaded,
    steps::{
        Stage,
        Step,
        Steps, //
    },
    Target, //
};
use crate::{
    failure::Failure,
    intent::show_endpoint,
    kernel,
    model::{
        self,
        Connection,
        Device, //
    }, //
};
use tandem_config::{
    Meta,
    Setting,
    Volume, //
};
use tandem_engine::{
    control::{
        AttrIter,
        AttrValue, //
    },
    options::{
        DiskOptions,
        FixedStr,
        NetOptions,
        OptionSpec,
        OptionTable,
        OptionValue,
        ResourceOptions, //
    }, //
};

/// Options that a disk keeps while it is attached.
const FIXED_FOR_DISKS: [&str; 2] = ["size", "max-bio-bvecs"];
/// Options of one attempt to connect.
const ONCE: [&str; 2] = ["tentative", "discard-my-data"];

/// Adds the steps for a resource.
pub(super) fn plan(
    later: &mut Steps,
    target: &Target<'_>,
    ends: &[String; 2],
    loaded: &Loaded,
) -> Result<(), Failure> {
    let name = &target.resource.name;
    let running = match kernel::connect_if_loaded()? {
        Some(mut kernel) => model::read(&mut kernel, Some(name))?.pop(),
        None => None,
    };
    let settings = &target.resource.settings;
    let step = |name: &str, line: Line| {
        let mut step = Step::new(name, &target.resource.name);
        step.lines.push(line);
        step
    };
    let devices = running.as_ref().map_or(&[][..], |running| &running.devices);
    match &running {
        None => later.add(
            Stage::Objects,
            lines::step("new-resource", target, &[], loaded),
        ),
        Some(running) if !same::<ResourceOptions>(&settings.options, &running.settings, &[]) => {
            let line = Line::setup(&["resource-options", name, "--set-defaults"])
                .with(arguments(&settings.options));
            later.add(Stage::Resource, step("resource-options", line));
        }
        Some(_) => {}
    }
    volumes(later, target, devices, loaded);
    let connection = running
        .iter()
        .flat_map(|running| &running.connections)
        .find(|connection| connection.peer.is_some());
    let present = connection.and_then(ends_of);
    if present.as_ref() != Some(ends) {
        if let Some(present) = present {
            let line = lines::of_connection("disconnect", target, &present, &[]);
            later.add(Stage::Disconnects, step("disconnect", line));
        }
        let line = lines::of_connection("connect", target, ends, &[]);
        later.add(Stage::Connections, step("connect", line));
    } else if connection
        .is_some_and(|connection| !same::<NetOptions>(&settings.net, &connection.settings, &ONCE))
    {
        let line = lines::of_connection("net-options", target, ends, &[])
            .with(["--set-defaults".to_owned()])
            .with(arguments(&settings.net));
        later.add(Stage::Connections, step("net-options", line));
    }
    Ok(())
}

/// Both ends of a connection, as `drbdsetup` takes them.
fn ends_of(connection: &Connection) -> Option<[String; 2]> {
    Some([
        show_endpoint(connection.local?),
        show_endpoint(connection.peer?),
    ])
}

fn volumes(later: &mut Steps, target: &Target<'_>, devices: &[Device], loaded: &Loaded) {
    let wanted = &target.host.volumes;
    let of = |name: &str, minor: u32| {
        let mut step = Step::new(name, &target.resource.name);
        step.lines.push(Line::setup(&[name, &minor.to_string()]));
        step
    };
    for device in devices {
        let volume = wanted.iter().find(|volume| volume.number == device.volume);
        let is_gone = volume.is_none_or(|volume| volume.minor() != device.minor);
        let has_disk = !device.settings.is_empty();
        let detaches = volume.is_none_or(|volume| is_gone || !same_disk(volume, device));
        if has_disk && detaches {
            later.add(Stage::Objects, of("detach", device.minor));
        }
        if is_gone {
            later.add(Stage::Objects, of("del-minor", device.minor));
        }
    }
    for volume in wanted {
        let with_volume = Target {
            volume: Some(volume),
            ..*target
        };
        let step = |name: &str| lines::step(name, &with_volume, &[], loaded);
        let device = devices
            .iter()
            .find(|device| device.volume == volume.number && device.minor == volume.minor());
        let Some(device) = device else {
            later.add(Stage::Volumes, step("new-minor"));
            later.add(Stage::Disks, step("attach"));
            continue;
        };
        if device.settings.is_empty() || !same_disk(volume, device) {
            later.add(Stage::Disks, step("attach"));
            continue;
        }
        if !same::<DiskOptions>(&volume.options, &device.settings, &FIXED_FOR_DISKS) {
            let mut options = volume.options.clone();
            options.retain(|option| !FIXED_FOR_DISKS.contains(&option.name.as_str()));
            let minor = volume.minor().to_string();
            let mut change = Step::new("disk-options", &target.resource.name);
            change.lines.push(
                Line::setup(&["disk-options", &minor, "--set-defaults"]).with(arguments(&options)),
            );
            later.add(Stage::Disks, change);
        }
        if !same_option::<DiskOptions>("size", &volume.options, &device.settings) {
            later.add(Stage::Disks, step("resize"));
        }
    }
}

/// Whether the disk that is attached is the one that is configured.
fn same_disk(volume: &Volume, device: &Device) -> bool {
    let path = |nr| {
        let text = attr::<FixedStr<127>>(&device.settings, nr).unwrap_or_default();
        String::from_utf8_lossy(text.as_bytes()).into_owned()
    };
    let index: Option<i32> = attr(&device.settings, 3);
    let same_meta = match &volume.meta {
        Some(Meta::Internal) | None => matches!(index, None | Some(-1 | -3)),
        Some(Meta::Flexible(meta)) => index == Some(-2) && *meta == path(2),
        Some(Meta::Indexed(meta, slot)) => index == i32::try_from(*slot).ok() && *meta == path(2),
    };
    volume.lower() == path(1)
        && same_meta
        && same_option::<DiskOptions>("max-bio-bvecs", &volume.options, &device.settings)
}

fn attr<V: AttrValue>(attrs: &[u8], nr: u16) -> Option<V> {
    AttrIter::new(attrs)
        .filter_map(Result::ok)
        .find(|(candidate, _)| *candidate == nr)
        .and_then(|(_, payload)| V::decode(payload))
}

/// Whether options are what they shall be; what is not given has its default.
fn same<T: OptionTable>(wanted: &[Setting], running: &[u8], but: &[&str]) -> bool {
    let specs = T::TABLE.iter().filter(|spec| !but.contains(&spec.name));
    specs
        .into_iter()
        .all(|spec| configured(spec, wanted) == in_kernel(spec, running))
}

fn same_option<T: OptionTable>(name: &str, wanted: &[Setting], running: &[u8]) -> bool {
    T::find(name).is_none_or(|spec| configured(spec, wanted) == in_kernel(spec, running))
}

fn configured(spec: &OptionSpec, settings: &[Setting]) -> OptionValue {
    let setting = settings.iter().rev().find(|each| each.name == spec.name);
    setting
        .and_then(|setting| spec.parse(&setting.value).ok())
        .unwrap_or_else(|| spec.default_value())
}

fn in_kernel(spec: &OptionSpec, attrs: &[u8]) -> OptionValue {
    let payload = AttrIter::new(attrs)
        .filter_map(Result::ok)
        .find(|(nr, _)| *nr == spec.nr);
    payload
        .and_then(|(_, payload)| spec.decode(payload).ok())
        .unwrap_or_else(|| spec.default_value())
}
