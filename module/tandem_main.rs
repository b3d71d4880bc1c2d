// SPDX-License-Identifier: GPL-2.0

//! Tandem: a replicated block device for a pair of machines, compatible with DRBD 8.4.

// What is public is so inside of this crate, which has no users.
#![expect(unreachable_pub)]
// A panic is `BUG()`, with locks held.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod advice;
mod answers;
mod control;
mod desk;
mod device;
mod digests;
mod discard;
mod disk;
mod disk_reader;
mod disk_words;
mod driver;
pub mod engine;
mod fault_injection;
mod faults;
mod handler;
mod handshake;
mod inbox;
mod inspect;
mod link;
mod login;
mod lower;
mod notify;
mod outbox;
mod parcels;
mod proc;
mod reasons;
mod receive;
mod receive_meta;
mod receiver;
mod recorder;
mod refused_login;
mod reports;
mod request;
mod resource;
mod ring;
mod send;
mod send_meta;
mod session;
mod size_words;
mod status;
mod storage;
pub mod sys;
mod told;
mod tuning;
mod turn;
mod volume_thread;
mod waiting;
mod words;

use kernel::prelude::*;
use kernel::sync::Arc;

use driver::Driver;
use sys::{
    procfs::ProcFile,
    reserves::ReservesReady, //
};

module! {
    type: TandemModule,
    name: "tandem",
    authors: ["The Tandem developers"],
    description: "Replicated block device, compatible with DRBD v8.4.11",
    license: "GPL",
}

/// Everything that exists while the module is loaded.
struct TandemModule {
    driver: Arc<Driver>,
    proc: Option<ProcFile<proc::Devices>>,
    _record: recorder::Files,
    _reserves: ReservesReady,
}

impl kernel::Module for TandemModule {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let driver = Driver::new()?;
        let proc = ProcFile::new(c"drbd", proc::Devices::new(&driver))?;
        let record = recorder::Files::new(&driver)?;
        let reserves = ReservesReady::new()?;
        // Last: from here on there are users.
        control::register(&driver)?;
        Ok(Self {
            driver,
            proc: Some(proc),
            _record: record,
            _reserves: reserves,
        })
    }
}

impl Drop for TandemModule {
    fn drop(&mut self) {
        // First: from here on there are no more users.
        self.driver.notifier.close();
        drop(self.proc.take());
        while let Some(resource) = self.driver.resource_after(None) {
            control::remove(&self.driver, &resource);
        }
        self.driver.reap_all();
    }
}
