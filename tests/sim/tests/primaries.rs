// SPDX-License-Identifier: GPL-2.0

//! Stories of two Primaries.

mod pair;

use pair::{attach_and_connect, demand_sync, rest, states, watched, SUCCESS};
use sim::node::NodeConfig;
use sim::rng::Rng;
use sim::world::{Config, World};
use tandem_engine::engine::options::{AfterSplitBrain0, AfterSplitBrain2, Fencing};
use tandem_engine::engine::resource::{Admin, Handler};
use tandem_engine::engine::state::{ConnState, DiskState, Role};

/// `SS_TWO_PRIMARIES`.
const TWO_PRIMARIES: i32 = -1;

/// Two nodes in sync with that configuration, both Secondary.
fn pair_of(seed: u64, mut config: Config, configure: impl Fn(usize, &mut NodeConfig)) -> World {
    config.node.net.allow_two_primaries = true;
    let mut world = watched(World::synced(seed, config));
    for n in 0..2 {
        configure(n, &mut world.nodes[n].config);
    }
    attach_and_connect(&mut world);
    check!(world, world.in_sync());
    world
}

fn promote(world: &mut World, n: usize) {
    let token = world.promote(n, false);
    rest(world);
    check!(world, world.answer(n, token).is_some_and(|code| code > 0));
    check!(world, world.nodes[n].state().role, Role::Primary);
    world.nodes[n].vol.open = true;
}

/// Both are Primary.
fn two_primaries(seed: u64, config: Config) -> World {
    let mut world = pair_of(seed, config, |_, _| {});
    promote(&mut world, 0);
    promote(&mut world, 1);
    check!(world, world.nodes[0].state().peer, Role::Primary);
    world
}

/// Both applications write to the same few blocks, at the same time.
fn fight(world: &mut World, rng: &mut Rng, rounds: u32) {
    for _ in 0..rounds {
        for n in 0..2 {
            if world.nodes[n].up && world.nodes[n].vol.writable {
                for _ in 0..rng.below(4) {
                    let sector = 800 + rng.below(24);
                    let sectors = rng.within(1, 16) as u32;
                    match rng.below(6) {
                        0 => world.read(n, sector, sectors),
                        _ => drop(world.write(n, sector, sectors)),
                    }
                }
            }
        }
        let pause = rng.below(12);
        let until = world.now + pause;
        world.run_until(until);
    }
}

fn nobody_waits(world: &World) {
    for node in &world.nodes {
        check!(world, node.vol.open_requests(), 0);
    }
}

#[test]
fn concurrent_overlapping_writes_of_two_primaries_end_with_equal_disks() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed ^ 0xd0a1);
        let config = Config {
            step: rng.below(4),
            disk: rng.within(1, 25),
            wire: rng.within(1, 15),
            ..Config::default()
        };
        let mut world = two_primaries(seed, config);
        fight(&mut world, &mut rng, 60);
        demand_sync(&mut world);
        nobody_waits(&world);
        world.check_rest();
        check!(world, world.failure.clone(), None);
    }
}

#[test]
fn a_write_is_superseded_and_one_is_retried() {
    // That the runs above have what they are about.
    let mut world = two_primaries(3, Config::default());
    let mut rng = Rng::new(1);
    fight(&mut world, &mut rng, 60);
    demand_sync(&mut world);
    for packet in ["Superseded", "retry_write"] {
        let told = |line: &sim::story::Line| line.text.contains(packet);
        check!(world, world.story.iter().flatten().any(told));
    }
}

#[test]
fn a_second_primary_is_refused_unless_it_is_allowed() {
    let mut world = watched(World::synced(5, Config::default()));
    attach_and_connect(&mut world);
    promote(&mut world, 0);
    let token = world.promote(1, false);
    rest(&mut world);
    check!(world, world.answer(1, token), Some(TWO_PRIMARIES));
}

#[test]
fn both_nodes_have_to_allow_two_primaries_when_they_meet() {
    let config = Config {
        settings: true,
        ..Config::default()
    };
    let mut world = watched(World::synced(5, config));
    world.nodes[1].config.net.allow_two_primaries = true;
    for n in 0..2 {
        world.attach(n);
        rest(&mut world);
        world.connect(n);
    }
    rest(&mut world);
    let text = world.nodes[0].notices.join(" ");
    check!(world, text.contains("allow-two-primaries"));
    check!(world, world.nodes[0].state().conn, ConnState::StandAlone);
}

#[test]
fn two_primaries_can_be_allowed_while_they_are_connected() {
    let config = Config {
        settings: true,
        ..Config::default()
    };
    let mut world = watched(World::synced(5, config));
    attach_and_connect(&mut world);
    promote(&mut world, 0);
    let mut options = world.nodes[0].config.net.clone();
    options.allow_two_primaries = true;
    world.oracle.dual = true;
    world.admin(0, Admin::NetOptions { options });
    rest(&mut world);
    promote(&mut world, 1);
    fight(&mut world, &mut Rng::new(5), 40);
    demand_sync(&mut world);
    nobody_waits(&world);
}

#[test]
fn a_primary_that_crashes_loses_nothing_that_it_had_completed() {
    for seed in 0..20 {
        let mut world = two_primaries(seed, Config::default());
        let mut rng = Rng::new(seed);
        fight(&mut world, &mut rng, 20);
        world.crash(1);
        fight(&mut world, &mut rng, 20);
        rest(&mut world);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        let content = world.nodes[0].vol.disk.cached.clone();
        let served = world.oracle.check_content(&content, 0);
        check!(world, served, Ok(()));
        world.power_on(1);
        world.attach(1);
        rest(&mut world);
        world.connect(1);
        rest(&mut world);
        check!(world, world.in_sync());
        promote(&mut world, 1);
        fight(&mut world, &mut rng, 20);
        demand_sync(&mut world);
        nobody_waits(&world);
    }
}

#[test]
fn two_primaries_write_while_one_of_them_is_the_target_of_a_resync() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let config = Config {
            disk: 20,
            resync_bytes: 4096,
            ..Config::default()
        };
        let mut world = pair_of(seed, config, |_, _| {});
        promote(&mut world, 0);
        world.crash(1);
        rest(&mut world);
        for i in 0..60 {
            world.write(0, 700 + 8 * i, 8);
            let until = world.now + 5;
            world.run_until(until);
        }
        rest(&mut world);
        world.power_on(1);
        world.attach(1);
        rest(&mut world);
        world.connect(1);
        let end = world.now + 5000;
        while world.nodes[1].state().conn != ConnState::SyncTarget && world.now < end {
            world.step();
        }
        let token = world.promote(1, false);
        while world.answer(1, token).is_none() && world.now < end {
            world.step();
        }
        let primary = world.nodes[1].state().role == Role::Primary;
        check!(world, primary);
        world.nodes[1].vol.open = true;
        fight(&mut world, &mut rng, 40);
        demand_sync(&mut world);
        nobody_waits(&world);
    }
}

/// The link between two Primaries breaks, both go on, and meet again.
fn parted(configure: impl Fn(usize, &mut NodeConfig), changes: [u64; 2]) -> World {
    let mut world = pair_of(7, Config::default(), configure);
    promote(&mut world, 0);
    promote(&mut world, 1);
    world.cut();
    rest(&mut world);
    check!(world, world.oracle.split);
    for (n, changes) in changes.into_iter().enumerate() {
        world.nodes[n].vol.open = false;
        for i in 0..changes {
            world.write(n, (n as u64 * 20 + i) * 8, 8);
        }
        rest(&mut world);
    }
    world.heal();
    rest(&mut world);
    world
}

#[test]
fn two_primaries_that_lose_their_link_are_split_and_say_so() {
    let world = parted(|_, _| {}, [2, 3]);
    for n in 0..2 {
        let apart = world.nodes[n].state().conn <= ConnState::WfConnection;
        check!(world, apart);
        let handlers = &world.nodes[n].handlers;
        check!(world, handlers.contains(&Handler::InitialSplitBrain));
    }
    let told = world.nodes.iter().map(|node| node.notices.join(" "));
    check!(
        world,
        told.clone().any(|text| text.contains("SplitBrain {"))
    );
    let blocks = |text: String| text.contains("blocks: 2") && text.contains("blocks: 3");
    check!(world, told.clone().any(blocks));
}

#[test]
fn violently_as_0p_overwrites_one_of_two_primaries_if_that_is_allowed() {
    use tandem_engine::engine::options::RoleResyncConflict::Violently;
    let world = parted(
        |_, config| {
            config.net.after_sb_0pri = AfterSplitBrain0::DiscardLeastChanges;
            config.net.after_sb_2pri = AfterSplitBrain2::ViolentlyAs0Primary;
            config.net.rr_conflict = Violently;
        },
        [1, 3],
    );
    check!(world, world.in_sync());
    check!(world, world.difference(), None);
    let text = world.nodes[0].notices.join(" ");
    check!(world, text.contains("OverwritesPrimary"));
}

#[test]
fn of_two_primaries_the_one_that_lost_gives_its_role_up() {
    let world = parted(
        |_, config| {
            config.net.after_sb_0pri = AfterSplitBrain0::DiscardLeastChanges;
            config.net.after_sb_2pri = AfterSplitBrain2::CallPriLost;
        },
        [1, 3],
    );
    check!(world, world.in_sync());
    check!(world, world.difference(), None);
    check!(world, world.nodes[0].state().role, Role::Secondary);
    check!(world, world.nodes[1].state().role, Role::Primary);
}

#[test]
fn a_fenced_primary_is_outdated_and_the_other_goes_on() {
    let mut world = pair_of(9, Config::default(), |n, config| {
        config.disk.fencing = Fencing::ResourceAndStonith;
        // The first shoots the second; the second never comes to it.
        config.handlers = vec![(Handler::FencePeer, if n == 0 { 7 } else { 5 })];
    });
    promote(&mut world, 0);
    promote(&mut world, 1);
    let mut rng = Rng::new(4);
    fight(&mut world, &mut rng, 10);
    world.crash(1);
    world.write(0, 800, 8);
    rest(&mut world);
    let state = world.nodes[0].state();
    check!(world, state.peer_disk, DiskState::Outdated);
    check!(world, !state.is_suspended());
    check!(world, world.nodes[0].vol.open_requests(), 0);
    world.power_on(1);
    world.attach(1);
    rest(&mut world);
    world.connect(1);
    demand_sync(&mut world);
    let (conn, good) = (ConnState::Connected, DiskState::UpToDate);
    check!(world, states(&world), [(conn, good, good); 2]);
}

#[test]
fn io_of_two_primaries_is_frozen_while_nobody_is_fenced() {
    let mut world = pair_of(9, Config::default(), |_, config| {
        config.disk.fencing = Fencing::ResourceAndStonith;
        config.handlers = vec![(Handler::FencePeer, 1)];
    });
    promote(&mut world, 0);
    promote(&mut world, 1);
    world.cut();
    world.oracle.split = false;
    for n in 0..2 {
        world.write(n, 800, 8);
    }
    rest(&mut world);
    for n in 0..2 {
        check!(world, world.nodes[n].state().is_suspended());
        check!(world, world.nodes[n].vol.open_requests(), 1);
    }
    // Nobody wrote without the other: when the link is back they go on.
    world.heal();
    rest(&mut world);
    world.oracle.split = false;
    demand_sync(&mut world);
    nobody_waits(&world);
    check!(
        world,
        world.nodes.iter().all(|n| n.state().role == Role::Primary)
    );
    let _ = SUCCESS;
}
