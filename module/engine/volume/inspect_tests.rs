// SPDX-License-Identifier: GPL-2.0

//! Tests of what a monitor is shown of single requests.

use super::super::tests::{
    run,
    send,
    volume,
    write,
    MIRRORED, //
};
use super::super::*;
use super::{
    Aspect,
    PeerGroup,
    RequestBits, //
};

/// The state's words, as shown.
fn shown(volume: &Volume<super::super::tests::Vecs>, aspect: Aspect) -> Option<String> {
    let request = volume.oldest_request(aspect)?;
    Some(request.bits.to_string().replace('\t', " "))
}

#[test]
fn a_write_is_shown_as_far_as_it_has_come() {
    let mut v = volume(MIRRORED);
    let awaited = Aspect::Awaited { writes: true };
    assert_eq!(v.oldest_request(awaited), None);
    let (ticket, _) = write(&mut v, 3);
    assert_eq!(
        shown(&v, awaited).unwrap(),
        "local: pending net: pending|queued : barr"
    );
    assert!(v.oldest_request(Aspect::Unsent).is_some());
    send(&mut v, ticket, 7);
    let request = v.oldest_request(Aspect::Unanswered).unwrap();
    assert_eq!((request.epoch, request.extent.sector), (7, 24));
    assert_eq!(
        shown(&v, awaited).unwrap(),
        "local: pending net: pending|sent : C|barr"
    );
    run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert_eq!(v.oldest_request(Aspect::AtDisk { writes: true }), None);
    run(&mut v, |v, fx| {
        v.peer_answered(ticket, true, false, fx).unwrap();
    });
    assert_eq!(v.oldest_request(awaited), None);
    assert_eq!(v.oldest_request(Aspect::Unanswered), None);
    assert_eq!(
        shown(&v, Aspect::Completed).unwrap(),
        "local: completed|ok net: sent|ok : C|barr"
    );
    assert!(v.oldest_request(Aspect::NotDone).is_some());
    run(&mut v, |v, fx| assert!(v.barrier_acked(7, fx)));
    assert_eq!(v.oldest_request(Aspect::Completed), None);
}

#[test]
fn the_oldest_is_the_one_that_came_first() {
    let mut v = volume(MIRRORED);
    let tickets: Vec<_> = [9, 5, 7].map(|block| write(&mut v, block).0).into();
    let oldest = |v: &Volume<_>| {
        let request = v.oldest_request(Aspect::AtDisk { writes: true });
        request.map(|request| request.extent.sector / 8)
    };
    assert_eq!(oldest(&v), Some(9));
    run(&mut v, |v, fx| v.local_done(tickets[0], true, fx));
    assert_eq!(oldest(&v), Some(5));
    assert_eq!(v.oldest_request(Aspect::AtDisk { writes: false }), None);
}

#[test]
fn requests_of_the_peer_are_told_apart() {
    let mut v = volume(MIRRORED);
    let extent = Extent::new(80, 4096);
    for operation in [Operation::Write, Operation::Discard] {
        run(&mut v, |v, fx| {
            let flags = WriteFlags::default();
            let wanted = WantedAck::Written;
            v.peer_write(
                operation,
                extent,
                flags,
                1,
                wanted,
                true,
                WritePlace::default(),
                fx,
            )
            .unwrap();
        });
    }
    let shown = |submitted| {
        let peer = v.oldest_of_peer(PeerGroup::Writes, submitted).unwrap();
        assert_eq!(peer.extent, extent);
        peer.to_string()
    };
    assert_eq!(shown(true), " submitted|application|C|set-in-sync");
    // It waits for the other one.
    assert_eq!(shown(false), " preparing|application|C|set-in-sync|trim");
    assert_eq!(v.oldest_of_peer(PeerGroup::Reads, true), None);
    assert_eq!(v.oldest_of_peer(PeerGroup::Resync, true), None);
}

#[test]
fn bits_have_the_numbers_of_the_c_module() {
    let mut v = volume(MIRRORED);
    let (ticket, _) = write(&mut v, 0);
    let bits = |v: &Volume<_>| v.oldest_request(Aspect::NotDone).unwrap().bits;
    assert_eq!(bits(&v), RequestBits(0x0010_0431));
    send(&mut v, ticket, 1);
    assert_eq!(bits(&v), RequestBits(0x0018_0451));
}
