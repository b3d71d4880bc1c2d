// SPDX-License-Identifier: GPL-2.0

//! Options of a connection, drawn by a session's seed.

use fastrand::Rng;
use tandem_engine::{
    control::{AttrBlock, NetConf},
    options::{FixedStr, NetOptions, OnCongestion, WireProtocol},
};

/// The secret of logins.
pub(crate) const SECRET: &[u8] = b"between the module and its peer";

/// Options with a few values, by their numbers, and how many values are tried. Of the policies for
/// split brains, resync conflicts and congestion; what does not exist is left as it is.
const CHOICES: &[(u16, u32)] = &[(17, 7), (18, 6), (19, 6), (20, 4), (21, 3)];

/// Draws them. `two_primaries`: both nodes may be Primary.
pub(crate) fn draw(rng: &mut Rng, two_primaries: bool) -> NetOptions {
    let mut conf = NetConf::default();
    for (number, values) in CHOICES {
        if rng.u32(..3) == 0 {
            // A value that does not exist is refused, and changes nothing.
            let _ = conf.apply(*number, &rng.u32(..*values).to_ne_bytes());
        }
    }
    let mut net = conf.options;
    let name = |text: &[u8]| FixedStr::new(text).unwrap_or_default();
    net.protocol = [WireProtocol::A, WireProtocol::B, WireProtocol::C][rng.usize(..3)];
    net.allow_two_primaries = two_primaries;
    if two_primaries {
        net.protocol = WireProtocol::C;
    }
    if net.protocol != WireProtocol::A {
        net.on_congestion = OnCongestion::Block;
    }
    net.timeout = rng.u32(8..30);
    net.connect_int = 1;
    net.ping_int = rng.u32(1..4);
    net.ping_timeout = rng.u32(3..8);
    net.socket_check_timeout = 1;
    net.ko_count = rng.u32(1..4);
    net.max_epoch_size = [1, 2, 20, 2048][rng.usize(..4)];
    net.max_buffers = [32, 512, 2048][rng.usize(..3)];
    net.use_rle = rng.bool();
    net.always_asbp = rng.bool();
    net.tcp_cork = rng.bool();
    net.congestion_fill = if rng.u32(..4) == 0 { 64 } else { 0 };
    if rng.u32(..4) == 0 {
        net.cram_hmac_alg = name(b"sha256");
        net.shared_secret = name(SECRET);
    }
    if rng.u32(..3) == 0 {
        net.data_integrity_alg = name(b"crc32c");
    }
    if rng.bool() {
        net.csums_alg = name(b"crc32c");
    }
    if rng.u32(..4) > 0 {
        net.verify_alg = name(b"crc32c");
    }
    net
}
