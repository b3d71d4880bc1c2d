// SPDX-License-Identifier: GPL-2.0

//! Minors: volumes of a resource with their block devices.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::driver::Driver;
use crate::engine::control::{
    RetCode,
    MINOR_MAX,
    VOLUME_MAX, //
};
use crate::engine::state::{
    DeviceState,
    DiskState,
    Role, //
};
use crate::inspect;
use crate::notify;
use crate::resource::Resource;

use super::Call;

/// Why a minor was not made.
enum Failure {
    Exists,
    TooMany,
    Kernel(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Kernel(error)
    }
}

impl Call<'_> {
    /// `NEW_MINOR`: makes a volume and its block device.
    #[inline(never)]
    pub(super) fn new_minor(&mut self, resource: &Arc<Resource>) -> RetCode {
        let invalid = RetCode::ERR_INVALID_REQUEST;
        if self.minor > MINOR_MAX {
            return self.refuse(invalid, "requested minor out of range");
        }
        let volume = self.context.ctx_volume.filter(|v| *v <= VOLUME_MAX);
        let Some(volume) = volume.and_then(|volume| u16::try_from(volume).ok()) else {
            return self.refuse(invalid, "requested volume id out of range");
        };
        if self.device.is_some() {
            if self.request.exclusive() {
                return RetCode::ERR_MINOR_OR_VOLUME_EXISTS;
            }
            return RetCode::NO_ERROR;
        }
        if let Err(code) = resource.settle() {
            return code;
        }
        match create(self.driver, resource, self.minor, volume) {
            Ok(device) => {
                notify::device_created(&device);
                RetCode::NO_ERROR
            }
            Err(Failure::Exists) => RetCode::ERR_MINOR_OR_VOLUME_EXISTS,
            Err(Failure::TooMany) => {
                self.refuse(invalid, "the resource has as many volumes as it can have")
            }
            Err(Failure::Kernel(error)) if error == ENOMEM => RetCode::ERR_NOMEM,
            Err(Failure::Kernel(error)) => {
                let number = error.to_errno();
                self.reply.explain(format_args!(
                    "the block device cannot be made: error {}",
                    number
                ));
                RetCode::ERR_NOMEM
            }
        }
    }
}

fn create(
    driver: &Arc<Driver>,
    resource: &Arc<Resource>,
    minor: u32,
    number: u16,
) -> core::result::Result<Arc<Device>, Failure> {
    if resource.link.device(number).is_some() {
        return Err(Failure::Exists);
    }
    let volume = Device::decider(resource, minor)?;
    let device = Device::new(resource, minor, number, volume)?;
    if !driver.add_device(&device)? {
        return Err(Failure::Exists);
    }
    if !resource.add_device(&device) {
        driver.remove_device(&device);
        return Err(Failure::TooMany);
    }
    if let Err(error) = device.start(driver) {
        remove(driver, &device);
        return Err(error.into());
    }
    inspect::show_volume(&device);
    // It takes part in a connection that is up.
    resource.wake.raise();
    Ok(device)
}

/// The state of a device.
pub(super) fn state_of(device: &Arc<Device>) -> DeviceState {
    let state = device.glance(|record| record.state);
    state.unwrap_or(DeviceState::INITIAL)
}

/// `DEL_MINOR`: deletes a volume without disk that nobody uses. May sleep.
pub(super) fn delete(driver: &Driver, device: &Arc<Device>) -> RetCode {
    if let Err(code) = device.resource.settle() {
        return code;
    }
    let state = state_of(device);
    if state.disk != DiskState::Diskless || state.role != Role::Secondary {
        return RetCode::ERR_MINOR_CONFIGURED;
    }
    notify::device_destroyed(device);
    remove(driver, device);
    RetCode::NO_ERROR
}

/// Takes a device away. May sleep.
pub(super) fn remove(driver: &Driver, device: &Arc<Device>) {
    device.stop();
    device.resource.remove_device(device);
    driver.remove_device(device);
}
