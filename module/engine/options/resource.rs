// SPDX-License-Identifier: GPL-2.0

//! Options of a resource: `new-resource` and `resource-options`.

use super::{
    table::option_table,
    FixedStr,
    OnNoData,
    OptionSpec, //
};

/// Most bytes of a CPU mask.
const MASK: usize = 31;

option_table! {
    /// Options of one resource.
    pub struct ResourceOptions {
        /// CPUs for the resource's threads, as a hexadecimal mask; empty: all.
        cpu_mask: FixedStr<MASK> = OptionSpec::text("cpu-mask", 1, MASK);
        /// What happens to I/O when no up-to-date data can be reached.
        on_no_data_accessible: OnNoData =
            OptionSpec::choice("on-no-data-accessible", 2, OnNoData::DEFAULT, OnNoData::WORDS);
    }
}
