// SPDX-License-Identifier: GPL-2.0

//! Numbers that `verify` and `resize` take: no options, since nothing keeps them.

use super::{
    OptionSpec,
    Unit, //
};
use crate::engine::control::AttrType::{
    U32,
    U64, //
};

/// Largest device, in sectors.
const DEVICE_MAX: i64 = 2 << 40;

/// Arguments by name. The defaults are what DRBD's tools say; without the argument, `verify` goes
/// on where the last one ended, and the log keeps its shape.
pub static ARGUMENTS: [OptionSpec; 4] = [
    OptionSpec::number("start", 1, U64, (0, 0, DEVICE_MAX), Unit::Sectors),
    OptionSpec::number("stop", 2, U64, (0, 0, DEVICE_MAX), Unit::Sectors),
    OptionSpec::number("al-stripes", 4, U32, (1, 1, 1024), Unit::Count),
    OptionSpec::number("al-stripe-size-kB", 5, U32, (32, 4, 16 << 20), Unit::Kib),
];

impl OptionSpec {
    /// The argument of that name.
    pub fn argument(name: &str) -> Option<&'static Self> {
        ARGUMENTS.iter().find(|spec| spec.name == name)
    }
}
