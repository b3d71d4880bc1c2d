// SPDX-License-Identifier: GPL-2.0

//! Stories of volumes that change their size.

mod pair;

use pair::{attach_and_connect, demand_sync, rest, resynced, watched, NO_ERROR};
use sim::world::{Config, World};
use tandem_engine::engine::resource::SizeWish;
use tandem_engine::engine::state::{ConnState, DiskState};

/// Sectors by which disks grow here: 3 extents.
const MORE: u64 = 3 * 8192;

/// Blocks that are new then.
const NEW_BLOCKS: u64 = MORE / 8;

/// `ERR_RESIZE_RESYNC`.
const RESYNC: i32 = 130;
/// `ERR_NO_PRIMARY`.
const NO_PRIMARY: i32 = 131;

fn config() -> Config {
    Config {
        spare: MORE,
        ..Config::default()
    }
}

/// Two nodes in sync, the first one Primary, whose disks can grow.
fn primary_pair(seed: u64) -> World {
    let mut world = watched(World::synced(seed, config()));
    attach_and_connect(&mut world);
    let token = world.promote(0, false);
    rest(&mut world);
    check!(world, world.answer(0, token).is_some_and(|code| code > 0));
    world
}

fn grow_both(world: &mut World) {
    for n in 0..2 {
        world.grow(n, MORE);
    }
}

fn size_of(world: &World, n: usize) -> [u64; 3] {
    let node = &world.nodes[n];
    [
        node.vol.engine.capacity(),
        node.vol
            .engine
            .bitmap()
            .map_or(0, |bitmap| bitmap.sectors()),
        node.vol.disk.superblock().last_size,
    ]
}

fn demand_size(world: &World, sectors: u64) {
    for n in 0..2 {
        check!(world, size_of(world, n), [sectors; 3]);
    }
}

fn old_size() -> u64 {
    Config::default().sectors[0]
}

#[test]
fn a_volume_grows_online_and_only_what_is_new_is_resynced() {
    for seed in 0..40 {
        let mut world = primary_pair(seed);
        grow_both(&mut world);
        // Either node may be told.
        let token = world.resize(seed as usize % 2, SizeWish::default());
        for i in 0..20 {
            world.write(0, i * 300, 8);
        }
        demand_sync(&mut world);
        check!(
            world,
            world.answer(seed as usize % 2, token),
            Some(NO_ERROR)
        );
        demand_size(&world, old_size() + MORE);
        check!(world, resynced(&mut world), NEW_BLOCKS);
        world.write(0, old_size() + MORE - 8, 8);
        demand_sync(&mut world);
        check!(world, resynced(&mut world), 0);
    }
}

#[test]
fn what_is_known_to_be_equal_is_not_resynced() {
    let mut world = primary_pair(1);
    grow_both(&mut world);
    for n in 0..2 {
        let disk = &mut world.nodes[n].vol.disk;
        disk.cached.fill(1);
        disk.durable.fill(1);
    }
    let wish = SizeWish {
        assume_clean: true,
        ..SizeWish::default()
    };
    world.resize(0, wish);
    demand_sync(&mut world);
    demand_size(&world, old_size() + MORE);
    check!(world, resynced(&mut world), 0);
}

#[test]
fn a_volume_does_not_outgrow_the_peers_disk() {
    let mut world = primary_pair(1);
    world.grow(0, MORE);
    let token = world.resize(0, SizeWish::default());
    demand_sync(&mut world);
    check!(world, world.answer(0, token), Some(NO_ERROR));
    demand_size(&world, old_size());
    check!(world, resynced(&mut world), 0);
    // As soon as the peer's is large enough, either node may be told.
    world.grow(1, MORE);
    world.resize(1, SizeWish::default());
    demand_sync(&mut world);
    demand_size(&world, old_size() + MORE);
    check!(world, resynced(&mut world), NEW_BLOCKS);
}

#[test]
fn a_volume_has_the_size_that_is_asked_for() {
    let mut world = primary_pair(1);
    grow_both(&mut world);
    for sectors in [old_size() + 8192, old_size() - 8192, old_size() + MORE] {
        let wish = SizeWish {
            size: sectors,
            ..SizeWish::default()
        };
        let token = world.resize(0, wish);
        demand_sync(&mut world);
        check!(world, world.answer(0, token), Some(NO_ERROR));
        demand_size(&world, sectors);
    }
    // What was cut off is new again when it comes back.
    check!(world, resynced(&mut world), 1024 + 4 * 1024);
}

#[test]
fn two_secondaries_and_a_resync_are_in_the_way() {
    let mut world = watched(World::synced(1, config()));
    attach_and_connect(&mut world);
    let token = world.resize(0, SizeWish::default());
    rest(&mut world);
    check!(world, world.answer(0, token), Some(NO_PRIMARY));
    world.promote(0, false);
    rest(&mut world);
    world.nodes[0].vol.engine.set_bits(0, 3000);
    world.admin(
        0,
        tandem_engine::engine::resource::Admin::Invalidate {
            volume: 0,
            remote: true,
        },
    );
    while world.nodes[0].state().conn != ConnState::SyncSource && world.step() {}
    let token = world.resize(0, SizeWish::default());
    demand_sync(&mut world);
    check!(world, world.answer(0, token), Some(RESYNC));
}

#[test]
fn a_primary_that_grows_alone_takes_its_peer_along_later() {
    for seed in 0..20 {
        let mut world = primary_pair(seed);
        world.cut();
        rest(&mut world);
        world.grow(0, MORE);
        let token = world.resize(0, SizeWish::default());
        rest(&mut world);
        check!(world, world.answer(0, token), Some(NO_ERROR));
        check!(world, size_of(&world, 0), [old_size(); 3]);
        let wish = SizeWish {
            assume_peer_has_space: true,
            ..SizeWish::default()
        };
        world.resize(0, wish);
        rest(&mut world);
        check!(world, size_of(&world, 0), [old_size() + MORE; 3]);
        world.write(0, old_size() + 800, 8);
        rest(&mut world);
        world.grow(1, MORE);
        world.heal();
        demand_sync(&mut world);
        demand_size(&world, old_size() + MORE);
        check!(world, resynced(&mut world), NEW_BLOCKS);
    }
}

#[test]
fn a_disk_that_was_away_gets_what_is_new_when_it_comes_back() {
    for seed in 0..20 {
        let mut world = primary_pair(seed);
        world.detach(1);
        rest(&mut world);
        check!(world, world.nodes[1].state().disk, DiskState::Diskless);
        grow_both(&mut world);
        world.resize(0, SizeWish::default());
        rest(&mut world);
        check!(world, world.nodes[0].vol.engine.capacity(), old_size());
        world.attach(1);
        demand_sync(&mut world);
        check!(
            world,
            world.nodes[0].vol.engine.capacity(),
            old_size() + MORE
        );
        demand_size(&world, old_size() + MORE);
        check!(world, resynced(&mut world), NEW_BLOCKS);
    }
}

/// A power cut of either node at each moment of a resize under load: afterwards both have one of
/// the two sizes, the same one, and the same data.
#[test]
fn a_power_cut_while_growing_loses_nothing() {
    for seed in 0..240 {
        let mut world = primary_pair(seed);
        grow_both(&mut world);
        for i in 0..10 {
            world.write(0, i * 300, 8);
        }
        world.resize(seed as usize % 2, SizeWish::default());
        let until = world.now + seed / 4;
        world.run_until(until);
        let n = seed as usize / 2 % 2;
        world.crash(n);
        rest(&mut world);
        world.power_on(n);
        world.attach(n);
        rest(&mut world);
        world.connect(n);
        rest(&mut world);
        let writer = [0, 1].into_iter().find(|&n| {
            use tandem_engine::engine::state::Role;
            world.nodes[n].state().role == Role::Primary
        });
        if writer.is_none() {
            world.promote(0, false);
            rest(&mut world);
        }
        demand_sync(&mut world);
        let now = world.nodes[0].vol.engine.capacity();
        check!(world, [old_size(), old_size() + MORE].contains(&now));
        demand_size(&world, now);
        world.write(writer.unwrap_or(0), now - 8, 8);
        demand_sync(&mut world);
    }
}
