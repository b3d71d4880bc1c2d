// SPDX-License-Identifier: GPL-2.0

//! Stories of faults below and around a pair, one each. Each was found, or is held, by the
//! simulator.

mod pair;

use pair::{demand_sync, in_sync, primary_pair, rest, resynced};
use sim::world::World;
use tandem_engine::engine::options::OnIoError;
use tandem_engine::engine::resource::Admin;
use tandem_engine::engine::state::{ConnState, DiskState, Role};
use tandem_engine::engine::uuid::Uuids;
use tandem_engine::engine::volume::LocalUse;

#[test]
fn after_a_demotion_the_peer_has_everything_on_stable_storage() {
    for seed in 0..30 {
        let mut world = primary_pair(seed);
        for i in 0..8 {
            world.write(0, i * 8, 8);
        }
        while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        world.nodes[0].vol.open = false;
        let token = world.demote(0);
        while world.answer(0, token).is_none() && world.step() {}
        check!(world, world.nodes[0].state().role, Role::Secondary);
        world.crash(1);
        let [a, b] = [0, 1].map(|n: usize| world.nodes[n].vol.disk.cached[..64].to_vec());
        check!(world, a, b);
    }
}

#[test]
fn a_write_of_a_dead_peer_changes_nothing_after_a_promotion() {
    for seed in 0..30 {
        let mut world = primary_pair(seed);
        for i in 0..8 {
            world.write(0, i * 8, 8);
        }
        let until = world.now + seed % 12;
        world.run_until(until);
        world.crash(0);
        let token = world.promote(1, false);
        while world.nodes[1].state().role != Role::Primary && world.step() {}
        let served = world.nodes[1].vol.disk.cached[..64].to_vec();
        rest(&mut world);
        check!(world, world.answer(1, token).is_some_and(|code| code > 0));
        check!(world, world.nodes[1].vol.disk.cached[..64].to_vec(), served);
    }
}

#[test]
fn a_primary_whose_disk_fails_goes_on_with_the_peers() {
    for seed in 0..20 {
        let mut world = primary_pair(seed);
        world.disk_errors[0] = 1000;
        for i in 0..8 {
            world.write(0, i * 800, 8);
        }
        rest(&mut world);
        check!(world, world.nodes[0].state().disk, DiskState::Diskless);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        world.read(0, 800, 8);
        world.write(0, 900, 8);
        rest(&mut world);
        world.disk_errors[0] = 0;
        world.attach(0);
        demand_sync(&mut world);
    }
}

#[test]
fn a_secondary_whose_disk_fails_comes_back_with_all_that_it_missed() {
    for seed in 0..20 {
        let mut world = primary_pair(seed);
        for i in 0..8 {
            world.write(0, i * 800, 8);
        }
        let until = world.now + seed;
        world.run_until(until);
        world.disk_errors[1] = 1000;
        for i in 0..8 {
            world.write(0, 400 + i * 800, 8);
        }
        rest(&mut world);
        check!(world, world.nodes[1].state().disk, DiskState::Diskless);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        world.disk_errors[1] = 0;
        world.attach(1);
        demand_sync(&mut world);
    }
}

#[test]
fn a_disk_whose_errors_are_passed_on_is_not_called_good_any_more() {
    let mut world = primary_pair(3);
    world.nodes[0].records[0].options.on_io_error = OnIoError::PassOn;
    // The log has the extent already: only data fails.
    world.write(0, 8, 8);
    rest(&mut world);
    world.disk_errors[0] = 1000;
    world.write(0, 8, 8);
    // One error only: metadata that fails is never passed on.
    while !world.nodes[0].vol.broken && world.step() {}
    world.disk_errors[0] = 0;
    rest(&mut world);
    check!(world, world.nodes[0].state().disk, DiskState::Inconsistent);
    world.read(0, 8, 8);
    rest(&mut world);
    check!(world, world.failure.clone(), None);
}

#[test]
fn a_pair_at_rest_holds_nothing() {
    for seed in 0..10 {
        let mut world = primary_pair(seed);
        for i in 0..40 {
            world.write(0, i * 300, 8);
        }
        world.flush(0);
        demand_sync(&mut world);
        world.check_rest();
        check!(world, world.failure.clone(), None);
    }
}

#[test]
fn an_agreed_detach_that_is_not_carried_out_starts_no_generation() {
    for seed in 0..20 {
        let mut world = primary_pair(seed);
        let generation = |uuids: Uuids| uuids.current & !1;
        let before = generation(world.nodes[1].vol.disk.superblock().uuids);
        world.detach(0);
        // The peer agrees, and its answer is lost with the link.
        while !world.nodes[1].events.is_empty() || world.nodes[0].answers.len() < 4 {
            let asked = world.nodes[1]
                .conn
                .as_ref()
                .is_some_and(|c| !c.rx.is_empty());
            if asked || !world.step() {
                break;
            }
        }
        world.cut();
        rest(&mut world);
        let after = generation(world.nodes[1].vol.disk.superblock().uuids);
        if world.nodes[0].state().disk == DiskState::UpToDate {
            check!(world, after, before);
            world.heal();
            demand_sync(&mut world);
        }
    }
}

/// The target of a Primary's resync has finished it, and the source will never hear of that.
fn unheard_end(seed: u64) -> World {
    let mut world = primary_pair(seed);
    world.cut();
    rest(&mut world);
    world.write(0, 0, 8);
    rest(&mut world);
    world.heal();
    let ended = |world: &World| {
        let [source, target] = [0, 1].map(|n: usize| world.nodes[n].state());
        source.conn == ConnState::SyncSource && target.conn == ConnState::Connected
    };
    while !ended(&world) && world.step() {}
    check!(world, ended(&world));
    world.cut();
    rest(&mut world);
    world.write(0, 800, 8);
    rest(&mut world);
    world
}

#[test]
fn a_target_that_finished_unheard_gets_what_its_source_wrote_since() {
    for seed in 0..20 {
        let mut world = unheard_end(seed);
        world.heal();
        demand_sync(&mut world);
    }
}

#[test]
fn a_target_that_finished_unheard_and_is_promoted_makes_a_split_brain() {
    for seed in 0..20 {
        let mut world = unheard_end(seed);
        let token = world.promote(1, false);
        rest(&mut world);
        check!(world, world.answer(1, token).is_some_and(|code| code > 0));
        world.write(1, 1600, 8);
        rest(&mut world);
        world.heal();
        rest(&mut world);
        let told = |n: usize| {
            world.nodes[n]
                .notices
                .iter()
                .any(|n| n.starts_with("SplitBrain {"))
        };
        check!(world, told(0) || told(1));
        let alone = |n: usize| world.nodes[n].state().conn < ConnState::Connected;
        check!(world, alone(0) && alone(1));
    }
}

/// The first node gave its disk up, and the peer that went on with its own crashed before it had
/// begun a generation. They meet again.
fn left_disk(seed: u64) -> World {
    let mut world = primary_pair(seed);
    world.write(0, 0, 8);
    rest(&mut world);
    world.detach(0);
    while world.nodes[0].vol.engine.policy().local != LocalUse::None && world.step() {}
    world.write(0, 0, 8);
    while world.nodes[0].vol.open_requests() != 0 && world.step() {}
    world.crash(1);
    rest(&mut world);
    world.power_on(1);
    world.attach(1);
    rest(&mut world);
    world.connect(1);
    let met = |world: &World| world.nodes[0].state().conn >= ConnState::Connected;
    while !met(&world) && world.step() {}
    world
}

#[test]
fn a_disk_that_a_primary_left_is_not_good_because_the_peer_has_none_either() {
    for seed in 0..80 {
        let mut world = left_disk(seed);
        world.detach(1);
        world.attach(0);
        rest(&mut world);
        world.read(0, 0, 8);
        rest(&mut world);
        for n in [1, 0] {
            world.attach(n);
            rest(&mut world);
        }
        world.read(0, 0, 8);
        rest(&mut world);
    }
}

#[test]
fn a_primary_that_is_not_heard_goes_on_alone_when_it_notices() {
    for seed in 0..20 {
        for mute in 0..2 {
            let mut world = primary_pair(seed);
            let generation = world.nodes[0].vol.disk.superblock().uuids.current & !1;
            world.mute(mute);
            world.write(0, 8, 8);
            // One way the write does not arrive, the other way its acknowledgement.
            while world.nodes[0].vol.open_requests() != 0 && world.step() {}
            check!(world, world.nodes[0].state().conn < ConnState::Connected);
            let now = world.nodes[0].vol.disk.superblock().uuids.current & !1;
            check!(world, now != generation);
            world.unmute();
            demand_sync(&mut world);
        }
    }
}

#[test]
fn a_node_that_is_heard_again_in_time_was_never_away() {
    for seed in 0..20 {
        let mut world = primary_pair(seed);
        world.mute(seed as usize % 2);
        for i in 0..4 {
            world.write(0, i * 800, 8);
        }
        let until = world.now + 20;
        world.run_until(until);
        check!(world, world.nodes[0].vol.open_requests(), 4);
        world.unmute();
        demand_sync(&mut world);
        check!(world, resynced(&mut world), 0);
    }
}

#[test]
fn two_secondaries_are_promoted_one_after_the_other_without_waiting_for_anybody() {
    let mut world = in_sync(2);
    for n in [0, 1, 0] {
        let token = world.promote(n, false);
        rest(&mut world);
        check!(world, world.answer(n, token).is_some_and(|code| code > 0));
        let token = world.demote(n);
        rest(&mut world);
        check!(world, world.answer(n, token).is_some_and(|code| code > 0));
    }
}

#[test]
fn what_is_done_without_the_peer_is_of_a_generation_that_is_on_disk() {
    for seed in 0..80 {
        let mut world = primary_pair(seed);
        // The log has the extent already.
        world.write(0, 0, 8);
        rest(&mut world);
        world.cut();
        while world.nodes[0].state().conn >= ConnState::Connected && world.step() {}
        let until = world.now + seed % 8;
        world.run_until(until);
        world.write(0, 0, 8);
        while world.nodes[0].vol.open_requests() != 0 && world.step() {}
        world.crash(0);
        rest(&mut world);
        world.promote(1, false);
        rest(&mut world);
        world.write(1, 64, 8);
        rest(&mut world);
        world.power_on(0);
        world.attach(0);
        rest(&mut world);
        world.heal();
        world.connect(0);
        rest(&mut world);
        // What each of them has done is not the other's.
        check!(world, world.nodes[0].state().conn < ConnState::Connected);
    }
}

#[test]
fn who_is_promoted_by_force_while_its_bitmap_counts_is_still_known_to_its_peer() {
    let mut world = primary_pair(3);
    world.cut();
    rest(&mut world);
    world.write(0, 0, 8);
    rest(&mut world);
    world.nodes[0].vol.open = false;
    world.demote(0);
    rest(&mut world);
    world.admin(0, Admin::Outdate { volume: 0 });
    rest(&mut world);
    check!(world, world.nodes[0].state().disk, DiskState::Outdated);
    let token = world.promote(0, true);
    rest(&mut world);
    check!(world, world.answer(0, token).is_some_and(|code| code > 0));
    world.heal();
    demand_sync(&mut world);
    check!(world, resynced(&mut world), 1);
}

#[test]
fn a_target_with_nothing_to_sync_that_is_demoted_meanwhile_stays_good() {
    let mut demoted = 0;
    for seed in 0..40 {
        let mut world = primary_pair(seed);
        world.detach(0);
        rest(&mut world);
        world.attach(0);
        while world.nodes[0].state().conn != ConnState::WfSyncUuid && world.step() {}
        let token = world.demote(0);
        while world.step() {
            let source = world.nodes[1].state();
            let bad =
                source.conn == ConnState::Connected && source.peer_disk == DiskState::Inconsistent;
            check!(world, !bad);
        }
        demand_sync(&mut world);
        demoted += u32::from(world.answer(0, token).is_some_and(|code| code > 0));
    }
    assert!(demoted > 0);
}
