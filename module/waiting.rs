// SPDX-License-Identifier: GPL-2.0

//! What is being waited for, for debugfs: `tandem/waiting` has a line for each command, state and
//! handler that has not come to its end, for each disk that is being read to be attached or has not
//! answered for a second what it was asked for metadata, and for frozen I/O.
//!
//! ```text
//! RESOURCE[/VOLUME] WHO SECONDS TEXT
//! r0/0 io 35 frozen by fencing (the peer is not known to be fenced)
//! ```
//!
//! A space is between the fields; the text goes to the end of the line. SECONDS have passed since
//! it began. WHO is `command`, `state`, `handler`, `disk` (the first field is `minor-0` and so on
//! for one that is to be attached) or `io`. Memory for what the peer sends is told
//! too, in pages: `memory 0 in use 12 of 256, at most 2048`.
#![forbid(unsafe_code)]

use core::fmt;

use kernel::debugfs;
use kernel::sync::Arc;

use crate::device::Device;
use crate::driver::{
    name_of,
    Driver, //
};
use crate::resource::Resource;

/// The file `waiting`.
pub struct File(pub Arc<Driver>);

impl debugfs::Writer for File {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut former = None;
        while let Some(resource) = self.0.resource_after(former) {
            former = Some(name_of(&resource));
            write_resource(&resource, f)?;
        }
        let mut result = Ok(());
        self.0.each_behind(|resource| {
            let written = write_handlers(resource, "; the resource is gone", f);
            result = result.and(written);
        });
        self.0.each_reader(|reader| {
            let seconds = Device::now().since(reader.since) / 1000;
            let minor = reader.minor;
            let written = writeln!(
                f,
                "minor-{minor} disk {seconds} is read, to be attached; it has not answered yet"
            );
            result = result.and(written);
        });
        result
    }
}

/// Lines of the handlers that run.
fn write_handlers(resource: &Resource, more: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = resource.name_str();
    for running in resource.handlers.running() {
        let (handler, queued) = (running.handler.as_str(), running.queued);
        let seconds = Device::now().since(running.since) / 1000;
        f.write_str(name)?;
        if let Some(volume) = running.volume {
            write!(f, "/{volume}")?;
        }
        writeln!(
            f,
            " handler {seconds} {handler} runs, {queued} more wait for their turn{more}"
        )?;
    }
    Ok(())
}

/// Lines of the disks that have metadata to write and do not answer.
fn write_disks(resource: &Resource, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = resource.name_str();
    for device in resource.link.devices() {
        let since = device.lower().and_then(|lower| lower.busy_since());
        let seconds = since.map_or(0, |since| Device::now().since(since) / 1000);
        if seconds > 0 {
            let number = device.number;
            writeln!(
                f,
                "{name}/{number} disk {seconds} its metadata has to be written; it has not \
                 answered yet (detach --force gives it up)"
            )?;
        }
    }
    Ok(())
}

fn write_resource(resource: &Resource, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let now = Device::now();
    let name = resource.name_str();
    let mut result = Ok(());
    resource.glance(|core| {
        core.decisions.waiting(&core.records, |waiting| {
            let (who, what) = (waiting.what.who(), waiting.what);
            let seconds = now.since(waiting.since) / 1000;
            if result.is_ok() {
                result = match waiting.volume {
                    Some(volume) => writeln!(f, "{name}/{volume} {who} {seconds} {what}"),
                    None => writeln!(f, "{name} {who} {seconds} {what}"),
                };
            }
        });
    });
    result?;
    write_disks(resource, f)?;
    write_handlers(resource, "", f)?;
    if let Some(session) = resource.session() {
        let pages = session.pool.usage();
        let used = pages.total - pages.idle;
        let (total, limit) = (pages.total, pages.limit);
        writeln!(
            f,
            "{name} memory 0 in use {used} of {total}, at most {limit}"
        )?;
    }
    Ok(())
}
