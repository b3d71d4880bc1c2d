// SPDX-License-Identifier: GPL-2.0

//! Everything that the module has only once: the major number, the bio reserve, and the list of
//! what is configured.
#![forbid(unsafe_code)]

use core::ops::RangeInclusive;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::disk_reader::DiskReader;
use crate::engine::resource::Dependency;
use crate::faults::Faults;
use crate::inspect;
use crate::notify::Notifier;
use crate::recorder::Recorder;
use crate::request::Io;
use crate::resource::Resource;
use crate::sys::bio::BioSet;
use crate::sys::disk::Major;
use crate::sys::lock::Mutex;
use crate::sys::params;

/// The major number of DRBD's block devices (`LANANA`).
const MAJOR: u32 = 147;

/// Bios that can always be made, for each device of `minor_count`. With the default these are
/// enough for every request slot of a device to go on.
const BIO_RESERVE: u32 = 8;

/// What `minor_count` may be.
const MINOR_COUNT: RangeInclusive<u32> = 1..=255;

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
    /// What is configured. No other lock is taken and nothing waits while it is held.
    pub registry: Mutex<Registry>,
    /// Resources that are gone, but for a handler that has not come back.
    behind: Mutex<KVec<Arc<Resource>>>,
    /// Readers of disks that are to be attached; nobody waits any more for some.
    readers: Mutex<KVec<Arc<DiskReader>>>,
    /// Tells user space what changes.
    pub notifier: Notifier,
    /// Writes down what happens to the engine's values, when asked to.
    pub recorder: Arc<Recorder>,
    /// Rules of our own that were broken.
    pub faults: Arc<Faults>,
    /// What debugfs tells in the C module's words.
    pub inspected: inspect::Root,
}

impl Driver {
    /// Takes what the module needs. May sleep.
    pub fn new() -> Result<Arc<Self>> {
        let minors = params::minor_count();
        if !MINOR_COUNT.contains(&minors) {
            pr_err!("invalid minor_count ({}): it may be 1 to 255\n", minors);
            return Err(EINVAL);
        }
        Ok(Arc::new(
            Self {
                major: Major::register(MAJOR)?,
                bios: BioSet::new(BIO_RESERVE * minors)?,
                registry: crate::mutex!(Registry::default(), c"tandem_registry")?,
                behind: crate::mutex!(KVec::new(), c"tandem_behind")?,
                readers: crate::mutex!(KVec::new(), c"tandem_readers")?,
                notifier: Notifier::new()?,
                recorder: Recorder::new()?,
                faults: Faults::new()?,
                inspected: inspect::Root::new()?,
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

    /// What others who wait for that device's resync need to know of it; `None` if there is no such
    /// device. May sleep.
    pub fn dependency(&self, minor: u32) -> Option<Dependency> {
        self.device(minor).map(|device| *device.dependency.lock())
    }

    /// Lets all resources look whether their resyncs have to wait. May sleep.
    pub fn dependencies_changed(&self) {
        let registry = self.registry.lock();
        registry.resources.iter().for_each(|r| r.wake.raise());
    }

    /// The resource that was created next after `former` (first of all, if `None`). `None` at the
    /// end, and if `former` is gone. May sleep.
    pub fn resource_after(&self, former: Option<usize>) -> Option<Arc<Resource>> {
        let registry = self.registry.lock();
        let next = match former {
            Some(former) => {
                1 + registry
                    .resources
                    .iter()
                    .position(|r| name_of(r) == former)?
            }
            None => 0,
        };
        registry.resources.get(next).cloned()
    }

    /// The device with the next larger minor number. May sleep.
    pub fn device_from(&self, minor: u32) -> Option<Arc<Device>> {
        let registry = self.registry.lock();
        registry.devices.iter().find(|d| d.minor >= minor).cloned()
    }

    /// Whether a resource is still configured. May sleep.
    pub fn has_resource(&self, resource: &Arc<Resource>) -> bool {
        let registry = self.registry.lock();
        registry.resources.iter().any(|r| Arc::ptr_eq(r, resource))
    }

    /// Whether a device is still configured. May sleep.
    pub fn has_device(&self, device: &Arc<Device>) -> bool {
        let registry = self.registry.lock();
        registry.devices.iter().any(|d| Arc::ptr_eq(d, device))
    }

    /// Adds a resource; false if there is one of that name. May sleep.
    ///
    /// Errors: `ENOMEM`.
    pub fn add_resource(&self, resource: &Arc<Resource>) -> Result<bool> {
        let mut registry = self.registry.lock();
        if registry
            .resources
            .iter()
            .any(|r| r.name.to_bytes() == resource.name.to_bytes())
        {
            return Ok(false);
        }
        registry.resources.push(resource.clone(), GFP_KERNEL)?;
        Ok(true)
    }

    /// Adds a device; false if its minor number is taken. May sleep.
    ///
    /// Errors: `ENOMEM`.
    pub fn add_device(&self, device: &Arc<Device>) -> Result<bool> {
        let mut registry = self.registry.lock();
        let at = registry
            .devices
            .iter()
            .position(|d| d.minor >= device.minor)
            .unwrap_or(registry.devices.len());
        if registry
            .devices
            .get(at)
            .is_some_and(|d| d.minor == device.minor)
        {
            return Ok(false);
        }
        registry.devices.reserve(1, GFP_KERNEL)?;
        Ok(registry
            .devices
            .insert_within_capacity(at, device.clone())
            .is_ok())
    }

    /// Takes a resource out. May sleep.
    pub fn remove_resource(&self, resource: &Arc<Resource>) {
        let mut registry = self.registry.lock();
        registry.resources.retain(|r| !Arc::ptr_eq(r, resource));
    }

    /// Keeps a resource that is gone until its handlers have come back. False without memory. May
    /// sleep.
    pub fn leave_behind(&self, resource: &Arc<Resource>) -> bool {
        self.behind
            .lock()
            .push(resource.clone(), GFP_KERNEL)
            .is_ok()
    }

    /// A new reader of the disk of that minor number, which is known until it is reaped. May sleep.
    ///
    /// Errors: `ENOMEM`.
    pub fn add_reader(&self, minor: u32) -> Result<Arc<DiskReader>> {
        let reader = DiskReader::new(minor)?;
        self.readers.lock().push(reader.clone(), GFP_KERNEL)?;
        Ok(reader)
    }

    /// Lets go of readers that have nothing more to do. May sleep.
    pub fn reap_readers(&self) {
        self.readers.lock().retain(|reader| {
            let over = reader.is_over();
            if over {
                reader.join();
            }
            !over
        });
    }

    /// Looks at the readers that have something to do. May sleep.
    pub fn each_reader(&self, mut look: impl FnMut(&DiskReader)) {
        let readers = self.readers.lock();
        readers
            .iter()
            .filter(|r| !r.is_over())
            .for_each(|r| look(r));
    }

    /// Lets go of those whose handlers have come back. May sleep.
    pub fn reap(&self) {
        self.reap_readers();
        self.behind.lock().retain(|resource| {
            let idle = resource.handlers.is_idle();
            if idle {
                resource.handlers.join();
            }
            !idle
        });
    }

    /// Waits for the handlers of all of them, and for the readers of disks: at the end of the
    /// module, when they have come back, as one that runs keeps it loaded. May sleep.
    pub fn reap_all(&self) {
        let behind = core::mem::take(&mut *self.behind.lock());
        behind.iter().for_each(|resource| resource.handlers.join());
        let readers = core::mem::take(&mut *self.readers.lock());
        readers.iter().for_each(|reader| reader.join());
    }

    /// Looks at those whose handlers have not come back. May sleep.
    pub fn each_behind(&self, look: impl FnMut(&Arc<Resource>)) {
        self.behind.lock().iter().for_each(look);
    }

    /// Takes a device out. May sleep.
    pub fn remove_device(&self, device: &Arc<Device>) {
        let mut registry = self.registry.lock();
        registry.devices.retain(|d| !Arc::ptr_eq(d, device));
    }
}

/// Names a resource while it is configured, for [`Driver::resource_after`].
pub fn name_of(resource: &Arc<Resource>) -> usize {
    let address: *const Resource = &**resource;
    address as usize
}
