// SPDX-License-Identifier: GPL-2.0

//! Stories of commands that cross: both administrators want something at the same time.

mod pair;

use pair::{in_sync, rest, SUCCESS};
use tandem_engine::engine::state::{ConnState, Role};

#[test]
fn concurrent_promotions_leave_one_primary() {
    for seed in 0..50 {
        let mut world = in_sync(seed);
        let a = world.promote(0, false);
        let b = world.promote(1, false);
        rest(&mut world);
        let won = [world.answer(0, a), world.answer(1, b)]
            .iter()
            .filter(|code| code.is_some_and(|code| code > 0))
            .count();
        check!(world, won <= 1);
        let primaries = world
            .nodes
            .iter()
            .filter(|n| n.state().role == Role::Primary)
            .count();
        check!(world, primaries, won);
        check!(world, won, 1);
    }
}

#[test]
fn both_nodes_can_leave_at_once() {
    for seed in 0..100 {
        let mut world = in_sync(seed);
        let mut tokens = [None; 2];
        for n in [0, 1] {
            tokens[n] = Some(world.disconnect(n));
            // The other one's request is somewhere on its way.
            for _ in 0..seed % 10 {
                world.step();
            }
        }
        rest(&mut world);
        for n in [0, 1] {
            let answer = tokens[n].and_then(|token| world.answer(n, token));
            check!(world, answer, Some(SUCCESS));
            check!(world, world.nodes[n].state().conn, ConnState::StandAlone);
        }
    }
}

#[test]
fn of_two_nodes_that_become_primary_at_once_one_does() {
    for seed in 0..100 {
        let mut world = in_sync(seed);
        let mut tokens = [None; 2];
        for n in [0, 1] {
            tokens[n] = Some(world.promote(n, false));
            for _ in 0..seed % 10 {
                world.step();
            }
        }
        rest(&mut world);
        let answers = [0, 1].map(|n| tokens[n].and_then(|token| world.answer(n, token)));
        check!(world, answers.iter().all(Option::is_some));
        let done = answers.iter().flatten().filter(|&&code| code > 0).count();
        check!(world, done, 1);
        let roles = [0, 1].map(|n| world.nodes[n].state().role);
        check!(world, roles[0] != roles[1]);
    }
}
