// SPDX-License-Identifier: GPL-2.0

//! What the end of an I/O has to tell the resource: flags that its worker looks at.
#![forbid(unsafe_code)]

use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    Ordering, //
};

use kernel::prelude::*;

use crate::device::Device;
use crate::engine::broken::Invariant;
use crate::engine::resource::IoKind;
use crate::engine::volume::{
    Limit,
    Report, //
};
use crate::notify;
use crate::sys::log::Level;

/// What the end of an I/O has to tell the resource; each bit stays set until its worker looked.
#[derive(Default)]
pub struct Reports {
    resync_finished: AtomicBool,
    verify_finished: AtomicBool,
    read_error: AtomicBool,
    write_error: AtomicBool,
    metadata_error: AtomicBool,
    /// A bit for each invariant.
    broken: AtomicU32,
    drained: AtomicBool,
    disk_timeout: AtomicBool,
    flush_unsupported: AtomicBool,
    congested_fill: AtomicBool,
    congested_extents: AtomicBool,
    relieved: AtomicBool,
    too_large: AtomicBool,
}

impl Device {
    /// The volume has something to tell the resource. Any context.
    pub fn report(&self, report: Report) {
        let flag = match report {
            Report::ResyncFinished => &self.reports.resync_finished,
            Report::VerifyFinished => &self.reports.verify_finished,
            Report::Different { start, sectors } => {
                return notify::log_device(
                    Level::Error,
                    self,
                    format_args!("Out of sync: start={start}, size={sectors} (sectors)"),
                );
            }
            Report::IoError { write: true } => &self.reports.write_error,
            Report::IoError { write: false } => &self.reports.read_error,
            // The range is marked; what becomes of the peer's disk it tells us itself.
            Report::PeerWriteFailed => return,
            Report::DiskTimeout => &self.reports.disk_timeout,
            Report::Drained => &self.reports.drained,
            Report::Congested(Limit::Fill) => &self.reports.congested_fill,
            Report::Congested(Limit::Extents) => &self.reports.congested_extents,
            Report::Relieved => &self.reports.relieved,
            Report::TooLarge => &self.reports.too_large,
            Report::Broken(invariant) => return self.must(Err(invariant)),
        };
        flag.store(true, Ordering::Release);
        self.resource.wake.raise();
    }

    /// What can only be an error by a bug of ours: it is counted, and the engine gives up what is
    /// not certain any more. Any context.
    pub fn must(&self, result: Result<(), Invariant>) {
        if let Err(invariant) = result {
            self.resource.driver.faults.count(invariant);
            self.reports
                .broken
                .fetch_or(invariant.bit(), Ordering::AcqRel);
            self.resource.wake.raise();
        }
    }

    /// The invariants that were found broken since the last call.
    pub fn take_broken(&self) -> impl Iterator<Item = Invariant> {
        let found = self.reports.broken.swap(0, Ordering::AcqRel);
        Invariant::ALL
            .into_iter()
            .filter(move |invariant| found & invariant.bit() != 0)
    }

    /// Metadata could not be written, or in time.
    pub fn report_metadata_error(&self, error: Error) {
        let flag = match error {
            ETIMEDOUT => &self.reports.disk_timeout,
            _ => &self.reports.metadata_error,
        };
        flag.store(true, Ordering::Release);
        self.resource.wake.raise();
    }

    /// The disk says that it cannot be flushed.
    pub fn report_flush_unsupported(&self) {
        self.reports
            .flush_unsupported
            .store(true, Ordering::Release);
        self.resource.wake.raise();
    }

    /// Whether the disk said so since the last call.
    pub fn take_flush_unsupported(&self) -> bool {
        self.reports.flush_unsupported.swap(false, Ordering::AcqRel)
    }

    /// Whether a resync has ended since the last call.
    pub fn take_resync_finished(&self) -> bool {
        self.reports.resync_finished.swap(false, Ordering::AcqRel)
    }

    /// Whether a verify has ended since the last call.
    pub fn take_verify_finished(&self) -> bool {
        self.reports.verify_finished.swap(false, Ordering::AcqRel)
    }

    /// Whether the requests that somebody waits for are gone since the last call.
    pub fn take_drained(&self) -> bool {
        self.reports.drained.swap(false, Ordering::AcqRel)
    }

    /// The limit of what may be on its way to the peer that was reached since the last call.
    pub fn take_congested(&self) -> Option<Limit> {
        let reports = &self.reports;
        [
            (&reports.congested_fill, Limit::Fill),
            (&reports.congested_extents, Limit::Extents),
        ]
        .into_iter()
        .find(|(flag, _)| flag.swap(false, Ordering::AcqRel))
        .map(|(_, limit)| limit)
    }

    /// Whether nothing is on its way any more to a peer that was too slow, since the last call.
    pub fn take_relieved(&self) -> bool {
        self.reports.relieved.swap(false, Ordering::AcqRel)
    }

    /// Whether a request came since the last call that the peer does not take.
    pub fn take_too_large(&self) -> bool {
        self.reports.too_large.swap(false, Ordering::AcqRel)
    }

    /// The worst I/O error since the last call.
    pub fn take_io_error(&self) -> Option<IoKind> {
        let reports = &self.reports;
        [
            (&reports.disk_timeout, IoKind::Timeout),
            (&reports.metadata_error, IoKind::Metadata),
            (&reports.write_error, IoKind::Write),
            (&reports.read_error, IoKind::Read),
        ]
        .into_iter()
        .find(|(flag, _)| flag.swap(false, Ordering::AcqRel))
        .map(|(_, kind)| kind)
    }
}
