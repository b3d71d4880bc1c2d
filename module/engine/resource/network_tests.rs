// SPDX-License-Identifier: GPL-2.0

//! Tests of the connection's own states.

use super::{
    Admin,
    Effect,
    Env,
    Event,
    Loss,
    Notice,
    Outgoing,
    Output,
    PeerProtocol,
    RarePacket,
    Resource,
    Token, //
};
use crate::engine::ids::Instant;
use crate::engine::login::LoginError;
use crate::engine::options::{
    FixedStr,
    NetOptions,
    WireProtocol, //
};
use crate::engine::state::ConnState;
use crate::engine::wire::handshake::ConnectionFeatures;

#[derive(Default)]
struct Effects(Vec<Effect>);

impl Output for Effects {
    fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

/// Feeds a resource without volumes; returns the effects of the last event.
fn feed(resource: &mut Resource, events: &[Event]) -> Vec<Effect> {
    let mut effects = Effects::default();
    for event in events {
        effects.0.clear();
        let env = Env {
            now: Instant(0),
            random: 1,
        };
        resource.handle(&mut [], env, event.clone(), &mut effects);
    }
    effects.0
}

/// A resource that has found its peer and not yet shaken hands.
fn meeting() -> Resource {
    let mut resource = Resource::default();
    let connect = Admin::Connect {
        options: NetOptions::default(),
    };
    feed(
        &mut resource,
        &[Event::Admin(Token(1), connect), Event::Connecting],
    );
    assert_eq!(resource.conn(), ConnState::WfConnection);
    resource
}

#[test]
fn a_login_that_can_never_succeed_ends_in_stand_alone() {
    let mut resource = meeting();
    feed(
        &mut resource,
        &[Event::Login(Err(LoginError::WrongResponse))],
    );
    assert_eq!(resource.conn(), ConnState::Disconnecting);
    feed(&mut resource, &[Event::Disconnected(Loss::NetworkFailure)]);
    assert_eq!(resource.conn(), ConnState::StandAlone);
}

#[test]
fn a_login_that_may_succeed_later_is_tried_again() {
    let mut resource = meeting();
    let other_digest = LoginError::ResponseLength {
        expected: 20,
        received: 32,
    };
    let effects = feed(&mut resource, &[Event::Login(Err(other_digest))]);
    assert!(effects.is_empty());
    feed(&mut resource, &[Event::Disconnected(Loss::NetworkFailure)]);
    assert_eq!(resource.conn(), ConnState::Unconnected);
}

#[test]
fn a_login_that_succeeded_is_told() {
    let mut resource = meeting();
    let effects = feed(&mut resource, &[Event::Login(Ok(32))]);
    let told = |effect: &Effect| {
        let Effect::Notice { notice, .. } = effect else {
            return false;
        };
        *notice == Notice::LoggedIn { bytes: 32 }
    };
    assert!(effects.iter().any(told));
    assert_eq!(resource.conn(), ConnState::WfConnection);
}

#[test]
fn options_that_both_share_follow_the_peers() {
    let mut resource = meeting();
    feed(&mut resource, &[Event::Handshaken { resolver: false }]);
    let digest = FixedStr::new(b"sha256").unwrap();
    let update = PeerProtocol {
        protocol: 1,
        // discard-local at the peer is discard-remote here.
        after_split_brain: [5, 0, 0],
        two_primaries: 0,
        flags: Default::default(),
        integrity_alg: digest,
    };
    let packet = RarePacket::ProtocolUpdate(update);
    feed(&mut resource, &[Event::Packet { volume: 0, packet }]);
    let net = resource.net().unwrap();
    assert_eq!(net.data_integrity_alg, digest);
    assert_eq!(net.protocol, WireProtocol::A);
    assert_eq!(net.after_sb_0pri.number(), 6);
    assert_eq!(resource.conn(), ConnState::WfReportParams);
}

#[test]
fn a_connected_peer_is_told_of_new_options() {
    let tells = |resource: &mut Resource| {
        let options = NetOptions::default();
        let event = Event::Admin(Token(2), Admin::NetOptions { options });
        let effects = feed(resource, &[event]);
        effects.iter().any(|effect| {
            let Effect::Send { packet, .. } = effect else {
                return false;
            };
            *packet == Outgoing::ProtocolUpdate
        })
    };
    let mut resource = meeting();
    assert!(!tells(&mut resource));
    let features = Event::Features(ConnectionFeatures::OWN);
    feed(
        &mut resource,
        &[features, Event::Handshaken { resolver: false }],
    );
    assert!(tells(&mut resource));
}

/// How long the next attempt waits after one that failed at once, in milliseconds.
fn pause(resource: &mut Resource) -> u64 {
    let lost = [
        Event::Connecting,
        Event::Trouble(Loss::NetworkFailure),
        Event::Disconnected(Loss::NetworkFailure),
    ];
    let effects = feed(resource, &lost);
    let pause = effects.iter().find_map(|effect| match effect {
        Effect::LookAgain { after_ms } => Some(*after_ms),
        _ => None,
    });
    pause.unwrap()
}

#[test]
fn a_new_connect_forgets_how_often_the_former_one_failed() {
    let mut resource = meeting();
    let pauses = [pause(&mut resource), pause(&mut resource)];
    assert!(pauses[1] > pauses[0], "{pauses:?}");
    let disconnect = Admin::Disconnect { force: true };
    let connect = Admin::Connect {
        options: NetOptions::default(),
    };
    feed(
        &mut resource,
        &[
            Event::Admin(Token(2), disconnect),
            Event::Disconnected(Loss::NetworkFailure),
            Event::Admin(Token(3), connect),
        ],
    );
    assert_eq!(pause(&mut resource), pauses[0]);
}
