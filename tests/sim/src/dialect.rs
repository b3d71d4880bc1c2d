// SPDX-License-Identifier: GPL-2.0

//! Which protocol version and which features a pair agrees on, and what its disks discard.

use std::ops::Range;

use tandem_engine::engine::volume::DiscardLimits;
use tandem_engine::engine::wire::handshake::{ConnectionFeatures, Features};
use tandem_engine::engine::wire::{PROTOCOL_MAX, PROTOCOL_MIN};

use crate::rng::Rng;
use crate::world::Config;

/// What both nodes take each other for.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The newest protocol version that the other one speaks.
    pub newest: u32,
    /// Its features.
    pub features: Features,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            newest: PROTOCOL_MAX,
            features: Features::OWN,
        }
    }
}

impl Dialect {
    /// What the other node seems to have sent.
    pub(crate) fn offer(self) -> ConnectionFeatures {
        ConnectionFeatures {
            protocol_max: self.newest,
            features: self.features,
            ..ConnectionFeatures::OWN
        }
    }
}

/// Seeds of pairs that agree on other versions and features, too, and discard.
const SEEDS: Range<u64> = 1 << 43..1 << 44;

/// Draws a dialect and the disks' discards, where the seed has them.
pub(crate) fn draw(seed: u64, rng: &mut Rng, config: &mut Config) {
    if !SEEDS.contains(&seed) {
        return;
    }
    // With slow disks, the small requests of old versions take too long.
    let slow = config.disk >= 50;
    let oldest = if slow { 95 } else { PROTOCOL_MIN };
    if rng.chance(60) {
        config.dialect.newest = rng.within(oldest.into(), PROTOCOL_MAX.into()) as u32;
    }
    if rng.chance(40) {
        config.dialect.features = Features(rng.below(16) as u32);
    }
    config.discards = true;
    config.node.discard = DiscardLimits {
        most: [0, 32, 100, 1 << 16][rng.below(4) as usize],
        granularity: [1, 8, 8, 24][rng.below(4) as usize],
        alignment: [0, 0, 3][rng.below(3) as usize],
    };
    if rng.chance(30) {
        config.node.disk.discard_zeroes_if_aligned = false;
        config.node.forgets_nothing = true;
    }
    config.node.disk.rs_discard_granularity = match slow {
        true => 0,
        false => [0, 16384, 65536][rng.below(3) as usize],
    };
}
