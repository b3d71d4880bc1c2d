// SPDX-License-Identifier: GPL-2.0

//! Options of a disk: `attach` and `disk-options`.

use super::{
    table::option_table,
    Fencing,
    OnIoError,
    OptionSpec,
    ReadBalancing,
    Unit, //
};
use crate::engine::control::AttrType::{
    S32,
    U32,
    U64, //
};

/// Largest resync rate, in KiB/s.
const RATE_MAX: i64 = 4 << 20;

option_table! {
    /// Options of one disk.
    pub struct DiskOptions {
        /// Size that the user wants, in sectors; 0: as large as possible.
        size: u64 =
            OptionSpec::number("size", 4, U64, (0, 0, 2 << 40), Unit::Sectors).invariant();
        /// Most segments that a request to the lower device may have; 0: its own limit.
        max_bio_bvecs: u32 =
            OptionSpec::number("max-bio-bvecs", 5, U32, (0, 0, 128), Unit::Count).invariant();
        /// What an I/O error of the lower device leads to.
        on_io_error: OnIoError =
            OptionSpec::choice("on-io-error", 6, OnIoError::DEFAULT, OnIoError::WORDS);
        /// What must be done before going on without the peer.
        fencing: Fencing =
            OptionSpec::choice("fencing", 7, Fencing::DEFAULT, Fencing::WORDS);
        /// Accepted and shown; has no effect.
        disk_barrier: bool = OptionSpec::boolean("disk-barrier", 16, false);
        /// Order writes of the peer by flushing the lower device.
        disk_flushes: bool = OptionSpec::boolean("disk-flushes", 17, true);
        /// Order writes of the peer by waiting for those before.
        disk_drain: bool = OptionSpec::boolean("disk-drain", 18, true);
        /// Flush the device that holds the metadata.
        md_flushes: bool = OptionSpec::boolean("md-flushes", 19, true);
        /// Rate of a resync without controller, or its start, in KiB/s.
        resync_rate: u32 =
            OptionSpec::number("resync-rate", 8, U32, (250, 1, RATE_MAX), Unit::KibPerSecond);
        /// Minor whose resync must be over first; -1: none.
        resync_after: i32 =
            OptionSpec::number("resync-after", 9, S32, (-1, -1, (1 << 20) - 1), Unit::Count);
        /// Number of active extents of 4 MiB.
        al_extents: u32 =
            OptionSpec::number("al-extents", 10, U32, (1237, 67, 65534), Unit::Count);
        /// Write the activity log.
        al_updates: bool = OptionSpec::boolean("al-updates", 23, true);
        /// Pass the aligned part of a discard down even where the result is not surely zero.
        discard_zeroes_if_aligned: bool =
            OptionSpec::boolean("discard-zeroes-if-aligned", 24, true);
        /// Accepted and shown; has no effect.
        disable_write_same: bool = OptionSpec::boolean("disable-write-same", 26, false);
        /// Horizon of the resync controller, in 0.1 s; 0: fixed rate.
        c_plan_ahead: u32 =
            OptionSpec::number("c-plan-ahead", 11, U32, (20, 0, 300), Unit::Deciseconds);
        /// Delay that the controller aims at, in 0.1 s; used when `c_fill_target` is 0.
        c_delay_target: u32 =
            OptionSpec::number("c-delay-target", 12, U32, (10, 1, 100), Unit::Deciseconds);
        /// Sectors in flight that the controller aims at.
        c_fill_target: u32 =
            OptionSpec::number("c-fill-target", 13, U32, (100, 0, 1 << 20), Unit::Sectors);
        /// Upper bound of the controller, in KiB/s.
        c_max_rate: u32 =
            OptionSpec::number("c-max-rate", 14, U32, (102400, 250, RATE_MAX), Unit::KibPerSecond);
        /// Rate that a resync keeps beside other I/O, in KiB/s; 0: it never gives way.
        c_min_rate: u32 =
            OptionSpec::number("c-min-rate", 15, U32, (250, 0, RATE_MAX), Unit::KibPerSecond);
        /// Time after which a request to the lower device counts as failed, in 0.1 s; 0: never.
        disk_timeout: u32 =
            OptionSpec::number("disk-timeout", 20, U32, (0, 0, 6000), Unit::Deciseconds);
        /// Which node serves a read.
        read_balancing: ReadBalancing =
            OptionSpec::choice("read-balancing", 21, ReadBalancing::DEFAULT, ReadBalancing::WORDS);
        /// Unit of a thin resync, in bytes; 0: off.
        rs_discard_granularity: u32 =
            OptionSpec::number("rs-discard-granularity", 25, U32, (0, 0, 1 << 20), Unit::Count);
    }
}
