// SPDX-License-Identifier: GPL-2.0

//! Tests of the two sockets.

use super::*;

const DATA: Command = Command::InitialData;
const META: Command = Command::InitialMeta;

#[test]
fn the_data_socket_is_called_first() {
    let mut e = Establish::new(true);
    assert_eq!(e.next_call(), Some(Channel::Data));
    e.called(Channel::Data);
    assert_eq!(e.next_call(), Some(Channel::Meta));
    e.called(Channel::Meta);
    assert_eq!(e.next_call(), None);
    assert!(e.is_complete());
}

#[test]
fn whoever_accepts_the_meta_socket_resolves_conflicts() {
    let mut e = Establish::new(false);
    assert_eq!(e.accepted(DATA, false), Some(Accepted::Take(Channel::Data)));
    assert_eq!(e.accepted(META, false), Some(Accepted::Take(Channel::Meta)));
    assert!(e.is_complete() && e.is_resolver());
}

#[test]
fn when_calls_cross_both_nodes_keep_the_same_sockets() {
    let mut low = Establish::new(true);
    let mut high = Establish::new(false);
    for channel in [Channel::Data, Channel::Meta] {
        low.called(channel);
        high.called(channel);
    }
    for first in [DATA, META] {
        assert_eq!(low.accepted(first, true), Some(Accepted::Close));
        assert!(matches!(
            high.accepted(first, true),
            Some(Accepted::Take(_))
        ));
    }
    assert!(!low.is_resolver() && high.is_resolver());
}

#[test]
fn after_a_collision_a_coin_decides_at_the_higher_address() {
    let mut e = Establish::new(false);
    e.called(Channel::Data);
    e.called(Channel::Meta);
    e.accepted(DATA, true);
    e.accepted(META, true);
    assert_eq!(e.accepted(DATA, true), Some(Accepted::Close));
    assert_eq!(e.accepted(DATA, false), Some(Accepted::Take(Channel::Data)));
}

#[test]
fn other_packets_begin_no_connection() {
    assert_eq!(Establish::new(true).accepted(Command::Ping, true), None);
}

#[test]
fn a_dead_socket_is_called_again() {
    let mut e = Establish::new(true);
    e.called(Channel::Data);
    e.called(Channel::Meta);
    e.lost(Channel::Data);
    assert_eq!(e.next_call(), Some(Channel::Data));
}
