// SPDX-License-Identifier: GPL-2.0

//! Stories of pairs with two volumes.

mod pair;

use pair::{demand_sync, rest, resynced, states, watched, NO_ERROR};
use sim::world::{Config, World};
use tandem_engine::engine::options::{Fencing, WireProtocol};
use tandem_engine::engine::state::{ConnState, DiskState, Role};

/// `SS_O_VOL_PEER_PRI`.
const OTHER_VOLUME_IS_PRIMARY: i32 = -20;

/// Two nodes with two volumes that are in sync, all Secondary.
fn two_volumes(seed: u64) -> World {
    two_volumes_as(seed, Config::default())
}

fn two_volumes_as(seed: u64, config: Config) -> World {
    let config = Config {
        volumes: 2,
        ..config
    };
    let mut world = watched(World::synced(seed, config));
    for n in 0..2 {
        for volume in 0..2 {
            world.look_at(volume);
            let token = world.attach(n);
            rest(&mut world);
            world.look_at(volume);
            check!(world, world.answer(n, token), Some(NO_ERROR));
        }
    }
    connect(&mut world);
    demand_sync_of_all(&mut world);
    world
}

fn connect(world: &mut World) {
    for n in 0..2 {
        let token = world.connect(n);
        rest(world);
        check!(*world, world.answer(n, token), Some(NO_ERROR));
    }
}

fn disconnect(world: &mut World) {
    for n in [1, 0] {
        world.disconnect(n);
        rest(world);
    }
}

/// The number that the command is answered with.
fn promote(world: &mut World, n: usize, volume: usize) -> i32 {
    world.look_at(volume);
    let token = world.promote(n, false);
    rest(world);
    world.answer(n, token).unwrap_or_default()
}

/// Node a is Primary for both volumes.
fn serve_both(world: &mut World) {
    for volume in 0..2 {
        check!(*world, promote(world, 0, volume) > 0);
    }
}

/// As for a promotion.
fn demote(world: &mut World, n: usize, volume: usize) -> i32 {
    world.look_at(volume);
    let token = world.demote(n);
    rest(world);
    world.answer(n, token).unwrap_or_default()
}

fn write(world: &mut World, n: usize, volume: usize, sector: u64) {
    world.look_at(volume);
    world.write(n, sector, 8);
    rest(world);
}

fn demand_sync_of_all(world: &mut World) {
    for volume in 0..2 {
        rest(world);
        world.look_at(volume);
        demand_sync(world);
        world.look_at(volume);
    }
}

/// Connection and disk of a volume, on node a.
fn of_a(world: &mut World, volume: usize) -> (ConnState, DiskState) {
    world.look_at(volume);
    let (conn, disk, _) = states(world)[0];
    (conn, disk)
}

#[test]
fn volumes_share_their_epochs() {
    let mut world = two_volumes(1);
    serve_both(&mut world);
    world.look_at(0);
    world.write(0, 64, 8);
    world.look_at(1);
    world.write(0, 128, 8);
    rest(&mut world);
    world.look_at(0);
    world.flush(0);
    rest(&mut world);
    let acked = |text: &str| text.contains("BarrierAck") && text.contains("of 2 writes");
    let lines = world.story.iter().flatten();
    check!(world, lines.filter(|line| acked(&line.text)).count() > 0);
    demand_sync_of_all(&mut world);
}

#[test]
fn every_volume_hears_of_the_end_of_a_session_and_resyncs_what_it_missed() {
    let mut world = two_volumes(2);
    serve_both(&mut world);
    world.cut();
    rest(&mut world);
    write(&mut world, 0, 0, 64);
    write(&mut world, 0, 1, 8192);
    write(&mut world, 0, 1, 16384);
    for volume in 0..2 {
        world.look_at(volume);
        resynced(&mut world);
    }
    world.heal();
    demand_sync_of_all(&mut world);
    for (volume, blocks) in [(0, 1), (1, 2)] {
        world.look_at(volume);
        check!(world, resynced(&mut world), blocks);
    }
}

#[test]
fn each_volume_is_synced_in_its_own_direction() {
    let mut world = two_volumes(3);
    disconnect(&mut world);
    for (n, volume) in [(0, 0), (1, 1)] {
        check!(world, promote(&mut world, n, volume) > 0);
        write(&mut world, n, volume, 4096);
        check!(world, demote(&mut world, n, volume) > 0);
    }
    for n in 0..2 {
        world.connect(n);
    }
    let both = |world: &mut World| {
        of_a(world, 0).0 == ConnState::SyncSource && of_a(world, 1).0 == ConnState::SyncTarget
    };
    while !both(&mut world) {
        check!(world, world.step());
    }
    demand_sync_of_all(&mut world);
}

#[test]
fn nobody_becomes_primary_beside_a_primary_of_another_volume() {
    let mut world = two_volumes(4);
    check!(world, promote(&mut world, 0, 0) > 0);
    let refused = promote(&mut world, 1, 1);
    check!(world, refused, OTHER_VOLUME_IS_PRIMARY);
    world.look_at(1);
    check!(world, world.nodes[1].state().role, Role::Secondary);
}

#[test]
fn a_volume_without_disk_leaves_the_other_one_alone() {
    let mut world = two_volumes(5);
    serve_both(&mut world);
    world.look_at(1);
    world.detach(1);
    rest(&mut world);
    check!(world, of_a(&mut world, 1).0, ConnState::Connected);
    write(&mut world, 0, 1, 64);
    write(&mut world, 0, 0, 64);
    world.look_at(0);
    demand_sync(&mut world);
    world.look_at(1);
    world.attach(1);
    demand_sync_of_all(&mut world);
}

#[test]
fn who_leaves_a_primary_outdates_all_its_volumes() {
    let mut config = Config::default();
    config.node.disk.fencing = Fencing::ResourceOnly;
    let mut world = two_volumes_as(6, config);
    serve_both(&mut world);
    world.disconnect(1);
    rest(&mut world);
    let disks: Vec<DiskState> = world.nodes[1].states().iter().map(|s| s.disk).collect();
    check!(world, disks, vec![DiskState::Outdated; 2]);
}

/// Writes on the two volumes by turns, each begun when the one before it was completed: so many.
/// Returns which volume, which sector, and the name of each.
fn chain(world: &mut World, length: u64) -> Vec<(usize, u64, u32)> {
    let mut links = Vec::new();
    for link in 0..length {
        let (volume, sector) = ((link % 2) as usize, 64 + 8 * link);
        world.look_at(volume);
        let id = world.write(0, sector, 8);
        let done = |world: &mut World| {
            world.look_at(volume);
            world.oracle.is_completed(id)
        };
        while !done(world) {
            check!(world, world.step());
        }
        links.push((volume, sector, id));
    }
    links
}

/// How many sectors of a write the disk of node b has after it lost its power.
fn kept_by_b(world: &mut World, (volume, sector, id): (usize, u64, u32)) -> usize {
    world.look_at(volume);
    let disk = &world.nodes[1].vol.disk.durable;
    let block = &disk[sector as usize..sector as usize + 8];
    block.iter().filter(|content| **content == id).count()
}

#[test]
fn with_protocol_a_the_peer_has_the_writes_of_all_volumes_up_to_some_moment() {
    let mut cut_in_the_middle = 0;
    for seed in 0..100 {
        let mut config = Config::default();
        config.node.net.protocol = WireProtocol::A;
        let mut world = two_volumes_as(seed, config);
        serve_both(&mut world);
        let links = chain(&mut world, 4 + seed % 37);
        for n in 0..2 {
            world.crash(n);
        }
        let kept: Vec<usize> = links.iter().map(|l| kept_by_b(&mut world, *l)).collect();
        let whole = kept.iter().take_while(|kept| **kept == 8).count();
        let beyond = kept.iter().skip(whole + 1).sum::<usize>();
        assert_eq!(
            beyond, 0,
            "seed {seed}: sectors of each write that b has: {kept:?}"
        );
        cut_in_the_middle += u32::from(whole != 0 && whole != kept.len());
    }
    assert!(
        cut_in_the_middle > 20,
        "only {cut_in_the_middle} tell anything"
    );
}
