// SPDX-License-Identifier: GPL-2.0

//! Stories of handlers, fencing, and split brains that a policy resolves.

use sim::node::NodeConfig;
use sim::world::{Config, World};
use tandem_engine::engine::options::{
    AfterSplitBrain0, AfterSplitBrain1, AfterSplitBrain2, Fencing, NetOptions, RoleResyncConflict,
};
use tandem_engine::engine::resource::Handler;
use tandem_engine::engine::state::{ConnState, DiskState, Role};

/// `SS_SUCCESS`.
const SUCCESS: i32 = 1;
/// `SS_NO_UP_TO_DATE_DISK`.
const NO_UP_TO_DATE_DISK: i32 = -2;

/// Runs until nothing more happens.
fn rest(world: &mut World) {
    world.rest(20_000);
    assert_eq!(world.failure, None);
}

/// Two nodes in sync, Secondary, with that configuration.
fn pair(seed: u64, configure: impl Fn(usize, &mut NodeConfig)) -> World {
    let mut world = World::synced(seed, Config::default());
    for n in 0..2 {
        configure(n, &mut world.nodes[n].config);
        world.attach(n);
        rest(&mut world);
        world.connect(n);
        rest(&mut world);
    }
    assert!(world.in_sync());
    for n in 0..2 {
        world.nodes[n].handlers.clear();
    }
    world
}

/// The link is cut; both nodes become Primary and write: `changes[n]` blocks of 4 KiB.
fn part(world: &mut World, changes: [u64; 2]) {
    world.cut();
    rest(world);
    world.oracle.split = true;
    for (n, changes) in changes.into_iter().enumerate() {
        world.promote(n, false);
        rest(world);
        for i in 0..changes {
            world.write(n, (n as u64 * 20 + i) * 8, 8);
        }
        rest(world);
    }
}

fn demote(world: &mut World, n: usize) {
    world.demote(n);
    rest(world);
}

/// The link heals, and the nodes meet.
fn meet(world: &mut World) {
    world.heal();
    rest(world);
}

fn after_0pri(policies: [AfterSplitBrain0; 2]) -> impl Fn(usize, &mut NodeConfig) {
    move |n, config| config.net.after_sb_0pri = policies[n]
}

fn notices(world: &World, n: usize) -> String {
    world.nodes[n].notices.join("; ")
}

fn called(world: &World, n: usize, handler: Handler) -> bool {
    world.nodes[n].handlers.contains(&handler)
}

/// The nodes met and are equal; node `n` lost its changes.
fn demand_loser(world: &mut World, n: usize) {
    assert!(world.in_sync(), "{}", notices(world, n));
    world.check_equal();
    assert!(
        notices(world, n).contains("from_peer: true"),
        "{}",
        notices(world, n)
    );
    assert!(notices(world, 1 - n).contains("from_peer: false"));
    assert_eq!(world.failure, None);
}

fn demand_apart(world: &World) {
    for n in 0..2 {
        assert!(world.nodes[n].state().conn < ConnState::Connected);
    }
}

/// Nobody is Primary when the nodes meet again after a split brain.
fn met_as_secondaries(policies: [AfterSplitBrain0; 2], changes: [u64; 2]) -> World {
    let mut world = pair(7, after_0pri(policies));
    part(&mut world, changes);
    demote(&mut world, 0);
    demote(&mut world, 1);
    meet(&mut world);
    world
}

#[test]
fn a_primary_that_loses_all_good_data_tells_a_handler() {
    let mut world = pair(3, |_, _| {});
    world.promote(0, false);
    rest(&mut world);
    world.detach(0);
    rest(&mut world);
    assert!(!called(&world, 0, Handler::PriOnInconDegr));
    world.cut();
    rest(&mut world);
    assert!(called(&world, 0, Handler::PriOnInconDegr));
    assert!(!called(&world, 1, Handler::PriOnInconDegr));
}

#[test]
fn without_a_policy_the_handlers_are_told_and_the_nodes_stay_apart() {
    let policy = [AfterSplitBrain0::Disconnect; 2];
    let world = met_as_secondaries(policy, [1, 2]);
    demand_apart(&world);
    for n in 0..2 {
        assert!(called(&world, n, Handler::InitialSplitBrain));
        assert!(called(&world, n, Handler::SplitBrain));
    }
}

#[test]
fn discard_least_changes_keeps_the_node_that_changed_more() {
    let policy = [AfterSplitBrain0::DiscardLeastChanges; 2];
    demand_loser(&mut met_as_secondaries(policy, [1, 3]), 0);
    demand_loser(&mut met_as_secondaries(policy, [3, 1]), 1);
}

#[test]
fn discard_zero_changes_resolves_only_where_one_node_changed_nothing() {
    let policy = [AfterSplitBrain0::DiscardZeroChanges; 2];
    demand_loser(&mut met_as_secondaries(policy, [0, 3]), 0);
    demand_loser(&mut met_as_secondaries(policy, [3, 0]), 1);
    demand_apart(&met_as_secondaries(policy, [1, 1]));
}

#[test]
fn discard_local_and_remote_are_opposites() {
    use AfterSplitBrain0::{DiscardLocal, DiscardRemote};
    demand_loser(
        &mut met_as_secondaries([DiscardLocal, DiscardRemote], [3, 1]),
        0,
    );
    demand_loser(
        &mut met_as_secondaries([DiscardRemote, DiscardLocal], [1, 3]),
        1,
    );
}

/// Node 0 was Primary when the link broke, node 1 became it later.
fn met_after_take_over(policy: AfterSplitBrain0) -> World {
    let mut world = pair(7, after_0pri([policy; 2]));
    world.promote(0, false);
    rest(&mut world);
    part(&mut world, [1, 1]);
    demote(&mut world, 0);
    demote(&mut world, 1);
    meet(&mut world);
    world
}

#[test]
fn younger_and_older_primaries_are_told_apart() {
    demand_loser(
        &mut met_after_take_over(AfterSplitBrain0::DiscardYoungerPrimary),
        1,
    );
    demand_loser(
        &mut met_after_take_over(AfterSplitBrain0::DiscardOlderPrimary),
        0,
    );
}

/// Node 0 is Primary when the nodes meet.
fn met_as_primary(configure: impl Fn(&mut NetOptions), changes: [u64; 2]) -> World {
    let mut world = pair(7, |_, config| configure(&mut config.net));
    part(&mut world, changes);
    demote(&mut world, 1);
    meet(&mut world);
    world
}

#[test]
fn discard_secondary_keeps_the_primary() {
    let policy = |net: &mut NetOptions| net.after_sb_1pri = AfterSplitBrain1::DiscardSecondary;
    demand_loser(&mut met_as_primary(policy, [1, 3]), 1);
}

#[test]
fn consensus_needs_the_changes_to_agree() {
    let policy = |net: &mut NetOptions| {
        net.after_sb_0pri = AfterSplitBrain0::DiscardLeastChanges;
        net.after_sb_1pri = AfterSplitBrain1::Consensus;
    };
    demand_loser(&mut met_as_primary(policy, [3, 1]), 1);
    demand_apart(&met_as_primary(policy, [1, 3]));
}

#[test]
fn a_primary_that_lost_gives_its_role_up_unless_it_is_in_use() {
    let policy = |net: &mut NetOptions| {
        net.after_sb_0pri = AfterSplitBrain0::DiscardLeastChanges;
        net.after_sb_1pri = AfterSplitBrain1::CallPriLost;
    };
    let mut world = pair(7, |_, config| policy(&mut config.net));
    part(&mut world, [1, 3]);
    demote(&mut world, 1);
    world.nodes[0].vol.open = false;
    meet(&mut world);
    demand_loser(&mut world, 0);
    assert_eq!(world.nodes[0].state().role, Role::Secondary);

    let mut world = pair(7, |_, config| policy(&mut config.net));
    part(&mut world, [1, 3]);
    demote(&mut world, 1);
    world.nodes[0].vol.open = true;
    meet(&mut world);
    demand_apart(&world);
    assert!(called(&world, 0, Handler::PriLostAfterSb));
}

#[test]
fn two_primaries_that_parted_stay_apart_unless_told_otherwise() {
    let mut world = pair(7, |_, config| {
        config.net.after_sb_0pri = AfterSplitBrain0::DiscardLeastChanges;
        config.net.after_sb_2pri = AfterSplitBrain2::Disconnect;
    });
    part(&mut world, [1, 3]);
    meet(&mut world);
    demand_apart(&world);
}

#[test]
fn a_primary_is_not_overwritten_but_pri_lost_is_called() {
    let mut world = pair(3, |_, config| {
        config.net.rr_conflict = RoleResyncConflict::CallPriLost;
    });
    world.promote(1, false);
    rest(&mut world);
    world.cut();
    rest(&mut world);
    world.write(1, 80, 8);
    rest(&mut world);
    demote(&mut world, 1);
    // Node 0 has old data and does not know it. That it is Primary is no split brain: it wrote
    // nothing, so only its generation is new.
    world.oracle.split = true;
    world.promote(0, false);
    rest(&mut world);
    meet(&mut world);
    demand_apart(&world);
}

#[test]
fn a_handler_that_says_no_keeps_a_node_from_becoming_inconsistent() {
    let mut world = pair(5, |n, config| {
        if n == 1 {
            config.handlers = vec![(Handler::BeforeResyncTarget, 1)];
        }
    });
    world.promote(0, false);
    rest(&mut world);
    world.cut();
    rest(&mut world);
    world.write(0, 80, 8);
    rest(&mut world);
    meet(&mut world);
    assert!(called(&world, 0, Handler::BeforeResyncSource));
    assert!(called(&world, 1, Handler::BeforeResyncTarget));
    assert_eq!(world.nodes[1].state().conn, ConnState::StandAlone);
    assert!(world.nodes[1].state().disk > DiskState::Inconsistent);
    assert!(notices(&world, 1).contains("ResyncForbidden { status: 1 }"));
    assert_eq!(world.failure, None);
}

#[test]
fn the_end_of_a_resync_is_told_on_the_target() {
    let mut world = pair(5, |_, _| {});
    world.promote(0, false);
    rest(&mut world);
    world.cut();
    rest(&mut world);
    world.write(0, 80, 8);
    rest(&mut world);
    meet(&mut world);
    assert!(world.in_sync());
    assert!(called(&world, 1, Handler::AfterResyncTarget));
    assert!(!called(&world, 0, Handler::UnfencePeer));
}

fn fencing(policy: Fencing, status: u8) -> impl Fn(usize, &mut NodeConfig) {
    move |_, config| {
        config.disk.fencing = policy;
        config.handlers = vec![(Handler::FencePeer, status)];
    }
}

/// Node 0 is Primary and loses its peer while it writes.
fn lost_peer(policy: Fencing, status: u8) -> World {
    let mut world = pair(9, fencing(policy, status));
    world.promote(0, false);
    rest(&mut world);
    world.cut();
    world.write(0, 80, 8);
    rest(&mut world);
    assert!(called(&world, 0, Handler::FencePeer));
    assert!(!called(&world, 1, Handler::FencePeer));
    world
}

#[test]
fn a_fenced_peer_is_outdated_and_io_goes_on() {
    for (policy, status) in [
        (Fencing::ResourceOnly, 4),
        (Fencing::ResourceAndStonith, 4),
        (Fencing::ResourceAndStonith, 5),
        (Fencing::ResourceAndStonith, 7),
    ] {
        let world = lost_peer(policy, status);
        let state = world.nodes[0].state();
        assert_eq!(state.peer_disk, DiskState::Outdated, "{policy:?} {status}");
        assert!(!state.is_suspended());
        assert!((world.nodes[0].vol.open_requests() == 0));
    }
}

#[test]
fn a_broken_fence_handler_leaves_io_frozen_until_the_peer_is_back() {
    let mut world = lost_peer(Fencing::ResourceAndStonith, 1);
    assert!(world.nodes[0].state().is_suspended());
    assert_ne!(world.nodes[0].vol.open_requests(), 0);
    meet(&mut world);
    assert!(!world.nodes[0].state().is_suspended());
    assert!((world.nodes[0].vol.open_requests() == 0));
    assert!(world.in_sync());
    world.check_equal();
    assert_eq!(world.nodes[0].vol.engine.out_of_sync(), 0);
}

#[test]
fn a_fenced_peer_that_is_in_sync_again_is_unfenced() {
    let mut world = lost_peer(Fencing::ResourceOnly, 4);
    meet(&mut world);
    assert!(world.in_sync());
    world.check_equal();
    assert!(called(&world, 0, Handler::UnfencePeer));
    assert!(!called(&world, 1, Handler::UnfencePeer));
}

#[test]
fn resource_only_does_not_freeze_io() {
    let world = lost_peer(Fencing::ResourceOnly, 1);
    assert!(!world.nodes[0].state().is_suspended());
    assert!((world.nodes[0].vol.open_requests() == 0));
}

#[test]
fn an_active_peer_outdates_this_node() {
    let mut world = pair(9, fencing(Fencing::ResourceOnly, 6));
    world.promote(0, false);
    rest(&mut world);
    world.cut();
    rest(&mut world);
    let token = world.promote(1, false);
    rest(&mut world);
    assert_eq!(world.answer(1, token), Some(NO_UP_TO_DATE_DISK));
    assert_eq!(world.nodes[1].state().disk, DiskState::Outdated);
}

#[test]
fn a_promotion_without_peer_fences_it_first() {
    let mut world = pair(9, fencing(Fencing::ResourceOnly, 7));
    world.cut();
    rest(&mut world);
    let token = world.promote(1, false);
    rest(&mut world);
    assert_eq!(world.answer(1, token), Some(SUCCESS));
    assert!(called(&world, 1, Handler::FencePeer));
    assert_eq!(world.nodes[1].state().peer_disk, DiskState::Outdated);
}

#[test]
fn a_handler_that_is_not_sure_is_asked_four_times() {
    for (status, calls, answer) in [
        (4, 1, SUCCESS),
        (7, 1, SUCCESS),
        (6, 1, NO_UP_TO_DATE_DISK),
        (5, 4, NO_UP_TO_DATE_DISK),
        (1, 4, NO_UP_TO_DATE_DISK),
    ] {
        let mut world = pair(9, fencing(Fencing::ResourceOnly, status));
        world.crash(0);
        world.crash(1);
        world.power_on(1);
        world.attach(1);
        rest(&mut world);
        // It is not known whether the other one went on.
        assert_eq!(world.nodes[1].state().disk, DiskState::Consistent);
        let token = world.promote(1, false);
        rest(&mut world);
        assert_eq!(world.answer(1, token), Some(answer), "{status}");
        let handlers = &world.nodes[1].handlers;
        let called = handlers.iter().filter(|&&h| h == Handler::FencePeer);
        assert_eq!(called.count(), calls, "{status}");
    }
}

#[test]
fn force_promotes_bad_data_alone_though_nobody_can_be_fenced() {
    let mut world = World::new(4, Config::default());
    world.nodes[0].config.disk.fencing = Fencing::ResourceAndStonith;
    world.attach(0);
    rest(&mut world);
    let token = world.promote(0, false);
    rest(&mut world);
    assert_eq!(world.answer(0, token), Some(NO_UP_TO_DATE_DISK));
    let token = world.promote(0, true);
    rest(&mut world);
    assert_eq!(world.answer(0, token), Some(SUCCESS));
    assert_eq!(world.nodes[0].state().disk, DiskState::UpToDate);
}

/// Two nodes whose generations only have a former one in common, with one block of different data.
fn related(configure: impl Fn(&mut NetOptions)) -> World {
    let mut world = World::synced(11, Config::default());
    world.oracle.split = true;
    for n in 0..2 {
        configure(&mut world.nodes[n].config.net);
        let disk = &mut world.nodes[n].vol.disk;
        let mut superblock = disk.superblock();
        superblock.uuids.current = 0x4000 + 0x100 * n as u64;
        superblock.uuids.bitmap = 0x5000 + 0x100 * n as u64;
        disk.put_superblock(&superblock);
        disk.cached[80] = 3 + n as u32;
        disk.durable[80] = 3 + n as u32;
    }
    for n in 0..2 {
        world.attach(n);
        rest(&mut world);
        world.connect(n);
    }
    rest(&mut world);
    world
}

#[test]
fn an_ambiguous_split_brain_is_resolved_only_with_always_asbp_and_by_a_full_sync() {
    let policy = |net: &mut NetOptions| net.after_sb_0pri = AfterSplitBrain0::DiscardLeastChanges;
    let world = related(policy);
    demand_apart(&world);
    assert!(notices(&world, 0).contains("Compared { result: -100, rule: 100 }"));

    let mut world = related(|net| {
        policy(net);
        net.always_asbp = true;
    });
    assert!(world.in_sync(), "{}", notices(&world, 0));
    assert_eq!(world.difference(), None);
    assert!(notices(&world, 0).contains("FullSync"));
    let copied: u64 = world.nodes.iter().map(|node| node.vol.resynced).sum();
    assert_eq!(copied, 6 * 8192 / 8);
    world.check_rest();
}

#[test]
fn a_tentative_connect_tells_the_resync_and_changes_nothing() {
    let config = Config {
        settings: true,
        ..Config::default()
    };
    let mut world = World::synced(7, config);
    for n in 0..2 {
        world.attach(n);
        rest(&mut world);
        world.connect(n);
        rest(&mut world);
    }
    world.promote(0, false);
    rest(&mut world);
    world.disconnect(0);
    rest(&mut world);
    world.write(0, 80, 8);
    rest(&mut world);
    let before = [0, 1].map(|n| world.nodes[n].vol.disk.superblock());
    world.nodes[0].config.net.tentative = true;
    world.connect(0);
    rest(&mut world);
    assert!(notices(&world, 0).contains("DryRun { resync: Some((true, false)) }"));
    assert_eq!(world.nodes[0].state().conn, ConnState::StandAlone);
    // Who was only asked goes on waiting for one that means it.
    assert_eq!(world.nodes[1].state().conn, ConnState::WfConnection);
    let uuids = |n: usize| world.nodes[n].vol.disk.superblock().uuids;
    assert_eq!([uuids(0), uuids(1)], before.map(|s| s.uuids));
    world.nodes[0].config.net.tentative = false;
    world.connect(0);
    rest(&mut world);
    assert!(world.in_sync());
    world.check_equal();
}
