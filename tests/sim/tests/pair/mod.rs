// SPDX-License-Identifier: GPL-2.0

//! A pair of nodes, and how to check it: what all stories need.

#![allow(dead_code, reason = "not every file of stories needs everything")]

use sim::world::{Config, World};
use tandem_engine::engine::state::{ConnState, DiskState, Role};

/// `SS_SUCCESS`.
pub(crate) const SUCCESS: i32 = 1;
/// `NO_ERROR`.
pub(crate) const NO_ERROR: i32 = 101;

/// A world whose story is told when a check fails.
pub(crate) fn watched(mut world: World) -> World {
    world.story = Some(Vec::new());
    world
}

/// Prints the story.
pub(crate) fn tell(world: &World) {
    for line in world.story.iter().flatten() {
        println!("{line}");
    }
}

/// Fails with the story.
#[macro_export]
macro_rules! check {
    ($world:expr, $condition:expr) => {
        if !$condition {
            $crate::pair::tell(&$world);
            panic!("not so: {}", stringify!($condition));
        }
    };
    ($world:expr, $left:expr, $right:expr) => {
        let (left, right) = ($left, $right);
        if left != right {
            $crate::pair::tell(&$world);
            panic!("{} is {:?}, not {:?}", stringify!($left), left, right);
        }
    };
}

/// Runs until nothing more happens.
pub(crate) fn rest(world: &mut World) {
    world.rest(20_000);
    check!(world, world.failure.is_none());
}

/// Brings both nodes up.
pub(crate) fn attach_and_connect(world: &mut World) {
    for n in 0..2 {
        let token = world.attach(n);
        rest(world);
        check!(world, world.answer(n, token), Some(NO_ERROR));
        let token = world.connect(n);
        rest(world);
        check!(world, world.answer(n, token), Some(NO_ERROR));
    }
}

/// Two Secondaries in sync.
pub(crate) fn in_sync(seed: u64) -> World {
    let mut world = watched(World::synced(seed, Config::default()));
    attach_and_connect(&mut world);
    check!(world, world.in_sync());
    world
}

/// Two nodes in sync, the first one Primary.
pub(crate) fn primary_pair(seed: u64) -> World {
    let mut world = in_sync(seed);
    let token = world.promote(0, false);
    rest(&mut world);
    check!(world, world.answer(0, token).is_some_and(|code| code > 0));
    check!(world, world.nodes[0].state().role, Role::Primary);
    check!(world, world.nodes[1].state().peer, Role::Primary);
    world
}

/// Both have to be in sync, and equal.
pub(crate) fn demand_sync(world: &mut World) {
    rest(world);
    check!(world, world.in_sync());
    world.check_equal();
    world.check_marks();
    check!(world, world.failure.clone(), None);
}

/// Connection and disks of both nodes.
pub(crate) fn states(world: &World) -> [(ConnState, DiskState, DiskState); 2] {
    [0, 1].map(|n| {
        let s = world.nodes[n].state();
        (s.conn, s.disk, s.peer_disk)
    })
}

/// Blocks that resyncs copied since the last look.
pub(crate) fn resynced(world: &mut World) -> u64 {
    world
        .nodes
        .iter_mut()
        .map(|n| core::mem::take(&mut n.vol.resynced))
        .sum()
}
