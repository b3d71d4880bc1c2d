// SPDX-License-Identifier: GPL-2.0

//! Tests of the counters.

use super::tests::{
    run,
    send,
    source_that_sends,
    source_that_sent,
    volume,
    write,
    MIRRORED, //
};

#[test]
fn resync_data_counts_as_sent_when_its_acknowledgement_overtakes_the_sender() {
    let (mut v, extent, read) = source_that_sends();
    run(&mut v, |v, fx| v.resync_acked(extent, true, fx).unwrap());
    run(&mut v, |v, fx| v.peer_reply_sent(read, fx));
    assert_eq!(v.counters().sent, 8);
    assert_eq!(source_that_sent().0.counters().sent, 8);
}

#[test]
fn a_new_connection_and_a_new_disk_are_counted_from_zero() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    send(&mut v, ticket, 1);
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!((v.counters().sent, v.counters().written), (8, 8));
    v.restart_traffic();
    assert_eq!((v.counters().sent, v.counters().written), (0, 8));
    let disk = v.set_disk(None);
    assert_eq!(v.counters().written, 8);
    v.set_disk(disk);
    assert_eq!(v.counters().written, 0);
}
