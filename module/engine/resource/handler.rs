// SPDX-License-Identifier: GPL-2.0

//! Handlers: programs of the administrator that are told of events, and sometimes decide.
//!
//! The driver runs them (`usermode_helper`), holding no lock, and reports their exit codes. Those
//! that nobody waits for are told and forgotten here. Source of names and meanings of exit codes:
//! `drbd.conf(5)` for 8.4, and what the C module of Linux 7.3 does with them.

use crate::engine::options::Fencing;
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role, //
};

use super::effect::{
    Effect, //
};
use super::ending::Why;
use super::notice::Notice;
use super::record::VolumeRecord;
use super::Step;

/// A program to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// Make sure that the peer does not go on with old data; the exit code says what became of it.
    FencePeer,
    /// The peer is in sync again.
    UnfencePeer,
    /// We are about to become the target of a resync; an exit code other than 0 forbids it.
    BeforeResyncTarget,
    /// We are about to become the source of a resync; an exit code other than 0 and 3 forbids it.
    BeforeResyncSource,
    /// We were the target of a resync that ended.
    AfterResyncTarget,
    /// An online verify found differences.
    OutOfSync,
    /// This node is Primary, and no good data is in reach.
    PriOnInconDegr,
    /// The lower device failed; the peer is not told before the handler returns.
    LocalIoError,
    /// A split brain was found, which a policy may resolve.
    InitialSplitBrain,
    /// A split brain was found, and nothing resolves it.
    SplitBrain,
    /// This Primary would have to become the target of a resync.
    PriLost,
    /// This Primary loses by the policies after a split brain, and could not be demoted.
    PriLostAfterSb,
}

impl Handler {
    /// Its name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Handler::FencePeer => "fence-peer",
            Handler::UnfencePeer => "unfence-peer",
            Handler::BeforeResyncTarget => "before-resync-target",
            Handler::BeforeResyncSource => "before-resync-source",
            Handler::AfterResyncTarget => "after-resync-target",
            Handler::OutOfSync => "out-of-sync",
            Handler::PriOnInconDegr => "pri-on-incon-degr",
            Handler::LocalIoError => "local-io-error",
            Handler::InitialSplitBrain => "initial-split-brain",
            Handler::SplitBrain => "split-brain",
            Handler::PriLost => "pri-lost",
            Handler::PriLostAfterSb => "pri-lost-after-sb",
        }
    }
}

/// Names one call of a handler; 0 is a call that nobody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call(pub u32);

impl Call {
    /// Nobody waits for the exit code.
    pub const UNHEARD: Call = Call(0);
}

/// A resync that waits for its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Starting {
    call: Call,
    side: ConnState,
}

impl Starting {
    /// Whether we would be the target.
    pub(super) fn is_target(&self) -> bool {
        self.side == ConnState::SyncTarget
    }
}

impl Step<'_> {
    /// Tells a handler of a volume; nobody waits for it.
    pub(super) fn tell_handler(&mut self, volume: usize, handler: Handler) {
        self.push(Effect::CallHandler {
            call: Call::UNHEARD,
            volume: Some(volume),
            handler,
        });
    }

    /// Calls a handler whose exit code matters.
    pub(super) fn ask_handler(&mut self, volume: Option<usize>, handler: Handler) -> Call {
        self.resource.calls = self.resource.calls.wrapping_add(1).max(1);
        let call = Call(self.resource.calls);
        self.push(Effect::CallHandler {
            call,
            volume,
            handler,
        });
        call
    }

    /// A handler that somebody waits for came back.
    pub(super) fn handler_done(&mut self, call: Call, status: u8) {
        if self.resource.fence.is_some_and(|fence| fence.call == call) {
            return self.fence_done(status);
        }
        let of_resync = |s: Option<Starting>| s.is_some_and(|starting| starting.call == call);
        if let Some(volume) = self.volumes.iter().position(|v| of_resync(v.starting)) {
            return self.resync_allowed(volume, status);
        }
        if let Some(volume) = self.volumes.iter().position(|v| v.failing == Some(call)) {
            self.disk_failed_told(volume);
        }
    }

    /// A resync waits until its handler said that it may begin.
    pub(super) fn ask_before_resync(&mut self, volume: usize, side: ConnState) {
        let handler = match side {
            ConnState::SyncTarget => Handler::BeforeResyncTarget,
            _ => Handler::BeforeResyncSource,
        };
        let call = self.ask_handler(Some(volume), handler);
        if let Some(record) = self.volumes.get_mut(volume) {
            record.starting = Some(Starting { call, side });
        }
    }

    /// The handler before a resync came back.
    fn resync_allowed(&mut self, volume: usize, status: u8) {
        let Some(starting) = self.volumes.get_mut(volume).and_then(|v| v.starting.take()) else {
            return;
        };
        // Old tools answer 3 where there is no handler.
        let ignored = status == 3 && starting.side == ConnState::SyncSource;
        if status == 0 || ignored {
            return self.begin_resync(volume, starting.side);
        }
        self.notice(volume, Notice::ResyncForbidden { status });
        self.leave(Why::Command);
    }

    /// The lower device failed and `on-io-error` names a handler: the peer is told, and the disk
    /// released, when that came back. (It may reset the machine, which is to look like a crash.)
    pub(super) fn ask_after_io_error(&mut self, volume: usize) {
        let call = self.ask_handler(Some(volume), Handler::LocalIoError);
        if let Some(record) = self.volumes.get_mut(volume) {
            record.failing = Some(call);
        }
    }

    /// The disk that failed does not wait for its handler any more, if it did.
    pub(super) fn disk_failed_told(&mut self, volume: usize) {
        let failing = |v: &mut VolumeRecord| v.failing.take();
        if self.volumes.get_mut(volume).and_then(failing).is_none() {
            return;
        }
        if self.state(volume).conn >= ConnState::Connected {
            self.send_state(volume);
        }
        self.push(Effect::ReleaseDisk { volume });
    }

    /// A resync of this volume ended: tells those who want to know.
    pub(super) fn tell_resync_end(&mut self, volume: usize, old: DeviceState) {
        match old.conn {
            ConnState::SyncTarget | ConnState::PausedSyncT => {
                self.tell_handler(volume, Handler::AfterResyncTarget);
            }
            ConnState::SyncSource => self.unfence_peer(volume),
            _ => {}
        }
    }

    /// If fencing is in use and all volumes are in sync again, the peer may be trusted again.
    fn unfence_peer(&mut self, volume: usize) {
        let fencing = self.context(volume).fencing;
        let good = |s: &DeviceState| [s.disk, s.peer_disk] == [DiskState::UpToDate; 2];
        if fencing != Fencing::DontCare && self.volumes.iter().all(|v| good(&v.state)) {
            self.push(Effect::CallHandler {
                call: Call::UNHEARD,
                volume: None,
                handler: Handler::UnfencePeer,
            });
        }
    }

    /// A Primary that loses all good data tells a handler.
    pub(super) fn tell_no_data(&mut self, volume: usize, old: DeviceState, new: DeviceState) {
        let lost = |s: DeviceState| {
            s.role == Role::Primary
                && s.disk < DiskState::UpToDate
                && s.peer_disk < DiskState::UpToDate
        };
        if !lost(old) && lost(new) {
            self.tell_handler(volume, Handler::PriOnInconDegr);
        }
    }
}
