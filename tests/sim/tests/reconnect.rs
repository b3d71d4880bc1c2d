// SPDX-License-Identifier: GPL-2.0

//! Stories of connections that do not last.

mod pair;

use pair::{attach_and_connect, demand_sync, watched};
use sim::world::{Config, World};

/// Two nodes in sync that look for each other when the engine says so.
fn patient_pair(seed: u64) -> World {
    let config = Config {
        patient: true,
        ..Config::default()
    };
    let mut world = watched(World::synced(seed, config));
    attach_and_connect(&mut world);
    world
}

/// Waits for the next session; returns when it began, in ms.
fn meet(world: &mut World) -> u64 {
    while world.nodes[0].conn.is_none() && world.step() {}
    check!(world, world.nodes[0].conn.is_some());
    world.now
}

/// The session is lost, and the link works again at once.
fn lose(world: &mut World) {
    world.cut();
    while world.nodes.iter().any(|node| node.conn.is_some()) && world.step() {}
    world.heal();
}

#[test]
fn connections_that_break_again_and_again_are_made_less_and_less_often() {
    for seed in 0..20 {
        let mut world = patient_pair(seed);
        // The first one lasted long enough.
        let until = world.now + 20_000;
        world.run_until(until);
        lose(&mut world);
        let broke = world.now;
        let mut began = meet(&mut world);
        check!(world, began - broke < 1_000);
        for least in [10_000, 20_000, 40_000, 80_000, 80_000] {
            lose(&mut world);
            let next = meet(&mut world);
            let gap = next - began;
            check!(world, (least..least * 5 / 4 + 2_000).contains(&gap));
            began = next;
        }
        demand_sync(&mut world);
    }
}

#[test]
fn a_peer_that_was_told_to_leave_is_waited_for_at_once() {
    let mut world = patient_pair(1);
    for _ in 0..4 {
        world.disconnect(0);
        while world.nodes[0].conn.is_some() && world.step() {}
        pair::rest(&mut world);
        world.connect(0);
        let asked = world.now;
        let began = meet(&mut world);
        check!(world, began - asked < 1_000);
        demand_sync(&mut world);
    }
}
