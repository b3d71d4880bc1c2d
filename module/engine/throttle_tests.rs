// SPDX-License-Identifier: GPL-2.0

//! Tests of the throttle.

use super::{
    Throttle,
    BURST,
    PERIOD_MS, //
};
use crate::engine::ids::Instant;

#[test]
fn a_burst_passes_and_the_rest_is_counted() {
    let mut throttle = Throttle::new();
    for _ in 0..BURST {
        assert_eq!(throttle.admit(Instant(7)), Some(0));
    }
    assert_eq!(throttle.admit(Instant(8)), None);
    assert_eq!(throttle.admit(Instant(9)), None);
    assert_eq!(throttle.admit(Instant(7 + PERIOD_MS)), Some(2));
    assert_eq!(throttle.admit(Instant(8 + PERIOD_MS)), Some(0));
}
