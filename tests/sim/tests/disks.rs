// SPDX-License-Identifier: GPL-2.0

//! Stories of disks that fail or do not answer, and of who serves reads.

mod pair;

use pair::{demand_sync, primary_pair, rest, resynced, SUCCESS};
use sim::world::World;
use tandem_engine::engine::options::{OnNoData, ReadBalancing, WireProtocol};
use tandem_engine::engine::resource::Admin;
use tandem_engine::engine::state::{ConnState, DiskState};

/// Blocks of an extent of the activity log.
const EXTENT_BLOCKS: u64 = 1024;

/// A Primary in sync whose disk may take 100 ms.
fn impatient_pair(seed: u64) -> World {
    let mut world = primary_pair(seed);
    set_disk_options(&mut world, 0, |options| options.disk_timeout = 1);
    // The log has the extent already.
    world.write(0, 0, 8);
    rest(&mut world);
    world
}

fn set_disk_options(
    world: &mut World,
    n: usize,
    change: impl FnOnce(&mut tandem_engine::engine::options::DiskOptions),
) {
    let mut options = world.nodes[n].records[0].options.clone();
    change(&mut options);
    world.nodes[n].config.disk = options.clone();
    world.admin(n, Admin::DiskOptions { volume: 0, options });
    rest(world);
}

fn detach_by_force(world: &mut World, n: usize) -> tandem_engine::engine::resource::Token {
    let force = true;
    world.admin(n, Admin::Detach { volume: 0, force })
}

#[test]
fn a_primary_whose_disk_hangs_goes_on_with_the_peers() {
    for seed in 0..20 {
        let mut world = impatient_pair(seed);
        world.hang_disk(0);
        for i in 0..8 {
            world.write(0, i * 8, 8);
        }
        let until = world.now + 1000;
        world.run_until(until);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        check!(world, world.nodes[0].state().disk, DiskState::Failed);
        world.read(0, 8, 8);
        world.write(0, 16, 8);
        let until = world.now + 1000;
        world.run_until(until);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        // Late answers, and old writes that reach the disk only now.
        world.wake_disk(0);
        rest(&mut world);
        check!(world, world.nodes[0].state().disk, DiskState::Diskless);
        resynced(&mut world);
        world.attach(0);
        demand_sync(&mut world);
        // It knew what it missed: what is in the extent of the log.
        check!(world, resynced(&mut world) <= EXTENT_BLOCKS);
    }
}

#[test]
fn a_disk_is_not_attached_anew_before_its_last_answer() {
    let mut world = impatient_pair(1);
    world.hang_disk(0);
    world.write(0, 0, 8);
    let until = world.now + 1000;
    world.run_until(until);
    check!(world, world.nodes[0].state().disk, DiskState::Failed);
    check!(world, world.nodes[0].vol.lower);
    world.wake_disk(0);
    rest(&mut world);
    check!(world, !world.nodes[0].vol.lower);
}

#[test]
fn a_secondary_whose_disk_hangs_does_not_hold_its_primary_up() {
    for seed in 0..10 {
        let mut world = primary_pair(seed);
        set_disk_options(&mut world, 1, |options| options.disk_timeout = 1);
        world.hang_disk(1);
        world.write(0, 0, 8);
        let until = world.now + 3000;
        world.run_until(until);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        world.wake_disk(1);
        rest(&mut world);
        world.attach(1);
        demand_sync(&mut world);
    }
}

#[test]
fn a_detach_by_force_does_not_wait_for_the_disk() {
    for seed in 0..10 {
        let mut world = impatient_pair(seed);
        set_disk_options(&mut world, 0, |options| options.disk_timeout = 6000);
        world.hang_disk(0);
        world.write(0, 0, 8);
        world.read(0, 8, 8);
        let until = world.now + 100;
        world.run_until(until);
        let token = detach_by_force(&mut world, 0);
        let until = world.now + 1000;
        world.run_until(until);
        check!(world, world.answer(0, token), Some(SUCCESS));
        check!(world, world.nodes[0].vol.open_requests(), 0);
        world.wake_disk(0);
        rest(&mut world);
        world.attach(0);
        demand_sync(&mut world);
    }
}

#[test]
fn a_failed_disk_that_could_save_its_bitmap_comes_back_with_what_it_missed() {
    let mut world = primary_pair(5);
    world.write(0, 0, 8);
    rest(&mut world);
    detach_by_force(&mut world, 0);
    rest(&mut world);
    world.write(0, 8, 8);
    rest(&mut world);
    resynced(&mut world);
    world.attach(0);
    demand_sync(&mut world);
    check!(world, resynced(&mut world) <= EXTENT_BLOCKS);
}

#[test]
fn balanced_reads_are_served_by_the_peer() {
    let mut world = primary_pair(2);
    set_disk_options(&mut world, 0, |options| {
        options.read_balancing = ReadBalancing::RoundRobin;
    });
    let before = world.nodes[1].vol.engine.counters().read;
    for i in 0..8 {
        world.read(0, i * 8, 8);
    }
    rest(&mut world);
    check!(
        world,
        world.nodes[1].vol.engine.counters().read,
        before + 32
    );
}

#[test]
fn balanced_reads_return_what_was_written_last() {
    let methods = [
        ReadBalancing::PreferRemote,
        ReadBalancing::RoundRobin,
        ReadBalancing::LeastPending,
        ReadBalancing::Striping32K,
    ];
    for (seed, balancing) in (0..32).zip(methods.into_iter().cycle()) {
        let mut world = primary_pair(seed);
        if seed % 3 == 0 {
            let mut options = world.nodes[0].resource.net().cloned().expect("net");
            options.protocol = WireProtocol::A;
            world.admin(0, Admin::NetOptions { options });
        }
        set_disk_options(&mut world, 0, |options| options.read_balancing = balancing);
        for i in 0..200_u64 {
            let sector = i * 56 % 2048;
            if i % 3 == 0 {
                world.write(0, sector, 8);
            } else {
                world.read(0, sector, 8);
            }
            let until = world.now + seed % 4;
            world.run_until(until);
            match i {
                // Reads that are at the peer have to come home.
                120 => world.cut(),
                160 => world.heal(),
                _ => {}
            }
        }
        demand_sync(&mut world);
        check!(world, world.nodes[0].vol.open_requests(), 0);
    }
}

#[test]
fn io_that_finds_no_data_waits_until_the_disk_is_back() {
    for seed in 0..10 {
        let mut world = primary_pair(seed);
        let mut options = world.nodes[0].resource.options().clone();
        options.on_no_data_accessible = OnNoData::SuspendIo;
        world.admin(0, Admin::ResourceOptions { options });
        rest(&mut world);
        world.cut();
        rest(&mut world);
        world.disk_errors[0] = 1000;
        world.write(0, 0, 8);
        world.read(0, 8, 8);
        world.flush(0);
        rest(&mut world);
        check!(world, world.nodes[0].state().disk, DiskState::Diskless);
        check!(world, world.nodes[0].state().susp_nod);
        check!(world, world.nodes[0].vol.open_requests(), 3);
        world.disk_errors[0] = 0;
        world.attach(0);
        rest(&mut world);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        world.heal();
        demand_sync(&mut world);
    }
}

#[test]
fn a_primary_alone_gives_the_peers_copy_up() {
    let (volume, remote) = (0, true);
    let mut world = primary_pair(9);
    for n in 0..2 {
        world.disconnect(n);
    }
    rest(&mut world);
    let token = world.admin(0, Admin::Invalidate { volume, remote });
    rest(&mut world);
    check!(world, world.answer(0, token).is_some_and(|code| code > 0));
    check!(
        world,
        world.nodes[0].state().peer_disk,
        DiskState::Inconsistent
    );
    for n in 0..2 {
        world.connect(n);
    }
    demand_sync(&mut world);
    check!(world, resynced(&mut world), 6 * 1024);
}

#[test]
fn a_disk_whose_bitmap_does_not_know_what_it_missed_is_not_read_from() {
    let mut unmerged = 0;
    for seed in 0..40 {
        let mut world = primary_pair(seed);
        world.detach(0);
        rest(&mut world);
        for i in 0..8 {
            world.write(0, i * 8, 8);
        }
        rest(&mut world);
        world.attach(0);
        // The source's bitmap is still on its way when the link is cut.
        while world.nodes[0].state().conn != ConnState::WfBitMapT && world.step() {}
        world.cut();
        while world.nodes[0].state().conn >= ConnState::Connected && world.step() {}
        unmerged += u32::from(world.nodes[0].vol.engine.out_of_sync() == 0);
        for i in 0..8 {
            world.read(0, i * 8, 8);
        }
        rest(&mut world);
        world.heal();
        demand_sync(&mut world);
    }
    assert!(unmerged > 10, "{unmerged} of 40");
}

#[test]
fn of_two_detaches_that_cross_one_is_refused() {
    for seed in 0..60 {
        let mut world = primary_pair(seed);
        world.detach(1);
        let until = world.now + seed % 30;
        world.run_until(until);
        world.detach(0);
        world.write(0, 0, 8);
        rest(&mut world);
        let good = |n: usize| world.nodes[n].state().disk == DiskState::UpToDate;
        check!(world, good(0) || good(1));
    }
}

/// A Primary loses its disk as the source of a resync. Its target has finished, and hears of that;
/// the source does not hear of the end before `unmute`.
fn source_that_fails_before_it_hears_of_the_end(seed: u64) -> World {
    let mut world = primary_pair(seed);
    world.cut();
    rest(&mut world);
    for i in 0..8 {
        world.write(0, i * 8, 8);
    }
    rest(&mut world);
    world.heal();
    let target = |world: &World| world.nodes[1].state();
    while target(&world).conn != ConnState::SyncTarget && world.step() {}
    while target(&world).conn == ConnState::SyncTarget && world.step() {}
    world.mute(1);
    check!(world, target(&world).disk, DiskState::UpToDate);
    check!(world, world.nodes[0].state().conn, ConnState::SyncSource);
    world.disk_errors[0] = 1000;
    world.write(0, 800, 8);
    while target(&world).peer_disk > DiskState::Failed && world.step() {}
    world.disk_errors[0] = 0;
    check!(
        world,
        world.nodes[0].state().peer_disk,
        DiskState::Inconsistent
    );
    world
}

fn generation(world: &World, n: usize) -> u64 {
    world.nodes[n].vol.disk.superblock().uuids.current & !1
}

#[test]
fn a_target_that_is_not_known_to_be_good_starts_no_generation() {
    for seed in 0..20 {
        let mut world = source_that_fails_before_it_hears_of_the_end(seed);
        // Whatever it saves because of that is on disk.
        while !world.nodes[1].vol.meta.is_empty() && world.step() {}
        let until = world.now + 30;
        world.run_until(until);
        world.crash(1);
        rest(&mut world);
        world.unmute();
        world.attach(0);
        rest(&mut world);
        world.write(0, 0, 8);
        rest(&mut world);
        world.power_on(1);
        for up in [World::attach, World::connect] {
            up(&mut world, 1);
            rest(&mut world);
        }
        demand_sync(&mut world);
    }
}

#[test]
fn a_target_that_is_heard_to_be_good_goes_on_alone() {
    for seed in 0..20 {
        let mut world = source_that_fails_before_it_hears_of_the_end(seed);
        let before = generation(&world, 1);
        world.unmute();
        let hears = |world: &World| world.nodes[0].state().peer_disk == DiskState::UpToDate;
        while !hears(&world) && world.step() {}
        check!(world, generation(&world, 1) != before);
        world.write(0, 0, 8);
        rest(&mut world);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        // It knows whose data it shows.
        world.cut();
        rest(&mut world);
        world.heal();
        rest(&mut world);
        check!(world, hears(&world));
        world.attach(0);
        demand_sync(&mut world);
    }
}
