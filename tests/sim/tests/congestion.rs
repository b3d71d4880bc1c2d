// SPDX-License-Identifier: GPL-2.0

//! Stories of links that are too slow.

mod pair;

use pair::{attach_and_connect, demand_sync, rest, watched};
use sim::world::{Config, World};
use tandem_engine::engine::options::{OnCongestion, WireProtocol};
use tandem_engine::engine::state::{ConnState, DiskState};

/// Two nodes in sync with protocol A, the first one Primary; their link takes its time. What is on
/// its way may be `fill` sectors.
fn pair_with(on_congestion: OnCongestion, fill: u32, seed: u64) -> World {
    let mut config = Config {
        wire: 200,
        ..Config::default()
    };
    config.node.slots = 64;
    config.node.net.protocol = WireProtocol::A;
    config.node.net.on_congestion = on_congestion;
    config.node.net.congestion_fill = fill;
    let mut world = watched(World::synced(seed, config));
    attach_and_connect(&mut world);
    world.promote(0, false);
    rest(&mut world);
    world
}

/// Writes `count` blocks, one after the other, until the nodes are Ahead and Behind.
fn pull_ahead(world: &mut World, count: u64) {
    for i in 0..count {
        world.write(0, i * 8, 8);
        while world.nodes[0].vol.open_requests() != 0 && world.step() {}
    }
    await_conn(world, 1, ConnState::Behind);
    check!(world, world.nodes[0].state().conn, ConnState::Ahead);
    check!(
        world,
        world.nodes[0].state().peer_disk,
        DiskState::Consistent
    );
    check!(world, world.nodes[1].state().disk, DiskState::Outdated);
}

fn await_conn(world: &mut World, n: usize, conn: ConnState) {
    while world.nodes[n].state().conn != conn && world.step() {}
    check!(world, world.nodes[n].state().conn, conn);
}

#[test]
fn a_peer_that_is_too_slow_is_left_behind_and_gets_what_it_missed() {
    for seed in 0..40 {
        let mut world = pair_with(OnCongestion::PullAhead, 16, seed);
        pull_ahead(&mut world, 30);
        let blocks = pair::resynced(&mut world);
        check!(world, blocks, 0);
        demand_sync(&mut world);
        // Those that were sent are not copied again.
        let blocks = pair::resynced(&mut world);
        check!(world, blocks > 0 && blocks < 30);
        // On the same connection as before.
        check!(world, world.nodes[0].conn.as_ref().map(|c| c.id), Some(1));
    }
}

#[test]
fn an_application_does_not_wait_for_a_link_that_is_too_slow() {
    let mut waited = [0, 0];
    for (i, policy) in [OnCongestion::Block, OnCongestion::PullAhead]
        .into_iter()
        .enumerate()
    {
        let mut world = pair_with(policy, 16, 7);
        let begin = world.now;
        for i in 0..200 {
            world.write(0, i * 8, 8);
            while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        }
        waited[i] = world.now - begin;
        demand_sync(&mut world);
    }
    assert!(waited[1] * 2 < waited[0], "{waited:?} ms");
}

#[test]
fn who_pulls_ahead_again_and_again_ends_in_sync() {
    for seed in 0..40 {
        let mut world = pair_with(OnCongestion::PullAhead, 16, seed);
        for round in 0..6 {
            for i in 0..20 {
                world.write(0, (i + round) * 8, 8);
            }
            let until = world.now + 300 + seed * 40;
            world.run_until(until);
        }
        demand_sync(&mut world);
    }
}

#[test]
fn a_resync_that_is_too_slow_for_the_application_gives_way_and_goes_on_later() {
    let mut interrupted = 0;
    for seed in 0..60 {
        let mut world = pair_with(OnCongestion::PullAhead, 16, seed);
        pull_ahead(&mut world, 20);
        await_conn(&mut world, 0, ConnState::SyncSource);
        let until = world.now + seed * 10;
        world.run_until(until);
        for i in 0..20 {
            world.write(0, i * 8, 8);
            while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        }
        interrupted += u32::from(world.nodes[0].state().conn == ConnState::Ahead);
        demand_sync(&mut world);
    }
    assert!(interrupted > 10, "{interrupted} of 60");
}

#[test]
fn what_was_written_ahead_is_resynced_after_a_cut() {
    for seed in 0..40 {
        let mut world = pair_with(OnCongestion::PullAhead, 16, seed);
        pull_ahead(&mut world, 30);
        world.cut();
        rest(&mut world);
        check!(world, world.nodes[1].state().disk, DiskState::Outdated);
        world.check_marks();
        world.heal();
        demand_sync(&mut world);
    }
}

#[test]
fn who_was_ahead_does_not_take_the_other_for_equal_because_nobody_is_primary() {
    for seed in 0..40 {
        let mut world = pair_with(OnCongestion::PullAhead, 16, seed);
        pull_ahead(&mut world, 30);
        let token = world.demote(0);
        while world.answer(0, token).is_none() && world.step() {}
        check!(world, world.nodes[0].state().conn, ConnState::Ahead);
        world.cut();
        rest(&mut world);
        world.heal();
        demand_sync(&mut world);
    }
}

#[test]
fn a_fresh_target_that_is_left_behind_and_lost_stays_known() {
    let mut left = 0;
    for seed in 0..40 {
        let mut world = pair_with(OnCongestion::PullAhead, 16, seed);
        // Its disk is replaced: it gets everything.
        world.detach(1);
        rest(&mut world);
        world.nodes[1].vol.disk = sim::disk::Disk::new(6 * 8192, 9, 9);
        world.attach(1);
        await_conn(&mut world, 0, ConnState::SyncSource);
        for i in 0..30 {
            world.write(0, i * 8, 8);
            while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        }
        left += u32::from(world.nodes[0].state().conn == ConnState::Ahead);
        while world.nodes[0].state().conn == ConnState::Ahead && world.step() {}
        world.cut();
        rest(&mut world);
        world.heal();
        demand_sync(&mut world);
    }
    assert!(left > 10, "{left} of 40");
}

#[test]
fn who_is_behind_is_not_promoted_when_the_other_dies() {
    for seed in 0..20 {
        let mut world = pair_with(OnCongestion::PullAhead, 16, seed);
        pull_ahead(&mut world, 30);
        world.crash(0);
        rest(&mut world);
        let token = world.promote(1, false);
        rest(&mut world);
        // `SS_NO_UP_TO_DATE_DISK`
        check!(world, world.answer(1, token), Some(-2));
        world.power_on(0);
        world.attach(0);
        rest(&mut world);
        world.connect(0);
        demand_sync(&mut world);
    }
}

#[test]
fn who_is_behind_is_not_good_when_the_other_gives_its_disk_up() {
    for seed in 0..20 {
        let mut world = pair_with(OnCongestion::PullAhead, 16, seed);
        pull_ahead(&mut world, 30);
        let (volume, force) = (0, true);
        world.admin(
            0,
            tandem_engine::engine::resource::Admin::Detach { volume, force },
        );
        rest(&mut world);
        check!(world, world.nodes[1].state().disk < DiskState::Outdated);
        world.attach(0);
        demand_sync(&mut world);
    }
}

#[test]
fn with_disconnect_a_peer_that_is_too_slow_is_left_for_good() {
    let mut world = pair_with(OnCongestion::Disconnect, 16, 1);
    for i in 0..30 {
        world.write(0, i * 8, 8);
        while world.nodes[0].vol.open_requests() != 0 && world.step() {}
    }
    rest(&mut world);
    check!(world, world.nodes[0].state().conn, ConnState::StandAlone);
    check!(world, world.nodes[1].state().conn, ConnState::WfConnection);
    check!(world, world.nodes[0].vol.open_requests(), 0);
    world.connect(0);
    demand_sync(&mut world);
}
