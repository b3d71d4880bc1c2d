// SPDX-License-Identifier: GPL-2.0

//! The file `in_flight_summary`: what is on its way, to tell troubles of disks from those of
//! networks.
#![forbid(unsafe_code)]

use core::fmt;

use kernel::debugfs;
use kernel::sync::Arc;

use crate::engine::volume::{
    Aspect,
    PeerGroup, //
};
use crate::resource::Resource;

use super::requests::{
    write_oldest,
    COLUMNS, //
};

/// The file.
pub(super) struct Summary(pub(super) Arc<Resource>);

impl debugfs::Writer for Summary {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = &*self.0;
        f.write_str("v: 0\n\noldest bitmap IO\nminor\tvnr\trw\tage\t#in-flight\n\n")?;
        write_metadata(resource, f)?;
        f.write_str("\nsocket buffer stats\n")?;
        if let Some(session) = resource.session() {
            let (unread, unacked) = session.data.in_buffers();
            writeln!(f, "unread receive buffer: {unread} Byte")?;
            writeln!(f, "unacked send buffer: {unacked} Byte")?;
        }
        f.write_str("\noldest peer requests\n")?;
        write_of_peer(resource, f)?;
        f.write_str("\napplication requests waiting for activity log\n")?;
        write_waiting(resource, f)?;
        writeln!(
            f,
            "\noldest application requests\nn\tdevice\tvnr\t{COLUMNS}"
        )?;
        let aspects = [
            Aspect::Completed,
            Aspect::AtDisk { writes: true },
            Aspect::Unsent,
            Aspect::Unanswered,
            Aspect::NotDone,
        ];
        for device in resource.link.devices() {
            write_oldest(&device, &aspects, f, |f, request| {
                let (minor, number) = (device.minor, device.number);
                write!(f, "{}\t{minor}\t{number}\t", request.arrival)
            })?;
        }
        f.write_str("\n")
    }
}

/// Metadata, the bitmap's included, that a lower device has not answered for.
fn write_metadata(resource: &Resource, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("meta data IO\nminor\tvnr\tstart\tsubmit\tintent\n")?;
    for device in resource.link.devices() {
        if device.lower().is_some_and(|lower| !lower.is_idle()) {
            let (minor, number) = (device.minor, device.number);
            writeln!(f, "{minor}\t{number}\t-\t-\tmetadata or flush")?;
        }
    }
    Ok(())
}

fn write_of_peer(resource: &Resource, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for device in resource.link.devices() {
        f.write_str("minor\tvnr\tsector\tsize\trw\tage\tflags\n")?;
        for group in PeerGroup::ALL {
            for submitted in [false, true] {
                let request = device.volume.lock().oldest_of_peer(group, submitted);
                let Some(request) = request else {
                    continue;
                };
                let letter = if group == PeerGroup::Reads { 'R' } else { 'W' };
                let (minor, number) = (device.minor, device.number);
                let (sector, sectors) = (request.extent.sector, request.extent.sectors());
                write!(f, "{minor}\t{number}\t{sector}\t{sectors}\t{letter}\t-\t")?;
                writeln!(f, "{request}")?;
            }
        }
    }
    Ok(())
}

fn write_waiting(resource: &Resource, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("minor\tvnr\tage\t#waiting\n")?;
    for device in resource.link.devices() {
        let waiting = device.volume.lock().waiting_for_log();
        if waiting != 0 {
            writeln!(f, "{}\t{}\t-\t{waiting}", device.minor, device.number)?;
        }
    }
    Ok(())
}
