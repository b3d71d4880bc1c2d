// SPDX-License-Identifier: GPL-2.0

//! Tests of what the options and the devices make of a resync.

use super::*;

fn device(most: u32, granularity: u32) -> DiscardLimits {
    DiscardLimits {
        most,
        granularity,
        alignment: 0,
    }
}

#[test]
fn the_unit_of_thin_resync_is_what_the_device_discards() {
    let large = device(u32::MAX, 128);
    assert_eq!(thin_bytes(0, large), 0);
    assert_eq!(thin_bytes(65536, large), 65536);
    // Not less than a unit of the device, and whole ones.
    assert_eq!(thin_bytes(4096, large), 65536);
    assert_eq!(thin_bytes(65537, large), 131_072);
    // Not more than it takes.
    assert_eq!(thin_bytes(1 << 20, device(512, 128)), 262_144);
    assert_eq!(thin_bytes(1 << 20, device(0, 128)), 0);
    // Blocks of 4 KiB are what a resync asks for.
    assert_eq!(thin_bytes(4096, device(2048, 1)), 4096);
    assert_eq!(thin_bytes(6144, device(2048, 1)), 0);
}

#[test]
fn several_requests_fit_into_the_buffers() {
    let options = DiskOptions::default();
    let bytes = |buffers, most| limits_of(&options, buffers, most, 0).request_bytes;
    assert_eq!(bytes(2048, 1 << 20), 1 << 20);
    assert_eq!(bytes(2048, 32 << 10), 32 << 10);
    assert_eq!(bytes(32, 1 << 20), 16 << 10);
}
