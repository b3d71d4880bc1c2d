// SPDX-License-Identifier: GPL-2.0

//! Tests of resyncs that wait for each other.

use super::*;

/// Devices 0, 1, ...: whom each waits for, and whether it is busy.
fn row(devices: &[(i32, bool)]) -> impl Fn(u32) -> Option<Dependency> + '_ {
    |minor| {
        let &(after, busy) = devices.get(minor as usize)?;
        Some(Dependency {
            after,
            has_disk: true,
            busy,
        })
    }
}

#[test]
fn a_resync_waits_for_all_devices_of_its_chain() {
    let look = row(&[(NONE, true), (0, false), (1, false), (NONE, false)]);
    assert!(may_sync(0, &look));
    assert!(!may_sync(1, &look));
    assert!(!may_sync(2, &look));
    assert!(may_sync(3, &look));
    let look = row(&[(NONE, false), (0, true), (1, false)]);
    assert!(may_sync(1, &look));
    assert!(!may_sync(2, &look));
}

#[test]
fn nobody_waits_for_a_device_that_is_missing_or_has_no_disk() {
    assert!(may_sync(0, row(&[(9, false)])));
    let diskless = |minor| {
        let devices = [(1, true), (NONE, false), (1, true)];
        let (after, has_disk) = devices[minor as usize];
        Some(Dependency {
            after,
            has_disk,
            busy: true,
        })
    };
    assert!(may_sync(0, diskless));
    assert!(may_sync(2, diskless));
}

#[test]
fn nobody_may_wait_for_itself() {
    let look = row(&[(NONE, false), (0, false), (1, false)]);
    assert_eq!(check_after(3, 2, &look), Ok(()));
    assert_eq!(check_after(3, NONE, &look), Ok(()));
    let cycle = Err(RetCode::ERR_RESYNC_AFTER_CYCLE);
    assert_eq!(check_after(0, 2, &look), cycle);
    assert_eq!(check_after(0, 0, &look), cycle);
    assert_eq!(check_after(0, -2, &look), Err(RetCode::ERR_RESYNC_AFTER));
}

#[test]
fn options_that_form_a_circle_all_the_same_stop_nothing_for_ever() {
    let circle = row(&[(1, false), (0, false)]);
    assert!(may_sync(0, &circle));
    assert!(check_after(5, 0, &circle).is_err());
}
