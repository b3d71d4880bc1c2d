// SPDX-License-Identifier: GPL-2.0

//! The login: each node proves to the other that it knows the shared secret.
//!
//! Both nodes send a challenge of random bytes at once, answer the other's with its HMAC under the
//! secret, and check the answer to their own. Neither waits for the other to begin, and neither
//! answers a challenge that is its own: a peer without the secret could hand it back and return
//! our answer as its own.
//!
//! The steps are values, so that they cannot be taken in another order: [`Login`] awaits the
//! challenge, [`Challenged`] awaits the answer. Hashes are the driver's to calculate.
//!
//! Source: `drivers/block/drbd/drbd_receiver.c` (`drbd_do_auth`).

use super::wire::handshake::{
    check_challenge_length,
    check_response_length,
    CHALLENGE_LEN, //
};
use super::wire::{
    Command,
    Header, //
};

/// Why the peer is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// This came instead of a challenge: the peer is configured without login.
    NoChallenge(Command),
    /// The peer's challenge has that many bytes, which is too few or too many.
    ChallengeLength(u32),
    /// The peer's challenge is our own.
    Reflected,
    /// This came instead of an answer.
    NoResponse(Command),
    /// The peer's answer has another length than ours: it hashes with another algorithm.
    ResponseLength {
        /// Bytes that it should have.
        expected: u32,
        /// Bytes that it has.
        received: u32,
    },
    /// The answer is wrong: the secrets (or algorithms) differ.
    WrongResponse,
}

impl LoginError {
    /// Whether it makes no sense to try again: the connection becomes StandAlone.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::NoResponse(_) | Self::ResponseLength { .. })
    }
}

/// A login whose challenge was sent.
#[derive(Debug)]
pub struct Login {
    challenge: [u8; CHALLENGE_LEN],
    response_len: u32,
}

/// A login whose peer was answered, and has to answer now.
#[derive(Debug)]
pub struct Challenged {
    response_len: u32,
}

impl Login {
    /// Begins a login: `challenge` is random and was sent to the peer; `response_len` is the length
    /// of the configured digest, in bytes.
    pub fn new(challenge: [u8; CHALLENGE_LEN], response_len: u32) -> Self {
        Self {
            challenge,
            response_len,
        }
    }

    /// Looks at the first packet of the peer; returns how many bytes of challenge follow.
    pub fn challenge_len(&self, header: Header) -> Result<usize, LoginError> {
        if header.command != Command::AuthChallenge {
            return Err(LoginError::NoChallenge(header.command));
        }
        let wrong = LoginError::ChallengeLength(header.length);
        check_challenge_length(header.length).map_err(|_| wrong)?;
        usize::try_from(header.length).map_err(|_| wrong)
    }

    /// Takes the peer's challenge. On success the hash over all of it is to be sent.
    pub fn challenged(self, theirs: &[u8]) -> Result<Challenged, LoginError> {
        // What may follow our bytes does not make it another challenge.
        if theirs.starts_with(&self.challenge) {
            return Err(LoginError::Reflected);
        }
        Ok(Challenged {
            response_len: self.response_len,
        })
    }
}

impl Challenged {
    /// Looks at the second packet of the peer; returns how many bytes of answer follow.
    pub fn response_len(&self, header: Header) -> Result<usize, LoginError> {
        if header.command != Command::AuthResponse {
            return Err(LoginError::NoResponse(header.command));
        }
        let wrong = LoginError::ResponseLength {
            expected: self.response_len,
            received: header.length,
        };
        check_response_length(header.length, self.response_len).map_err(|_| wrong)?;
        usize::try_from(header.length).map_err(|_| wrong)
    }

    /// Takes the peer's answer; `right` is the hash over our own challenge.
    pub fn answered(self, right: &[u8], received: &[u8]) -> Result<(), LoginError> {
        // Looks at all bytes whatever they are: the time it takes tells nothing.
        let pairs = right.iter().zip(received);
        let difference = pairs.fold(0, |all, (a, b)| all | (a ^ b));
        let whole = received.len() == right.len() && !right.is_empty();
        if difference == 0 && whole {
            Ok(())
        } else {
            Err(LoginError::WrongResponse)
        }
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
