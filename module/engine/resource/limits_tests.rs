// SPDX-License-Identifier: GPL-2.0

//! Tests of what peers take.

use super::*;

fn limits(version: u32, features: Features, told: u32) -> RequestLimits {
    peer_limits(Agreement { version, features }, told)
}

#[test]
fn the_largest_write_is_that_of_the_version() {
    let write = |version, told| limits(version, Features::OWN, told).write;
    for version in 86..=93 {
        // Such a peer makes one bio of it.
        assert_eq!(write(version, 4096), 4096);
        assert_eq!(write(version, 1 << 20), 32 << 10);
        assert_eq!(write(version, 0), 32 << 10);
        assert_eq!(write(version, 512), 4096);
    }
    assert_eq!(write(94, 4096), 32 << 10);
    for version in 95..=99 {
        assert_eq!(write(version, 4096), 128 << 10);
    }
    for version in 100..=101 {
        assert_eq!(write(version, 4096), 1 << 20);
    }
}

#[test]
fn discards_and_zeroes_are_those_of_the_features() {
    let both = |features: u32| {
        let limits = limits(101, Features(features), 0);
        (limits.discard, limits.zeroes)
    };
    let (trim, wsame, zeroes) = (1, 4, 8);
    assert_eq!(both(0), (0, 0));
    assert_eq!(both(trim), (4 << 20, 4 << 20));
    assert_eq!(both(trim | wsame), (128 << 20, 128 << 20));
    assert_eq!(both(zeroes), (0, 128 << 20));
    assert_eq!(both(trim | wsame | zeroes), (128 << 20, 128 << 20));
}
