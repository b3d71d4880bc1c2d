// SPDX-License-Identifier: GPL-2.0

//! Online verify, and the digests that both nodes have to agree on.

use crate::engine::state::{
    ConnState,
    DeviceState,
    StateSuccess, //
};
use crate::engine::volume::{
    VerifyRange,
    VerifySide, //
};

use super::effect::{
    Effect,
    Loss, //
};
use super::ending::Why;
use super::event::Token;
use super::handler::Handler;
use super::notice::Notice;
use super::peer_params::PeerSyncParams;
use super::Step;

impl Step<'_> {
    /// Whether the node that began a verify may end it before the end of the volume.
    fn can_stop_early(&self) -> bool {
        let version = self.resource.agreed.version;
        version >= 97 && version != 100
    }

    /// The administrator wants to verify.
    pub(super) fn verify(&mut self, token: Token, volume: usize, range: VerifyRange) {
        let old = self.state(volume);
        let stop = if self.can_stop_early() {
            range.stop
        } else {
            u64::MAX
        };
        if old.conn == ConnState::VerifyS {
            self.push(Effect::StopVerifyAt {
                volume,
                sector: stop,
            });
            return self.answer_state(token, Ok(StateSuccess::NothingToDo));
        }
        if let Some(record) = self.volumes.get_mut(volume) {
            record.verify = VerifyRange {
                // Older peers do not look where it begins.
                start: match self.resource.agreed.version {
                    ..=89 => Some(0),
                    _ => range.start,
                },
                stop,
            };
        }
        let conn = ConnState::VerifyS;
        self.ask(token, volume, DeviceState { conn, ..old }, false);
    }

    /// What begins or ends with a volume's state.
    pub(super) fn after_verify_change(
        &mut self,
        volume: usize,
        old: DeviceState,
        new: DeviceState,
    ) {
        let verifies = |conn| matches!(conn, ConnState::VerifyS | ConnState::VerifyT);
        if !verifies(old.conn) && verifies(new.conn) {
            let range = self.volumes.get(volume).map(|v| v.verify);
            let side = match new.conn {
                ConnState::VerifyS => VerifySide::Source,
                _ => VerifySide::Target,
            };
            self.set_resync_limits(volume);
            self.push(Effect::StartVerify {
                volume,
                side,
                range: range.unwrap_or_default(),
            });
        }
        if verifies(old.conn) && !verifies(new.conn) {
            self.push(Effect::StopVerify { volume });
        }
        let source_done = old.conn == ConnState::VerifyS && new.conn == ConnState::Connected;
        if source_done && self.can_stop_early() {
            // The peer does not know of a stop sector.
            self.send_state(volume);
        }
    }

    /// All that was to be verified is compared.
    pub(super) fn verify_finished(&mut self, volume: usize) {
        let old = self.state(volume);
        if !matches!(old.conn, ConnState::VerifyS | ConnState::VerifyT) {
            return;
        }
        self.notice(volume, Notice::VerifyDone);
        let conn = ConnState::Connected;
        self.force(volume, DeviceState { conn, ..old });
        if self.volumes.get(volume).is_some_and(|v| v.bits != 0) {
            self.tell_handler(volume, Handler::OutOfSync);
        }
    }

    /// The peer tells which digests it compares data with. They have to be equal when two nodes
    /// meet; later, ours follow.
    pub(super) fn peer_digests(&mut self, volume: usize, digests: &PeerSyncParams) {
        let meeting = self.state(volume).conn == ConnState::WfReportParams;
        for (option, told) in [
            ("verify-alg", digests.verify_alg),
            ("csums-alg", digests.csums_alg),
        ] {
            let Some(net) = &mut self.resource.net else {
                return;
            };
            let own = match option {
                "verify-alg" => &mut net.verify_alg,
                _ => &mut net.csums_alg,
            };
            let Some(peer) = told.filter(|peer| peer != own) else {
                continue;
            };
            if meeting {
                let own = *own;
                self.notice(volume, Notice::DifferentDigest { option, own, peer });
                return self.leave(Why::Lost(Loss::ProtocolError));
            }
            *own = peer;
            self.notice(volume, Notice::UsingDigest { option, name: peer });
        }
    }
}
