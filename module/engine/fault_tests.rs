// SPDX-License-Identifier: GPL-2.0

//! Tests of failures on demand.

use super::*;

const ALWAYS: Faults = Faults {
    enabled: 16,
    rate: 100,
    devices: 0,
};

#[test]
fn the_bits_are_those_of_the_c_module() {
    for (fault, bit) in [
        (Fault::MetadataWrite, 1),
        (Fault::MetadataRead, 2),
        (Fault::ResyncWrite, 4),
        (Fault::ResyncRead, 8),
        (Fault::DataWrite, 16),
        (Fault::DataRead, 32),
        (Fault::ReadAhead, 64),
        (Fault::BitmapMemory, 128),
        (Fault::PeerMemory, 256),
        (Fault::Receive, 512),
    ] {
        assert_eq!(fault.bit(), bit);
    }
}

#[test]
fn only_what_is_enabled_fails() {
    assert!(ALWAYS.strike(Fault::DataWrite, 0, 99));
    assert!(!ALWAYS.strike(Fault::DataRead, 0, 0));
    assert!(!Faults::default().strike(Fault::DataWrite, 0, 0));
}

#[test]
fn the_rate_is_percent() {
    let half = Faults { rate: 50, ..ALWAYS };
    let hits = (0..1000).filter(|&n| half.strike(Fault::DataWrite, 0, n));
    assert_eq!(hits.count(), 500);
}

#[test]
fn only_the_devices_named_fail() {
    let second = Faults {
        devices: 2,
        ..ALWAYS
    };
    assert!(second.strike(Fault::DataWrite, 1, 0));
    assert!(!second.strike(Fault::DataWrite, 0, 0));
    assert!(!second.strike(Fault::DataWrite, 33, 0));
}
