// SPDX-License-Identifier: GPL-2.0

//! Disks: attached, changed, detached.
#![forbid(unsafe_code)]

use core::fmt;

use kernel::prelude::*;
use kernel::str::CString;
use kernel::sync::Arc;

use crate::device::Device;
use crate::disk::{
    bitmap_memory,
    log_memory, //
};
use crate::driver::Driver;
use crate::engine::control::{
    AttrBlock,
    AttrIter,
    DetachParms,
    DiskConf,
    ResizeParms,
    RetCode, //
};
use crate::engine::options::{
    DiskOptions,
    Fencing,
    FixedStr,
    OptionTable,
    WireProtocol, //
};
use crate::engine::resource::{
    check_after,
    Admin,
    SizeWish, //
};
use crate::engine::state::DiskState;
use crate::notify;
use crate::sys::log::Level;
use crate::sys::pin::ModulePin;

use super::minor::state_of;
use super::Call;

/// Attributes of a disk that can't be changed while it is attached: its places, and invariant
/// options.
const INVARIANT: [u16; 5] = [1, 2, 3, 4, 5];

/// Smallest number for a place of metadata.
const INDEX_MIN: i32 = -3;

/// Where an attached disk is, as the administrator said it.
pub struct DiskPaths {
    /// Path of the disk.
    pub data: FixedStr<127>,
    /// Path of the disk with the metadata.
    pub meta: FixedStr<127>,
    /// Place of the metadata, in DRBD's numbers.
    pub index: i32,
    /// A module with a disk stays loaded.
    pub _pin: ModulePin,
}

impl Call<'_> {
    /// `ATTACH`: opens a disk and puts it in use.
    pub(super) fn attach(&mut self, device: &Arc<Device>) -> RetCode {
        if state_of(device).disk > DiskState::Diskless {
            return RetCode::ERR_DISK_CONFIGURED;
        }
        let Some(payload) = self.attributes.block::<DiskConf>() else {
            return self.refuse(RetCode::ERR_MANDATORY_TAG, "required attribute missing");
        };
        let conf = match DiskConf::parse_request(payload) {
            Ok(conf) => conf,
            Err(error) => return self.refuse_attribute(error),
        };
        let Some(pin) = ModulePin::new() else {
            return RetCode::ERR_INTR;
        };
        let paths = DiskPaths {
            data: conf.backing_dev.unwrap_or_default(),
            meta: conf.meta_dev.unwrap_or_default(),
            index: conf.meta_dev_idx.unwrap_or(INDEX_MIN),
            _pin: pin,
        };
        if paths.index < INDEX_MIN {
            let why = "no such place for metadata";
            return self.refuse(RetCode::ERR_MD_IDX_INVALID, why);
        }
        let code = check_resync_after(self.driver, device.minor, conf.options.resync_after);
        if code != RetCode::NO_ERROR {
            return code;
        }
        if fences_by_protocol_a(device, &conf.options) {
            return RetCode::ERR_STONITH_AND_PROT_A;
        }
        self.open(device, paths, conf.options)
    }

    fn open(&mut self, device: &Arc<Device>, paths: DiskPaths, options: DiskOptions) -> RetCode {
        let (data, meta) = match (c_string(&paths.data), c_string(&paths.meta)) {
            (Ok(data), Ok(meta)) => (data, meta),
            (Err(error), _) | (_, Err(error)) if error == ENOMEM => return RetCode::ERR_NOMEM,
            _ => return self.refuse(RetCode::ERR_OPEN_DISK, "no such path"),
        };
        let index = paths.index;
        *device.paths.lock() = Some(paths);
        let code = match crate::disk::attach(device, &data, &meta, index, options) {
            // State changes have their own kinds of success, attaching has not.
            Ok(code) if code.is_success() => return RetCode::NO_ERROR,
            Ok(code) => {
                let (text, hint) = (code.text(), code.hint());
                complain(device, code, format_args!("{}; {}", text, hint));
                code
            }
            Err(refused) => {
                complain(device, refused.code, format_args!("{}", refused));
                self.reply.explain(format_args!("{}", refused));
                refused.code
            }
        };
        forget_paths(device);
        code
    }

    /// `DETACH` by force: nobody waits for the disk from here on. Whoever does may have what the
    /// command needs: the lock of the configuration, while another command waits.
    pub(super) fn give_up_disk(&mut self, device: &Arc<Device>) {
        let parms = self.attributes.parms::<DetachParms>();
        let force = parms.is_ok_and(|parms| parms.force_detach == Some(true));
        if let Some(lower) = device.lower().filter(|_| force) {
            lower.give_up(true);
        }
    }

    /// `DETACH`: takes the disk out of use.
    pub(super) fn detach(&mut self, device: &Arc<Device>) -> RetCode {
        match self.attributes.parms::<DetachParms>() {
            Ok(parms) => detach(device, parms.force_detach.unwrap_or(false)),
            Err(error) => self.refuse_attribute(error),
        }
    }

    /// `CHG_DISK_OPTS`: changes the options of an attached disk.
    pub(super) fn disk_options(&mut self, device: &Arc<Device>) -> RetCode {
        let Some(options) = device
            .glance(|record| {
                let disk = record.disk_at_least(DiskState::Inconsistent);
                disk.map(|_| record.options.clone())
            })
            .flatten()
        else {
            return RetCode::ERR_NO_DISK;
        };
        let extents = options.al_extents;
        let mut conf = DiskConf {
            options,
            ..DiskConf::default()
        };
        if self.wants_defaults() {
            conf.options.set_defaults();
        }
        let payload = self.attributes.block::<DiskConf>().unwrap_or(&[]);
        if let Err(error) = conf.update(payload) {
            return self.refuse_attribute(error);
        }
        let fixed = |attribute| matches!(attribute, Ok((nr, _)) if INVARIANT.contains(&nr));
        if AttrIter::new(payload).any(fixed) {
            let why = "cannot change invariant setting";
            return self.refuse(RetCode::ERR_MANDATORY_TAG, why);
        }
        let code = check_resync_after(self.driver, device.minor, conf.options.resync_after);
        if code != RetCode::NO_ERROR {
            return code;
        }
        let options = conf.options;
        // Taken and given back: what a larger log needs is sure to fit.
        let other = options.al_extents != extents;
        if other && log_memory(options.al_extents as usize).is_err() {
            return RetCode::ERR_NOMEM;
        }
        device
            .resource
            .command(Some(device), |volume| Admin::DiskOptions {
                volume,
                options,
            })
    }

    /// `RESIZE`: gives the volume another size, or its activity log another shape.
    pub(super) fn resize(&mut self, device: &Arc<Device>) -> RetCode {
        let parms = match self.attributes.parms::<ResizeParms>() {
            Ok(parms) => parms,
            Err(error) => return self.refuse_attribute(error),
        };
        let largest = device.glance(|record| {
            let disk = record.disk.as_ref()?;
            let lower = device.lower()?.sizes().data;
            Some(lower.max(disk.superblock.last_size))
        });
        // Taken and given back: the largest bitmap that can come of it is sure to fit.
        if bitmap_memory(largest.flatten().unwrap_or(0), false).is_err() {
            return RetCode::ERR_NOMEM_BITMAP;
        }
        let wish = SizeWish {
            size: parms.resize_size.unwrap_or(0),
            assume_peer_has_space: parms.resize_force.unwrap_or(false),
            assume_clean: parms.no_resync.unwrap_or(false),
            al_stripes: parms.al_stripes,
            al_stripe_kib: parms.al_stripe_size,
        };
        device
            .resource
            .command(Some(device), |volume| Admin::Resize { volume, wish })
    }
}

/// Logs why a disk was not attached.
fn complain(device: &Device, code: RetCode, why: fmt::Arguments<'_>) {
    notify::log_device(
        Level::Error,
        device,
        format_args!("attach refused: ({}) {}", code.0, why),
    );
}

fn c_string(path: &FixedStr<127>) -> Result<CString> {
    let path = path.as_str().filter(|path| !path.is_empty());
    CString::try_from_fmt(fmt!("{}", path.ok_or(ENOENT)?))
}

/// Takes a device's disk out of use. May sleep.
pub(super) fn detach(device: &Arc<Device>, force: bool) -> RetCode {
    let code = device
        .resource
        .command(Some(device), |volume| Admin::Detach { volume, force });
    forget_paths(device);
    code
}

/// Forgets where the disk is, unless it is in use: a command that is killed may have begun.
fn forget_paths(device: &Arc<Device>) {
    if state_of(device).disk == DiskState::Diskless {
        *device.paths.lock() = None;
    }
}

/// Fencing that needs to know what the peer has, with a protocol that can't tell.
fn fences_by_protocol_a(device: &Arc<Device>, options: &DiskOptions) -> bool {
    let net = device.resource.glance(|core| core.decisions.net().cloned());
    options.fencing == Fencing::ResourceAndStonith
        && net.is_some_and(|net| net.protocol == WireProtocol::A)
}

/// Checks that waiting for each other's resync ends somewhere.
fn check_resync_after(driver: &Driver, minor: u32, after: i32) -> RetCode {
    match check_after(minor, after, |minor| driver.dependency(minor)) {
        Ok(()) => RetCode::NO_ERROR,
        Err(code) => code,
    }
}
