// SPDX-License-Identifier: GPL-2.0

//! Why connections end.

use crate::engine::state::ConnState;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The peer did not answer in time.
    Timeout,
    /// Sending failed.
    BrokenPipe,
    /// Receiving failed, or the peer closed the connection.
    NetworkFailure,
    /// The peer sent something that the protocol does not allow.
    ProtocolError,
    /// The peer said that it disconnects.
    TearDown,
}

impl Loss {
    /// The state that a connection passes through on its way down.
    pub fn state(self) -> ConnState {
        match self {
            Loss::Timeout => ConnState::Timeout,
            Loss::BrokenPipe => ConnState::BrokenPipe,
            Loss::NetworkFailure => ConnState::NetworkFailure,
            Loss::ProtocolError => ConnState::ProtocolError,
            Loss::TearDown => ConnState::TearDown,
        }
    }
}
