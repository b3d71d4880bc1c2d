// SPDX-License-Identifier: GPL-2.0

//! Tandem: a replicated block device for a pair of machines, compatible with DRBD 8.4.

mod device;
mod disk;
mod driver;
pub mod engine;
mod link;
mod lower;
mod notify;
mod receive;
mod receive_meta;
mod request;
mod resource;
mod ring;
mod send;
mod send_meta;
mod session;
mod storage;
pub mod sys;
mod volume_thread;

use kernel::prelude::*;

module! {
    type: TandemModule,
    name: "tandem",
    authors: ["The Tandem developers"],
    description: "Replicated block device, compatible with DRBD v8.4.11",
    license: "GPL",
}

/// Everything that exists while the module is loaded; undone from the first field to the last.
struct TandemModule {
    _major: sys::disk::Major,
}

impl kernel::Module for TandemModule {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        const MAJOR: u32 = 147;
        Ok(Self {
            _major: sys::disk::Major::register(MAJOR)?,
        })
    }
}
