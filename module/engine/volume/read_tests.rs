// SPDX-License-Identifier: GPL-2.0

//! Tests of reads: who serves them.

use super::super::tests::{
    run,
    volume,
    Vecs,
    MIRRORED, //
};
use super::*;
use crate::engine::ids::Instant;
use crate::engine::volume::Policy;

/// Reads 4 KiB at a sector; whether the peer was asked, and the slot if there is one.
fn read(v: &mut Volume<Vecs>, sector: u64) -> (bool, Option<Ticket>) {
    let mut fx = Effects::new();
    let route = v.read(Extent::new(sector, 4096), &mut fx).unwrap();
    let asked = |effect| matches!(effect, VolumeEffect::QueueRead(_));
    let remote = fx.take().any(asked);
    match route {
        ReadRoute::Local => (remote, None),
        ReadRoute::Slot(ticket) => (remote, Some(ticket)),
    }
}

fn balanced(balancing: ReadBalancing) -> Volume<Vecs> {
    volume(Policy {
        balancing,
        ..MIRRORED
    })
}

/// Which of reads of all stripes go to the peer.
fn pattern(balancing: ReadBalancing, step: u64) -> [bool; 4] {
    let mut v = balanced(balancing);
    [0, 1, 2, 3].map(|n| read(&mut v, n * step).0)
}

#[test]
fn each_method_chooses_as_it_says() {
    use ReadBalancing as R;
    const FTFT: [bool; 4] = [false, true, false, true];
    assert_eq!(pattern(R::PreferLocal, 8), [false; 4]);
    assert_eq!(pattern(R::WhenCongestedRemote, 8), [false; 4]);
    assert_eq!(pattern(R::PreferRemote, 8), [true; 4]);
    assert_eq!(pattern(R::RoundRobin, 8), FTFT);
    for (method, kib) in [
        (R::Striping32K, 32),
        (R::Striping64K, 64),
        (R::Striping128K, 128),
        (R::Striping256K, 256),
        (R::Striping512K, 512),
        (R::Striping1M, 1024),
    ] {
        assert_eq!(pattern(method, 2 * kib), FTFT);
        assert_eq!(pattern(method, kib), [false, false, true, true]);
    }
}

#[test]
fn least_pending_goes_where_less_is_under_way() {
    let mut v = balanced(ReadBalancing::LeastPending);
    let remote = [0, 1, 2, 3].map(|n| read(&mut v, n * 8).0);
    // Each read that is not answered counts.
    assert_eq!(remote, [false, true, false, true]);
    assert_eq!(v.counters().local_pending, 2);
}

#[test]
fn only_a_peer_with_good_and_mirrored_data_is_preferred() {
    for policy in [
        Policy {
            peer_readable: false,
            ..MIRRORED
        },
        Policy {
            mirror: MirrorUse::MarkAndTell,
            ..MIRRORED
        },
    ] {
        let mut v = volume(Policy {
            balancing: ReadBalancing::PreferRemote,
            ..policy
        });
        assert_eq!(read(&mut v, 0), (false, None));
    }
}

#[test]
fn a_read_that_the_peer_cannot_serve_is_served_here() {
    let mut v = balanced(ReadBalancing::PreferRemote);
    let (_, ticket) = read(&mut v, 0);
    let ticket = ticket.unwrap();
    assert!(v.send_begin(ticket, 0, Instant(1)).is_some());
    run(&mut v, |v, fx| v.send_done(ticket, fx));
    let effects = run(&mut v, |v, fx| {
        v.peer_answered(ticket, false, false, fx).unwrap();
    });
    assert!(effects.contains(&VolumeEffect::SubmitLocal(ticket)));
    let effects = run(&mut v, |v, fx| v.local_done(ticket, true, fx));
    assert!(effects.contains(&VolumeEffect::Complete { ticket, ok: true }));
}

#[test]
fn a_read_that_was_at_the_peer_is_served_here_when_the_connection_is_lost() {
    let mut v = balanced(ReadBalancing::PreferRemote);
    let (_, ticket) = read(&mut v, 0);
    let effects = run(&mut v, |v, fx| v.connection_lost(fx));
    assert!(effects.contains(&VolumeEffect::SubmitLocal(ticket.unwrap())));
}

#[test]
fn a_read_that_both_copies_fail_is_an_error() {
    let mut v = balanced(ReadBalancing::PreferRemote);
    let (_, ticket) = read(&mut v, 0);
    let ticket = ticket.unwrap();
    run(&mut v, |v, fx| v.connection_lost(fx));
    let alone = Policy {
        peer_readable: false,
        mirror: MirrorUse::Mark,
        ..MIRRORED
    };
    run(&mut v, |v, fx| v.set_policy(alone, fx));
    let effects = run(&mut v, |v, fx| v.local_done(ticket, false, fx));
    assert!(effects.contains(&VolumeEffect::Complete { ticket, ok: false }));
}

#[test]
fn a_read_that_found_no_good_copy_waits_where_io_is_suspended_then() {
    let alone = Policy {
        keep_failed: true,
        peer_readable: false,
        mirror: MirrorUse::Mark,
        ..MIRRORED
    };
    let mut v = volume(alone);
    let mut fx = Effects::new();
    let extent = Extent::new(0, 4096);
    let ticket = v.read_failed(extent, &mut fx).unwrap();
    let done = VolumeEffect::Complete { ticket, ok: false };
    assert!(!fx.iter().any(|effect| *effect == done));
    // The resource suspends I/O, and the administrator does not want to wait.
    let frozen = Policy {
        hold: true,
        local: LocalUse::None,
        good_data: false,
        ..alone
    };
    let effects = run(&mut v, |v, fx| v.set_policy(frozen, fx));
    assert!(!effects.contains(&done));
    let thawed = Policy {
        hold: false,
        ..frozen
    };
    let effects = run(&mut v, |v, fx| v.set_policy(thawed, fx));
    assert!(effects.contains(&done));
}
