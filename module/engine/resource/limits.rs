// SPDX-License-Identifier: GPL-2.0

//! The largest requests: what the peer takes, by version and features, and what the device offers.

use crate::engine::state::ConnState;
use crate::engine::volume::RequestLimits;
use crate::engine::wire::handshake::{
    Agreement,
    Features, //
};
use crate::engine::wire::{
    MAX_BATCH_BIO_SIZE,
    MAX_BIO_SIZE,
    MAX_BIO_SIZE_P95,
    MAX_SIZE_H80_PACKET,
    PROTOCOL_MIN, //
};

use super::effect::{
    Effect,
    Loss, //
};
use super::notice::Notice;
use super::Step;

/// The largest discard for a peer without `Features::WSAME`, in bytes: an extent of the log.
const MAX_DISCARD_BEFORE_WSAME: u32 = 4 << 20;

/// Every device takes requests of so many bytes (`DRBD_MAX_BIO_SIZE_SAFE`).
pub(super) const SAFE_BIO_SIZE: u32 = 4096;

/// The largest request in a protocol version, in bytes.
pub(super) fn most_in(version: u32) -> u32 {
    match version {
        ..=94 => MAX_SIZE_H80_PACKET,
        95..=99 => MAX_BIO_SIZE_P95,
        _ => MAX_BIO_SIZE,
    }
}

/// What the peer takes. `told`: its largest request, as it says, in bytes; 0 when unknown. (Since
/// version 94 peers cut requests to what their disks take.)
pub(super) fn peer_limits(agreed: Agreement, told: u32) -> RequestLimits {
    let most = most_in(agreed.version);
    let has = |feature| agreed.features.has(feature);
    let discard = match (has(Features::TRIM), has(Features::WSAME)) {
        (true, true) => MAX_BATCH_BIO_SIZE,
        (true, false) => MAX_DISCARD_BEFORE_WSAME,
        (false, _) => 0,
    };
    RequestLimits {
        write: match (agreed.version, told) {
            (..=93, 1..) => told.clamp(SAFE_BIO_SIZE, most),
            _ => most,
        },
        discard,
        // Without packets for zeroes, discards stand for them.
        zeroes: if has(Features::WZEROES) {
            MAX_BATCH_BIO_SIZE
        } else {
            discard
        },
    }
}

impl Step<'_> {
    /// The largest requests that the device takes from now on. After the peer is gone they stay: it
    /// is likely to come back.
    pub(super) fn set_limits(&mut self, volume: usize) {
        let limits = self.device_limits(volume);
        self.push(Effect::SetLimits { volume, limits });
    }

    /// See [`Step::set_limits`].
    pub(super) fn device_limits(&self, volume: usize) -> RequestLimits {
        let agreed = self.resource.agreed;
        let record = self.volumes.get(volume);
        let known = agreed.version >= PROTOCOL_MIN;
        let mut limits = match record {
            Some(record) if known => peer_limits(agreed, record.peer_bio_bytes),
            _ => RequestLimits::default(),
        };
        if known && !agreed.features.has(Features::WZEROES) {
            limits.zeroes = 0;
        }
        let disk = record.and_then(|record| record.disk.as_ref());
        if disk.is_some_and(|disk| disk.discard.most == 0) {
            limits.discard = 0;
        }
        limits
    }

    /// A request waits that the peer does not take. With the connection it is forgotten there, and
    /// a resync copies what it wrote.
    pub(super) fn too_large(&mut self, volume: usize) {
        if self.state(volume).conn >= ConnState::Connected {
            self.notice(volume, Notice::TooLarge);
            self.trouble(Loss::NetworkFailure);
        }
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
