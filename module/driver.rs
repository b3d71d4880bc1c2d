// SPDX-License-Identifier: GPL-2.0

//! Everything that the module has only once: the major number, the bio reserve, and the list of
//! what is configured.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::request::Io;
use crate::resource::Resource;
use crate::sys::bio::BioSet;
use crate::sys::disk::Major;
use crate::sys::lock::Mutex;

/// The major number of DRBD's block devices (`LANANA`).
const MAJOR: u32 = 147;

/// Bios that can always be made: enough for every request slot of a device to go on.
const BIO_RESERVE: u32 = 256;

/// What is configured.
#[derive(Default)]
pub struct Registry {
    /// All resources, in order of their creation.
    pub resources: KVec<Arc<Resource>>,
    /// All devices, in order of their minor numbers.
    pub devices: KVec<Arc<Device>>,
}

/// The module's own value.
pub struct Driver {
    /// Our major number.
    pub major: Major,
    /// Where bios for the lower disks come from.
    pub bios: BioSet<Io>,
    /// What is configured. Taken before any lock of a resource.
    pub registry: Mutex<Registry>,
}

impl Driver {
    /// Takes what the module needs. May sleep.
    pub fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                major: Major::register(MAJOR)?,
                bios: BioSet::new(BIO_RESERVE)?,
                registry: crate::mutex!(Registry::default(), c"tandem_registry")?,
            },
            GFP_KERNEL,
        )?)
    }

    /// The resource of that name. May sleep.
    pub fn resource(&self, name: &[u8]) -> Option<Arc<Resource>> {
        let registry = self.registry.lock();
        registry
            .resources
            .iter()
            .find(|r| r.name.to_bytes() == name)
            .cloned()
    }

    /// The device of that minor number. May sleep.
    pub fn device(&self, minor: u32) -> Option<Arc<Device>> {
        let registry = self.registry.lock();
        registry.devices.iter().find(|d| d.minor == minor).cloned()
    }
}
