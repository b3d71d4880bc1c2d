// SPDX-License-Identifier: GPL-2.0

//! Packets that a peer must not send: each is refused, and the disks stay as they were.

mod pair;

use pair::*;
use sim::packet::Packet;
use sim::world::World;
use tandem_engine::engine::wire::handshake::Features;
use tandem_engine::engine::wire::Command;

const VERSION: u32 = 101;

/// Sectors of the volume.
const END: u64 = 6 * 8192;

/// The parts of a payload.
#[derive(Clone, Copy)]
enum Part {
    /// 64 bits.
    Long(u64),
    /// 32 bits.
    Word(u32),
}
use Part::{Long, Word};

fn body(parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        match *part {
            Long(value) => bytes.extend(value.to_be_bytes()),
            Word(value) => bytes.extend(value.to_be_bytes()),
        }
    }
    bytes
}

/// Where a packet comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Socket {
    Data,
    Meta,
}
use Socket::{Data, Meta};

/// A Primary and its peer, in sync, with something on their disks.
fn world() -> World {
    let mut world = primary_pair(21);
    for n in 0..6 {
        world.write(0, n * 8192, 16);
    }
    rest(&mut world);
    world
}

fn disks(world: &World) -> Vec<Vec<u32>> {
    world
        .nodes
        .iter()
        .map(|n| n.vol.disk.cached.clone())
        .collect()
}

/// Node b is given the packet, and has to refuse it.
fn demand_refusal(world: &mut World, socket: Socket, command: Command, body: &[u8], why: &str) {
    let before = disks(world);
    let packet = Packet::raw(VERSION, command, body);
    let refused = world.refusal(1, socket == Meta, &packet);
    let refused = refused.unwrap_or_else(|| panic!("{command:?}: taken, and should be {why}"));
    assert!(refused.contains(why), "{command:?}: {refused}, not {why}");
    check!(world, disks(world) == before);
}

/// What has a wrong length, or is on the wrong socket, in every version.
#[test]
fn no_packet_is_taken_with_another_length_or_on_the_wrong_socket() {
    let mut world = world();
    for &command in Command::ALL {
        for socket in [Data, Meta] {
            let rule = match socket {
                Data => command
                    .on_data_socket(VERSION, Features::OWN)
                    .map(|rule| (rule.fixed, rule.fixed + rule.follow)),
                Meta => command.on_meta_socket(VERSION).map(|len| (len, len)),
            };
            let lengths = match rule {
                None => vec![0, 8, 24],
                Some((shortest, longest)) => {
                    let short = shortest.checked_sub(1);
                    // What does not fit a test's packet is a matter of the rule alone.
                    let long = Some(longest + 1).filter(|&len| len < 4000);
                    [short, long].into_iter().flatten().collect()
                }
            };
            for length in lengths {
                let bytes = vec![0; length as usize];
                demand_refusal(&mut world, socket, command, &bytes, "");
            }
        }
    }
    check!(world, world.failure.clone(), None);
}

#[test]
fn unknown_commands_are_refused() {
    let mut world = world();
    for number in [0x2e, 0x35, 0x40, 0x0bad, 0xffff] {
        for socket in [Data, Meta] {
            demand_refusal(&mut world, socket, Command::Unknown(number), &[], "Unknown");
        }
    }
}

/// Ranges that are not in the volume, too long, or not whole sectors.
const RANGES: &[(u64, u32)] = &[
    (END - 8, 8192),
    (END, 4096),
    (u64::MAX, 4096),
    (u64::MAX / 512, 4096),
    (0, 100),
    (8, (1 << 20) + 512),
    (0, 0),
    (0, u32::MAX),
];

#[test]
fn ranges_outside_of_the_volume_are_refused() {
    let mut world = world();
    for &(sector, bytes) in RANGES {
        let request = body(&[Long(sector), Long(7), Word(bytes), Word(0)]);
        for command in [
            Command::DataRequest,
            Command::RsDataRequest,
            Command::RsThinReq,
            Command::OvRequest,
            Command::CsumRsRequest,
        ] {
            demand_refusal(&mut world, Data, command, &request, "OutOfRange");
        }
        // Without a payload it may be longer, and is checked alike.
        if bytes != (1 << 20) + 512 {
            let trim = [Long(sector), Long(7), Word(1), Word(256), Word(bytes)];
            for command in [Command::Trim, Command::Zeroes] {
                demand_refusal(&mut world, Data, command, &body(&trim), "");
            }
            let marked = body(&[Long(sector), Word(bytes), Word(0)]);
            demand_refusal(&mut world, Data, Command::OutOfSync, &marked, "OutOfRange");
        }
        let digest = [request.clone(), vec![0; 8]].concat();
        demand_refusal(&mut world, Data, Command::OvReply, &digest, "");
    }
    check!(world, world.nodes[1].vol.engine.out_of_sync(), 0);
}

#[test]
fn answers_to_nothing_are_refused() {
    let mut world = world();
    let ack = |sector, id| body(&[Long(sector), Long(id), Word(4096), Word(1)]);
    for command in [
        Command::RecvAck,
        Command::WriteAck,
        Command::RsWriteAck,
        Command::NegAck,
        Command::NegDReply,
        Command::NegRsDReply,
        Command::OvResult,
        Command::RsIsInSync,
        Command::RsCancel,
        Command::Superseded,
        Command::RetryWrite,
    ] {
        for id in [0, 1, 7 << 32, u64::MAX, 4711] {
            demand_refusal(&mut world, Meta, command, &ack(0, id), "");
        }
    }
    let data = body(&[Long(0), Long(7), Word(0), Word(0)]);
    for command in [Command::DataReply, Command::RsDataReply] {
        demand_refusal(&mut world, Data, command, &data, "");
    }
    let zeroes = body(&[Long(0), Word(65536), Word(0)]);
    demand_refusal(
        &mut world,
        Data,
        Command::RsDeallocated,
        &zeroes,
        "Unexpected",
    );
    let barrier = body(&[Word(99), Word(1)]);
    demand_refusal(&mut world, Meta, Command::BarrierAck, &barrier, "");
}

#[test]
fn an_answer_counts_once() {
    let mut world = world();
    // Node b, and its answer, are played here.
    world.write(0, 100, 8);
    while world.nodes[0].vol.engine.counters().peer_pending == 0 {
        world.step();
    }
    rest(&mut world);
    let ticket = world
        .story
        .iter()
        .flatten()
        .rfind(|line| line.text.starts_with("sends WriteAck"));
    check!(world, ticket.is_some());
    // Slot 0 was the last one in use, or is in use no more: its former request has no answer due.
    for generation in 1..20u64 {
        let id = generation << 32;
        let packet = Packet::raw(
            VERSION,
            Command::WriteAck,
            &body(&[Long(100), Long(id), Word(4096), Word(1)]),
        );
        check!(world, world.refusal(0, true, &packet).is_some());
    }
}

#[test]
fn a_second_barrier_and_one_out_of_order_are_refused() {
    let mut world = world();
    let barrier = |number| Packet::raw(VERSION, Command::Barrier, &body(&[Word(number), Word(0)]));
    check!(world, world.refusal(1, false, &barrier(500)), None);
    check!(world, world.refusal(1, false, &barrier(501)).is_some());
}

#[test]
fn nothing_is_read_or_written_before_the_nodes_have_agreed() {
    let mut world = world();
    world.cut();
    rest(&mut world);
    world.heal();
    while !world.nodes[1].vol.engine.policy().meeting {
        world.step();
    }
    let trim = body(&[Long(0), Long(7), Word(1), Word(256), Word(4096)]);
    demand_refusal(&mut world, Data, Command::Trim, &trim, "State");
    let request = body(&[Long(0), Long(7), Word(4096), Word(0)]);
    for command in [
        Command::DataRequest,
        Command::RsDataRequest,
        Command::OvRequest,
    ] {
        demand_refusal(&mut world, Data, command, &request, "State");
    }
    let marked = body(&[Long(0), Word(4096), Word(0)]);
    demand_refusal(&mut world, Data, Command::OutOfSync, &marked, "State");
}

/// Packets whose fields the resource judges: the connection begins anew, and it is told why.
#[test]
fn states_and_answers_without_meaning_end_the_connection() {
    for (socket, command, bytes) in [
        (Data, Command::State, body(&[Word(u32::MAX)])),
        (Meta, Command::StateChgReply, body(&[Word(1)])),
        (Meta, Command::ConnStChgReply, body(&[Word(1)])),
    ] {
        let mut world = world();
        let before = disks(&world);
        let packet = Packet::raw(VERSION, command, &bytes);
        check!(world, world.refusal(1, socket == Meta, &packet), None);
        world.run_until(world.now + 20);
        let told = |text: &&String| text.starts_with("BadPacket");
        check!(world, world.nodes[1].notices.iter().find(told).is_some());
        demand_sync(&mut world);
        check!(world, disks(&world) == before);
    }
}
