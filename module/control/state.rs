// SPDX-License-Identifier: GPL-2.0

//! What changes states, and what only looks at one device.
#![forbid(unsafe_code)]

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::control::{
    Command,
    NewCUuidParms,
    RetCode,
    SetRoleParms,
    StartOvParms,
    TimeoutParms,
    TimeoutType, //
};
use crate::engine::resource::{
    Admin,
    VolumeRecord, //
};
use crate::engine::state::DiskState;
use crate::engine::volume::VerifyRange;
use crate::status::{
    About,
    View, //
};

use super::minor::state_of;
use super::reply::put_block;
use super::Call;

impl Call<'_> {
    /// Commands that ask for another state of one volume.
    pub(super) fn change_state(&mut self, device: &Arc<Device>) -> RetCode {
        let run = |make: fn(usize) -> Admin| device.resource.command(Some(device), make);
        match self.command {
            Command::Primary | Command::Secondary => self.set_role(device),
            Command::Outdate => run(|volume| Admin::Outdate { volume }),
            Command::SuspendIo if state_of(device).susp => RetCode::SS_NOTHING_TO_DO,
            Command::SuspendIo => run(|volume| Admin::Suspend { volume, on: true }),
            Command::ResumeIo if !state_of(device).is_suspended() => RetCode::SS_NOTHING_TO_DO,
            Command::ResumeIo => run(|volume| Admin::Suspend { volume, on: false }),
            Command::PauseSync => run(|volume| Admin::PauseSync { volume, on: true }),
            Command::ResumeSync => run(|volume| Admin::PauseSync { volume, on: false }),
            Command::Invalidate if has_disk(device) => run(|volume| Admin::Invalidate {
                volume,
                remote: false,
            }),
            Command::InvalPeer if has_disk(device) => run(|volume| Admin::Invalidate {
                volume,
                remote: true,
            }),
            Command::NewCUuid => self.new_current_uuid(device),
            Command::Invalidate | Command::InvalPeer => RetCode::ERR_NO_DISK,
            Command::StartOv => self.verify(device),
            _ => RetCode::ERR_INVALID_REQUEST,
        }
    }

    fn set_role(&mut self, device: &Arc<Device>) -> RetCode {
        let force = match self.attributes.parms::<SetRoleParms>() {
            Ok(parms) => parms.assume_uptodate.unwrap_or(false),
            Err(error) => return self.refuse_attribute(error),
        };
        let primary = self.command == Command::Primary;
        device.resource.command(Some(device), |volume| {
            if primary {
                Admin::Promote { volume, force }
            } else {
                Admin::Demote { volume }
            }
        })
    }

    fn verify(&mut self, device: &Arc<Device>) -> RetCode {
        let range = match self.attributes.parms::<StartOvParms>() {
            Ok(parms) => VerifyRange {
                start: parms.ov_start_sector,
                stop: parms.ov_stop_sector.unwrap_or(u64::MAX),
            },
            Err(error) => return self.refuse_attribute(error),
        };
        let resource = &device.resource;
        resource.command(Some(device), |volume| Admin::Verify { volume, range })
    }

    fn new_current_uuid(&mut self, device: &Arc<Device>) -> RetCode {
        let clear_bitmap = match self.attributes.parms::<NewCUuidParms>() {
            Ok(parms) => parms.clear_bm.unwrap_or(false),
            Err(error) => return self.refuse_attribute(error),
        };
        if !has_disk(device) {
            return RetCode::ERR_NO_DISK;
        }
        device
            .resource
            .command(Some(device), |volume| Admin::NewCurrentUuid {
                volume,
                clear_bitmap,
            })
    }

    /// Commands that only look. Errors: `EMSGSIZE` if the reply has no room.
    pub(super) fn look(&mut self, device: &Arc<Device>) -> Result<RetCode> {
        if self.command == Command::GetTimeoutType {
            let outdated = |record: &VolumeRecord| record.state.peer_disk == DiskState::Outdated;
            let kind = if device.glance(outdated) == Some(true) {
                TimeoutType::PeerOutdated
            } else {
                TimeoutType::Default
            };
            let block = TimeoutParms {
                timeout_type: Some(kind.number()),
            };
            put_block(self.reply.body(), &block, true)?;
            return Ok(RetCode::NO_ERROR);
        }
        let secrets = self.request.caller_is_system_admin();
        let resource = &device.resource;
        let to = self.reply.body();
        resource.glance(|core| {
            let at = core.position(device);
            let Some(at) = at else {
                return Ok(RetCode::ERR_MINOR_INVALID);
            };
            View { resource, core }.put_status(to, at, About::Status, secrets)?;
            Ok(RetCode::NO_ERROR)
        })
    }
}

fn has_disk(device: &Arc<Device>) -> bool {
    state_of(device).disk >= DiskState::Inconsistent
}
