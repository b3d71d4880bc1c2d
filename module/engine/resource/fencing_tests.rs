// SPDX-License-Identifier: GPL-2.0

//! Tests of a promotion that waits for `fence-peer`, and of handlers that do not come back.

use std::vec::Vec;

use super::super::resize_tests::{
    primary,
    Node, //
};
use super::super::{
    Admin,
    Effect,
    Event,
    IoKind,
    Token, //
};
use super::*;
use crate::engine::control::RetCode;
use crate::engine::meta::geometry::Layout;
use crate::engine::options::OnIoError;

const PROMOTION: Token = Token(7);

/// A node without peer whose promotion has called the handler, at the time 0.
fn promoting(force: bool) -> (Node, Call) {
    let mut node = primary(Layout::Internal, ConnState::StandAlone);
    let record = &mut node.volumes[0];
    record.options.fencing = Fencing::ResourceAndStonith;
    (record.state.role, record.state.peer) = (Role::Secondary, Role::Unknown);
    record.state.peer_disk = DiskState::DUnknown;
    let promote = Admin::Promote { volume: 0, force };
    node.feed(Event::Admin(PROMOTION, promote));
    let effects = node.feed(Event::Drained { volume: 0 });
    let call = effects.iter().find_map(|effect| match effect {
        Effect::CallHandler { call, .. } => Some(*call),
        _ => None,
    });
    (node, call.expect("the handler is called"))
}

fn answer(effects: &[Effect]) -> Option<RetCode> {
    effects.iter().find_map(|effect| match effect {
        Effect::Answer(PROMOTION, code) => Some(*code),
        _ => None,
    })
}

fn role(node: &Node) -> Role {
    node.volumes[0].state.role
}

#[test]
fn a_promotion_waits_for_the_handler_but_not_for_ever() {
    let (mut node, _) = promoting(false);
    let give_up = || Event::GiveUp(PROMOTION);
    assert_eq!(answer(&node.feed_at(30_000, give_up())), None);
    let code = answer(&node.feed_at(600_000, give_up()));
    assert!(code.is_some_and(|code| code.0 < 0), "{code:?}");
    assert_eq!(role(&node), Role::Secondary);
}

#[test]
fn a_promotion_by_force_goes_on_without_a_handler_that_does_not_come_back() {
    let (mut node, call) = promoting(true);
    let code = answer(&node.feed_at(600_000, Event::GiveUp(PROMOTION)));
    assert_eq!(code, Some(RetCode::SS_SUCCESS));
    assert_eq!(role(&node), Role::Primary);
    node.feed(Event::HandlerDone { call, status: 6 });
    assert_eq!(node.volumes[0].state.disk, DiskState::UpToDate);
}

#[test]
fn a_promotion_that_nobody_waits_for_does_not_happen_later() {
    let (mut node, call) = promoting(false);
    assert!(answer(&node.feed(Event::Abandon(PROMOTION))).is_some());
    node.feed(Event::HandlerDone { call, status: 4 });
    assert_eq!(role(&node), Role::Secondary);
    // The next one is not held up by it.
    let promote = Admin::Promote {
        volume: 0,
        force: false,
    };
    node.feed(Event::Admin(PROMOTION, promote));
    let code = answer(&node.feed(Event::Drained { volume: 0 }));
    assert_eq!(code, Some(RetCode::SS_SUCCESS));
}

#[test]
fn who_detaches_by_force_does_not_wait_for_the_handler_of_a_disk_that_failed() {
    let released = |effects: &[Effect]| {
        let releases = |e: &Effect| matches!(e, Effect::ReleaseDisk { .. });
        effects.iter().filter(|e| releases(e)).count()
    };
    let mut node = primary(Layout::Internal, ConnState::Connected);
    node.volumes[0].options.on_io_error = OnIoError::CallHelper;
    let kind = IoKind::Write;
    let effects: Vec<_> = node.feed(Event::IoError { volume: 0, kind });
    assert_eq!(released(&effects), 0);
    let force = true;
    let detach = Admin::Detach { volume: 0, force };
    assert_eq!(released(&node.feed(Event::Admin(Token(1), detach))), 1);
}
