// SPDX-License-Identifier: GPL-2.0

//! Options of a connection: `connect` and `net-options`.

use super::{
    table::option_table,
    AfterSplitBrain0,
    AfterSplitBrain1,
    AfterSplitBrain2,
    FixedStr,
    OnCongestion,
    OptionSpec,
    RoleResyncConflict,
    Unit,
    WireProtocol, //
};
use crate::engine::control::AttrType::U32;

/// Most bytes of an algorithm's name or of the secret.
const TEXT: usize = super::OPTION_TEXT_MAX;
/// Largest socket buffer, in bytes.
const BUFFER_MAX: i64 = 10 << 20;

option_table! {
    /// Options of one connection.
    pub struct NetOptions {
        /// Shake hands, log what would happen, and disconnect.
        tentative: bool = OptionSpec::boolean("tentative", 28, false).invariant();
        /// In a split brain this node loses.
        discard_my_data: bool = OptionSpec::boolean("discard-my-data", 25, false).invariant();
        /// When a replicated write counts as done.
        protocol: WireProtocol =
            OptionSpec::choice("protocol", 6, WireProtocol::DEFAULT, WireProtocol::WORDS);
        /// Time in which the peer must answer, in 0.1 s.
        timeout: u32 = OptionSpec::number("timeout", 8, U32, (60, 1, 600), Unit::Deciseconds);
        /// Most writes between two barriers.
        max_epoch_size: u32 =
            OptionSpec::number("max-epoch-size", 15, U32, (2048, 1, 20000), Unit::Count);
        /// Pages that writes and resync of the peer may take here.
        max_buffers: u32 =
            OptionSpec::number("max-buffers", 14, U32, (2048, 32, 131072), Unit::Count);
        /// Accepted and shown; has no effect.
        unplug_watermark: u32 =
            OptionSpec::number("unplug-watermark", 16, U32, (128, 1, 131072), Unit::Count);
        /// Pause between two attempts to connect, in s.
        connect_int: u32 = OptionSpec::number("connect-int", 7, U32, (10, 1, 120), Unit::Seconds);
        /// Idle time after which the peer is asked for a sign of life, in s.
        ping_int: u32 = OptionSpec::number("ping-int", 9, U32, (10, 1, 120), Unit::Seconds);
        /// Send buffer, in bytes; 0: the system's choice.
        sndbuf_size: u32 =
            OptionSpec::number("sndbuf-size", 11, U32, (0, 0, BUFFER_MAX), Unit::Bytes);
        /// Receive buffer, in bytes; 0: the system's choice.
        rcvbuf_size: u32 =
            OptionSpec::number("rcvbuf-size", 12, U32, (0, 0, BUFFER_MAX), Unit::Bytes);
        /// So many timeouts without progress of a write end the connection; 0: never.
        ko_count: u32 = OptionSpec::number("ko-count", 13, U32, (7, 0, 200), Unit::Count);
        /// Both nodes may be Primary.
        allow_two_primaries: bool = OptionSpec::boolean("allow-two-primaries", 24, false);
        /// Digest of the login; empty: no login.
        cram_hmac_alg: FixedStr<TEXT> = OptionSpec::text("cram-hmac-alg", 2, TEXT);
        /// Secret of the login.
        shared_secret: FixedStr<TEXT> = OptionSpec::text("shared-secret", 1, TEXT).secret();
        /// Split brain with no Primary.
        after_sb_0pri: AfterSplitBrain0 = OptionSpec::choice(
            "after-sb-0pri",
            17,
            AfterSplitBrain0::DEFAULT,
            AfterSplitBrain0::WORDS,
        );
        /// Split brain with one Primary.
        after_sb_1pri: AfterSplitBrain1 = OptionSpec::choice(
            "after-sb-1pri",
            18,
            AfterSplitBrain1::DEFAULT,
            AfterSplitBrain1::WORDS,
        );
        /// Split brain with two Primaries.
        after_sb_2pri: AfterSplitBrain2 = OptionSpec::choice(
            "after-sb-2pri",
            19,
            AfterSplitBrain2::DEFAULT,
            AfterSplitBrain2::WORDS,
        );
        /// Apply the three policies above also where the older of both data sets is unclear.
        always_asbp: bool = OptionSpec::boolean("always-asbp", 27, false);
        /// A Primary would have to become the target of a resync.
        rr_conflict: RoleResyncConflict = OptionSpec::choice(
            "rr-conflict",
            20,
            RoleResyncConflict::DEFAULT,
            RoleResyncConflict::WORDS,
        );
        /// Time in which a ping must be answered, in 0.1 s.
        ping_timeout: u32 =
            OptionSpec::number("ping-timeout", 10, U32, (5, 1, 300), Unit::Deciseconds);
        /// Digest sent along with all data; empty: none.
        data_integrity_alg: FixedStr<TEXT> = OptionSpec::text("data-integrity-alg", 3, TEXT);
        /// Hold small packets back until a batch is complete.
        tcp_cork: bool = OptionSpec::boolean("tcp-cork", 26, true);
        /// The link cannot take the writes.
        on_congestion: OnCongestion =
            OptionSpec::choice("on-congestion", 21, OnCongestion::DEFAULT, OnCongestion::WORDS);
        /// Sectors in flight that count as congestion; 0: off.
        congestion_fill: u32 =
            OptionSpec::number("congestion-fill", 22, U32, (0, 0, 10 << 21), Unit::Sectors);
        /// Active extents that count as congestion.
        congestion_extents: u32 =
            OptionSpec::number("congestion-extents", 23, U32, (1237, 67, 65534), Unit::Count);
        /// Digest that a resync compares first; empty: none.
        csums_alg: FixedStr<TEXT> = OptionSpec::text("csums-alg", 5, TEXT);
        /// Compare digests only in a resync after the crash of a Primary.
        csums_after_crash_only: bool = OptionSpec::boolean("csums-after-crash-only", 33, false);
        /// Digest of the online verify; empty: no verify.
        verify_alg: FixedStr<TEXT> = OptionSpec::text("verify-alg", 4, TEXT);
        /// Send the bitmap compressed.
        use_rle: bool = OptionSpec::boolean("use-rle", 29, true);
        /// Time in which a new socket must answer, in 0.1 s; 0: `ping_timeout`.
        socket_check_timeout: u32 =
            OptionSpec::number("socket-check-timeout", 34, U32, (0, 0, 300), Unit::Count);
    }
}

impl NetOptions {
    /// For how many milliseconds the peer may leave a write unanswered; 0: for ever.
    pub fn peer_timeout_ms(&self) -> u32 {
        let timeout_ms = self.timeout.saturating_mul(100);
        timeout_ms.saturating_mul(self.ko_count)
    }
}
