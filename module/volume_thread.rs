// SPDX-License-Identifier: GPL-2.0

//! The thread of one volume: what its engine wants done by somebody who may sleep.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::meta::activity_log_block::BLOCK_BYTES;
use crate::lower::Lower;
use crate::sys::checksum::crc32c;

/// How often a resync may ask for more, in milliseconds.
const RESYNC_TICK_MS: u32 = 20;

/// How long the thread sleeps when nothing wakes it, in milliseconds.
const IDLE_TICK_MS: u32 = 1000;

/// Runs until the device is stopped. `block` is where blocks of the activity log are made.
pub fn run(device: &Arc<Device>, mut block: KBox<[u8; BLOCK_BYTES]>) {
    while !device.is_stopping() {
        let syncing = {
            let volume = device.volume.lock();
            volume.resync_progress().is_some() || volume.verify_progress().is_some()
        };
        let tick = if syncing {
            RESYNC_TICK_MS
        } else {
            IDLE_TICK_MS
        };
        device.wake.wait_timeout(tick);
        device.run_deferred();
        if device.log_wanted.swap(false, Ordering::AcqRel) {
            write_log(device, &mut block);
        }
        if syncing {
            let sectors = device.lower().map_or(0, |lower| lower.data.sectors_done());
            device.volume.lock().sync_tick(Device::now(), sectors);
        }
        while device.feed(|volume, fx| volume.resync_more(fx)) {}
        while device.feed(|volume, fx| volume.verify_more(fx)) {}
    }
}

/// Brings transactions of the activity log to disk until nobody waits for one.
fn write_log(device: &Arc<Device>, block: &mut [u8; BLOCK_BYTES]) {
    loop {
        let write = device.volume.lock().log_prepare(block, crc32c);
        let Some(write) = write else {
            return;
        };
        let done = device.lower().ok_or(EIO).and_then(|lower| {
            for &page in write.pages() {
                write_page(device, &lower, page)?;
            }
            lower.write_log(write.block, block)
        });
        device.feed(|volume, fx| volume.log_committed(done.is_ok(), fx));
        if done.is_err() {
            // Who waits goes on waiting until the disk is given up.
            return device.report_metadata_error();
        }
    }
}

/// Writes one page of the bitmap as it is now.
fn write_page(device: &Device, lower: &Lower, page: u64) -> Result {
    lower
        .write_page(page, |image| {
            device.volume.lock().take_bitmap_page(page, image)
        })
        .inspect_err(|_| device.volume.lock().metadata_failed())
}

/// Writes all pages of the bitmap that changed. May sleep.
pub fn save_bitmap(device: &Device) -> Result {
    let Some(lower) = device.lower() else {
        return Ok(());
    };
    let mut from = 0;
    loop {
        let next = device.volume.lock().next_changed_page(from);
        let Some(page) = next else {
            return Ok(());
        };
        write_page(device, &lower, page)?;
        from = page + 1;
    }
}
