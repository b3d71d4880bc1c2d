// SPDX-License-Identifier: GPL-2.0

//! Stories of online verify, one behaviour each.

mod pair;

use pair::{attach_and_connect, demand_sync, rest, watched, SUCCESS};
use sim::world::{Config, World};
use tandem_engine::engine::options::FixedStr;
use tandem_engine::engine::state::{ConnState, DiskState};

/// Sectors of the volume.
const END: u64 = 6 * 8192;

fn config() -> Config {
    let mut config = Config::default();
    config.node.net.verify_alg = FixedStr::new(b"crc32c").expect("short");
    config
}

/// Two nodes in sync that can verify, the first one Primary.
fn verifying_pair(seed: u64) -> World {
    let mut world = watched(World::synced(seed, config()));
    attach_and_connect(&mut world);
    world.promote(0, false);
    rest(&mut world);
    world
}

/// Blocks that each node knows to differ.
fn marked(world: &World) -> [u64; 2] {
    [0, 1].map(|n: usize| world.nodes[n].vol.engine.out_of_sync())
}

#[test]
fn a_verify_finds_and_marks_exactly_what_rotted() {
    for seed in 0..10 {
        for n in 0..2 {
            let mut world = verifying_pair(seed);
            for (sector, node) in [(8, 0), (15, 1), (4096, 1), (END - 1, 0)] {
                world.rot(node, sector);
            }
            let token = world.verify(n, Some(0), 8192);
            rest(&mut world);
            check!(world, world.answer(n, token).is_some_and(|code| code > 0));
            // The last one lies behind the stop sector; two are in one block.
            check!(world, world.oracle.verify.found, 2);
            check!(world, marked(&world), [2, 2]);
            check!(world, world.in_sync());
        }
    }
}

#[test]
fn a_verify_of_equal_disks_finds_nothing_beside_writes() {
    for seed in 0..30 {
        for n in 0..2 {
            let mut world = verifying_pair(seed);
            world.verify(n, Some(0), 1024);
            for i in 0..60u64 {
                world.write(0, (i * 37) % 1000, 1 + (i as u32 * 7) % 20);
                let until = world.now + 2;
                world.run_until(until);
            }
            demand_sync(&mut world);
            world.check_rest();
            check!(world, world.failure.clone(), None);
            check!(world, world.oracle.verify.finished, 1);
            check!(world, marked(&world), [0, 0]);
        }
    }
}

#[test]
fn a_verify_that_is_cut_leaves_nothing_behind() {
    for seed in 0..30 {
        let mut world = verifying_pair(seed);
        world.rot(1, 80);
        world.verify(seed as usize % 2, Some(0), END);
        for i in 0..20 {
            world.write(0, i * 8, 8);
        }
        let until = world.now + 10 + seed;
        world.run_until(until);
        world.cut();
        rest(&mut world);
        world.heal();
        demand_sync(&mut world);
        world.check_rest();
        check!(world, world.failure.clone(), None);
    }
}

#[test]
fn what_a_verify_found_is_copied_after_the_next_reconnect() {
    let mut world = verifying_pair(3);
    world.rot(1, 80);
    world.verify(1, Some(0), 1024);
    rest(&mut world);
    check!(world, marked(&world), [1, 1]);
    world.disconnect(1);
    rest(&mut world);
    world.connect(1);
    demand_sync(&mut world);
    check!(world, world.nodes[1].vol.disk.cached[80], 1);
    check!(world, marked(&world), [0, 0]);
}

#[test]
fn what_a_verify_found_survives_a_crash_of_both() {
    let mut world = verifying_pair(4);
    world.rot(1, 80);
    world.verify(0, Some(0), 1024);
    rest(&mut world);
    for n in 0..2 {
        world.crash(n);
    }
    let known = [0, 1].map(|n: usize| world.nodes[n].vol.disk.bitmap().is_set(10));
    check!(world, known, [true; 2]);
}

#[test]
fn disks_that_were_never_good_are_not_verified() {
    let mut world = watched(World::new(1, config()));
    attach_and_connect(&mut world);
    let token = world.verify(0, Some(0), 1024);
    rest(&mut world);
    check!(world, world.answer(0, token), Some(-2));
    for n in 0..2 {
        check!(world, world.nodes[n].state().disk, DiskState::Inconsistent);
    }
}

#[test]
fn the_peers_verify_does_not_make_a_disk_good_that_a_promotion_is_declaring() {
    for seed in 0..30 {
        let mut world = watched(World::new(seed, config()));
        attach_and_connect(&mut world);
        world.promote(0, true);
        let until = world.now + seed % 10;
        world.run_until(until);
        world.verify(1, Some(0), 1024);
        demand_sync(&mut world);
    }
}

#[test]
fn a_stop_sector_can_be_brought_forward_while_a_verify_runs() {
    let mut world = verifying_pair(5);
    for sector in [8, 20_000] {
        world.rot(1, sector);
    }
    world.verify(0, Some(0), END);
    while world.nodes[0].state().conn != ConnState::VerifyS && world.step() {}
    let token = world.verify(0, None, 4096);
    rest(&mut world);
    check!(
        world,
        world.answer(0, token).is_some_and(|code| code >= SUCCESS)
    );
    check!(world, marked(&world), [1, 1]);
    check!(world, world.oracle.verify.finished, 1);
}
