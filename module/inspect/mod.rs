// SPDX-License-Identifier: GPL-2.0

//! What debugfs tells of resources in the C module's words: the tree `drbd/`.
//!
//! ```text
//! version
//! minors/N                      a link to its volume
//! resources/R/in_flight_summary
//! resources/R/volumes/V/        oldest_requests act_log_extents resync_extents data_gen_id
//!                               ed_gen_id
//! resources/R/connections/peer/ oldest_requests callback_history V/
//! ```
//!
//! Columns are those of `drivers/block/drbd/drbd_debugfs.c` of Linux 7.3; `-` is where this module
//! takes no time. There is no cache of resync extents, and threads call back nothing, so that these
//! two files have their heads only. Ours to tell is `tandem/` (`recorder.rs`).
#![forbid(unsafe_code)]

mod requests;
mod summary;
mod volume;

use core::fmt;

use kernel::debugfs::{
    self,
    Dir, //
};
use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::control::FAMILY_VERSION;
use crate::engine::wire::{
    PROTOCOL_MAX,
    PROTOCOL_MIN, //
};
use crate::proc::{
    SRCVERSION,
    VERSION, //
};
use crate::resource::Resource;
use crate::sys::debug_links::{
    Link,
    LinkFolder, //
};

/// A file that is gone when this is dropped; then nobody reads it any more.
type File<T> = Pin<KBox<debugfs::File<T>>>;

/// Makes a file. May sleep.
fn file<T>(folder: &Dir, name: &CStr, content: T) -> Result<File<T>>
where
    T: debugfs::Writer + Send + Sync + 'static,
{
    KBox::pin_init(folder.read_only_file(name, content), GFP_KERNEL)
}

/// What there is while the module is loaded.
pub struct Root {
    // The order is that in which they go.
    _version: File<Version>,
    minors: LinkFolder,
    resources: Dir,
    _folder: Dir,
}

impl Root {
    /// Makes the tree without resources. May sleep.
    pub fn new() -> Result<Self> {
        let folder = Dir::new(c"drbd");
        Ok(Self {
            _version: file(&folder, c"version", Version)?,
            resources: folder.subdir(c"resources"),
            minors: LinkFolder::new(c"drbd", c"minors")?,
            _folder: folder,
        })
    }
}

/// The file `version`.
struct Version;

impl debugfs::Writer for Version {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# srcversion: {SRCVERSION}")?;
        writeln!(f, "VERSION={VERSION}")?;
        writeln!(f, "API_VERSION={FAMILY_VERSION}")?;
        writeln!(f, "PRO_VERSION_MIN={PROTOCOL_MIN}")?;
        writeln!(f, "PRO_VERSION_MAX={PROTOCOL_MAX}")
    }
}

/// What there is of one resource.
pub struct OfResource {
    _summary: File<summary::Summary>,
    _oldest: File<requests::OfConnection>,
    _history: File<History>,
    peer: Dir,
    volumes: Dir,
}

impl OfResource {
    /// Makes it. May sleep.
    pub fn new(resource: &Arc<Resource>) -> Result<Self> {
        let folder = resource.driver.inspected.resources.subdir(&resource.name);
        let peer = folder.subdir(c"connections").subdir(c"peer");
        let of = || resource.clone();
        Ok(Self {
            _summary: file(&folder, c"in_flight_summary", summary::Summary(of()))?,
            _oldest: file(&peer, c"oldest_requests", requests::OfConnection(of()))?,
            _history: file(&peer, c"callback_history", History)?,
            peer,
            volumes: folder.subdir(c"volumes"),
        })
    }
}

/// The file `callback_history`: what it would have for a module that works by callbacks.
struct History;

impl debugfs::Writer for History {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v: 0\n\nn\tage\tcallsite\tfn\nworker\nreceiver\n")
    }
}

/// What there is of one volume.
pub struct OfVolume {
    _link: Link,
    _oldest: File<requests::OfVolume>,
    _log: File<volume::LogExtents>,
    _resync: File<volume::ResyncExtents>,
    _generations: File<volume::Generations>,
    _exposed: File<volume::Exposed>,
    _at_peer: Dir,
}

impl OfVolume {
    /// Makes it, if there is something of its resource. May sleep.
    fn new(device: &Arc<Device>, resource: &OfResource) -> Result<Self> {
        let number = CString::try_from_fmt(fmt!("{}", device.number))?;
        let minor = CString::try_from_fmt(fmt!("{}", device.minor))?;
        let name = device.resource.name_str();
        let target =
            CString::try_from_fmt(fmt!("../resources/{}/volumes/{}", name, device.number))?;
        let folder = resource.volumes.subdir(&number);
        let of = || device.clone();
        Ok(Self {
            _link: device
                .resource
                .driver
                .inspected
                .minors
                .link(&minor, &target),
            _oldest: file(&folder, c"oldest_requests", requests::OfVolume(of()))?,
            _log: file(&folder, c"act_log_extents", volume::LogExtents(of()))?,
            _resync: file(&folder, c"resync_extents", volume::ResyncExtents(of()))?,
            _generations: file(&folder, c"data_gen_id", volume::Generations(of()))?,
            _exposed: file(&folder, c"ed_gen_id", volume::Exposed(of()))?,
            _at_peer: resource.peer.subdir(&number),
        })
    }
}

/// Shows a resource that was made. Without memory there is nothing to see of it. May sleep.
pub fn show_resource(resource: &Arc<Resource>) {
    *resource.inspected.lock() = OfResource::new(resource).ok();
}

/// Shows nothing of a resource any more. What it shows keeps it alive. May sleep.
pub fn hide_resource(resource: &Resource) {
    drop(resource.inspected.lock().take());
}

/// Shows a volume that was made. As for [`show_resource`]. May sleep.
pub fn show_volume(device: &Arc<Device>) {
    let shown = match &*device.resource.inspected.lock() {
        Some(resource) => OfVolume::new(device, resource).ok(),
        None => None,
    };
    *device.inspected.lock() = shown;
}
