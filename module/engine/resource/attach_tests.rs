// SPDX-License-Identifier: GPL-2.0

//! What an attach makes of the options that it is given.

use super::*;

#[test]
fn no_more_extents_are_active_than_the_log_can_tell_of() {
    let mut options = DiskOptions {
        al_extents: 65534,
        ..DiskOptions::default()
    };
    fit_log(&mut options, Ring::DEFAULT);
    assert_eq!(options.al_extents, 6433);
    options.al_extents = 67;
    fit_log(&mut options, Ring::DEFAULT);
    assert_eq!(options.al_extents, 67);
}
