// SPDX-License-Identifier: GPL-2.0

//! Leaving a peer that is asked before: whose data is outdated from then on.

use crate::engine::options::Fencing;
use crate::engine::state::{
    ConnState,
    DiskState,
    Role,
    StateChange,
    StateSuccess, //
};
use crate::engine::wire::state::StateRequest;

use super::admin::Goal;
use super::effect::{
    Effect,
    Outgoing, //
};
use super::ending::Why;
use super::event::Token;
use super::record::VolumeRecord;
use super::Step;

/// Who calls its data outdated when the two part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outdates {
    /// Nobody has to.
    Nobody,
    /// The peer: with fencing, a Primary does not leave one that could take its place.
    Peer,
    /// We do: the peer did not let us go without.
    Us,
}

impl Step<'_> {
    pub(super) fn disconnect(&mut self, token: Token, force: bool) {
        if self.resource.conn == ConnState::StandAlone {
            self.resource.net = None;
            return self.answer_state(token, Ok(StateSuccess::Success));
        }
        let connected = self.resource.conn == ConnState::WfReportParams;
        if !connected || force {
            return self.start_leaving(token);
        }
        let outdates = match self.volumes.iter().any(could_be_replaced) {
            true => Outdates::Peer,
            false => Outdates::Nobody,
        };
        self.ask_to_leave(token, outdates);
    }

    pub(super) fn ask_to_leave(&mut self, token: Token, outdates: Outdates) {
        let outdated = Some(DiskState::Outdated);
        let change = StateChange {
            conn: Some(ConnState::Disconnecting),
            disk: outdated.filter(|_| outdates == Outdates::Us),
            peer_disk: outdated.filter(|_| outdates == Outdates::Peer),
            ..StateChange::default()
        };
        let (mask, value) = change.pack();
        self.wait_for(token, Goal::Disconnect { outdates });
        let request = StateRequest { mask, value };
        self.push(Effect::Send {
            volume: 0,
            packet: match self.resource.agreed.version {
                // The state of the only volume is all that older peers know.
                ..=99 => Outgoing::StateRequest(request),
                _ => Outgoing::ConnStateRequest(request),
            },
        });
    }

    /// The peer lets us go, on that condition.
    pub(super) fn leave_agreed(&mut self, token: Token, outdates: Outdates) {
        for volume in 0..self.volumes.len() {
            let mut wanted = self.state(volume);
            let disk = match outdates {
                Outdates::Nobody => continue,
                Outdates::Peer => &mut wanted.peer_disk,
                Outdates::Us => &mut wanted.disk,
            };
            if *disk > DiskState::Outdated {
                *disk = DiskState::Outdated;
                wanted.conn = ConnState::Disconnecting;
                self.force(volume, wanted);
            }
        }
        self.start_leaving(token);
    }

    pub(super) fn start_leaving(&mut self, token: Token) {
        self.wait_for(token, Goal::Leaving);
        self.leave(Why::Command);
    }
}

/// Whether the volume is Primary, fences, and has a peer that may be taken for good later.
fn could_be_replaced(record: &VolumeRecord) -> bool {
    record.state.role == Role::Primary
        && record.options.fencing != Fencing::DontCare
        && record.state.peer_disk > DiskState::Outdated
}

#[cfg(test)]
#[path = "leave_tests.rs"]
mod tests;
