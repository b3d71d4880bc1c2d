// SPDX-License-Identifier: GPL-2.0

//! Each invariant has its number, is taken once for each time that it waits, and is counted.

use super::*;

#[test]
fn each_stands_at_its_number_and_gives_something_up() {
    for (number, invariant) in Invariant::ALL.into_iter().enumerate() {
        assert_eq!(invariant.number(), number);
        let GivesUp { disk, connection } = invariant.gives_up();
        assert!(disk || connection, "{invariant:?}");
    }
}

#[test]
fn what_is_raised_is_taken_once_and_counted_each_time() {
    let mut broken = Broken::default();
    assert_eq!(broken.take(), None);
    for invariant in Invariant::ALL {
        assert_eq!(broken.raise(invariant), 1);
        assert_eq!(broken.raise(invariant), 2);
    }
    for invariant in Invariant::ALL {
        assert!(broken.is_waiting());
        assert_eq!(broken.take(), Some(invariant));
        assert_eq!(broken.count(invariant), 2);
    }
    assert_eq!((broken.take(), broken.is_waiting()), (None, false));
}

#[test]
fn a_count_stops_at_zero_and_says_so() {
    let (mut broken, mut count) = (Broken::default(), 1);
    broken.decrease(&mut count, Invariant::DiskCount);
    assert_eq!((count, broken.is_waiting()), (0, false));
    broken.decrease(&mut count, Invariant::DiskCount);
    assert_eq!((count, broken.take()), (0, Some(Invariant::DiskCount)));
}
