// SPDX-License-Identifier: GPL-2.0

//! Tests of what is shown to be waited for.

use super::*;
use crate::engine::options::{
    NetOptions,
    ResourceOptions, //
};
use crate::engine::resource::{
    Admin,
    Effect,
    Env,
    Event,
    Output,
    Token, //
};
use crate::engine::wire::handshake::ConnectionFeatures;

struct Ignore;

impl Output for Ignore {
    fn push(&mut self, _: Effect) {}
}

struct Node(Resource, Vec<VolumeRecord>);

impl Node {
    fn feed(&mut self, now: u64, event: Event) {
        let env = Env {
            now: Instant(now),
            random: 1,
        };
        self.0.handle(&mut self.1, env, event, &mut Ignore);
    }

    fn lines(&self) -> Vec<(Option<u16>, &'static str, u64, String)> {
        let mut lines = Vec::new();
        self.0.waiting(&self.1, |w| {
            lines.push((w.volume, w.what.who(), w.since.0, w.what.to_string()));
        });
        lines
    }
}

fn node() -> Node {
    Node(
        Resource::new(ResourceOptions::default()),
        vec![VolumeRecord::new(7, 0)],
    )
}

#[test]
fn who_waits_for_nothing_shows_nothing() {
    assert_eq!(node().lines(), []);
}

#[test]
fn frozen_io_says_by_what_and_since_when() {
    let mut node = node();
    let suspend = |on| Admin::Suspend { volume: 0, on };
    node.feed(40, Event::Admin(Token(1), suspend(true)));
    node.feed(90, Event::Tick);
    let text = "frozen by suspend-io (resume-io ends it)".to_string();
    assert_eq!(node.lines(), [(Some(7), "io", 40, text)]);
    node.feed(95, Event::Admin(Token(2), suspend(false)));
    assert_eq!(node.lines(), []);
}

#[test]
fn a_state_that_the_peer_has_to_end_is_shown_with_its_begin() {
    let mut node = node();
    let options = NetOptions::default();
    node.feed(1, Event::Admin(Token(1), Admin::Connect { options }));
    node.feed(2, Event::Connecting);
    node.feed(3, Event::Features(ConnectionFeatures::OWN));
    node.feed(4, Event::Handshaken { resolver: true });
    node.feed(9, Event::Tick);
    let text = "WFReportParams: the peer has to go on".to_string();
    assert_eq!(node.lines(), [(Some(7), "state", 4, text)]);
}

#[test]
fn a_command_that_waits_for_the_peer_is_shown() {
    let mut node = node();
    let options = NetOptions::default();
    node.feed(1, Event::Admin(Token(1), Admin::Connect { options }));
    node.feed(2, Event::Connecting);
    node.feed(3, Event::Features(ConnectionFeatures::OWN));
    node.feed(4, Event::Handshaken { resolver: true });
    let force = false;
    node.feed(6, Event::Admin(Token(2), Admin::Disconnect { force }));
    let command = node.lines().into_iter().find(|line| line.1 == "command");
    let text = "the peer has to answer".to_string();
    assert_eq!(command, Some((None, "command", 6, text)));
}
