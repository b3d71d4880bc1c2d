// SPDX-License-Identifier: GPL-2.0

//! From a volume's state to the policy of its data path. A pure function.

use crate::engine::options::{
    ReadBalancing,
    WireProtocol, //
};
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role, //
};
use crate::engine::volume::{
    Conflicts,
    Drain,
    Lead,
    LocalUse,
    MirrorUse,
    Policy,
    RequestLimits,
    ResyncUse,
    WantedAck, //
};

/// The policy that a state asks for. `al_updates` is the disk option, `version` the agreed
/// protocol version.
///
/// `unmerged`: what the bitmap calls in sync may differ from the peer's good data.
pub(super) fn policy_of(
    state: DeviceState,
    unmerged: bool,
    al_updates: bool,
    version: u32,
) -> Policy {
    let only_disk = state.conn >= ConnState::Connected
        && state.peer_disk < DiskState::Inconsistent
        && state.disk >= DiskState::Inconsistent;
    Policy {
        local: local_use(state.disk, unmerged),
        mirror: mirror_use(state, version),
        resync: match state.conn {
            ConnState::SyncSource => ResyncUse::Source,
            ConnState::SyncTarget => ResyncUse::Target,
            _ => ResyncUse::None,
        },
        peer_readable: state.conn >= ConnState::Connected && state.peer_disk == DiskState::UpToDate,
        hold: state.is_suspended() || in_transition(state, version),
        primary: state.role == Role::Primary,
        // A disk that is not written needs no log; one that was given up could not write it.
        log: state.role == Role::Primary && al_updates && state.disk >= DiskState::Inconsistent,
        only_disk,
        peer_writes: state.peer == Role::Primary,
        good_data: state.disk == DiskState::UpToDate || state.peer_disk == DiskState::UpToDate,
        peer_log: only_disk && al_updates,
        ack: WantedAck::Written,
        tells_ack: version >= 100,
        meeting: state.conn == ConnState::WfReportParams,
        conflicts: Conflicts::None,
        drain: Drain::None,
        balancing: ReadBalancing::default(),
        disk_timeout_ms: 0,
        peer_timeout_ms: 0,
        abandon: false,
        keep_failed: false,
        congestion: None,
        lead: match state.conn {
            ConnState::Ahead => Lead::Ahead,
            ConnState::Behind => Lead::Behind,
            _ => Lead::None,
        },
        discards: true,
        takes: RequestLimits::default(),
    }
}

/// What ends the peer's half of a write.
pub(super) fn ack_of(protocol: WireProtocol) -> WantedAck {
    match protocol {
        WireProtocol::A => WantedAck::None,
        WireProtocol::B => WantedAck::Received,
        WireProtocol::C => WantedAck::Written,
    }
}

fn local_use(disk: DiskState, unmerged: bool) -> LocalUse {
    match disk {
        DiskState::UpToDate => LocalUse::Full,
        DiskState::Inconsistent | DiskState::Outdated | DiskState::Consistent if unmerged => {
            LocalUse::WriteOnly
        }
        DiskState::Inconsistent | DiskState::Outdated | DiskState::Consistent => {
            LocalUse::WriteMostly
        }
        _ => LocalUse::None,
    }
}

fn mirror_use(state: DeviceState, version: u32) -> MirrorUse {
    let resyncing = state.conn >= ConnState::WfBitMapT && state.conn < ConnState::Ahead;
    let good = state.peer_disk == DiskState::UpToDate;
    let present =
        state.peer_disk >= DiskState::Inconsistent && state.peer_disk != DiskState::DUnknown;
    if state.conn < ConnState::Connected {
        MirrorUse::Mark
    } else if state.conn == ConnState::Ahead
        || (state.conn == ConnState::WfBitMapS && version >= 96)
    {
        MirrorUse::MarkAndTell
    } else if good || (present && resyncing) {
        MirrorUse::Send
    } else {
        MirrorUse::Mark
    }
}

/// States between two stable ones: new requests wait until it is clear what they need.
fn in_transition(state: DeviceState, version: u32) -> bool {
    use ConnState as C;
    let conn = match state.conn {
        C::WfBitMapS => version < 96,
        C::WfReportParams | C::StartingSyncS | C::StartingSyncT | C::WfBitMapT | C::WfSyncUuid => {
            true
        }
        _ => false,
    };
    conn || state.disk == DiskState::Negotiating
}
