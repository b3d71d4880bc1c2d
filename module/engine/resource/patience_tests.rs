// SPDX-License-Identifier: GPL-2.0

//! Tests of the limits of states, and of roles that wait for requests.

use crate::engine::control::RetCode;
use crate::engine::ids::Instant;
use crate::engine::options::{
    NetOptions,
    ResourceOptions, //
};
use crate::engine::resource::{
    Admin,
    Effect,
    Env,
    Event,
    Notice,
    Output,
    RarePacket,
    Resource,
    Token,
    VolumeRecord, //
};
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role, //
};
use crate::engine::volume::Drain;
use crate::engine::wire::handshake::ConnectionFeatures;
use crate::engine::wire::state::{
    StateReport,
    UuidReport, //
};

struct Collect(Vec<Effect>);

impl Output for Collect {
    fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

/// A resource whose connection begins, with as many volumes.
struct Node {
    resource: Resource,
    records: Vec<VolumeRecord>,
    now: u64,
}

impl Node {
    fn introduced(volumes: u16) -> Self {
        let mut node = Self {
            resource: Resource::new(ResourceOptions::default()),
            records: (0..volumes)
                .map(|v| VolumeRecord::new(v, v.into()))
                .collect(),
            now: 1000,
        };
        let options = NetOptions::default();
        node.feed(Event::Admin(Token(1), Admin::Connect { options }));
        node.feed(Event::Connecting);
        node.feed(Event::Features(ConnectionFeatures::OWN));
        node.feed(Event::Handshaken { resolver: true });
        node
    }

    fn feed(&mut self, event: Event) -> Vec<Effect> {
        let mut out = Collect(Vec::new());
        let env = Env {
            now: Instant(self.now),
            random: 5,
        };
        self.resource
            .handle(&mut self.records, env, event, &mut out);
        out.0
    }

    fn wait(&mut self) -> Vec<Effect> {
        let deadline = self.resource.deadline(&self.records).expect("deadline");
        assert!(deadline.0 > self.now);
        self.now = deadline.0;
        self.feed(Event::Tick)
    }

    fn conn(&self, volume: usize) -> ConnState {
        self.records[volume].state.conn
    }
}

/// A diskless peer reports a volume.
fn report(volume: u16) -> Event {
    let state = DeviceState {
        role: Role::Secondary,
        conn: ConnState::WfConnection,
        ..DeviceState::INITIAL
    };
    let state = state.pack();
    Event::Packet {
        volume,
        packet: RarePacket::State(StateReport { state }),
    }
}

fn says(effects: &[Effect], wanted: Notice) -> bool {
    let is = |e: &Effect| matches!(e, Effect::Notice { notice, .. } if *notice == wanted);
    effects.iter().any(is)
}

#[test]
fn a_peer_that_reports_nothing_is_left_and_looked_for_again() {
    let mut node = Node::introduced(1);
    assert_eq!(node.conn(0), ConnState::WfReportParams);
    let effects = node.wait();
    let state = ConnState::WfReportParams;
    assert!(says(&effects, Notice::Overdue { state }));
    assert!(effects
        .iter()
        .any(|e| matches!(e, Effect::CloseNetwork { .. })));
    assert_eq!(node.conn(0), ConnState::Timeout);
    assert_eq!(node.resource.deadline(&node.records), None);
}

#[test]
fn a_peer_that_leaves_writes_unanswered_is_left_and_looked_for_again() {
    let mut node = Node::introduced(1);
    node.feed(report(0));
    let effects = node.feed(Event::Unanswered { volume: 0 });
    assert!(says(&effects, Notice::Unanswered));
    assert!(effects
        .iter()
        .any(|e| matches!(e, Effect::CloseNetwork { .. })));
    assert_eq!(node.conn(0), ConnState::Timeout);
    // The same look may find several volumes.
    let again = node.feed(Event::Unanswered { volume: 0 });
    assert!(!says(&again, Notice::Unanswered));
}

#[test]
fn a_volume_that_the_peer_has_begun_to_tell_of_is_not_taken_for_absent() {
    let mut node = Node::introduced(2);
    node.feed(report(0));
    node.feed(Event::Packet {
        volume: 1,
        packet: RarePacket::Uuids(UuidReport::default()),
    });
    let effects = node.wait();
    assert!(!says(&effects, Notice::Absent));
    let state = ConnState::WfReportParams;
    assert!(says(&effects, Notice::Overdue { state }));
}

#[test]
fn a_volume_that_only_the_peer_lacks_goes_on_without_it() {
    let mut node = Node::introduced(2);
    node.feed(report(0));
    assert_eq!(node.conn(0), ConnState::Connected);
    let effects = node.wait();
    assert!(says(&effects, Notice::Absent));
    assert!(!effects
        .iter()
        .any(|e| matches!(e, Effect::CloseNetwork { .. })));
    let state = node.records[1].state;
    assert_eq!(state.conn, ConnState::Connected);
    assert_eq!(state.peer_disk, DiskState::Diskless);
    assert_eq!(node.resource.deadline(&node.records), None);
}

#[test]
fn a_volume_that_the_peer_gets_later_is_introduced_again() {
    let mut node = Node::introduced(2);
    node.feed(report(0));
    node.wait();
    let effects = node.feed(report(1));
    let sent = effects
        .iter()
        .filter(|e| matches!(e, Effect::Send { volume: 1, .. }))
        .count();
    assert!(sent >= 3, "{effects:?}");
    assert!(!node.records[1].absent);
}

#[test]
fn a_volume_that_is_added_takes_part_in_the_connection() {
    let mut node = Node::introduced(1);
    node.feed(report(0));
    node.records.push(VolumeRecord::new(1, 1));
    let effects = node.feed(Event::Tick);
    assert_eq!(node.conn(1), ConnState::WfReportParams);
    let told = |e: &Effect| matches!(e, Effect::Send { volume: 1, .. });
    assert!(effects.iter().any(told));
}

#[test]
fn a_demotion_waits_until_the_peer_has_everything() {
    let mut node = Node::introduced(1);
    node.feed(report(0));
    node.records[0].state.role = Role::Primary;
    let demote = Event::Admin(Token(7), Admin::Demote { volume: 0 });
    let effects = node.feed(demote);
    let own =
        |e: &Effect| matches!(e, Effect::SetPolicy { policy, .. } if policy.drain == Drain::Own);
    assert!(effects.iter().any(own));
    assert!(!effects.iter().any(|e| matches!(e, Effect::Answer(..))));
    assert_eq!(node.records[0].state.role, Role::Primary);
    let effects = node.feed(Event::Drained { volume: 0 });
    let done = |e: &Effect| matches!(e, Effect::Answer(Token(7), RetCode(1)));
    assert!(effects.iter().any(done), "{effects:?}");
    assert_eq!(node.records[0].state.role, Role::Secondary);
}

#[test]
fn a_demotion_that_is_given_up_waits_no_more() {
    let mut node = Node::introduced(1);
    node.feed(report(0));
    node.records[0].state.role = Role::Primary;
    node.feed(Event::Admin(Token(7), Admin::Demote { volume: 0 }));
    let effects = node.feed(Event::GiveUp(Token(7)));
    let answered = |e: &Effect| matches!(e, Effect::Answer(Token(7), code) if code.0 < 0);
    assert!(effects.iter().any(answered));
    assert_eq!(node.records[0].drain, Drain::None);
    node.feed(Event::Drained { volume: 0 });
    assert_eq!(node.records[0].state.role, Role::Primary);
}

/// States that the peer has to end.
const TRANSIENT: [ConnState; 6] = [
    ConnState::WfReportParams,
    ConnState::StartingSyncS,
    ConnState::StartingSyncT,
    ConnState::WfBitMapS,
    ConnState::WfBitMapT,
    ConnState::WfSyncUuid,
];

#[test]
fn no_state_that_the_peer_has_to_end_lasts_for_ever() {
    for state in TRANSIENT {
        let mut node = Node::introduced(1);
        node.records[0].state.conn = state;
        node.feed(Event::Tick);
        let effects = node.wait();
        assert!(says(&effects, Notice::Overdue { state }), "{state:?}");
        let closes = |e: &Effect| matches!(e, Effect::CloseNetwork { .. });
        assert!(effects.iter().any(closes), "{state:?}");
    }
}

#[test]
fn a_command_that_leaves_the_peer_is_answered_though_nothing_comes_down() {
    for force in [false, true] {
        let mut node = Node::introduced(1);
        let token = Token(9);
        let effects = node.feed(Event::Admin(token, Admin::Disconnect { force }));
        let answered = |effects: &[Effect]| {
            let answers = |e: &Effect| matches!(e, Effect::Answer(t, _) if *t == token);
            effects.iter().any(answers)
        };
        assert!(!answered(&effects));
        assert!(answered(&node.feed(Event::GiveUp(token))));
    }
}
