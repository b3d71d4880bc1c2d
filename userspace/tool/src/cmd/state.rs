// SPDX-License-Identifier: GPL-2.0

//! `role`, `cstate`, `dstate`: one line about a minor.

use crate::{
    exit::Exit,
    failure::{
        Failure,
        Outcome, //
    },
    kernel,
    model::block, //
};
use tandem_engine::{
    control::{
        Command,
        StateInfo, //
    },
    state::{
        ConnState,
        DeviceState,
        DiskState,
        StateBits, //
    }, //
};
use tandem_netlink::{
    Reply,
    Request, //
};

/// Which part of the state to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Own role and the peer's.
    Role,
    /// State of the connection.
    Connection,
    /// Own disk and the peer's.
    Disk,
}

/// Prints the part.
pub(crate) fn show(minor: u32, part: Part) -> Outcome {
    println!("{}", text(&state_of(&ask(minor)?)?, part));
    Ok(Exit::Success)
}

/// Asks the kernel about a minor.
pub(crate) fn ask(minor: u32) -> Result<Reply, Failure> {
    kernel::request_minor(&Request::for_minor(Command::GetStatus, minor))
}

/// The state of the minor that a reply is about.
pub(crate) fn state_of(reply: &Reply) -> Result<DeviceState, Failure> {
    unpack(block::<StateInfo>(reply)?.current_state)
}

/// A state as it is packed in a message.
pub(crate) fn unpack(bits: Option<u32>) -> Result<DeviceState, Failure> {
    bits.and_then(|bits| DeviceState::unpack(StateBits(bits)))
        .ok_or_else(|| Failure::Other(anyhow::anyhow!("the kernel's reply has no valid state")))
}

/// Whether a minor has neither disk nor connection.
pub(crate) fn is_unconfigured(state: &DeviceState) -> bool {
    state.conn == ConnState::StandAlone && state.disk == DiskState::Diskless
}

fn text(state: &DeviceState, part: Part) -> String {
    if is_unconfigured(state) {
        return "Unconfigured".to_owned();
    }
    match part {
        Part::Role => format!("{}/{}", state.role.as_str(), state.peer.as_str()),
        Part::Connection => state.conn.as_str().to_owned(),
        Part::Disk => format!("{}/{}", state.disk.as_str(), state.peer_disk.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_printed_as_drbdsetup_does() {
        let state = DeviceState {
            conn: ConnState::WfConnection,
            ..DeviceState::INITIAL
        };
        assert_eq!(text(&state, Part::Role), "Secondary/Unknown");
        assert_eq!(text(&state, Part::Connection), "WFConnection");
        assert_eq!(text(&state, Part::Disk), "Diskless/DUnknown");
    }

    #[test]
    fn a_minor_without_disk_and_connection_is_unconfigured() {
        for part in [Part::Role, Part::Connection, Part::Disk] {
            assert_eq!(text(&DeviceState::INITIAL, part), "Unconfigured");
        }
    }

    #[test]
    fn a_reply_without_state_is_an_error_and_no_panic() {
        assert!(unpack(None).is_err());
        assert!(unpack(Some(u32::MAX)).is_err());
    }
}
