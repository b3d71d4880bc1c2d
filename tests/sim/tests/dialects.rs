// SPDX-License-Identifier: GPL-2.0

//! Stories of discards, of thin resync, and of peers that speak older versions.

mod pair;

use pair::*;
use sim::dialect::Dialect;
use sim::story::Line;
use sim::world::{Config, World};
use tandem_engine::engine::options::WireProtocol;
use tandem_engine::engine::resource::Admin;
use tandem_engine::engine::state::ConnState;
use tandem_engine::engine::volume::{DiscardLimits, Operation};
use tandem_engine::engine::wire::handshake::Features;
use tandem_engine::engine::wire::{PROTOCOL_MAX, PROTOCOL_MIN};

const ZEROES: Operation = Operation::Zeroes { unmap: true };

fn config(newest: u32, features: Features) -> Config {
    Config {
        dialect: Dialect { newest, features },
        ..Config::default()
    }
}

/// Two nodes in sync, the first one Primary.
fn pair_of(config: Config) -> World {
    let mut world = watched(World::synced(11, config));
    attach_and_connect(&mut world);
    check!(world, world.in_sync());
    let token = world.promote(0, false);
    rest(&mut world);
    check!(world, world.answer(0, token).is_some_and(|code| code > 0));
    world
}

/// Both disks hold that name in all of these sectors.
fn both_hold(world: &World, name: u32, sector: u64, sectors: u32) -> bool {
    world.nodes.iter().all(|node| {
        let extent = tandem_engine::engine::ids::Extent::new(sector, sectors * 512);
        node.vol
            .disk
            .read(extent)
            .iter()
            .all(|&found| found == name)
    })
}

#[test]
fn discards_read_as_zeroes_on_both_nodes_whatever_their_disks_discard() {
    let disk = |most, granularity, alignment| DiscardLimits {
        most,
        granularity,
        alignment,
    };
    for own in [disk(1 << 16, 1, 0), disk(20, 8, 3), disk(1 << 16, 24, 5)] {
        for peer in [disk(0, 0, 0), disk(1 << 16, 8, 0), disk(64, 16, 7)] {
            let mut world = watched(World::synced(5, Config::default()));
            world.nodes[0].config.discard = own;
            world.nodes[1].config.discard = peer;
            attach_and_connect(&mut world);
            world.promote(0, false);
            rest(&mut world);
            for (operation, sector, sectors) in [
                (Operation::Discard, 13, 100),
                (Operation::Discard, 1000, 1),
                (Operation::Discard, 8192 - 40, 80),
                (ZEROES, 2003, 90),
                (Operation::Zeroes { unmap: false }, 3001, 7),
            ] {
                world.write(0, sector, 8);
                let name = world.discard(0, operation, sector, sectors);
                rest(&mut world);
                check!(world, both_hold(&world, name, sector, sectors));
            }
            demand_sync(&mut world);
        }
    }
}

#[test]
fn disks_that_forget_nothing_are_zeroed_where_they_are_not_relied_upon() {
    let mut config = Config::default();
    config.node.forgets_nothing = true;
    config.node.disk.discard_zeroes_if_aligned = false;
    let mut world = pair_of(config);
    world.write(0, 0, 16);
    let name = world.discard(0, Operation::Discard, 0, 64);
    rest(&mut world);
    check!(world, both_hold(&world, name, 0, 64));
    demand_sync(&mut world);
}

#[test]
fn a_discard_is_in_its_epoch_and_a_later_write_is_not_lost_to_it() {
    let mut world = pair_of(Config::default());
    for round in 0..20 {
        world.discard(0, Operation::Discard, 0, 512);
        let last = world.write(0, 8 * round, 8);
        world.flush(0);
        rest(&mut world);
        check!(world, both_hold(&world, last, 8 * round, 8));
    }
    check!(world, world.nodes[0].stream.unacked_epochs(), 0);
    demand_sync(&mut world);
}

/// A pair whose first node wrote zeroes, and something else, while the other one was away.
fn parted_over_zeroes(config: Config) -> World {
    let mut world = pair_of(config);
    world.cut();
    rest(&mut world);
    world.discard(0, ZEROES, 0, 1024);
    world.write(0, 2048, 64);
    rest(&mut world);
    world
}

#[test]
fn a_thin_resync_tells_zeroes_and_does_not_send_them() {
    for thin in [true, false] {
        let mut config = Config::default();
        config.node.disk.rs_discard_granularity = 65536;
        if !thin {
            config.dialect.features = Features(Features::OWN.0 & !Features::THIN_RESYNC.0);
        }
        let mut world = parted_over_zeroes(config);
        world.heal();
        demand_sync(&mut world);
        check!(world, world.thin_answers, if thin { 8 } else { 0 });
        check!(world, resynced(&mut world), 128 + 8);
    }
}

#[test]
fn writes_beside_a_thin_resync_are_not_lost_to_its_zeroes() {
    for seed in 0..20 {
        let mut config = Config::default();
        config.node.disk.rs_discard_granularity = 16384;
        let mut world = parted_over_zeroes(config);
        world.heal();
        for _ in 0..400 {
            world.step();
        }
        for n in 0..16 {
            world.write(0, 64 * n + 8 * (seed % 8), 8);
            for _ in 0..10 {
                world.step();
            }
        }
        demand_sync(&mut world);
        check!(world, world.thin_answers != 0);
    }
}

/// A life of a pair: writes, a cut and a resync, an orderly end.
fn live(newest: u32, features: Features, protocol: WireProtocol) {
    let mut config = config(newest, features);
    config.node.net.protocol = protocol;
    config.settings = true;
    let mut world = pair_of(config);
    check!(world, world.nodes[0].resource.agreed().version, newest);
    for n in 0..8 {
        world.write(0, 100 * n, 60);
    }
    rest(&mut world);
    check!(world, world.in_sync());
    world.cut();
    rest(&mut world);
    world.write(0, 4000, 64);
    rest(&mut world);
    world.heal();
    demand_sync(&mut world);
    check!(world, resynced(&mut world), 8);
    for operation in [Operation::Discard, ZEROES] {
        if world.most_sectors(0, operation) != 0 {
            world.discard(0, operation, 4001, 30);
        }
    }
    demand_sync(&mut world);
    let token = world.disconnect(0);
    rest(&mut world);
    check!(world, world.answer(0, token).is_some_and(|code| code > 0));
    // The peer was asked.
    let asked = if newest < 100 {
        "sends StateChgRequest"
    } else {
        "sends conn_st_chg_req"
    };
    let told = |line: &&Line| line.text.starts_with(asked);
    check!(world, world.story.iter().flatten().rfind(told).is_some());
    world.write(0, 5000, 8);
    rest(&mut world);
    world.connect(0);
    demand_sync(&mut world);
}

#[test]
fn every_version_replicates_resyncs_and_parts_in_order() {
    for version in PROTOCOL_MIN..=PROTOCOL_MAX {
        for features in [Features::NONE, Features::TRIM, Features::OWN] {
            live(version, features, WireProtocol::C);
        }
        live(version, Features::OWN, WireProtocol::A);
        live(version, Features::OWN, WireProtocol::B);
    }
}

#[test]
fn no_request_is_larger_than_the_version_has() {
    for (version, bytes) in [(86, 32), (94, 32), (95, 128), (99, 128), (100, 1024)] {
        let world = pair_of(config(version, Features::OWN));
        for node in &world.nodes {
            check!(world, node.vol.limits.write, bytes << 10);
        }
    }
    let without = pair_of(config(101, Features::NONE));
    check!(without, without.most_sectors(0, Operation::Discard), 0);
    check!(without, without.most_sectors(0, ZEROES), 0);
    let before = pair_of(config(101, Features::TRIM));
    check!(
        before,
        before.most_sectors(0, Operation::Discard),
        (4 << 20) / 512
    );
}

#[test]
fn a_request_that_is_too_large_for_the_peer_that_is_found_is_resynced() {
    let mut config = config(94, Features::NONE);
    // The log takes one extent, and a write in it makes the others wait.
    config.node.al_extents = 2;
    config.node.slots = 64;
    config.meta = 60;
    let mut world = watched(World::synced(3, config));
    for n in 0..2 {
        world.attach(n);
        rest(&mut world);
    }
    world.promote(0, false);
    rest(&mut world);
    for n in 0..2 {
        world.connect(n);
    }
    for round in 0..30 {
        for extent in 0..5 {
            world.write(0, 8192 * extent + 400 * (round % 10), 200);
        }
        world.run_until(world.now + 3);
    }
    demand_sync(&mut world);
    let told = |text: &&String| text.starts_with("TooLarge");
    check!(world, world.nodes[0].notices.iter().find(told).is_some());
}

#[test]
fn options_that_an_old_peer_cannot_be_told_stay_as_they_are() {
    const ERR_NEED_APV_100: i32 = 163;
    for (version, code) in [(99, ERR_NEED_APV_100), (100, NO_ERROR)] {
        let mut config = config(version, Features::OWN);
        config.settings = true;
        let mut world = pair_of(config);
        let mut options = world.nodes[0].config.net.clone();
        options.protocol = WireProtocol::A;
        let token = world.admin(0, Admin::NetOptions { options });
        rest(&mut world);
        check!(world, world.answer(0, token), Some(code));
        check!(world, world.nodes[0].state().conn, ConnState::Connected);
    }
}
