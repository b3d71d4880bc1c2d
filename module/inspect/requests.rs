// SPDX-License-Identifier: GPL-2.0

//! Lines about requests of the application, and the two files `oldest_requests`.
#![forbid(unsafe_code)]

use core::fmt;

use kernel::debugfs;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::volume::{
    Aspect,
    RequestBits,
    RequestView, //
};
use crate::resource::Resource;

/// The columns of a request.
pub(super) const COLUMNS: &str =
    "epoch\tsector\tsize\trw\tstart\tin AL\tsubmit\tsent\tacked\tdone\tstate";

/// Milliseconds, or a dash.
struct Age(Option<u64>);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ms) => write!(f, "\t{ms}"),
            None => f.write_str("\t-"),
        }
    }
}

/// A request of a device as a line.
struct Line<'a>(&'a Device, RequestView);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(device, request) = self;
        let start = device.volume.lock().age_ms(request.index);
        let sent = request.sent_at.map(|at| Device::now().since(at));
        let writes = request.bits.has(RequestBits::WRITE);
        write!(
            f,
            "0x{:x}\t{}\t{}\t{}",
            request.epoch,
            request.extent.sector,
            request.extent.sectors(),
            if writes { 'W' } else { 'R' },
        )?;
        write!(f, "{}{}{}", Age(start), Age(None), Age(None))?;
        write!(f, "{}{}{}", Age(sent), Age(None), Age(None))?;
        let master = if request.completed {
            "completed"
        } else {
            "pending"
        };
        let bits = request.bits;
        writeln!(f, "\t0x{:08x}\tmaster: {}\t{}", bits.0, master, bits)
    }
}

/// Writes the oldest requests of these aspects, each once, `before` before each.
pub(super) fn write_oldest(
    device: &Device,
    aspects: &[Aspect],
    f: &mut fmt::Formatter<'_>,
    before: impl Fn(&mut fmt::Formatter<'_>, &RequestView) -> fmt::Result,
) -> fmt::Result {
    // As many as aspects may be asked for; nothing comes as late as that.
    let mut shown = [u64::MAX; 8];
    for (aspect, place) in aspects.iter().zip(0..) {
        let request = device.volume.lock().oldest_request(*aspect);
        let Some(request) = request.filter(|r| !shown.contains(&r.arrival)) else {
            continue;
        };
        if let Some(place) = shown.get_mut::<usize>(place) {
            *place = request.arrival;
        }
        before(f, &request)?;
        write!(f, "{}", Line(device, request))?;
    }
    Ok(())
}

/// `oldest_requests` of a volume.
pub(super) struct OfVolume(pub(super) Arc<Device>);

impl debugfs::Writer for OfVolume {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "v: 0\n\n{COLUMNS}")?;
        let aspects =
            [true, false].map(|writes| [Aspect::Awaited { writes }, Aspect::AtDisk { writes }]);
        write_oldest(&self.0, aspects.as_flattened(), f, |_, _| Ok(()))
    }
}

/// `oldest_requests` of a connection.
pub(super) struct OfConnection(pub(super) Arc<Resource>);

impl debugfs::Writer for OfConnection {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v: 0\n\n")?;
        let aspects = [Aspect::Unsent, Aspect::Unanswered, Aspect::NotDone];
        for device in self.0.link.devices() {
            write_oldest(&device, &aspects, f, |f, _| {
                write!(f, "{}\t{}\t", device.minor, device.number)
            })?;
        }
        Ok(())
    }
}
