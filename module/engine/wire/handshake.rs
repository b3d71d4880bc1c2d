// SPDX-License-Identifier: GPL-2.0

//! Packets of the handshake and of the login, and the choice of protocol version.
//!
//! InitialData and InitialMeta have no payload. AuthChallenge carries 64 to 128 random bytes,
//! AuthResponse the HMAC over the peer's whole challenge.
//!
//! Source: `drbd_protocol.h` (`p_connection_features`, `DRBD_FF_*`), `drbd_receiver.c`
//! (`drbd_do_features`, `drbd_do_auth`).

use super::{
    layout::{
        fixed_packet,
        newtype_field, //
    },
    Command,
    WireError,
    WireReason,
    PROTOCOL_MAX,
    PROTOCOL_MIN, //
};

/// Length of the challenges that are sent, in bytes.
pub const CHALLENGE_LEN: usize = 64;

/// Longest challenge that is accepted, in bytes.
pub const CHALLENGE_MAX_LEN: usize = 128;

/// Optional features of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Features(pub u32);

impl Features {
    /// No features.
    pub const NONE: Self = Self(0);
    /// Trim packets.
    pub const TRIM: Self = Self(1);
    /// RsThinReq and RsDeallocated packets.
    pub const THIN_RESYNC: Self = Self(2);
    /// Queue limits in Sizes, discards up to 128 MiB; write-same itself is gone.
    pub const WSAME: Self = Self(4);
    /// Zeroes packets.
    pub const WZEROES: Self = Self(8);
    /// All that this implementation announces.
    pub const OWN: Self = Self(15);

    /// Returns whether all features of `other` are there.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the features that both have.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

newtype_field!(Features(u32));

fixed_packet! {
    /// Payload of ConnectionFeatures (72 bytes).
    ///
    /// ```text
    /// 0 lowest version u32   4 features u32   8 highest version u32   12 zero, 60 bytes
    /// ```
    pub struct ConnectionFeatures, pad 60 {
        /// Lowest protocol version that the sender speaks.
        pub protocol_min: u32,
        /// Features of the sender.
        pub features: Features,
        /// Highest protocol version that the sender speaks; 0 means `protocol_min`.
        pub protocol_max: u32,
    }
}

/// What the two nodes agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Protocol version.
    pub version: u32,
    /// Common features.
    pub features: Features,
}

impl ConnectionFeatures {
    /// What this implementation sends.
    pub const OWN: Self = Self {
        protocol_min: PROTOCOL_MIN,
        features: Features::OWN,
        protocol_max: PROTOCOL_MAX,
    };

    /// Returns the highest version of the sender.
    pub const fn highest(&self) -> u32 {
        if self.protocol_max == 0 {
            self.protocol_min
        } else {
            self.protocol_max
        }
    }

    /// Chooses the version and the features; `None` if the dialects do not overlap.
    ///
    /// `self` is this node's offer, `peer` what the peer sent.
    pub fn agree(&self, peer: &Self) -> Option<Agreement> {
        if self.highest() < peer.protocol_min || self.protocol_min > peer.highest() {
            return None;
        }
        Some(Agreement {
            version: self.highest().min(peer.highest()),
            features: self.features.common(peer.features),
        })
    }
}

/// Checks the payload length of an AuthChallenge before it is read.
pub fn check_challenge_length(length: u32) -> Result<(), WireError> {
    let error = |reason| Err(WireError::new(Command::AuthChallenge, reason));
    match usize::try_from(length) {
        Ok(length) if length < CHALLENGE_LEN => error(WireReason::TooShort),
        Ok(length) if length <= CHALLENGE_MAX_LEN => Ok(()),
        _ => error(WireReason::TooLong),
    }
}

/// Checks the payload length of an AuthResponse; it must be that of the digest.
pub fn check_response_length(length: u32, digest_size: u32) -> Result<(), WireError> {
    let error = |reason| Err(WireError::new(Command::AuthResponse, reason));
    match length.cmp(&digest_size) {
        core::cmp::Ordering::Less => error(WireReason::TooShort),
        core::cmp::Ordering::Equal => Ok(()),
        core::cmp::Ordering::Greater => error(WireReason::TooLong),
    }
}
