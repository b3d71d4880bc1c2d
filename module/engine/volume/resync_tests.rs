// SPDX-License-Identifier: GPL-2.0

//! Tests of what is left of a resync when it is over.

use super::effect::Report;
use super::tests::{
    run,
    source_that_sends,
    source_that_sent, //
};
use super::VolumeEffect;

#[test]
fn the_place_of_what_was_sent_is_kept_until_it_is_acknowledged_or_the_resync_is_over() {
    let (mut v, extent) = source_that_sent();
    assert_eq!(v.peer_requests(), 1);
    run(&mut v, |v, fx| v.resync_acked(extent, true, fx).unwrap());
    assert_eq!(v.peer_requests(), 0);
    let (mut v, _) = source_that_sent();
    run(&mut v, |v, fx| v.stop_resync(fx));
    assert_eq!(v.peer_requests(), 0);
}

#[test]
fn what_is_answered_when_the_resync_is_over_keeps_no_place() {
    let (mut v, extent, read) = source_that_sends();
    // A write of the application did it; the request was on its way.
    v.unmark(extent);
    run(&mut v, |v, fx| v.check_resync_end(fx));
    run(&mut v, |v, fx| v.peer_reply_sent(read, fx));
    assert_eq!(v.peer_requests(), 0);
    // Should the target have kept it.
    run(&mut v, |v, fx| v.resync_acked(extent, true, fx).unwrap());
}

#[test]
fn a_resync_whose_start_may_not_be_known_does_not_end() {
    let ends = |keeps_metadata: bool| {
        let (mut v, extent, _) = source_that_sends();
        if !keeps_metadata {
            v.metadata_failed();
        }
        v.unmark(extent);
        let effects = run(&mut v, |v, fx| v.check_resync_end(fx));
        effects.contains(&VolumeEffect::Report(Report::ResyncFinished))
    };
    assert!(ends(true));
    assert!(!ends(false));
}
