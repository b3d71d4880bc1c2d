// SPDX-License-Identifier: GPL-2.0

//! Commands that ask the kernel, and the disk when the kernel does not have it.

use super::{
    lines::{
        self,
        Line, //
    },
    runner::Runner,
    Target, //
};

/// A state change that is not possible, whatever the disk says.
const STATE_CHANGE: u8 = 11;
/// There is no up-to-date data; `outdate`: the node is Primary.
const NO_UP_TO_DATE: u8 = 17;
/// `outdate`: the disk is worse than outdated.
const LOWER_THAN_OUTDATED: u8 = 5;

/// Runs such a command.
pub(super) fn run(name: &str, target: &Target<'_>, passed: &[String], runner: &Runner) -> u8 {
    let Some(volume) = target.volume else {
        return 0;
    };
    let resource = &target.resource.name;
    let minor = volume.minor().to_string();
    let on_disk = || runner.run(resource, &lines::meta(volume, name, passed));
    if name == "check-resize" {
        let [resize, check] = lines::resize(volume, passed);
        if runner.run_quietly(resource, &resize).code == 0 {
            runner.run_quietly(resource, &check);
            return 0;
        }
        return on_disk();
    }
    let line = Line::setup(&[name, &minor]).with(passed.iter().cloned());
    let ended = runner.run_quietly(resource, &line);
    match (name, ended.code) {
        (_, 0) if !runner.dry_run => 0,
        ("outdate", NO_UP_TO_DATE) => {
            ended.report();
            NO_UP_TO_DATE
        }
        // It may have no disk here.
        ("outdate", LOWER_THAN_OUTDATED) => match on_disk() {
            0 => 0,
            _ => LOWER_THAN_OUTDATED,
        },
        ("outdate", _) => on_disk(),
        (_, code @ (STATE_CHANGE | NO_UP_TO_DATE)) => {
            ended.report();
            code
        }
        _ => on_disk(),
    }
}
