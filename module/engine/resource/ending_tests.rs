// SPDX-License-Identifier: GPL-2.0

//! Tests of what is kept of a connection's end.

use super::{
    Changes,
    Why, //
};
use crate::engine::ids::Instant;
use crate::engine::login::LoginError;
use crate::engine::options::NetOptions;
use crate::engine::resource::{
    Admin,
    Effect,
    Env,
    Event,
    Loss,
    Notice,
    Output,
    PeerProtocol,
    RarePacket,
    Resource,
    Token, //
};
use crate::engine::state::Role;

struct Nowhere;

impl Output for Nowhere {
    fn push(&mut self, _: Effect) {}
}

fn feed(resource: &mut Resource, ms: u64, event: Event) {
    let env = Env {
        now: Instant(ms),
        random: 1,
    };
    resource.handle(&mut [], env, event, &mut Nowhere);
}

/// A resource that is connected, and has no volumes.
fn connected() -> Resource {
    let mut resource = Resource::default();
    let options = NetOptions::default();
    feed(
        &mut resource,
        1,
        Event::Admin(Token(1), Admin::Connect { options }),
    );
    feed(&mut resource, 2, Event::Connecting);
    feed(&mut resource, 3, Event::Handshaken { resolver: false });
    assert_eq!(resource.ending(), None);
    resource
}

fn why(resource: &Resource) -> (u64, Why) {
    let ending = resource.ending().unwrap();
    (ending.at.0, ending.why)
}

#[test]
fn what_was_found_says_more_than_that_the_connection_ended() {
    let mut resource = connected();
    let settings = PeerProtocol {
        protocol: 3,
        after_split_brain: [0; 3],
        two_primaries: 1,
        flags: Default::default(),
        integrity_alg: crate::engine::options::FixedStr::EMPTY,
    };
    let packet = RarePacket::Protocol(settings);
    feed(&mut resource, 40, Event::Packet { volume: 0, packet });
    let notice = Notice::Incompatible("allow-two-primaries");
    let found = Why::Found {
        volume: None,
        notice,
    };
    assert_eq!(why(&resource), (40, found));
    // That the sockets are closed then is no news.
    feed(&mut resource, 50, Event::Disconnected(Loss::NetworkFailure));
    assert_eq!(why(&resource), (40, found));
}

#[test]
fn a_lost_link_a_command_and_a_login_are_told_apart() {
    let mut resource = connected();
    feed(&mut resource, 60, Event::Trouble(Loss::Timeout));
    assert_eq!(why(&resource), (60, Why::Lost(Loss::Timeout)));

    let mut resource = connected();
    let force = true;
    feed(
        &mut resource,
        70,
        Event::Admin(Token(2), Admin::Disconnect { force }),
    );
    assert_eq!(why(&resource), (70, Why::Command));

    let mut resource = connected();
    let error = LoginError::WrongResponse;
    feed(&mut resource, 80, Event::Login(Err(error)));
    assert_eq!(why(&resource), (80, Why::Login(error)));
}

#[test]
fn changes_are_told_in_words() {
    let changes = Changes {
        role: Role::Secondary,
        was_primary: true,
        blocks: 3,
        since_ms: Some(41_500),
    };
    let text = "Secondary, was Primary when they parted, 3 changed blocks (12 KiB) since 41 s";
    assert_eq!(changes.to_string(), text);
    let changes = Changes {
        role: Role::Primary,
        since_ms: None,
        ..changes
    };
    assert_eq!(changes.to_string(), "Primary, 3 changed blocks (12 KiB)");
}
