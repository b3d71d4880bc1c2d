// SPDX-License-Identifier: GPL-2.0

//! Tests of the UUIDs: every rule of the comparison, and what the nodes do between.

use super::*;
use proptest::prelude::*;

const A: u64 = 0xa0;
const B: u64 = 0xb0;
const C: u64 = 0xc0;
const D: u64 = 0xd0;
const E: u64 = 0xe0;
const F: u64 = 0xf0;

const NOW: Terms = Terms {
    version: 101,
    features: Features::OWN,
    resolve_conflicts: false,
};

fn uuids(current: u64, bitmap: u64, h0: u64, h1: u64) -> Uuids {
    Uuids {
        current,
        bitmap,
        history: [h0, h1],
    }
}

fn party(uuids: Uuids) -> Party {
    Party {
        uuids,
        crashed_primary: false,
        role: Role::Secondary,
    }
}

fn run(own: Uuids, peer: Uuids, terms: Terms) -> (u8, i32) {
    let got = compare(&party(own), &party(peer), &terms);
    (got.rule, got.decision.number())
}

#[test]
fn rules_without_history() {
    let old = uuids(A, 0, 0, 0);
    let none = Uuids::default();
    assert_eq!(run(Uuids::CREATED, Uuids::CREATED, NOW), (10, 0));
    assert_eq!(run(Uuids::CREATED, old, NOW), (20, -2));
    assert_eq!(run(none, old, NOW), (20, -2));
    assert_eq!(run(old, Uuids::CREATED, NOW), (30, 2));
    assert_eq!(run(old, none, NOW), (30, 2));
    assert_eq!(run(none, Uuids::CREATED, NOW), (30, 2));
    assert_eq!(run(Uuids::CREATED, none, NOW), (20, -2));
}

#[test]
fn rule_34_finds_a_source_that_missed_the_end() {
    let own = uuids(A, B, C, D);
    let peer = uuids(A, 0, B, C);
    let got = compare(&party(own), &party(peer), &NOW);
    assert_eq!((got.rule, got.decision), (34, SOURCE));
    assert_eq!(got.peer_fix, None);
    assert_eq!(run(own, peer, Terms { version: 90, ..NOW }).1, -1091);
}

#[test]
fn rule_35_corrects_a_peer_that_missed_the_end() {
    let own = uuids(A, 0, B, C);
    let peer = uuids(A, B, C, D);
    let got = compare(&party(own), &party(peer), &NOW);
    assert_eq!((got.rule, got.decision), (35, TARGET));
    assert_eq!(got.peer_fix, Some(uuids(A, 0, B, C)));
    assert_eq!(run(own, peer, Terms { version: 90, ..NOW }).1, -1091);
}

#[test]
fn rules_36_and_37_continue_a_resync_that_did_not_start() {
    assert_eq!(run(uuids(A, B, C, D), uuids(A, 0, C, D), NOW), (36, 1));
    assert_eq!(run(uuids(A, 0, C, D), uuids(A, B, C, D), NOW), (37, -1));
}

#[test]
fn rule_40_arbitrates_after_a_crash_of_both() {
    let u = uuids(A, 0, B, C);
    let check = |own: bool, peer: bool, resolve: bool| {
        let terms = Terms {
            resolve_conflicts: resolve,
            ..NOW
        };
        let own = Party {
            crashed_primary: own,
            ..party(u)
        };
        let peer = Party {
            crashed_primary: peer,
            ..party(u)
        };
        let got = compare(&own, &peer, &terms);
        (got.rule, got.decision.number())
    };
    assert_eq!(check(false, false, false), (40, 0));
    assert_eq!(check(true, false, false), (40, 1));
    assert_eq!(check(false, true, true), (40, -1));
    assert_eq!(check(true, true, false), (40, 1));
    assert_eq!(check(true, true, true), (40, -1));
}

#[test]
fn rule_41_follows_the_present_primary() {
    let u = uuids(A, 0, B, C);
    let check = |own: Role, peer: Role, features: Features| {
        let own = Party {
            role: own,
            crashed_primary: true,
            ..party(u)
        };
        let peer = Party {
            role: peer,
            ..party(u)
        };
        let got = compare(&own, &peer, &Terms { features, ..NOW });
        (got.rule, got.decision.number())
    };
    assert_eq!(
        check(Role::Primary, Role::Secondary, Features::OWN),
        (41, 1)
    );
    assert_eq!(
        check(Role::Secondary, Role::Primary, Features::OWN),
        (41, -1)
    );
    assert_eq!(
        check(Role::Primary, Role::Primary, Features::OWN),
        (41, -100)
    );
    let number = check(Role::Primary, Role::Secondary, Features::TRIM).1;
    assert_eq!(number, -(0x10000 | 101 | 4 << 8));
}

#[test]
fn rules_50_and_70_use_the_bitmap() {
    assert_eq!(run(uuids(A, 0, C, D), uuids(B, A, C, D), NOW), (50, -1));
    assert_eq!(run(uuids(B, A, C, D), uuids(A, 0, C, D), NOW), (70, 1));
    // The Primary bit does not count.
    assert_eq!(run(uuids(A | 1, 0, C, D), uuids(B, A, C, D), NOW), (50, -1));
}

#[test]
fn rules_51_and_71_find_a_lost_start() {
    let started = uuids(B, A + NEW_BITMAP_OFFSET, A, C);
    let other = uuids(A, 0, D, E);
    let undone = uuids(B, A, C, C);
    let got = compare(&party(other), &party(started), &NOW);
    assert_eq!(
        (got.rule, got.decision, got.peer_fix),
        (51, TARGET, Some(undone))
    );
    assert_eq!(run(started, other, NOW), (71, 1));
    // The resync that follows begins with what the lost start told: it may still arrive.
    let mut again = started;
    assert_eq!(again.start_as_source(F, A), started.bitmap);
    assert_eq!((again.current, again.history), (B, [A, B]));
    let mut target = other;
    target.start_as_target(started.bitmap, false);
    assert_eq!(run(again, target, NOW), (70, 1));
    // Both have the same in the end, whether the target corrected the source's or not.
    target.finish_as_target(&undone, false);
    again.finish_as_source();
    assert_eq!((target.current, target.bitmap), (B, 0));
    assert_eq!(run(again, target, NOW), (40, 0));
}

#[test]
fn rules_51_and_71_look_at_the_history_before_protocol_96() {
    let started = uuids(B, F, A, C);
    let other = uuids(A, 0, C, D);
    let old = Terms { version: 95, ..NOW };
    assert_eq!(run(other, started, old), (51, -1));
    assert_eq!(run(started, other, old), (71, 1));
    assert_eq!(
        run(other, started, Terms { version: 90, ..NOW }),
        (51, -1091)
    );
    assert_eq!(
        run(started, other, Terms { version: 90, ..NOW }),
        (71, -1091)
    );
    // Not with the newer rule.
    assert_eq!(run(other, started, NOW), (60, -2));
}

#[test]
fn rules_60_and_80_need_a_full_sync() {
    assert_eq!(run(uuids(A, 0, E, F), uuids(B, C, D, A), NOW), (60, -2));
    assert_eq!(run(uuids(A, 0, E, F), uuids(B, C, A, D), NOW), (60, -2));
    assert_eq!(run(uuids(B, C, D, A), uuids(A, 0, E, F), NOW), (80, 2));
    assert_eq!(run(uuids(B, C, A, D), uuids(A, 0, E, F), NOW), (80, 2));
}

#[test]
fn rule_90_is_a_split_brain_that_policies_may_solve() {
    assert_eq!(run(uuids(A, C, D, E), uuids(B, C, D, E), NOW), (90, 100));
    assert_eq!(
        run(uuids(A, C | 1, D, E), uuids(B, C, D, E), NOW),
        (90, 100)
    );
}

#[test]
fn rule_100_tells_relatives_from_strangers() {
    assert_eq!(run(uuids(A, 0, C, D), uuids(B, E, F, C), NOW), (100, -100));
    assert_eq!(run(uuids(A, 0, C, D), uuids(B, 0, E, F), NOW), (100, -1000));
    // Empty histories are equal, as in C.
    assert_eq!(run(uuids(A, 0, 0, 0), uuids(B, 0, 0, 0), NOW), (100, -100));
}

#[test]
fn a_new_generation_is_counted_by_the_bitmap() {
    let mut u = uuids(A, 0, B, C);
    u.new_current(D, true);
    assert_eq!(u, uuids(D | 1, A, B, C));
    // What the peer may have is not forgotten.
    u.new_current(E | 1, false);
    assert_eq!(u, uuids(E, A, D | 1, B));
    assert_eq!(run(u, uuids(A, 0, B, C), NOW), (70, 1));
    assert_eq!(run(u, uuids(D, A, B, C), NOW), (80, 2));
}

#[test]
fn a_peer_that_was_overruled_gets_all() {
    let mut own = uuids(A, 0, B, C);
    own.new_current(D, true);
    let peer = uuids(E, 0, F, F);
    assert_eq!(run(own, peer, NOW), (100, -1000));
    own.overrule(E);
    assert_eq!(run(own, peer, NOW), (80, 2));
    assert_eq!(run(peer, own, NOW), (60, -2));
    // One that is known already gets what it lacks.
    own.overrule(A);
    assert_eq!(run(own, uuids(A, 0, B, C), NOW), (70, 1));
    // A resync that has begun goes on counting.
    let mut source = uuids(A, B, C, D);
    source.start_as_source(F, B);
    source.overrule(E);
    assert!(source.resync_begun());
    assert_eq!(run(source, peer, NOW), (80, 2));
}

#[test]
fn the_bitmap_generation_goes_to_the_history() {
    let mut u = uuids(A, B, C, D);
    u.clear_bitmap();
    assert_eq!(u, uuids(A, 0, B, C));
    u.clear_bitmap();
    assert_eq!(u, uuids(A, 0, B, C));
    assert_eq!(u.set_bitmap(E | 1), 0);
    assert_eq!(u.set_bitmap(F), E);
    assert_eq!(u.set_bitmap(0), 0);
    assert_eq!(u, uuids(A, 0, F, B));
}

#[test]
fn the_role_shows_in_the_lowest_bit() {
    let mut u = uuids(A, 0, 0, 0);
    u.mark_role(true);
    assert_eq!(u.current, A | 1);
    u.mark_role(false);
    assert_eq!(u.current, A);
}

#[test]
fn a_resync_makes_both_equal() {
    // The peers parted at A, when the source was Primary; it wrote on.
    let mut source = uuids(B | 1, A | 1, C, D);
    let mut target = uuids(A, 0, C, D);
    assert_eq!(run(source, target, NOW), (70, 1));
    let reported = source;
    let uuid = source.start_as_source(F, A);
    assert_eq!(uuid, (A | 1) + NEW_BITMAP_OFFSET);
    target.start_as_target(uuid, false);
    // Cut off here, the source still is a bitmap based source.
    assert_eq!(run(source, target, NOW), (70, 1));
    source.finish_as_source();
    target.finish_as_target(&reported, false);
    assert_eq!(source, uuids(B | 1, 0, (A | 1) + NEW_BITMAP_OFFSET, A | 1));
    assert_eq!(target, uuids(B, 0, A + NEW_BITMAP_OFFSET, A | 1));
    assert_eq!(run(source, target, NOW), (40, 0));
}

#[test]
fn a_first_sync_starts_with_a_random_generation() {
    let mut source = Uuids::CREATED;
    source.set_bitmap(JUST_CREATED);
    assert_eq!(source.start_as_source(F, 0), F);
    let mut source = Uuids::default();
    assert_eq!(source.start_as_source(E, 0), E);
    assert_eq!(source.bitmap, E);
}

fn any_uuids() -> impl Strategy<Value = Uuids> {
    let one = || {
        prop_oneof![
            Just(0),
            Just(JUST_CREATED),
            (0..6u64, 0..2u64, 0..3u64)
                .prop_map(|(n, bit, off)| ((n + 1) << 4 | bit) + off * NEW_BITMAP_OFFSET),
        ]
    };
    (one(), one(), one(), one()).prop_map(|(c, b, h0, h1)| uuids(c, b, h0, h1))
}

proptest! {
    #[test]
    fn both_nodes_decide_alike(
        a in any_uuids(), b in any_uuids(),
        crashed in any::<(bool, bool)>(), version in 86..=101u32, resolve: bool,
    ) {
        // Nodes without any UUID are both targets for the C code.
        prop_assume!(bare(a.current) != 0 && bare(b.current) != 0);
        let one = Party { crashed_primary: crashed.0, ..party(a) };
        let two = Party { crashed_primary: crashed.1, ..party(b) };
        let terms = Terms { version, features: Features::OWN, resolve_conflicts: resolve };
        let here = compare(&one, &two, &terms);
        let there = compare(&two, &one, &Terms { resolve_conflicts: !resolve, ..terms });
        let (x, y) = (here.decision.number(), there.decision.number());
        let opposite = if x.abs() <= 2 { x == -y } else { x == y };
        // Data that each knows as a former generation of the other's: whoever is asked first.
        let crossed = here.rule < 70 && there.rule < 70 && here.rule >= 50 && there.rule >= 50;
        prop_assert!(opposite || crossed, "{:?} {:?}", here, there);
    }
}

#[test]
fn a_target_that_misses_the_start_again_and_again_stays_known() {
    let mut own = uuids(B, A, C, D);
    // Of the history, not what the bitmap counts from.
    let target = uuids(D, 0, E, F);
    for _ in 0..5 {
        own.start_as_source(1, target.current);
        own.new_current(2, true);
        assert_eq!(run(own, target, NOW), (71, 1), "{own:x?}");
    }
}

/// A source that went on alone in the middle of the resync of `target`, again and again.
fn parted_source(target: &mut Uuids) -> Uuids {
    let mut own = uuids(B | 1, A, C, D);
    target.start_as_target(own.start_as_source(1, A), false);
    for n in 0..3 {
        assert!(own.may_be_shared());
        own.new_current((0x10 + n) << 8, true);
    }
    own
}

#[test]
fn a_source_that_goes_on_alone_stays_the_source_of_a_target_that_has_not_finished() {
    let mut target = uuids(A, 0, C, D);
    let own = parted_source(&mut target);
    assert_eq!(run(own, target, NOW), (70, 1));
}

#[test]
fn a_source_that_goes_on_alone_is_the_source_of_a_target_that_finished_unheard() {
    let mut target = uuids(A, 0, C, D);
    let own = parted_source(&mut target);
    target.finish_as_target(&uuids(B | 1, A, C, D), false);
    assert_eq!(run(own, target, NOW), (80, 2));
}

#[test]
fn a_target_that_finished_unheard_and_goes_on_alone_makes_a_split_brain() {
    let mut target = uuids(A, 0, C, D);
    let own = parted_source(&mut target);
    target.finish_as_target(&uuids(B | 1, A, C, D), false);
    target.new_current(F, true);
    assert_eq!(run(own, target, NOW), (100, -100));
    assert_eq!(run(target, own, NOW), (100, -100));
}

#[test]
fn a_target_whose_changes_were_given_up_stays_a_relative_if_it_misses_the_start() {
    let target = uuids(E, A, C, D);
    let mut own = uuids(B, A, C, D);
    assert_eq!(run(own, target, NOW), (90, 100));
    own.start_as_source(1, target.current);
    assert_eq!(run(own, target, NOW), (100, -100));
}
