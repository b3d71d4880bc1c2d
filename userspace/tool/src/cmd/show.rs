// SPDX-License-Identifier: GPL-2.0

//! `show`: the configuration as the kernel has it.

use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    kernel,
    model,
    render::show, //
};

/// Prints all resources, the one with this name, or the one with this minor.
pub(crate) fn run(which: Option<&str>, show_defaults: bool) -> Outcome {
    let mut resources = model::read(&mut kernel::connect()?, None)?;
    if let Some(which) = which {
        let minor = crate::intent::parse_minor(which).ok();
        resources.retain(|resource| {
            resource.name == which
                || resource
                    .devices
                    .iter()
                    .any(|device| Some(device.minor) == minor)
        });
    }
    for resource in &resources {
        print!("{}", show::text(resource, show_defaults));
    }
    match which {
        Some(name) if resources.is_empty() => Err(Failure::invalid(
            format!("{name}: No such resource"),
            "'tandem setup status' lists what is there",
        )),
        _ => Ok(Exit::Success),
    }
}
