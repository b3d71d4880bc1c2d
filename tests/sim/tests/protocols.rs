// SPDX-License-Identifier: GPL-2.0

//! Stories of protocols A and B: what a completed write promises.

mod pair;

use pair::{attach_and_connect, demand_sync, rest, watched};
use sim::world::{Config, World};
use tandem_engine::engine::options::{FixedStr, OnNoData, ResourceOptions, WireProtocol};
use tandem_engine::engine::resource::Admin;
use tandem_engine::engine::state::{ConnState, DiskState, Role};

/// Two nodes in sync, the first one Primary, with that protocol. Writes take long at a disk.
fn pair_with(protocol: WireProtocol, seed: u64) -> World {
    let mut config = Config {
        settings: true,
        disk: 40,
        ..Config::default()
    };
    config.node.net.protocol = protocol;
    config.node.net.verify_alg = FixedStr::new(b"crc32c").expect("short");
    let mut world = watched(World::synced(seed, config));
    attach_and_connect(&mut world);
    world.promote(0, false);
    rest(&mut world);
    world
}

/// The nodes take another protocol, told to the first one.
fn switch(world: &mut World, protocol: WireProtocol) {
    for node in &mut world.nodes {
        node.config.net.protocol = protocol;
    }
    let options = world.nodes[0].config.net.clone();
    world.admin(0, Admin::NetOptions { options });
}

/// Which of the first sectors a node has of writes that it was sent.
fn contents(world: &World, n: usize) -> Vec<u32> {
    let blocks = world.nodes[n].vol.disk.cached.iter();
    blocks.step_by(8).take(40).copied().collect()
}

/// The other node is Primary after the first one's death.
fn take_over(world: &mut World) {
    world.crash(0);
    let token = world.promote(1, false);
    rest(world);
    check!(world, world.answer(1, token).is_some_and(|code| code > 0));
    check!(world, world.nodes[1].state().role, Role::Primary);
    check!(world, world.failure.clone(), None);
}

/// Writes that each wait for the one before, with that order at the peer; how often the peer's disk
/// had several of them at once.
fn overtaking(disk_drain: bool, seed: u64) -> u32 {
    let mut config = Config {
        disk: 40,
        ..Config::default()
    };
    config.node.net.protocol = WireProtocol::A;
    config.node.disk.disk_flushes = false;
    config.node.disk.disk_drain = disk_drain;
    let mut world = watched(World::synced(seed, config));
    attach_and_connect(&mut world);
    world.promote(0, false);
    rest(&mut world);
    let at_peer = |world: &World| world.nodes[1].vol.engine.peer_requests();
    let mut several = 0;
    for i in 0..20 {
        world.write(0, i * 8, 8);
        let mut seen = 0;
        while world.nodes[0].vol.open_requests() != 0 && world.step() {
            seen = seen.max(at_peer(&world));
            // What nothing is kept of here is on the peer's disk.
            check!(
                world,
                world.nodes[0].vol.engine.requests() == 0 && at_peer(&world) != 0,
                false
            );
        }
        several += u32::from(seen > 1);
    }
    while world.nodes[0].vol.engine.requests() != 0 && world.step() {}
    check!(world, at_peer(&world), 0);
    rest(&mut world);
    demand_sync(&mut world);
    several
}

#[test]
fn without_an_order_a_barrier_holds_nothing_back_and_is_answered_when_its_writes_are_done() {
    let of_all = |disk_drain| {
        (0..20)
            .map(|seed| overtaking(disk_drain, seed))
            .sum::<u32>()
    };
    assert!(
        of_all(false) > 20,
        "dependent writes were at the disk together"
    );
    assert_eq!(of_all(true), 0);
}

#[test]
fn with_b_what_waits_at_the_peer_for_a_block_of_a_verify_survives_its_primary() {
    let mut waiting = 0;
    for seed in 0..200 {
        let mut world = pair_with(WireProtocol::B, seed);
        world.verify(1, Some(0), 100);
        while world.nodes[1].state().conn != ConnState::VerifyS && world.step() {}
        let until = world.now + seed % 50;
        world.run_until(until);
        let ids: Vec<u32> = (0..8).map(|i| world.write(0, i * 12, 12)).collect();
        let done = |world: &World| world.nodes[0].vol.open_requests() == 0;
        while !done(&world) && world.step() {}
        let held = world.nodes[1].vol.payloads.iter().flatten().count();
        waiting += u32::from(held != 0);
        take_over(&mut world);
        for (i, &id) in ids.iter().enumerate() {
            check!(world, world.nodes[1].vol.disk.cached[i * 12], id);
        }
    }
    assert!(waiting > 5, "something waited in {waiting} of 200");
}

#[test]
fn with_b_what_the_peer_only_has_in_memory_survives_its_primary() {
    let mut early = 0;
    for seed in 0..40 {
        let mut world = pair_with(WireProtocol::B, seed);
        let ids: Vec<u32> = (0..6).map(|_| world.write(0, 8, 8)).collect();
        while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        early += u32::from(world.nodes[1].vol.disk.cached[8] != ids[5]);
        take_over(&mut world);
        check!(world, world.nodes[1].vol.disk.cached[8], ids[5]);
    }
    assert!(
        early > 10,
        "done before the peer's disk has it: {early} of 40"
    );
}

#[test]
fn with_a_a_takeover_loses_the_last_writes_only() {
    let mut lost = 0;
    for seed in 0..60 {
        let mut world = pair_with(WireProtocol::A, seed);
        // One after the other: each began when the one before was done.
        for i in 0..30 {
            world.write(0, i * 8, 8);
            while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        }
        take_over(&mut world);
        let there = contents(&world, 1);
        let missing = there.iter().take(30).filter(|&&content| content < 10);
        lost += missing.count();
        let first = there.iter().position(|&content| content < 10);
        let behind = there.iter().skip(first.unwrap_or(40));
        check!(world, behind.copied().all(|content| content < 10));
        world.power_on(0);
        attach_and_connect_again(&mut world);
        demand_sync(&mut world);
    }
    assert!(lost > 0, "nothing was ever lost: it was not protocol A");
}

fn attach_and_connect_again(world: &mut World) {
    world.attach(0);
    rest(world);
    world.connect(0);
    rest(world);
}

#[test]
fn with_a_an_orderly_handover_loses_nothing() {
    for seed in 0..30 {
        let mut world = pair_with(WireProtocol::A, seed);
        for i in 0..30 {
            world.write(0, i * 8, 8);
        }
        while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        world.demote(0);
        rest(&mut world);
        check!(world, contents(&world, 0), contents(&world, 1));
        world.promote(1, false);
        demand_sync(&mut world);
    }
}

#[test]
fn what_was_sent_and_lost_with_the_link_is_resynced() {
    for protocol in [WireProtocol::A, WireProtocol::B] {
        for seed in 0..40 {
            let mut world = pair_with(protocol, seed);
            for i in 0..30 {
                world.write(0, i * 8, 8);
            }
            let until = world.now + seed;
            world.run_until(until);
            world.cut();
            rest(&mut world);
            world.check_marks();
            world.heal();
            demand_sync(&mut world);
            check!(world, contents(&world, 0), contents(&world, 1));
        }
    }
}

#[test]
fn a_primary_without_a_good_disk_waits_for_the_peers_whatever_the_protocol() {
    for protocol in [WireProtocol::A, WireProtocol::B] {
        for seed in 0..20 {
            let mut world = pair_with(protocol, seed);
            world.detach(0);
            rest(&mut world);
            check!(world, world.nodes[0].state().disk, DiskState::Diskless);
            let id = world.write(0, 8, 8);
            while world.nodes[0].vol.open_requests() != 0 && world.step() {}
            check!(world, world.nodes[1].vol.disk.cached[8], id);
        }
    }
}

#[test]
fn a_write_that_the_own_disk_has_not_taken_when_it_fails_is_done_when_the_peers_has() {
    for seed in 0..60 {
        let mut world = pair_with(WireProtocol::A, seed);
        // What the disk has is on copies: nobody waits for it.
        let mut options = world.nodes[0].records[0].options.clone();
        options.disk_timeout = 6000;
        world.admin(0, Admin::DiskOptions { volume: 0, options });
        world.write(0, 0, 8);
        rest(&mut world);
        world.hang_disk(0);
        let id = world.write(0, 8, 8);
        let until = world.now + seed;
        world.run_until(until);
        let (volume, force) = (0, true);
        world.admin(0, Admin::Detach { volume, force });
        while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        check!(world, world.nodes[1].vol.disk.cached[8], id);
    }
}

#[test]
fn a_write_that_a_detaching_peer_refuses_is_in_the_bitmap_that_it_gets_next() {
    for protocol in [WireProtocol::A, WireProtocol::B] {
        for seed in 0..60 {
            let mut world = pair_with(protocol, seed);
            for i in 0..30 {
                world.write(0, i * 8, 8);
            }
            let until = world.now + seed;
            world.run_until(until);
            world.detach(1);
            while world.nodes[0].state().peer_disk != DiskState::Diskless && world.step() {}
            world.attach(1);
            demand_sync(&mut world);
            check!(world, contents(&world, 0), contents(&world, 1));
        }
    }
}

#[test]
fn io_that_waits_for_data_goes_on_when_the_peer_has_its_disk_again() {
    let mut world = pair_with(WireProtocol::C, 1);
    let options = ResourceOptions {
        on_no_data_accessible: OnNoData::SuspendIo,
        ..ResourceOptions::default()
    };
    world.admin(0, Admin::ResourceOptions { options });
    world.detach(0);
    rest(&mut world);
    let (volume, force) = (0, true);
    world.admin(1, Admin::Detach { volume, force });
    rest(&mut world);
    world.write(0, 8, 8);
    rest(&mut world);
    check!(world, world.nodes[0].vol.open_requests(), 1);
    world.attach(1);
    rest(&mut world);
    check!(world, world.nodes[0].vol.open_requests(), 0);
}

#[test]
fn the_protocol_changes_under_load_and_the_peer_follows() {
    use WireProtocol::{A, B, C};
    for seed in 0..30 {
        let mut world = pair_with(C, seed);
        for protocol in [A, C, B, A, B, C] {
            for i in 0..10 {
                world.write(0, i * 8, 8);
            }
            switch(&mut world, protocol);
            let until = world.now + 7;
            world.run_until(until);
        }
        demand_sync(&mut world);
        for n in 0..2 {
            check!(world, world.nodes[n].state().conn, ConnState::Connected);
            let protocol = world.nodes[n].resource.net().map(|net| net.protocol);
            check!(world, protocol, Some(C));
        }
        // On the same connection as before.
        check!(world, world.nodes[0].conn.as_ref().map(|c| c.id), Some(1));
    }
}

#[test]
fn a_forced_write_is_on_stable_storage_on_both_nodes_when_it_is_done() {
    for seed in 0..20 {
        let mut world = pair_with(WireProtocol::C, seed);
        let id = world.write_as(0, 8, 8, true);
        while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        for node in &world.nodes {
            check!(world, node.vol.disk.durable[8], id);
        }
        check!(world, world.failure.clone(), None);
    }
}
