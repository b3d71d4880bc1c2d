// SPDX-License-Identifier: GPL-2.0

//! Which states of a volume are possible, and which changes an administrator or a peer may ask
//! for. Pure functions.
//!
//! Source of the rules: the C module of Linux 7.3 (`drivers/block/drbd/drbd_state.c`), as users
//! see them.

use crate::engine::options::{
    Fencing,
    OnNoData, //
};
use crate::engine::state::{
    ConnState,
    DeviceState,
    DiskState,
    Role,
    StateError, //
};

/// What the rules depend on besides the state itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// Two Primaries are allowed.
    pub(super) two_primaries: bool,
    /// A network configuration exists.
    pub(super) has_net: bool,
    /// Another volume of the resource has a Primary peer.
    pub(super) other_peer_primary: bool,
    /// The fencing policy.
    pub(super) fencing: Fencing,
    /// What to do when no good data is in reach.
    pub(super) on_no_data: OnNoData,
    /// The device is open.
    pub(super) open: bool,
    /// A `verify-alg` is configured.
    pub(super) has_verify_alg: bool,
    /// The agreed protocol version.
    pub(super) version: u32,
    /// The states were told to the peer but its own did not come yet.
    pub(super) state_sent: bool,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            two_primaries: false,
            has_net: false,
            other_peer_primary: false,
            fencing: Fencing::DontCare,
            on_no_data: OnNoData::IoError,
            open: false,
            has_verify_alg: false,
            version: 101,
            state_sent: false,
        }
    }
}

/// The disk states that a connection state allows: own least and most, peer's least and most.
fn disk_bounds(conn: ConnState) -> [DiskState; 4] {
    use ConnState as C;
    use DiskState as D;
    match conn {
        C::WfBitMapT | C::PausedSyncT | C::StartingSyncT | C::WfSyncUuid | C::Behind => {
            [D::Inconsistent, D::Outdated, D::UpToDate, D::UpToDate]
        }
        C::VerifyS | C::VerifyT => [D::UpToDate; 4],
        C::Connected => [D::Diskless, D::UpToDate, D::Diskless, D::UpToDate],
        C::WfBitMapS | C::PausedSyncS | C::StartingSyncS | C::Ahead => {
            [D::UpToDate, D::UpToDate, D::Inconsistent, D::Consistent]
        }
        C::SyncTarget => [D::Inconsistent, D::Inconsistent, D::UpToDate, D::UpToDate],
        C::SyncSource => [D::UpToDate, D::UpToDate, D::Inconsistent, D::Inconsistent],
        _ => [D::Diskless, D::UpToDate, D::Inconsistent, D::DUnknown],
    }
}

/// Draws the consequences of a wanted state: what one part of it says about the others.
///
/// `negotiated` is what the disks become when the connection breaks during the negotiation of an
/// attach; `None` when the attached data then turns out not to be the exposed one.
pub(super) fn sanitize(
    old: DeviceState,
    wanted: DeviceState,
    negotiated: Option<(DiskState, DiskState)>,
    context: &Context,
) -> DeviceState {
    use ConnState as C;
    use DiskState as D;
    let mut new = wanted;
    if new.conn < C::Connected {
        new.peer_isp = false;
        new.peer = Role::Unknown;
        if new.peer_disk > D::DUnknown || new.peer_disk < D::Inconsistent {
            new.peer_disk = D::DUnknown;
        }
    }
    if new.conn == C::StandAlone && new.disk == D::Diskless && new.role == Role::Secondary {
        new.aftr_isp = false;
    }
    if new.conn > C::Connected && (new.disk <= D::Failed || new.peer_disk <= D::Failed) {
        give_up_resync(&mut new);
    }
    if new.conn < C::Connected && new.disk == D::Negotiating {
        (new.disk, new.peer_disk) = negotiated.unwrap_or((D::Failed, D::DUnknown));
    }
    if new.conn >= C::Connected && new.conn < C::Ahead {
        if matches!(new.disk, D::Consistent | D::Outdated) {
            new.disk = D::UpToDate;
        }
        if matches!(new.peer_disk, D::Consistent | D::Outdated) {
            new.peer_disk = D::UpToDate;
        }
    }
    let [disk_min, disk_max, peer_min, peer_max] = disk_bounds(new.conn);
    new.disk = new.disk.clamp(disk_min, disk_max);
    new.peer_disk = new.peer_disk.clamp(peer_min, peer_max);
    suspend(old, &mut new, context);
    pause(&mut new);
    new
}

/// A resync ends with the disk of one side. A target that had not begun yet is still called
/// Outdated or Consistent; it must not be taken for good when it is Connected.
fn give_up_resync(new: &mut DeviceState) {
    use ConnState as C;
    let target = match new.conn {
        C::StartingSyncS | C::WfBitMapS | C::Ahead => Some(&mut new.peer_disk),
        C::StartingSyncT | C::WfBitMapT | C::WfSyncUuid | C::Behind => Some(&mut new.disk),
        _ => None,
    };
    if let Some(disk) = target {
        *disk = (*disk).min(DiskState::Inconsistent);
    }
    new.conn = C::Connected;
}

/// Suspends I/O where the fencing or no-data policy asks for it.
fn suspend(old: DeviceState, new: &mut DeviceState, context: &Context) {
    let lost_peer = |s: &DeviceState| {
        s.role == Role::Primary
            && s.conn < ConnState::Connected
            && s.peer_disk > DiskState::Outdated
    };
    let no_data = |s: &DeviceState| {
        s.role == Role::Primary && s.disk < DiskState::UpToDate && s.peer_disk < DiskState::UpToDate
    };
    if context.fencing == Fencing::ResourceAndStonith && lost_peer(new) && !lost_peer(&old) {
        new.susp_fen = true;
    }
    if context.on_no_data == OnNoData::SuspendIo && no_data(new) && !no_data(&old) {
        new.susp_nod = true;
    }
}

fn pause(new: &mut DeviceState) {
    use ConnState as C;
    new.conn = match (new.is_sync_paused(), new.conn) {
        (true, C::SyncSource) => C::PausedSyncS,
        (true, C::SyncTarget) => C::PausedSyncT,
        (false, C::PausedSyncS) => C::SyncSource,
        (false, C::PausedSyncT) => C::SyncTarget,
        (_, conn) => conn,
    };
}

/// Whether a state is one that may be asked for.
pub(super) fn check_state(new: DeviceState, context: &Context) -> Result<(), StateError> {
    use ConnState as C;
    use DiskState as D;
    let primary = new.role == Role::Primary;
    let error = if context.has_net && !context.two_primaries && primary && new.peer == Role::Primary
    {
        StateError::TwoPrimaries
    } else if context.has_net && !context.two_primaries && primary && context.other_peer_primary {
        StateError::OVolPeerPri
    } else if new.role == Role::Secondary && context.open {
        StateError::DeviceInUse
    } else if primary && new.conn < C::Connected && new.disk < D::UpToDate {
        StateError::NoUpToDateDisk
    } else if context.fencing != Fencing::DontCare
        && primary
        && new.conn < C::Connected
        && new.peer_disk >= D::DUnknown
    {
        StateError::PrimaryNop
    } else if primary && new.disk <= D::Inconsistent && new.peer_disk <= D::Inconsistent {
        StateError::NoUpToDateDisk
    } else if new.conn > C::Connected {
        return check_resync(new, context);
    } else if new.conn == C::Connected && new.disk == D::Outdated {
        StateError::ConnectedOutdates
    } else if primary && new.disk < D::UpToDate && new.peer_disk < D::UpToDate {
        StateError::NoUpToDateDisk
    } else if new.conn >= C::Connected && new.peer_disk == D::DUnknown {
        StateError::ConnectedOutdates
    } else {
        return Ok(());
    };
    Err(error)
}

/// [`check_state`] for states above Connected.
fn check_resync(new: DeviceState, context: &Context) -> Result<(), StateError> {
    use ConnState as C;
    use DiskState as D;
    let verify = matches!(new.conn, C::VerifyS | C::VerifyT);
    let source = matches!(new.conn, C::WfBitMapS | C::SyncSource | C::PausedSyncS);
    let starting = matches!(new.conn, C::StartingSyncS | C::StartingSyncT);
    let no_good_copy = new.disk < D::UpToDate && new.peer_disk < D::UpToDate;
    let error = if new.disk < D::Inconsistent {
        StateError::NoLocalDisk
    } else if new.peer_disk < D::Inconsistent {
        StateError::NoRemoteDisk
    } else if no_good_copy {
        StateError::NoUpToDateDisk
    } else if source && new.disk == D::Outdated {
        StateError::ConnectedOutdates
    } else if verify && !context.has_verify_alg {
        StateError::NoVerifyAlg
    } else if verify && context.version < 88 {
        StateError::NotSupported
    } else if starting && new.peer_disk == D::DUnknown {
        StateError::NeedConnection
    } else if new.peer_disk == D::DUnknown {
        StateError::ConnectedOutdates
    } else {
        return Ok(());
    };
    Err(error)
}

/// Whether a change may be asked for. (Changes that simply happen are not asked.)
pub(super) fn check_change(
    old: DeviceState,
    new: DeviceState,
    context: &Context,
) -> Result<(), StateError> {
    use ConnState as C;
    use DiskState as D;
    let mut verdict = Ok(());
    let mut refuse = |condition: bool, error: StateError| {
        if condition {
            verdict = Err(error);
        }
    };
    let starting = matches!(new.conn, C::StartingSyncS | C::StartingSyncT);
    let handshake = (new.conn == C::WfReportParams && old.conn == C::WfConnection)
        || (new.conn >= C::Connected && old.conn == C::WfReportParams);
    refuse(
        starting && old.conn > C::Connected,
        StateError::ResyncRunning,
    );
    refuse(
        new.conn == C::Disconnecting && old.conn == C::StandAlone,
        StateError::AlreadyStandAlone,
    );
    refuse(
        new.disk > D::Attaching && old.disk == D::Diskless,
        StateError::IsDiskless,
    );
    if let Err(error) = check_outdating(old, new) {
        refuse(true, error);
    }
    refuse(
        new.conn == C::WfConnection && old.conn < C::Unconnected,
        StateError::NoNetConfig,
    );
    refuse(
        new.conn == C::Disconnecting && old.conn == C::Unconnected,
        StateError::InTransientState,
    );
    refuse(
        context.state_sent && !handshake,
        StateError::InTransientState,
    );
    refuse(
        old.role != Role::Primary
            && new.role == Role::Primary
            && new.peer_disk == D::UpToDate
            && !matches!(new.disk, D::UpToDate | D::Diskless)
            && (new.conn <= C::WfSyncUuid || new.conn != old.conn),
        StateError::InTransientState,
    );
    if let Err(error) = check_verify(old, new) {
        refuse(true, error);
    }
    refuse(
        starting && old.conn < C::Connected,
        StateError::NeedConnection,
    );
    refuse(
        new.conn == C::Disconnecting
            && new.peer_disk == D::Outdated
            && old.conn < C::Connected
            && old.peer_disk > D::Outdated,
        StateError::OutdateWithoutConn,
    );
    verdict
}

/// [`check_change`] for a disk that is declared out of date.
fn check_outdating(old: DeviceState, new: DeviceState) -> Result<(), StateError> {
    use DiskState as D;
    let served = new.role == Role::Primary && new.conn < ConnState::Connected;
    if new.disk != D::Outdated {
        Ok(())
    } else if old.disk < D::Outdated && old.disk != D::Attaching {
        Err(StateError::LowerThanOutdated)
    } else if old.disk == D::UpToDate && served {
        // Not even where each node is Primary of another volume, which no state forbids afterwards.
        Err(StateError::NoUpToDateDisk)
    } else {
        Ok(())
    }
}

/// Whether a verify may begin, if that is what is asked for.
fn check_verify(old: DeviceState, new: DeviceState) -> Result<(), StateError> {
    use ConnState as C;
    if new.conn == old.conn || !matches!(new.conn, C::VerifyS | C::VerifyT) {
        Ok(())
    } else if old.conn > C::Connected {
        Err(StateError::ResyncRunning)
    } else if old.conn < C::Connected {
        Err(StateError::NeedConnection)
    } else if [old.disk, old.peer_disk] != [DiskState::UpToDate; 2] {
        // Who verifies calls both disks good; that must not be what makes them so.
        Err(StateError::NoUpToDateDisk)
    } else {
        Ok(())
    }
}

/// The verdict on a wanted change: what is asked for must be possible, or the old state was
/// equally impossible.
pub(super) fn judge(
    old: DeviceState,
    new: DeviceState,
    context: &Context,
) -> Result<(), StateError> {
    // Also what a missing disk makes of a wanted verify or resync. A handshake is the only way, and
    // at its end the peer has told its role.
    let apart = old.conn < ConnState::WfReportParams || new.peer == Role::Unknown;
    if old.conn < ConnState::Connected && new.conn >= ConnState::Connected && apart {
        return Err(StateError::NeedConnection);
    }
    let state = check_state(new, context);
    if state.is_err() && check_state(old, context) != state {
        return state;
    }
    check_change(old, new, context)
}

/// Whether the peer's copy of the data is written too, in this state.
pub(super) fn within_reach(state: DeviceState) -> bool {
    use DiskState as D;
    let disk = state.peer_disk;
    state.conn >= ConnState::Connected
        && disk >= D::Inconsistent
        && disk != D::DUnknown
        && disk != D::Outdated
}

/// Whether the peer's copy of the data went out of reach.
pub(super) fn lost_peer_data(old: DeviceState, new: DeviceState) -> bool {
    within_reach(old) && !within_reach(new)
}

/// Whether the peer has to agree to a change.
pub(super) fn needs_peer(old: DeviceState, new: DeviceState) -> bool {
    use ConnState as C;
    let entered = |conn| old.conn != conn && new.conn == conn;
    let both_connected = old.conn >= C::Connected && new.conn >= C::Connected;
    (both_connected
        && ((old.role != Role::Primary && new.role == Role::Primary)
            || entered(C::StartingSyncT)
            || entered(C::StartingSyncS)
            || (old.disk != DiskState::Failed && new.disk == DiskState::Failed)))
        || (old.conn >= C::Connected && new.conn == C::Disconnecting)
        || (old.conn == C::Connected && new.conn == C::VerifyS)
}
