// SPDX-License-Identifier: GPL-2.0

//! Tests of the states of a verify, and of the digests that both nodes share.

use super::{
    Admin,
    Effect,
    Env,
    Event,
    Handler,
    Notice,
    Outgoing,
    Output,
    PeerSyncParams,
    RarePacket,
    Resource,
    Token,
    VolumeRecord, //
};
use crate::engine::control::RetCode;
use crate::engine::ids::Instant;
use crate::engine::options::{
    FixedStr,
    NetOptions,
    OPTION_TEXT_MAX, //
};
use crate::engine::state::{
    ConnState as C,
    DiskState as D,
    Role,
    StateChange, //
};
use crate::engine::volume::{
    VerifyRange,
    VerifySide, //
};
use crate::engine::wire::handshake::ConnectionFeatures;
use crate::engine::wire::params::ControllerParams;
use crate::engine::wire::state::{
    StateReport,
    StateRequest,
    SyncUuid, //
};

#[derive(Default)]
pub(super) struct Effects(pub(super) Vec<Effect>);

impl Output for Effects {
    fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

fn name(text: &str) -> FixedStr<OPTION_TEXT_MAX> {
    FixedStr::new(text.as_bytes()).unwrap()
}

pub(super) struct Node {
    pub(super) resource: Resource,
    pub(super) volumes: [VolumeRecord; 1],
}

impl Node {
    /// A node whose peer is there and has told nothing of its volume yet.
    fn meeting(verify_alg: &str) -> Self {
        let mut node = Node {
            resource: Resource::default(),
            volumes: [VolumeRecord::new(0, 0)],
        };
        let options = NetOptions {
            verify_alg: name(verify_alg),
            ..NetOptions::default()
        };
        node.feed(Event::Admin(Token(1), Admin::Connect { options }));
        node.feed(Event::Connecting);
        node.feed(Event::Features(ConnectionFeatures::OWN));
        node.feed(Event::Handshaken { resolver: false });
        node
    }

    /// A node with a good disk and a good peer.
    pub(super) fn connected(verify_alg: &str) -> Self {
        let mut node = Self::meeting(verify_alg);
        let state = &mut node.volumes[0].state;
        state.conn = C::Connected;
        (state.disk, state.peer_disk) = (D::UpToDate, D::UpToDate);
        (state.role, state.peer) = (Role::Secondary, Role::Primary);
        // The other node's first states came.
        node.resource.state_sent = false;
        node
    }

    pub(super) fn feed(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Effects::default();
        let env = Env {
            now: Instant(0),
            random: 1,
        };
        self.resource
            .handle(&mut self.volumes, env, event, &mut effects);
        effects.0
    }

    fn packet(&mut self, packet: RarePacket) -> Vec<Effect> {
        self.feed(Event::Packet { volume: 0, packet })
    }

    fn conn(&self) -> C {
        self.volumes[0].state.conn
    }
}

fn started(effects: &[Effect]) -> Option<(VerifySide, VerifyRange)> {
    effects.iter().find_map(|effect| match effect {
        Effect::StartVerify { side, range, .. } => Some((*side, *range)),
        _ => None,
    })
}

fn stopped(effects: &[Effect]) -> bool {
    let stops = |effect: &Effect| matches!(effect, Effect::StopVerify { .. });
    effects.iter().any(stops)
}

fn tells_state(effects: &[Effect]) -> bool {
    let tells = |effect: &Effect| {
        let Effect::Send { packet, .. } = effect else {
            return false;
        };
        matches!(packet, Outgoing::State(_))
    };
    effects.iter().any(tells)
}

#[test]
fn a_verify_in_a_handshake_does_not_make_the_connection() {
    let mut node = Node::meeting("crc32c");
    let state = &mut node.volumes[0].state;
    (state.role, state.disk) = (Role::Primary, D::Failed);
    assert_eq!(node.conn(), C::WfReportParams);
    verify(&mut node);
    assert_eq!(node.conn(), C::WfReportParams);
}

const RANGE: VerifyRange = VerifyRange {
    start: Some(80),
    stop: 160,
};

fn verify(node: &mut Node) -> Vec<Effect> {
    let command = Admin::Verify {
        volume: 0,
        range: RANGE,
    };
    node.feed(Event::Admin(Token(2), command))
}

#[test]
fn a_verify_begins_when_the_peer_agrees_and_its_end_is_told() {
    let mut node = Node::connected("sha1");
    assert_eq!(started(&verify(&mut node)), None);
    assert_eq!(node.conn(), C::Connected);
    let effects = node.packet(RarePacket::StateReply(1));
    assert_eq!(started(&effects), Some((VerifySide::Source, RANGE)));
    assert_eq!(node.conn(), C::VerifyS);
    let effects = node.feed(Event::VerifyFinished { volume: 0 });
    assert_eq!(node.conn(), C::Connected);
    assert!(stopped(&effects) && tells_state(&effects));
}

#[test]
fn an_answer_to_a_command_that_was_given_up_changes_nothing_and_the_peer_is_told() {
    let mut node = Node::connected("sha1");
    verify(&mut node);
    node.feed(Event::GiveUp(Token(2)));
    // The next command is not answered by it.
    let command = Admin::Promote {
        volume: 0,
        force: false,
    };
    node.volumes[0].state.peer = Role::Secondary;
    node.feed(Event::Admin(Token(3), command));
    let effects = node.packet(RarePacket::StateReply(1));
    assert!(tells_state(&effects));
    assert_eq!(node.conn(), C::Connected);
    assert_eq!(node.volumes[0].state.role, Role::Secondary);
    node.packet(RarePacket::StateReply(1));
    assert_eq!(node.volumes[0].state.role, Role::Primary);
}

#[test]
fn a_verify_that_found_differences_calls_the_handler() {
    for (bits, called) in [(0, false), (2, true)] {
        let mut node = Node::connected("sha1");
        verify(&mut node);
        node.packet(RarePacket::StateReply(1));
        node.volumes[0].bits = bits;
        let effects = node.feed(Event::VerifyFinished { volume: 0 });
        let calls = |effect: &Effect| {
            let Effect::CallHandler { handler, .. } = effect else {
                return false;
            };
            *handler == Handler::OutOfSync
        };
        assert_eq!(effects.iter().any(calls), called);
    }
}

#[test]
fn while_a_verify_runs_only_its_stop_sector_changes() {
    let mut node = Node::connected("sha1");
    verify(&mut node);
    node.packet(RarePacket::StateReply(1));
    let effects = verify(&mut node);
    let at = |effect: &Effect| matches!(effect, Effect::StopVerifyAt { sector: 160, .. });
    assert!(effects.iter().any(at));
    assert_eq!(started(&effects), None);
}

#[test]
fn without_an_algorithm_no_verify_begins() {
    let mut node = Node::connected("");
    let effects = verify(&mut node);
    let refused =
        |effect: &Effect| matches!(effect, Effect::Answer(Token(2), code) if *code == RetCode(-14));
    assert!(effects.iter().any(refused), "{effects:?}");
    assert_eq!(node.conn(), C::Connected);
}

#[test]
fn without_connection_no_verify_begins_and_a_missing_disk_makes_none() {
    for disk in [D::UpToDate, D::Diskless] {
        let mut node = Node::connected("sha1");
        let state = &mut node.volumes[0].state;
        (state.conn, state.disk, state.peer_disk) = (C::WfConnection, disk, D::DUnknown);
        let effects = verify(&mut node);
        let refused =
            |e: &Effect| matches!(e, Effect::Answer(Token(2), code) if *code == RetCode(-15));
        assert!(effects.iter().any(refused), "{effects:?}");
        assert_eq!(node.conn(), C::WfConnection);
    }
}

#[test]
fn the_peers_verify_makes_this_node_its_target_until_the_peer_is_done() {
    let mut node = Node::connected("sha1");
    let change = StateChange {
        conn: Some(C::VerifyS),
        ..StateChange::default()
    };
    let (mask, value) = change.pack();
    let effects = node.packet(RarePacket::StateRequest(StateRequest { mask, value }));
    assert!(matches!(started(&effects), Some((VerifySide::Target, _))));
    assert_eq!(node.conn(), C::VerifyT);
    let mut peer = node.volumes[0].state;
    peer.conn = C::Connected;
    (peer.role, peer.peer) = (Role::Primary, Role::Secondary);
    let state = peer.pack();
    let effects = node.packet(RarePacket::State(StateReport { state }));
    let ends = |effect: &Effect| matches!(effect, Effect::StopVerifyAt { sector: 0, .. });
    assert!(effects.iter().any(ends) && !stopped(&effects));
    let effects = node.feed(Event::VerifyFinished { volume: 0 });
    assert_eq!(node.conn(), C::Connected);
    assert!(stopped(&effects));
}

#[test]
fn different_digests_part_nodes_that_meet() {
    let mut node = Node::meeting("sha1");
    let digests = PeerSyncParams {
        verify_alg: Some(name("sha256")),
        csums_alg: None,
        resync_rate: 250,
        controller: None,
    };
    let effects = node.packet(RarePacket::SyncParams(digests));
    let named = |effect: &Effect| {
        let Effect::Notice { notice, .. } = effect else {
            return false;
        };
        matches!(
            notice,
            Notice::DifferentDigest {
                option: "verify-alg",
                ..
            }
        )
    };
    assert!(effects.iter().any(named));
    assert_eq!(node.resource.conn(), C::Disconnecting);
}

#[test]
fn connected_nodes_follow_each_others_digests_and_rates() {
    let mut node = Node::connected("sha1");
    let digests = PeerSyncParams {
        verify_alg: Some(name("sha256")),
        csums_alg: Some(name("crc32c")),
        resync_rate: 5000,
        controller: Some(ControllerParams {
            plan_ahead: 7,
            // More than there can be: left as it is.
            delay_target: 101,
            fill_target: 0,
            max_rate: 4000,
        }),
    };
    let effects = node.packet(RarePacket::SyncParams(digests));
    let limits = effects.iter().find_map(|effect| match effect {
        Effect::SetResyncLimits { limits, .. } => Some(limits),
        _ => None,
    });
    let limits = limits.expect("the data path is told");
    assert_eq!((limits.rate, limits.plan_ahead), (5000, 7));
    assert_eq!((limits.delay_target, limits.fill_target), (10, 0));
    assert_eq!((limits.max_rate, limits.min_rate), (4000, 250));
    let net = node.resource.net().unwrap();
    assert_eq!(net.verify_alg, name("sha256"));
    assert_eq!(net.csums_alg, name("crc32c"));
    assert_eq!(node.conn(), C::Connected);
}

#[test]
fn a_source_that_begins_before_its_answer_is_read_is_followed() {
    for early in [false, true] {
        let mut node = Node::connected("");
        let (volume, remote) = (0, false);
        node.feed(Event::Admin(Token(1), Admin::Invalidate { volume, remote }));
        let uuid = RarePacket::SyncUuid(SyncUuid { uuid: 0x1234 });
        if early {
            node.packet(uuid);
        }
        assert_eq!(node.volumes[0].state.conn, C::Connected);
        node.packet(RarePacket::StateReply(1));
        if !early {
            assert_eq!(node.volumes[0].state.conn, C::WfSyncUuid);
            node.packet(uuid);
        }
        let begins =
            |volume: &super::VolumeRecord| volume.holds_peer() || volume.state.conn > C::SyncSource;
        assert!(begins(&node.volumes[0]), "{:?}", node.volumes[0].state);
    }
}
