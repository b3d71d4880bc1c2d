// SPDX-License-Identifier: GPL-2.0

//! Tests of the rules of states. Whole stories of two nodes are in `tests/sim`.

use super::rules::{
    check_change,
    check_state,
    judge,
    lost_peer_data,
    needs_peer,
    sanitize,
    Context, //
};
use crate::engine::options::{
    Fencing,
    OnNoData, //
};
use crate::engine::state::{
    ConnState as C,
    DeviceState,
    DiskState as D,
    Role,
    StateError, //
};

fn state(role: Role, conn: C, disk: D, peer: Role, peer_disk: D) -> DeviceState {
    DeviceState {
        role,
        peer,
        conn,
        disk,
        peer_disk,
        ..DeviceState::INITIAL
    }
}

/// Both good and connected, this node Primary.
fn healthy() -> DeviceState {
    state(
        Role::Primary,
        C::Connected,
        D::UpToDate,
        Role::Secondary,
        D::UpToDate,
    )
}

fn net() -> Context {
    Context {
        has_net: true,
        ..Context::default()
    }
}

#[test]
fn nothing_is_known_of_a_peer_that_is_not_connected() {
    let lost = DeviceState {
        conn: C::NetworkFailure,
        ..healthy()
    };
    let new = sanitize(healthy(), lost, None, &net());
    assert_eq!((new.peer, new.peer_disk), (Role::Unknown, D::DUnknown));
    assert_eq!((new.role, new.disk), (Role::Primary, D::UpToDate));
}

#[test]
fn a_resync_ends_when_a_disk_fails() {
    let mut wanted = healthy();
    wanted.conn = C::SyncSource;
    wanted.peer_disk = D::Failed;
    assert_eq!(sanitize(healthy(), wanted, None, &net()).conn, C::Connected);
}

#[test]
fn a_target_that_had_not_begun_is_not_good_when_its_source_fails() {
    for conn in [C::WfBitMapT, C::WfSyncUuid, C::StartingSyncT] {
        let old = state(
            Role::Secondary,
            conn,
            D::Outdated,
            Role::Primary,
            D::UpToDate,
        );
        let mut wanted = old;
        wanted.peer_disk = D::Failed;
        let new = sanitize(old, wanted, None, &net());
        assert_eq!((new.conn, new.disk), (C::Connected, D::Inconsistent));
    }
    let old = state(
        Role::Primary,
        C::WfBitMapS,
        D::UpToDate,
        Role::Secondary,
        D::Consistent,
    );
    let mut wanted = old;
    wanted.disk = D::Failed;
    let new = sanitize(old, wanted, None, &net());
    assert_eq!((new.conn, new.peer_disk), (C::Connected, D::Inconsistent));
}

#[test]
fn a_sync_target_is_inconsistent_and_its_source_good() {
    let mut wanted = healthy();
    wanted.conn = C::SyncTarget;
    let new = sanitize(healthy(), wanted, None, &net());
    assert_eq!((new.disk, new.peer_disk), (D::Inconsistent, D::UpToDate));
}

#[test]
fn a_paused_resync_has_its_own_state() {
    let mut wanted = healthy();
    wanted.conn = C::SyncSource;
    wanted.peer_disk = D::Inconsistent;
    wanted.user_isp = true;
    let paused = sanitize(healthy(), wanted, None, &net());
    assert_eq!(paused.conn, C::PausedSyncS);
    let resumed = DeviceState {
        user_isp: false,
        ..paused
    };
    assert_eq!(sanitize(paused, resumed, None, &net()).conn, C::SyncSource);
}

#[test]
fn io_is_frozen_where_the_policies_say_so() {
    let lost = DeviceState {
        conn: C::Unconnected,
        ..healthy()
    };
    let stonith = Context {
        fencing: Fencing::ResourceAndStonith,
        ..net()
    };
    assert!(sanitize(healthy(), lost, None, &stonith).susp_fen);
    assert!(!sanitize(healthy(), lost, None, &net()).susp_fen);
    let diskless = DeviceState {
        disk: D::Diskless,
        ..lost
    };
    let suspend = Context {
        on_no_data: OnNoData::SuspendIo,
        ..net()
    };
    assert!(sanitize(healthy(), diskless, None, &suspend).susp_nod);
}

#[test]
fn only_one_node_may_be_primary() {
    let both = DeviceState {
        peer: Role::Primary,
        ..healthy()
    };
    assert_eq!(check_state(both, &net()), Err(StateError::TwoPrimaries));
    let allowed = Context {
        two_primaries: true,
        ..net()
    };
    assert_eq!(check_state(both, &allowed), Ok(()));
}

#[test]
fn an_open_device_cannot_become_secondary() {
    let secondary = DeviceState {
        role: Role::Secondary,
        ..healthy()
    };
    let open = Context {
        open: true,
        ..net()
    };
    assert_eq!(check_state(secondary, &open), Err(StateError::DeviceInUse));
}

#[test]
fn data_that_is_not_good_is_not_promoted() {
    for disk in [D::Diskless, D::Inconsistent, D::Outdated, D::Consistent] {
        let alone = state(
            Role::Primary,
            C::WfConnection,
            disk,
            Role::Unknown,
            D::DUnknown,
        );
        let verdict = check_state(alone, &net());
        assert_eq!(verdict, Err(StateError::NoUpToDateDisk), "{disk:?}");
    }
}

#[test]
fn an_illegal_state_may_be_left_but_not_entered() {
    let bad = DeviceState {
        peer: Role::Primary,
        ..healthy()
    };
    let less_bad = DeviceState {
        user_isp: true,
        ..bad
    };
    assert_eq!(judge(bad, less_bad, &net()), Ok(()));
    assert!(judge(healthy(), bad, &net()).is_err());
}

#[test]
fn nothing_changes_between_two_states_told_to_the_peer() {
    let waiting = Context {
        state_sent: true,
        ..net()
    };
    let demoted = DeviceState {
        role: Role::Secondary,
        ..healthy()
    };
    assert_eq!(
        check_change(healthy(), demoted, &waiting),
        Err(StateError::InTransientState)
    );
}

#[test]
fn the_peers_data_is_lost_when_it_goes_out_of_reach() {
    let with = |peer_disk| DeviceState {
        peer_disk,
        ..healthy()
    };
    assert!(lost_peer_data(with(D::UpToDate), with(D::DUnknown)));
    assert!(lost_peer_data(with(D::Inconsistent), with(D::Diskless)));
    assert!(lost_peer_data(with(D::UpToDate), with(D::Outdated)));
    assert!(!lost_peer_data(with(D::DUnknown), with(D::DUnknown)));
    assert!(!lost_peer_data(with(D::Inconsistent), with(D::UpToDate)));
}

#[test]
fn the_data_of_a_target_is_lost_with_the_connection() {
    let syncing = DeviceState {
        conn: C::SyncSource,
        peer_disk: D::Inconsistent,
        ..healthy()
    };
    let alone = DeviceState {
        conn: C::NetworkFailure,
        ..syncing
    };
    assert!(lost_peer_data(syncing, alone));
    assert!(!lost_peer_data(alone, alone));
}

#[test]
fn a_promotion_needs_the_peer_only_when_it_is_there() {
    let secondary = DeviceState {
        role: Role::Secondary,
        ..healthy()
    };
    assert!(needs_peer(secondary, healthy()));
    let mut alone = secondary;
    alone.conn = C::WfConnection;
    let mut promoted = alone;
    promoted.role = Role::Primary;
    assert!(!needs_peer(alone, promoted));
}
