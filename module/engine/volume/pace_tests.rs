// SPDX-License-Identifier: GPL-2.0

//! Tests of the pace: the fixed rate, the controller, and when it gives way.

use super::*;

/// Blocks that are left of a resync that never ends.
const MUCH: u64 = 1 << 30;

const CONTROLLED: ResyncLimits = ResyncLimits {
    in_flight: 8192,
    request_bytes: 128 << 10,
    thin_bytes: 0,
    rate: 250,
    plan_ahead: 20,
    fill_target: 100,
    delay_target: 10,
    max_rate: 102_400,
    min_rate: 250,
};

fn fixed(rate: u32) -> ResyncLimits {
    ResyncLimits {
        rate,
        plan_ahead: 0,
        min_rate: 0,
        ..CONTROLLED
    }
}

fn begun(limits: ResyncLimits) -> Pace {
    let mut pace = Pace::default();
    pace.set_limits(limits);
    pace.begin(Instant(1000), MUCH);
    pace
}

/// Runs some steps in which everything that was asked for comes in as `share` of it says; returns
/// the sectors that were asked for in the last one.
fn steps(pace: &mut Pace, from: u64, count: u64, mut comes: impl FnMut(u32) -> u32) -> u32 {
    let mut asked = 0;
    for step in 0..count {
        pace.tick(Instant(from + step * STEP_MS), MUCH, 0, false);
        asked = pace.allowed();
        pace.asked(asked);
        pace.came(comes(asked));
    }
    asked
}

#[test]
fn a_fixed_rate_is_kept_however_low() {
    for rate in [1, 7, 250, 102_400, 4 << 20] {
        let mut pace = begun(fixed(rate));
        let mut all = 0;
        for step in 0..100 {
            pace.tick(Instant(1000 + step * STEP_MS), MUCH, 0, false);
            let sectors = pace.allowed() / 8 * 8;
            pace.asked(sectors);
            all += u64::from(sectors);
        }
        // 10 seconds, but for what does not make a block yet.
        let right = u64::from(rate) * 20;
        assert!(all <= right && all + 8 > right, "{rate}: {all}");
        assert_eq!(pace.view().want, rate);
    }
}

#[test]
fn what_a_fixed_rate_did_not_use_is_not_asked_for_at_once() {
    let mut pace = begun(fixed(1000));
    for step in 0..100 {
        pace.tick(Instant(1000 + step * STEP_MS), MUCH, 0, false);
    }
    assert_eq!(pace.allowed(), 200 + 256);
}

#[test]
fn a_late_clock_loses_no_step_unless_it_is_very_late() {
    let mut pace = begun(ResyncLimits {
        request_bytes: 1 << 20,
        ..fixed(1000)
    });
    for now in [1000, 1119, 1219, 1310] {
        pace.tick(Instant(now), MUCH, 0, false);
    }
    assert_eq!(pace.allowed(), 4 * 200);
    pace.tick(Instant(9000), MUCH, 0, false);
    assert_eq!(pace.allowed(), 5 * 200);
}

#[test]
fn the_controller_begins_with_the_resync_rate() {
    let mut pace = begun(CONTROLLED);
    // 250 KiB/s are 50 sectors each step, of which whole blocks are asked for.
    assert_eq!(steps(&mut pace, 1000, 1, |_| 0), 48);
    assert_eq!(pace.view().want, 240);
}

#[test]
fn a_quick_peer_is_asked_for_more_and_more_up_to_the_highest_rate() {
    let mut pace = begun(ResyncLimits {
        max_rate: 4000,
        ..CONTROLLED
    });
    let early = steps(&mut pace, 1000, 20, |asked| asked);
    let later = steps(&mut pace, 3000, 20, |asked| asked);
    assert!(later > early, "{early} {later}");
    assert_eq!(steps(&mut pace, 5000, 1000, |asked| asked), 800);
    assert_eq!(pace.view().want, 4000);
}

#[test]
fn what_is_on_its_way_settles_at_the_fill_target() {
    let mut pace = begun(ResyncLimits {
        fill_target: 1000,
        ..CONTROLLED
    });
    // The peer needs three steps for an answer.
    let mut way = [0; 3];
    steps(&mut pace, 1000, 600, |asked| {
        way.rotate_right(1);
        core::mem::replace(&mut way[0], asked)
    });
    let in_flight: u32 = way.iter().sum();
    assert!((900..1100).contains(&in_flight), "{in_flight}");
}

#[test]
fn without_a_fill_target_the_way_takes_as_long_as_the_delay_target() {
    let mut pace = begun(ResyncLimits {
        fill_target: 0,
        delay_target: 5,
        rate: 20_000,
        ..CONTROLLED
    });
    // The peer sends at most 1000 sectors in each step.
    let mut waiting = 0;
    steps(&mut pace, 1000, 600, |asked| {
        waiting += asked;
        let sent = waiting.min(1000);
        waiting -= sent;
        sent
    });
    // Those are 5 steps of 0.1 s, the one that is sent included or not.
    assert!((4000..5100).contains(&waiting), "{waiting}");
}

#[test]
fn a_resync_that_got_nothing_back_asks_again() {
    let mut pace = begun(CONTROLLED);
    let asked = steps(&mut pace, 1000, 1, |_| 0);
    assert_ne!(asked, 0);
    steps(&mut pace, 1100, 100, |_| 0);
    assert_eq!(pace.allowed(), 0);
    let all = pace.in_flight;
    // All of it was refused.
    pace.came(all);
    pace.tick(Instant(20_000), MUCH, 0, false);
    assert_ne!(pace.allowed(), 0);
}

#[test]
fn other_options_are_in_force_from_the_next_step_on() {
    let mut pace = begun(fixed(1000));
    pace.tick(Instant(1000), MUCH, 0, false);
    assert_eq!(pace.allowed(), 200);
    pace.set_limits(fixed(50));
    pace.tick(Instant(1100), MUCH, 0, false);
    assert_eq!(pace.allowed(), 10);
    pace.set_limits(CONTROLLED);
    pace.tick(Instant(1200), MUCH, 0, false);
    assert_eq!(pace.allowed(), 48);
}

/// A pace at 10 MiB/s whose disk others use: whether it gives way, step by step.
fn beside(limits: ResyncLimits, others: &[u64], blocks_per_step: u64) -> Vec<bool> {
    let mut pace = begun(limits);
    let mut disk = 7_000_000;
    let mut left = MUCH;
    let mut seen = Vec::new();
    for step in 0..100 {
        left -= blocks_per_step;
        disk += blocks_per_step * 8 + others[step % others.len()];
        pace.causes(blocks_per_step * 8);
        pace.tick(Instant(1000 + step as u64 * STEP_MS), left, disk, false);
        seen.push(pace.gives_way());
        assert_eq!(pace.allowed() == 0, pace.gives_way());
    }
    seen
}

#[test]
fn it_gives_way_while_others_use_the_disk() {
    let gives_way = beside(CONTROLLED, &[80], 256);
    // The first look only tells what was there before.
    assert!(!gives_way[0] && gives_way[1..].iter().all(|&way| way));
    // What it does itself is no reason, nor is a little of others.
    assert!(!beside(CONTROLLED, &[0], 256).contains(&true));
    assert!(!beside(CONTROLLED, &[64, 0, 0, 0, 0, 0, 0, 0, 0, 0], 256)[..10].contains(&true));
    // A little again and again is something.
    assert!(beside(CONTROLLED, &[33], 256).contains(&true));
}

#[test]
fn others_are_noticed_between_two_steps() {
    let mut pace = begun(CONTROLLED);
    pace.tick(Instant(1000), MUCH, 0, false);
    pace.tick(Instant(1020), MUCH - 1000, 65, false);
    assert!(pace.gives_way());
    pace.tick(Instant(1119), MUCH - 1000, 65, false);
    assert!(pace.gives_way());
    pace.tick(Instant(1120), MUCH - 1000, 65, false);
    assert!(!pace.gives_way());
}

#[test]
fn the_lowest_rate_is_kept_and_zero_never_gives_way() {
    // 2 blocks each step are 80 KiB/s.
    assert!(!beside(CONTROLLED, &[1000], 2).contains(&true));
    let never = ResyncLimits {
        min_rate: 0,
        ..CONTROLLED
    };
    assert!(!beside(never, &[1000], 256).contains(&true));
}

#[test]
fn it_gives_way_while_the_application_waits_for_the_log() {
    let mut pace = begun(CONTROLLED);
    pace.tick(Instant(1100), MUCH - 1000, 0, true);
    assert!(pace.gives_way());
    pace.tick(Instant(1200), MUCH - 2000, 0, false);
    assert!(!pace.gives_way());
}

#[test]
fn the_rate_is_that_of_the_last_seconds() {
    let mut marks = Marks::new(Instant(0), 1_000_000);
    for second in 1..=60 {
        let left = 1_000_000 - second * 1000;
        marks.advance(Instant(second * 1000), left);
        assert_eq!(marks.rate(Instant(second * 1000), left), 4000);
    }
    // It stands still: no mark moves, and the rate falls.
    marks.advance(Instant(100_000), 940_000);
    assert!(marks.rate(Instant(100_000), 940_000) < 300);
}
