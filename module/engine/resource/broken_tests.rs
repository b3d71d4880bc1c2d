// SPDX-License-Identifier: GPL-2.0

//! A broken invariant costs the disk or the connection, is told once, and never stops the rest.

use super::verify_tests::Node;
use super::{
    Effect,
    Event,
    Notice, //
};
use crate::engine::broken::Invariant;
use crate::engine::state::{
    ConnState as C,
    DiskState as D,
    Role, //
};

/// A Primary, which may lose its disk and keep the connection.
fn primary() -> Node {
    let mut node = Node::connected("");
    let state = &mut node.volumes[0].state;
    (state.role, state.peer) = (Role::Primary, Role::Secondary);
    node
}

fn notices(effects: &[Effect]) -> Vec<Invariant> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Notice {
                notice: Notice::Broken { invariant },
                ..
            } => Some(*invariant),
            _ => None,
        })
        .collect()
}

fn closes(effects: &[Effect]) -> bool {
    effects
        .iter()
        .any(|e| matches!(e, Effect::CloseNetwork { .. }))
}

#[test]
fn each_invariant_gives_up_what_it_makes_uncertain() {
    for invariant in Invariant::ALL {
        let mut node = primary();
        let effects = node.feed(Event::Broken {
            volume: 0,
            invariant,
        });
        let gives_up = invariant.gives_up();
        let state = node.volumes[0].state;
        assert_eq!(notices(&effects), [invariant]);
        assert_eq!(closes(&effects), gives_up.connection, "{invariant:?}");
        assert_eq!(
            state.conn < C::Connected,
            gives_up.connection,
            "{invariant:?}"
        );
        assert_eq!(state.disk == D::Failed, gives_up.disk, "{invariant:?}");
        assert_eq!(state.disk == D::UpToDate, !gives_up.disk, "{invariant:?}");
    }
}

#[test]
fn the_same_is_told_once_and_acts_each_time() {
    for times in 0..3 {
        let mut node = primary();
        for _ in 0..times {
            node.feed(Event::Broken {
                volume: 0,
                invariant: Invariant::Epoch,
            });
            node.volumes[0].state.conn = C::Connected;
            node.resource.conn = C::WfReportParams;
        }
        let effects = node.feed(Event::Broken {
            volume: 0,
            invariant: Invariant::Epoch,
        });
        assert_eq!(notices(&effects).len(), usize::from(times == 0));
        assert!(closes(&effects));
        assert_eq!(node.resource.broken.count(Invariant::Epoch), times + 1);
    }
}

#[test]
fn an_event_of_a_volume_that_is_not_there_ends_the_connection() {
    for event in [
        Event::BitmapReceived { volume: 1 },
        Event::DiskReleased {
            volume: 1,
            saved: true,
        },
        Event::Drained { volume: usize::MAX },
    ] {
        let mut node = primary();
        let effects = node.feed(event);
        assert_eq!(notices(&effects), [Invariant::Volume]);
        assert!(closes(&effects));
        assert_eq!(node.volumes[0].state.disk, D::UpToDate);
    }
}
