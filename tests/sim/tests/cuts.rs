// SPDX-License-Identifier: GPL-2.0

//! Stories of sessions that end at some byte.

mod pair;

use pair::{attach_and_connect, demand_sync, rest, watched};
use sim::world::{Config, World};
use tandem_engine::engine::options::WireProtocol;
use tandem_engine::engine::resource::Loss;
use tandem_engine::engine::state::Role;

/// The header of a packet, with protocol 101.
const HEADER: u64 = 16;

/// A write of a block: with its sub-header, and its data.
const WRITE: u64 = HEADER + 24 + 4096;

/// A Primary with protocol A, whose sessions end at any byte.
fn pair(seed: u64) -> World {
    let mut config = Config {
        bytes: true,
        wire: 30,
        notice: 90,
        ..Config::default()
    };
    config.node.net.protocol = WireProtocol::A;
    let mut world = watched(World::synced(seed, config));
    attach_and_connect(&mut world);
    world.promote(0, false);
    rest(&mut world);
    check!(world, world.nodes[0].state().role, Role::Primary);
    world
}

/// Two writes of a block are on their way; of these so many bytes arrive. Which of them the peer's
/// disk has got, and whether it blames the sender; `None` if they were never both on their way.
fn cut_after(seed: u64, bytes: u64) -> Option<([bool; 2], bool)> {
    let mut world = pair(seed);
    let ids = [0, 1].map(|block| world.write(0, block * 100, 8));
    while world.bytes_on_way(1) < 2 * WRITE {
        if world.nodes[0].vol.open_requests() == 0 || !world.step() {
            return None;
        }
    }
    world.cut_at(1, bytes);
    rest(&mut world);
    let blame = format!("Disconnected({:?})", Loss::ProtocolError);
    let mut told = world.story.iter().flatten();
    let blames = told.any(|line| line.place == 1 && line.text.contains(&blame));
    let disk = &world.nodes[1].vol.disk.cached;
    let got = [0, 1].map(|block| disk[block * 100] == ids[block]);
    world.heal();
    demand_sync(&mut world);
    Some((got, blames))
}

#[test]
fn what_came_before_a_session_ends_is_written_and_a_part_of_a_packet_is_not() {
    for bytes in [
        0,
        1,
        HEADER - 1,
        HEADER,
        WRITE - 1,
        WRITE,
        WRITE + 1,
        2 * WRITE - 1,
        2 * WRITE,
    ] {
        let whole = bytes / WRITE;
        let outcomes: Vec<_> = (0..60).filter_map(|seed| cut_after(seed, bytes)).collect();
        assert!(outcomes.len() > 9, "{}", outcomes.len());
        let most = [0, 1].map(|block| outcomes.iter().any(|(got, _)| got[block]));
        assert_eq!(most, [whole > 0, whole > 1], "{bytes} bytes");
        // With its header, what is missing of a packet can be named.
        let named = outcomes.iter().any(|(_, blames)| *blames);
        assert_eq!(named, bytes % WRITE >= HEADER, "{bytes} bytes");
    }
}

#[test]
fn what_a_session_that_ended_at_any_byte_did_not_bring_is_brought_by_the_next_one() {
    for seed in 0..50 {
        let mut world = pair(seed);
        for block in 0..12 {
            world.write(0, block * 40, 8);
            let until = world.now + 1;
            world.run_until(until);
        }
        world.reset_session();
        demand_sync(&mut world);
    }
}
