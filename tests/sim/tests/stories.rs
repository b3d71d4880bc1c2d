// SPDX-License-Identifier: GPL-2.0

//! Short stories of a pair, one behaviour each.

mod pair;

use pair::{
    attach_and_connect, demand_sync, in_sync, primary_pair, rest, resynced, states, watched,
    NO_ERROR, SUCCESS,
};
use sim::world::{Config, World};
use tandem_engine::engine::options::FixedStr;
use tandem_engine::engine::state::{ConnState, DiskState, Role};

#[test]
fn fresh_disks_meet_inconsistent() {
    let mut world = watched(World::new(1, Config::default()));
    attach_and_connect(&mut world);
    let expected = (
        ConnState::Connected,
        DiskState::Inconsistent,
        DiskState::Inconsistent,
    );
    check!(world, states(&world), [expected; 2]);
}

#[test]
fn fresh_disks_cannot_be_promoted_without_force() {
    let mut world = watched(World::new(1, Config::default()));
    attach_and_connect(&mut world);
    let token = world.promote(0, false);
    rest(&mut world);
    check!(world, world.answer(0, token), Some(-2));
}

#[test]
fn forced_promotion_syncs_the_peer_fully() {
    for n in 0..2 {
        let mut world = watched(World::new(1, Config::default()));
        attach_and_connect(&mut world);
        let token = world.promote(n, true);
        world.nodes[n].vol.open = true;
        rest(&mut world);
        check!(world, world.answer(n, token).is_some_and(|code| code > 0));
        demand_sync(&mut world);
        check!(world, resynced(&mut world), 6 * 1024);
        check!(world, world.nodes[1].vol.disk.cached[0], n as u32 + 1);
    }
}

#[test]
fn synced_disks_connect_without_resync() {
    let mut world = in_sync(1);
    check!(world, resynced(&mut world), 0);
}

#[test]
fn replicated_writes_reach_both_disks() {
    for seed in 0..20 {
        let mut world = primary_pair(seed);
        for i in 0..60 {
            world.write(0, i * 700, 8 + (i as u32 % 5));
        }
        world.flush(0);
        demand_sync(&mut world);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        check!(world, resynced(&mut world), 0);
    }
}

#[test]
fn overlapping_writes_end_equal() {
    for seed in 0..50 {
        let mut world = primary_pair(seed);
        for i in 0..60u64 {
            world.write(0, 100 + (i * 7) % 13, 16);
            if i % 9 == 0 {
                world.flush(0);
            }
        }
        demand_sync(&mut world);
    }
}

#[test]
fn a_flush_makes_all_that_was_completed_durable() {
    let mut world = primary_pair(3);
    for i in 0..10 {
        world.write(0, i * 8, 8);
    }
    rest(&mut world);
    world.flush(0);
    rest(&mut world);
    check!(world, world.nodes[0].vol.disk.durable[72] >= 10);
    check!(world, world.nodes[1].vol.disk.durable[72] >= 10);
}

#[test]
fn every_slot_is_free_at_rest() {
    let mut world = primary_pair(4);
    for i in 0..100 {
        world.write(0, i * 300, 8);
    }
    rest(&mut world);
    for n in 0..2 {
        check!(world, world.nodes[n].vol.engine.requests(), 0);
        check!(world, world.nodes[n].vol.engine.counters().unanswered, 0);
        check!(world, world.nodes[n].vol.engine.counters().peer_pending, 0);
        check!(world, world.nodes[n].vol.engine.counters().local_pending, 0);
    }
}

#[test]
fn a_cut_under_load_resyncs_only_what_was_written() {
    for seed in 0..30 {
        let mut world = primary_pair(seed);
        for i in 0..10 {
            world.write(0, i * 800, 8);
        }
        let until = world.now + seed;
        world.run_until(until);
        world.cut();
        for i in 0..10 {
            world.write(0, 9000 + i * 800, 8);
        }
        rest(&mut world);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        check!(world, world.nodes[0].state().disk, DiskState::UpToDate);
        world.check_marks();
        world.heal();
        demand_sync(&mut world);
        let blocks = resynced(&mut world);
        check!(world, (10..=30).contains(&blocks));
    }
}

#[test]
fn no_write_completes_after_a_cut_before_the_new_generation_is_durable() {
    for seed in 0..30 {
        let mut world = primary_pair(seed);
        let before = world.nodes[0].vol.disk.superblock().uuids.current;
        for i in 0..10 {
            world.write(0, i * 800, 8);
        }
        world.cut();
        while world.nodes[0].vol.open_requests() == 10 && world.step() {}
        let after = world.nodes[0].vol.disk.superblock().uuids.current;
        check!(world, before & !1 != after & !1);
    }
}

#[test]
fn a_crashed_primary_becomes_target_of_the_promoted_secondary() {
    for seed in 0..30 {
        let mut world = primary_pair(seed);
        for i in 0..20 {
            world.write(0, i * 8, 8);
        }
        let until = world.now + seed * 2;
        world.run_until(until);
        world.crash(0);
        rest(&mut world);
        let token = world.promote(1, false);
        rest(&mut world);
        check!(world, world.answer(1, token).is_some_and(|code| code > 0));
        world.write(1, 8192, 16);
        rest(&mut world);
        world.power_on(0);
        world.attach(0);
        rest(&mut world);
        world.connect(0);
        demand_sync(&mut world);
        // One extent by the log, two blocks by the bitmap.
        check!(world, resynced(&mut world) <= 1026);
    }
}

#[test]
fn a_crashed_secondary_gets_what_it_missed() {
    for seed in 0..30 {
        let mut world = primary_pair(seed);
        for i in 0..20 {
            world.write(0, i * 8, 8);
        }
        let until = world.now + seed;
        world.run_until(until);
        world.crash(1);
        for i in 0..20 {
            world.write(0, 8192 + i * 8, 8);
        }
        rest(&mut world);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        world.power_on(1);
        world.attach(1);
        rest(&mut world);
        world.connect(1);
        demand_sync(&mut world);
        check!(world, resynced(&mut world) <= 40);
    }
}

#[test]
fn after_a_crash_of_both_the_primarys_data_counts() {
    for seed in 0..30 {
        let mut world = primary_pair(seed);
        for i in 0..20 {
            world.write(0, i * 8, 8);
        }
        let until = world.now + seed;
        world.run_until(until);
        world.crash(0);
        world.crash(1);
        for n in 0..2 {
            world.power_on(n);
            world.attach(n);
            world.connect(n);
        }
        demand_sync(&mut world);
    }
}

#[test]
fn a_graceful_disconnect_needs_no_resync() {
    for n in 0..2 {
        let mut world = in_sync(5);
        let token = world.disconnect(n);
        rest(&mut world);
        check!(world, world.answer(n, token), Some(SUCCESS));
        check!(world, world.nodes[n].state().conn, ConnState::StandAlone);
        check!(
            world,
            world.nodes[1 - n].state().conn,
            ConnState::WfConnection
        );
        world.connect(n);
        demand_sync(&mut world);
        check!(world, resynced(&mut world), 0);
    }
}

#[test]
fn a_secondary_that_leaves_a_primary_misses_what_is_written() {
    for n in 0..2 {
        let mut world = primary_pair(5);
        let token = world.disconnect(n);
        rest(&mut world);
        check!(world, world.answer(n, token).is_some_and(|code| code > 0));
        world.write(0, 80, 8);
        rest(&mut world);
        world.connect(n);
        demand_sync(&mut world);
        check!(world, resynced(&mut world), 1);
    }
}

#[test]
fn roles_change_over() {
    let mut world = primary_pair(6);
    world.write(0, 80, 8);
    rest(&mut world);
    let token = world.demote(0);
    rest(&mut world);
    check!(world, world.answer(0, token), Some(SUCCESS));
    let token = world.promote(1, false);
    rest(&mut world);
    check!(world, world.answer(1, token).is_some_and(|code| code > 0));
    world.write(1, 160, 8);
    demand_sync(&mut world);
    check!(world, resynced(&mut world), 0);
}

#[test]
fn an_open_primary_cannot_be_demoted() {
    let mut world = primary_pair(6);
    let token = world.demote(0);
    world.nodes[0].vol.open = true;
    rest(&mut world);
    check!(world, world.answer(0, token), Some(-12));
}

#[test]
fn two_primaries_are_refused() {
    let mut world = primary_pair(6);
    let token = world.promote(1, false);
    rest(&mut world);
    check!(world, world.answer(1, token), Some(-1));
    check!(world, world.nodes[1].state().role, Role::Secondary);
}

#[test]
fn split_brain_is_refused() {
    let mut world = primary_pair(7);
    world.cut();
    rest(&mut world);
    world.write(0, 80, 8);
    world.oracle.split = true;
    world.promote(1, false);
    rest(&mut world);
    world.write(1, 160, 8);
    rest(&mut world);
    world.heal();
    rest(&mut world);
    let says_so = |n: usize, world: &World| {
        world.nodes[n]
            .notices
            .iter()
            .any(|t| t.starts_with("SplitBrain {"))
    };
    // The second may hear of the end before it has compared.
    check!(world, says_so(0, &world) || says_so(1, &world));
    for n in 0..2 {
        check!(world, world.nodes[n].state().conn < ConnState::Connected);
        check!(world, !world.nodes[n].notices.is_empty());
    }
    check!(world, world.difference().is_some());
}

#[test]
fn discard_my_data_resolves_a_split_brain() {
    let mut world = primary_pair(7);
    world.cut();
    rest(&mut world);
    world.write(0, 80, 8);
    world.oracle.split = true;
    world.promote(1, false);
    rest(&mut world);
    world.write(1, 160, 8);
    rest(&mut world);
    world.demote(1);
    world.heal();
    rest(&mut world);
    for n in 0..2 {
        if world.nodes[n].resource.net().is_some() {
            world.disconnect(n);
        }
    }
    rest(&mut world);
    world.nodes[1].config.net.discard_my_data = true;
    world.connect(0);
    world.connect(1);
    demand_sync(&mut world);
    check!(world, resynced(&mut world), 2);
}

#[test]
fn a_secondary_detaches_and_attaches_while_connected() {
    for seed in 0..30 {
        let mut world = primary_pair(seed);
        for i in 0..10 {
            world.write(0, i * 8, 8);
        }
        let until = world.now + seed;
        world.run_until(until);
        let token = world.detach(1);
        rest(&mut world);
        check!(world, world.answer(1, token), Some(SUCCESS));
        check!(world, world.nodes[0].state().peer_disk, DiskState::Diskless);
        world.write(0, 160, 8);
        rest(&mut world);
        let token = world.attach(1);
        rest(&mut world);
        check!(world, world.answer(1, token), Some(NO_ERROR));
        demand_sync(&mut world);
        check!(world, resynced(&mut world) <= 11);
    }
}

#[test]
fn a_primary_detaches_and_works_on_the_peers_disk() {
    for seed in 0..30 {
        let mut world = primary_pair(seed);
        for i in 0..10 {
            world.write(0, i * 8, 8);
        }
        let until = world.now + seed;
        world.run_until(until);
        let token = world.detach(0);
        rest(&mut world);
        check!(world, world.answer(0, token).is_some_and(|code| code > 0));
        check!(world, world.nodes[0].vol.open_requests(), 0);
        world.write(0, 160, 8);
        rest(&mut world);
        world.read(0, 150, 20);
        rest(&mut world);
        check!(world, world.nodes[0].vol.open_requests(), 0);
        let token = world.attach(0);
        rest(&mut world);
        check!(world, world.answer(0, token), Some(NO_ERROR));
        demand_sync(&mut world);
    }
}

#[test]
fn writes_during_a_resync_reach_both_disks() {
    for seed in 0..60 {
        let mut world = primary_pair(seed);
        world.cut();
        for i in 0..200 {
            world.write(0, i * 8, 8);
        }
        rest(&mut world);
        world.heal();
        for i in 0..60 {
            let until = world.now + 2;
            world.run_until(until);
            world.write(0, (i * 37 * 8) % 1600 + seed % 8, 12);
        }
        demand_sync(&mut world);
    }
}

#[test]
fn a_primary_as_target_reads_good_data() {
    for seed in 0..20 {
        let mut world = primary_pair(seed);
        world.cut();
        for i in 0..300 {
            world.write(0, i * 8, 8);
        }
        rest(&mut world);
        let token = world.demote(0);
        rest(&mut world);
        check!(world, world.answer(0, token), Some(SUCCESS));
        world.config.resync_bytes = 4096;
        world.heal();
        while world.nodes[1].state().conn != ConnState::SyncTarget && world.step() {}
        let token = world.promote(1, false);
        for i in 0..60 {
            let until = world.now + 2;
            world.run_until(until);
            if world.nodes[1].state().role == Role::Primary {
                world.read(1, (i * 37 * 8) % 2400, 12);
                world.write(1, (i * 53 * 8) % 2400, 12);
            }
        }
        check!(world, world.answer(1, token).is_some_and(|code| code > 0));
        demand_sync(&mut world);
        check!(world, world.nodes[1].vol.open_requests(), 0);
    }
}

#[test]
fn a_target_that_crashes_goes_on_later() {
    for seed in 0..60 {
        let mut world = primary_pair(seed);
        world.cut();
        for i in 0..300 {
            world.write(0, i * 8, 8);
        }
        rest(&mut world);
        world.config.resync_bytes = 4096;
        world.heal();
        let until = world.now + 40 + seed;
        world.run_until(until);
        world.crash(1);
        rest(&mut world);
        world.power_on(1);
        world.attach(1);
        rest(&mut world);
        world.connect(1);
        demand_sync(&mut world);
    }
}

#[test]
fn a_cut_during_a_resync_goes_on_later() {
    for seed in 0..60 {
        let mut world = primary_pair(seed);
        world.cut();
        for i in 0..300 {
            world.write(0, i * 8, 8);
        }
        rest(&mut world);
        world.config.resync_bytes = 4096;
        world.heal();
        let until = world.now + 30 + seed;
        world.run_until(until);
        world.cut();
        rest(&mut world);
        world.check_marks();
        world.heal();
        demand_sync(&mut world);
    }
}

#[test]
fn a_smaller_peer_is_refused() {
    let config = Config {
        sectors: [6 * 8192, 5 * 8192],
        ..Config::default()
    };
    let mut world = watched(World::synced(1, config));
    attach_and_connect(&mut world);
    check!(world, world.nodes[0].state().conn < ConnState::Connected);
    check!(
        world,
        world.nodes[0]
            .notices
            .iter()
            .any(|text| text.starts_with("PeerTooSmall"))
    );
}

#[test]
fn an_inconsistent_node_is_not_promoted_alone() {
    let mut world = primary_pair(8);
    world.cut();
    for i in 0..300 {
        world.write(0, i * 8, 8);
    }
    rest(&mut world);
    world.config.resync_bytes = 4096;
    world.heal();
    while world.nodes[1].state().conn != ConnState::SyncTarget && world.step() {}
    world.cut();
    rest(&mut world);
    check!(world, world.nodes[1].state().disk, DiskState::Inconsistent);
    let token = world.promote(1, false);
    rest(&mut world);
    check!(world, world.answer(1, token), Some(-2));
}

#[test]
fn invalidate_copies_everything() {
    use tandem_engine::engine::resource::Admin;
    for (n, remote) in [(0, false), (0, true), (1, false), (1, true)] {
        let mut world = in_sync(9);
        let token = world.admin(n, Admin::Invalidate { volume: 0, remote });
        rest(&mut world);
        check!(world, world.answer(n, token).is_some_and(|code| code > 0));
        demand_sync(&mut world);
        check!(world, resynced(&mut world), 6 * 1024);
    }
}

#[test]
fn with_digests_only_what_differs_is_copied() {
    use tandem_engine::engine::resource::Admin;
    for (n, remote) in [(0, false), (0, true), (1, false), (1, true)] {
        let mut config = Config::default();
        config.node.net.csums_alg = FixedStr::new(b"crc32c").expect("short");
        let mut world = watched(World::synced(9, config));
        attach_and_connect(&mut world);
        let target = if remote { 1 - n } else { n };
        world.rot(target, 8);
        world.rot(target, 4096);
        world.config.resync_bytes = 4096;
        let token = world.admin(n, Admin::Invalidate { volume: 0, remote });
        rest(&mut world);
        check!(world, world.answer(n, token).is_some_and(|code| code > 0));
        demand_sync(&mut world);
        check!(world, resynced(&mut world), 2);
    }
}

#[test]
fn a_paused_resync_waits() {
    use tandem_engine::engine::resource::Admin;
    for n in 0..2 {
        let mut world = primary_pair(10);
        world.cut();
        for i in 0..300 {
            world.write(0, i * 8, 8);
        }
        rest(&mut world);
        world.config.resync_bytes = 4096;
        world.heal();
        while world.nodes[1].state().conn != ConnState::SyncTarget && world.step() {}
        world.admin(
            n,
            Admin::PauseSync {
                volume: 0,
                on: true,
            },
        );
        rest(&mut world);
        check!(world, world.nodes[0].state().conn, ConnState::PausedSyncS);
        check!(world, world.nodes[1].state().conn, ConnState::PausedSyncT);
        world.admin(
            n,
            Admin::PauseSync {
                volume: 0,
                on: false,
            },
        );
        demand_sync(&mut world);
    }
}
