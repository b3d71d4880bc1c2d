// SPDX-License-Identifier: GPL-2.0

//! States by their numbers in messages, as words.

use tandem_engine::{
    control::{
        PeerDeviceInfo,
        ResourceInfo, //
    },
    state::{
        ConnState,
        DiskState,
        Role, //
    }, //
};

/// What is shown for a number that this version does not know.
const UNKNOWN: &str = "?";

fn state_name<S>(
    number: u32,
    find: impl Fn(u8) -> Option<S>,
    name: impl Fn(S) -> &'static str,
) -> &'static str {
    u8::try_from(number)
        .ok()
        .and_then(find)
        .map_or(UNKNOWN, name)
}

/// A role.
pub(crate) fn role(number: u32) -> &'static str {
    state_name(number, Role::from_u8, Role::as_str)
}

/// A disk state.
pub(crate) fn disk(number: u32) -> &'static str {
    state_name(number, DiskState::from_u8, DiskState::as_str)
}

/// A connection state, without what replication does over it.
pub(crate) fn connection(number: u32) -> &'static str {
    state_name(number, ConnState::from_u8, |state| match state {
        ConnState::WfConnection => "Connecting",
        state if state >= ConnState::WfReportParams => "Connected",
        state => state.as_str(),
    })
}

/// Whether there is a connection.
pub(crate) fn is_connected(number: u32) -> bool {
    number >= u32::from(ConnState::WfReportParams.number())
}

/// What replication does.
pub(crate) fn replication(number: u32) -> &'static str {
    state_name(number, ConnState::from_u8, |state| match state {
        ConnState::Connected => "Established",
        state if state < ConnState::Connected => "Off",
        state => state.as_str(),
    })
}

/// Whether a resync or verify runs or is paused.
pub(crate) fn is_sync(number: u32) -> bool {
    u8::try_from(number)
        .ok()
        .and_then(ConnState::from_u8)
        .is_some_and(ConnState::is_sync)
}

/// Whether a verify runs.
pub(crate) fn is_verify(number: u32) -> bool {
    let state = u8::try_from(number).ok().and_then(ConnState::from_u8);
    matches!(state, Some(ConnState::VerifyS | ConnState::VerifyT))
}

/// Why I/O is suspended.
pub(crate) fn suspended(info: &ResourceInfo) -> String {
    join(&[
        (info.res_susp, "user"),
        (info.res_susp_nod, "no-data"),
        (info.res_susp_fen, "fencing"),
    ])
}

/// Why a resync is suspended.
pub(crate) fn resync_suspended(info: &PeerDeviceInfo) -> String {
    join(&[
        (info.peer_resync_susp_user != 0, "user"),
        (info.peer_resync_susp_peer != 0, "peer"),
        (info.peer_resync_susp_dependency != 0, "dependency"),
    ])
}

/// What blocks a device.
pub(crate) fn blocked(upper: bool, lower: bool) -> String {
    join(&[(upper, "upper"), (lower, "lower")])
}

/// How writes are ordered.
pub(crate) fn write_ordering(number: u32) -> &'static str {
    match number {
        0 => "none",
        1 => "drain",
        2 => "flush",
        3 => "barrier",
        _ => UNKNOWN,
    }
}

/// `yes` or `no`.
pub(crate) fn yes_no(value: bool) -> &'static str {
    if value {
        "yes"
    } else {
        "no"
    }
}

fn join(words: &[(bool, &str)]) -> String {
    let set: Vec<_> = words
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, word)| *word)
        .collect();
    if set.is_empty() {
        return "no".into();
    }
    set.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_and_replication_are_told_apart() {
        assert_eq!((connection(8), replication(8)), ("Connecting", "Off"));
        assert_eq!(
            (connection(10), replication(10)),
            ("Connected", "Established")
        );
        assert_eq!(
            (connection(17), replication(17)),
            ("Connected", "SyncTarget")
        );
        // The kernel reports a connection that stands as WFReportParams, whatever runs over it.
        assert_eq!((connection(9), replication(9)), ("Connected", "Off"));
        assert_eq!((connection(0), replication(0)), ("StandAlone", "Off"));
    }

    #[test]
    fn unknown_numbers_are_no_panic() {
        assert_eq!(role(9), "?");
        assert_eq!(disk(u32::MAX), "?");
        assert_eq!(connection(99), "?");
        assert_eq!(write_ordering(99), "?");
    }

    #[test]
    fn reasons_are_joined() {
        let info = ResourceInfo {
            res_susp: true,
            res_susp_fen: true,
            ..ResourceInfo::default()
        };
        assert_eq!(suspended(&info), "user,fencing");
        assert_eq!(suspended(&ResourceInfo::default()), "no");
    }
}
