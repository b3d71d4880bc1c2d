// SPDX-License-Identifier: GPL-2.0

//! Resources: made, changed, deleted, and taken down completely.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use kernel::sync::Arc;

use crate::device::Device;
use crate::driver::Driver;
use crate::engine::control::{
    AttrBlock,
    ResourceOpts,
    RetCode, //
};
use crate::engine::options::{
    CpuMask,
    OptionTable, //
};
use crate::engine::resource::Admin;
use crate::engine::state::ConnState;
use crate::inspect;
use crate::notify;
use crate::resource::Resource;

use super::minor;
use super::Call;

impl Call<'_> {
    /// `NEW_RESOURCE`: makes a resource.
    pub(super) fn new_resource(&mut self) -> RetCode {
        let options = match self.attributes.parms::<ResourceOpts>() {
            Ok(block) => block.options,
            Err(error) => return self.refuse_attribute(error),
        };
        let name = self.context.ctx_resource_name.unwrap_or_default();
        let name = name.as_bytes();
        if name.is_empty() {
            return self.refuse(RetCode::ERR_MANDATORY_TAG, "resource name missing");
        }
        // The name will be that of a directory.
        if name.contains(&b'/') {
            return self.refuse(RetCode::ERR_INVALID_REQUEST, "invalid resource name");
        }
        if core::str::from_utf8(name).is_err() {
            let why = "invalid resource name: not UTF-8";
            return self.refuse(RetCode::ERR_INVALID_REQUEST, why);
        }
        let Some(cpus) = options.cpu_mask.as_str().and_then(CpuMask::parse) else {
            return self.refuse_cpu_mask();
        };
        if self.resource.is_some() {
            return self.resource_exists();
        }
        self.driver.reap();
        let Ok(resource) = Resource::new(self.driver, name, options) else {
            return RetCode::ERR_NOMEM;
        };
        run_on(&resource, cpus);
        // Who finds it there may delete it only when all of it is there.
        let _config = resource.config.take_anyway();
        match self.driver.add_resource(&resource) {
            Ok(true) => {
                inspect::show_resource(&resource);
                notify::resource_created(&resource);
                RetCode::NO_ERROR
            }
            Ok(false) => {
                resource.stop();
                self.resource_exists()
            }
            Err(_) => {
                resource.stop();
                RetCode::ERR_NOMEM
            }
        }
    }

    fn refuse_cpu_mask(&mut self) -> RetCode {
        let why = "cpu-mask: not a hexadecimal mask";
        self.refuse(RetCode::ERR_INVALID_REQUEST, why)
    }

    fn resource_exists(&mut self) -> RetCode {
        if self.request.exclusive() {
            return self.refuse(RetCode::ERR_INVALID_REQUEST, "resource exists");
        }
        RetCode::NO_ERROR
    }

    /// `RESOURCE_OPTS`: changes the options.
    #[inline(never)]
    pub(super) fn resource_options(&mut self, resource: &Arc<Resource>) -> RetCode {
        let mut block = ResourceOpts {
            options: resource.glance(|core| core.decisions.options().clone()),
        };
        if self.wants_defaults() {
            block.options.set_defaults();
        }
        if let Some(payload) = self.attributes.block::<ResourceOpts>() {
            if let Err(error) = block.update(payload) {
                return self.refuse_attribute(error);
            }
        }
        let options = block.options;
        let Some(cpus) = options.cpu_mask.as_str().and_then(CpuMask::parse) else {
            return self.refuse_cpu_mask();
        };
        let code = resource.command(None, |_| Admin::ResourceOptions { options });
        if code.is_success() {
            run_on(resource, cpus);
        }
        code
    }

    /// `DOWN`: takes everything away, in the order that loses nothing.
    #[inline(never)]
    pub(super) fn down(&mut self, resource: &Arc<Resource>) -> RetCode {
        let demote = |device: &Arc<Device>| {
            resource.command(Some(device), |volume| Admin::Demote { volume })
        };
        if let Err(code) = for_each_device(resource, demote) {
            return self.refuse(code, "failed to demote");
        }
        let code = resource.command(None, |_| Admin::Disconnect { force: false });
        if !code.is_success() {
            return self.refuse(code, "failed to disconnect");
        }
        resource.receiver.reap();
        if let Err(code) = for_each_device(resource, |device| super::disk::detach(device, false)) {
            return self.refuse(code, "failed to detach");
        }
        while let Some(device) = resource.link.device_at(0) {
            let code = minor::delete(self.driver, &device);
            if !code.is_success() {
                return self.refuse(code, "failed to delete volume");
            }
        }
        delete(self.driver, resource)
    }
}

/// Gives a resource's threads their processors. A mask that names none has no effect.
fn run_on(resource: &Resource, cpus: CpuMask) {
    if resource.crew.set_cpus(cpus).is_err() {
        resource.log(format_args!(
            "cpu-mask names no processor of this machine: the threads stay where they are"
        ));
    }
}

/// Does something with all devices, until it fails.
fn for_each_device(
    resource: &Resource,
    mut act: impl FnMut(&Arc<Device>) -> RetCode,
) -> core::result::Result<(), RetCode> {
    for device in resource.link.devices() {
        let code = act(&device);
        if !code.is_success() {
            return Err(code);
        }
    }
    Ok(())
}

/// `DEL_RESOURCE`: forgets a resource without volumes and without connection. May sleep.
pub(super) fn delete(driver: &Driver, resource: &Arc<Resource>) -> RetCode {
    if let Err(code) = resource.settle() {
        return code;
    }
    if resource.conn() > ConnState::StandAlone {
        return RetCode::ERR_NET_CONFIGURED;
    }
    if resource.link.device_at(0).is_some() {
        return RetCode::ERR_RES_IN_USE;
    }
    if resource.handlers.settle().is_err() {
        return RetCode::ERR_INTR;
    }
    notify::resource_destroyed(resource);
    forget(driver, resource);
    RetCode::NO_ERROR
}

/// Takes a resource away that nothing uses. May sleep.
fn forget(driver: &Driver, resource: &Arc<Resource>) {
    // As long as its folder is there, its name is not free.
    inspect::hide_resource(resource);
    driver.remove_resource(resource);
    resource.stop();
}

/// Takes a resource away whatever it does; for the end of the module, when nobody has any of its
/// devices open. May sleep.
pub fn remove(driver: &Driver, resource: &Arc<Resource>) {
    let _config = resource.config.take_anyway();
    resource.leaving.store(true, Ordering::Release);
    let log = |what: &str, code: RetCode| {
        if !code.is_success() {
            resource.log(format_args!("cannot {}: {}", what, code.text()));
        }
    };
    let _ = for_each_device(resource, |device| {
        log(
            "demote",
            resource.command(Some(device), |volume| Admin::Demote { volume }),
        );
        RetCode::NO_ERROR
    });
    log(
        "disconnect",
        resource.command(None, |_| Admin::Disconnect { force: true }),
    );
    resource.receiver.reap();
    while let Some(device) = resource.link.device_at(0) {
        log("detach", super::disk::detach(&device, false));
        minor::remove(driver, &device);
    }
    forget(driver, resource);
}
