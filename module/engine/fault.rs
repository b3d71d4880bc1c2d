// SPDX-License-Identifier: GPL-2.0

//! Failures on demand: which operations the parameters `enable_faults`, `fault_rate` and
//! `fault_devs` of the module make fail.
//!
//! Source of the numbers: `DRBD_FAULT_*` in `drivers/block/drbd/drbd_int.h`, and
//! `_drbd_insert_fault` in `drbd_main.c` of Linux 7.3.

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write of metadata.
    MetadataWrite,
    /// A read of metadata.
    MetadataRead,
    /// A write of resync data.
    ResyncWrite,
    /// A read for a resync or a verify.
    ResyncRead,
    /// A write of an application, here or at the peer.
    DataWrite,
    /// A read of an application, here or at the peer.
    DataRead,
    /// A read ahead.
    ReadAhead,
    /// The memory of the bitmap.
    BitmapMemory,
    /// The memory of a request of the peer.
    PeerMemory,
    /// Data that is received: a byte of it is inverted.
    Receive,
}

impl Fault {
    /// Its bit in `enable_faults`.
    pub fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Its name in log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::MetadataWrite => "Meta-data write",
            Fault::MetadataRead => "Meta-data read",
            Fault::ResyncWrite => "Resync write",
            Fault::ResyncRead => "Resync read",
            Fault::DataWrite => "Data write",
            Fault::DataRead => "Data read",
            Fault::ReadAhead => "Data read ahead",
            Fault::BitmapMemory => "BM allocation",
            Fault::PeerMemory => "EE allocation",
            Fault::Receive => "receive data corruption",
        }
    }
}

/// The parameters, as they are at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A bit for each kind that may fail (`enable_faults`).
    pub enabled: u32,
    /// In so many of 100 cases (`fault_rate`).
    pub rate: u32,
    /// A bit for each of the minors 0 to 31; 0: any device (`fault_devs`).
    pub devices: u32,
}

impl Faults {
    /// Whether this kind can fail at all: what is asked first, at next to no cost.
    pub fn is_enabled(self, fault: Fault) -> bool {
        self.rate != 0 && self.enabled & fault.bit() != 0
    }

    /// Whether an operation of the device `minor` fails; `random` is a fresh random number.
    pub fn strike(self, fault: Fault, minor: u32, random: u64) -> bool {
        let device = 1_u32.checked_shl(minor).unwrap_or(0);
        let meant = self.devices == 0 || self.devices & device != 0;
        self.is_enabled(fault) && meant && random % 100 < u64::from(self.rate)
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
