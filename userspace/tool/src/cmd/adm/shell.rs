// SPDX-License-Identifier: GPL-2.0

//! `sh-...`: facts of the configuration, for scripts.

use super::{
    lines::Line,
    loaded::Loaded,
    runner::{
        shell_escaped,
        Runner, //
    },
    Target, //
};
use crate::failure::Failure;
use std::{
    thread::sleep,
    time::Duration, //
};
use tandem_config::{
    quoted,
    Meta, //
};

/// The version of drbd-utils that this tool stands in for.
const STANDS_FOR: (&str, u32) = ("9.22.0", 0x09_16_00);
/// The version of the netlink interface.
const API: u32 = 1;
/// The module's own choice of `minor_count`, and its greatest.
const MINOR_COUNT: (usize, usize) = (32, 255);

/// `--version`: variables that the OCF agent reads.
pub(super) fn versions() {
    let build = concat!("tandem ", env!("CARGO_PKG_VERSION"));
    println!("DRBDADM_BUILDTAG={}", shell_escaped(build));
    println!("DRBDADM_API_VERSION={API}");
    println!("DRBD_KERNEL_VERSION_CODE=0x{:06x}", kernel_version());
    println!("DRBDADM_VERSION_CODE=0x{:06x}", STANDS_FOR.1);
    println!("DRBDADM_VERSION={}", STANDS_FOR.0);
}

/// The version of the loaded module, a byte for each part; 0 without one.
fn kernel_version() -> u32 {
    let text = std::fs::read_to_string("/proc/drbd").unwrap_or_default();
    version_code(&text).unwrap_or(0)
}

fn version_code(text: &str) -> Option<u32> {
    let version = text.strip_prefix("version: ")?;
    let version = version.split([' ', '\n', '-']).next()?;
    let mut code = 0_u32;
    for part in version.splitn(3, '.') {
        code = code << 8 | u32::from(part.parse::<u8>().ok()?);
    }
    Some(code)
}

/// `sh-resources`.
pub(super) fn resources(loaded: &Loaded) {
    let names: Vec<_> = loaded
        .mine()
        .map(|target| quoted(&target.resource.name))
        .collect();
    if !names.is_empty() {
        println!("{}", names.join(" "));
    }
}

/// `sh-mod-parms`.
pub(super) fn module_parameters(loaded: &Loaded) {
    let volumes: usize = loaded.mine().map(|target| target.host.volumes.len()).sum();
    let (least, most) = MINOR_COUNT;
    let count = match loaded.config.global.minor_count {
        Some(count) => usize::try_from(count).unwrap_or(most),
        None => (volumes + 3).clamp(least, most),
    };
    println!("minor_count={count}");
}

/// `sh-status`: the state of everything as variables.
pub(super) fn status(loaded: &Loaded, runner: &Runner) -> Result<u8, Failure> {
    if !runner.dry_run {
        println!("_drbd_version={}\n_drbd_api={API}", STANDS_FOR.0);
        let file = loaded.file.display().to_string();
        println!("_config_file={}\n\n", shell_escaped(&file));
    }
    for target in loaded.mine() {
        let place = &target.resource.place;
        println!("_conf_res_name={}", shell_escaped(&target.resource.name));
        println!(
            "_conf_file_line={}:{}\n",
            shell_escaped(&place.file),
            place.line
        );
        println!("_stacked_on=\n_stacked_on_device=\n_stacked_on_minor=");
        for volume in &target.host.volumes {
            println!("_conf_volume={}", volume.number);
            let line = Line::setup(&["sh-status", &volume.minor().to_string()]);
            let code = runner.run(&target.resource.name, &line);
            if code != 0 {
                return Ok(code);
            }
        }
    }
    Ok(0)
}

/// The commands about a resource or volume; `None`: it is none of them.
pub(super) fn about(
    name: &str,
    target: &Target<'_>,
    loaded: &Loaded,
    runner: &Runner,
) -> Option<Result<u8, Failure>> {
    let volume = target.volume;
    match (name, volume) {
        ("sh-resource", _) => println!("{}", target.resource.name),
        ("sh-ip", _) => {
            let address = target.host.address.as_ref();
            println!("{}", address.map_or("", |address| address.host.as_str()));
        }
        ("sh-dev", Some(volume)) => println!("/dev/drbd{}", volume.minor()),
        ("sh-minor", Some(volume)) => println!("{}", volume.minor()),
        ("sh-ll-dev", Some(volume)) => println!("{}", volume.lower()),
        ("sh-md-dev", Some(volume)) => match &volume.meta {
            Some(Meta::Flexible(path) | Meta::Indexed(path, _)) => println!("{path}"),
            _ => println!("{}", volume.lower()),
        },
        ("sh-md-idx", Some(volume)) => match &volume.meta {
            Some(Meta::Flexible(_)) => println!("flexible"),
            Some(Meta::Indexed(_, index)) => println!("{index}"),
            _ => println!("internal"),
        },
        ("sh-udev", Some(_)) => udev(target, loaded),
        ("sh-b-pri", Some(_)) => return Some(Ok(become_primary(target, loaded, runner))),
        ("sh-lr-of", _) => {
            return Some(Err(Failure::call(
                "sh-lower-resource only available in stacked mode",
                "stacked resources are not supported",
            )))
        }
        _ => return None,
    }
    Some(Ok(0))
}

/// `sh-udev`: names of links below `/dev/drbd`.
fn udev(target: &Target<'_>, loaded: &Loaded) {
    let Some(volume) = target.volume else { return };
    let name = &target.resource.name;
    match volume.implicit && !loaded.config.global.udev_always_use_vnr {
        true => println!("RESOURCE={name}"),
        false => println!("RESOURCE={name}/{}", volume.number),
    }
    let device = volume.device_path();
    println!("DEVICE={}", device.strip_prefix("/dev/").unwrap_or(&device));
    let disk = volume.lower();
    println!("DISK={}", disk.strip_prefix("/dev/").unwrap_or(disk));
}

/// `sh-b-pri`. When both nodes are to become Primary at the same time, one may be refused first.
fn become_primary(target: &Target<'_>, loaded: &Loaded, runner: &Runner) -> u8 {
    let hosts = &target.resource.settings.become_primary_on;
    let here = |host: &String| host == loaded.node.name() || host == "both";
    let (true, Some(volume)) = (hosts.iter().any(here), target.volume) else {
        return 0;
    };
    let line = Line::setup(&["primary", &volume.minor().to_string()]);
    let mut code = 0;
    for _ in 0..5 {
        code = runner.run(&target.resource.name, &line);
        if code == 0 {
            break;
        }
        sleep(Duration::from_secs(1));
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_module_is_a_byte_for_each_part() {
        let text = "version: 8.4.11 (api:1/proto:86-101)\nsrcversion: X\n";
        assert_eq!(version_code(text), Some(0x08_04_0b));
        assert_eq!(version_code("version: 8.4.11-1\n"), Some(0x08_04_0b));
        assert_eq!(version_code(""), None);
        assert_eq!(version_code("version: x\n"), None);
    }
}
