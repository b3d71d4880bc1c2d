// SPDX-License-Identifier: GPL-2.0

//! What an administrator reads in the kernel log of a login that was refused.
#![forbid(unsafe_code)]

use core::fmt;

use crate::engine::login::LoginError;
use crate::words::Named;

/// A login that was refused: why, what to do, and what becomes of the connection.
pub struct RefusedLogin(pub LoginError);

impl fmt::Display for RefusedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_final() {
            "Authentication of peer failed: "
        } else {
            "Authentication of peer failed, trying again: "
        })?;
        match self.0 {
            LoginError::NoChallenge(command) => write!(
                f,
                "expected AuthChallenge packet, received: {}; the peer is configured without \
                 login: set cram-hmac-alg and shared-secret alike on both nodes, then connect \
                 again",
                Named(command)
            ),
            LoginError::ChallengeLength(bytes) => write!(
                f,
                "AuthChallenge payload of {bytes} bytes is too small or too big: the peer is no \
                 DRBD 8.4"
            ),
            LoginError::Reflected => f.write_str(
                "Peer presented the same challenge! It wants this node to answer for it, as one \
                 does who does not know the secret: find out who calls from the peer's address",
            ),
            LoginError::NoResponse(command) => write!(
                f,
                "expected AuthResponse packet, received: {}",
                Named(command)
            ),
            LoginError::ResponseLength { expected, received } => write!(
                f,
                "AuthResponse payload has {received} bytes, not {expected}: the nodes hash with \
                 different algorithms, make cram-hmac-alg equal on both"
            ),
            LoginError::WrongResponse => f.write_str(
                "the answer of the peer is wrong; make shared-secret and cram-hmac-alg equal on \
                 both nodes, then connect again",
            ),
        }
    }
}
