// SPDX-License-Identifier: GPL-2.0

//! Random pairs whose link is too slow for them.

use std::ops::Range;

use tandem_engine::engine::options::{OnCongestion, WireProtocol};

use crate::rng::Rng;
use crate::world::Config;

/// With these seeds pairs with protocol A may pull ahead; disks do not fail.
const SEEDS: Range<u64> = 1 << 46..1 << 47;

/// Whether pairs of that seed may pull ahead.
pub(crate) fn congests(seed: u64) -> bool {
    SEEDS.contains(&seed)
}

/// Draws how much may be on its way.
pub(crate) fn draw(config: &mut Config, seed: u64, rng: &mut Rng) {
    if congests(seed) && rng.chance(60) {
        let net = &mut config.node.net;
        net.protocol = WireProtocol::A;
        net.on_congestion = OnCongestion::PullAhead;
        net.congestion_fill = rng.within(8, 60) as u32;
    }
}
