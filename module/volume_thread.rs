// SPDX-License-Identifier: GPL-2.0

//! The thread of one volume: what its engine wants done by somebody who may sleep.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use kernel::prelude::*;
use kernel::sync::Arc;

use crate::device::Device;
use crate::engine::meta::activity_log_block::BLOCK_BYTES;
use crate::engine::meta::geometry::Geometry;
use crate::engine::meta::relocation::{
    MoveStep,
    Relocation, //
};
use crate::engine::meta::superblock::Superblock;
use crate::lower::Lower;
use crate::recorder::TracedVolume;
use crate::sys::checksum::crc32c;

/// How often a resync may ask for more, in milliseconds.
const RESYNC_TICK_MS: u32 = 20;

/// How long the thread sleeps when nothing wakes it, in milliseconds.
const IDLE_TICK_MS: u32 = 1000;

/// How often a disk is looked at that is on its way out of use, in milliseconds.
const RELEASE_TICK_MS: u32 = 20;

/// Runs until the device is stopped. `block` is where blocks of the activity log are made.
pub fn run(device: &Arc<Device>, mut block: KBox<[u8; BLOCK_BYTES]>) {
    while !device.is_stopping() {
        let (syncing, timeout_ms) = {
            let volume = device.volume.lock();
            (is_syncing(&volume), volume.policy().disk_timeout_ms)
        };
        device
            .wake
            .wait_timeout(tick_ms(device, syncing, timeout_ms));
        device.run_deferred();
        if device.log_wanted.swap(false, Ordering::AcqRel) {
            write_log(device, &mut block);
        }
        // What woke this thread may have been its begin: the first step is due at once.
        if is_syncing(&device.volume.lock()) {
            let sectors = device.lower().map_or(0, |lower| lower.data.sectors_done());
            device.volume.lock().sync_tick(Device::now(), sectors);
        }
        ask_for_more(device);
        if timeout_ms != 0 {
            device.feed(|volume, fx| volume.watch_disk(Device::now(), fx));
        }
        if device.release.is_under_way() {
            device.go_on_with_release();
        }
    }
}

/// Whether a resync or a verify is under way.
fn is_syncing(volume: &TracedVolume) -> bool {
    volume.resync_progress().is_some() || volume.verify_progress().is_some()
}

/// Goes on with the resync and the verify that are under way.
// Each feeding has room for its effects on the stack: not all of them in one frame.
#[inline(never)]
fn ask_for_more(device: &Arc<Device>) {
    while device.feed(|volume, fx| volume.resync_more(fx)) {}
    while device.feed(|volume, fx| volume.verify_more(fx)) {}
}

/// How long the thread may sleep when nothing wakes it.
fn tick_ms(device: &Device, syncing: bool, timeout_ms: u32) -> u32 {
    let watch = match timeout_ms {
        0 => IDLE_TICK_MS,
        // An overdue request is noticed by a quarter too late.
        ms => (ms / 4).clamp(RELEASE_TICK_MS, IDLE_TICK_MS),
    };
    if device.release.is_under_way() {
        RELEASE_TICK_MS
    } else if syncing {
        RESYNC_TICK_MS
    } else {
        watch
    }
}

/// Brings transactions of the activity log to disk until nobody waits for one.
#[inline(never)]
fn write_log(device: &Arc<Device>, block: &mut [u8; BLOCK_BYTES]) {
    loop {
        // The log does not move from under a transaction.
        let _in_place = device.log_lock.lock();
        let write = device.volume.lock().log_prepare(block, crc32c);
        let Some(write) = write else {
            return;
        };
        let done = device.lower().ok_or(EIO).and_then(|lower| {
            for &page in write.pages() {
                write_page(device, &lower, page)?;
            }
            lower.write_log_to(&lower.geometry(), |buffer| {
                *buffer = *block;
                // A page that this block relies on may have been on its way, and come to nothing.
                let relies = device.volume.lock().keeps_metadata();
                relies.then_some(write.block)
            })
        });
        committed(device, done.is_ok());
        if let Err(error) = done {
            // Who waits goes on waiting until the disk is given up.
            return device.report_metadata_error(error);
        }
    }
}

/// A transaction is on disk, or could not be written.
#[inline(never)]
fn committed(device: &Arc<Device>, ok: bool) {
    device.feed(|volume, fx| volume.log_committed(ok, fx));
}

/// Writes one page of the bitmap as it is now.
fn write_page(device: &Device, lower: &Lower, page: u64) -> Result {
    write_run(device, lower, &lower.geometry(), page, |at, volume| {
        at == page && volume.next_changed_page(at) == Some(at)
    })
    .map(drop)
}

/// Writes pages of the bitmap from `first` on, as they are now, to a place: as many in a row as
/// `wanted` says. Returns the page behind them.
fn write_run(
    device: &Device,
    lower: &Lower,
    place: &Geometry,
    first: u64,
    wanted: impl Fn(u64, &TracedVolume) -> bool,
) -> Result<u64> {
    let written = lower.write_pages(place, first, |page, image| {
        let mut volume = device.volume.lock();
        wanted(page, &volume) && volume.take_bitmap_page(page, image)
    });
    if written.is_err() {
        device.volume.lock().metadata_failed();
    }
    written
}

/// Writes all pages of the bitmap that changed. May sleep.
pub fn save_bitmap(device: &Device) -> Result {
    let Some(lower) = device.lower() else {
        return Ok(());
    };
    save_bitmap_to(device, &lower, &lower.geometry())
}

/// As [`save_bitmap`], to a place. May sleep.
fn save_bitmap_to(device: &Device, lower: &Lower, place: &Geometry) -> Result {
    let mut from = 0;
    loop {
        let next = device.volume.lock().next_changed_page(from);
        let Some(page) = next else {
            return Ok(());
        };
        let changed = |at, volume: &TracedVolume| volume.next_changed_page(at) == Some(at);
        let end = write_run(device, lower, place, page, changed)?;
        // A page may have been written by another one meanwhile.
        from = end.max(page + 1);
    }
}

/// Moves the metadata, step by step. May sleep.
pub fn move_metadata(
    device: &Device,
    lower: &Lower,
    superblock: &Superblock,
    relocation: &Relocation,
) -> Result {
    let _in_place = device.log_lock.lock();
    let to = &relocation.to;
    device.volume.lock().metadata_moves(to.ring);
    for step in relocation.steps() {
        match step {
            MoveStep::Doubt => {
                lower.write_superblock_to(to, &superblock.in_doubt())?;
                lower.set_geometry(*to);
            }
            MoveStep::Bitmap => save_bitmap_to(device, lower, to)?,
            MoveStep::Log => {
                for _ in 0..to.ring.blocks() {
                    lower.write_log_to(to, |block| {
                        device.volume.lock().log_refresh(block, crc32c)
                    })?;
                }
            }
            MoveStep::Superblock => {
                lower.write_superblock_to(to, superblock)?;
                lower.set_geometry(*to);
            }
        }
    }
    Ok(())
}
