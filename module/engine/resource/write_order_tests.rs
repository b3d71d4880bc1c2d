// SPDX-License-Identifier: GPL-2.0

//! Tests of the order of writes.

use super::*;

#[test]
fn the_options_of_a_disk_allow_what_they_say() {
    use WriteOrder as W;
    let options = |disk_flushes, disk_drain| DiskOptions {
        disk_flushes,
        disk_drain,
        ..DiskOptions::default()
    };
    for (flushes, drain, best, allowed) in [
        (true, true, W::Flush, W::Flush),
        (true, false, W::Flush, W::Flush),
        (false, true, W::Flush, W::Drain),
        (false, false, W::Flush, W::None),
        (true, true, W::Drain, W::Drain),
        (true, false, W::Drain, W::None),
        (true, true, W::None, W::None),
    ] {
        assert_eq!(best.allowed_by(&options(flushes, drain)), allowed);
    }
}
