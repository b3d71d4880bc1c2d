// SPDX-License-Identifier: GPL-2.0

//! Every option of DRBD 8.4: name, netlink number, type, range, default and unit, in one table
//! for each of disk, network and resource.
//!
//! From a table's lines come the typed struct that the engine works with ([`DiskOptions`],
//! [`NetOptions`], [`ResourceOptions`]), its defaults, its range check, the attributes on
//! netlink, and the names and values that the command line takes and `show` prints. The order of
//! a table is the order in which `drbdsetup` lists the options.

mod argument;
mod choice;
mod cpu_mask;
mod disk;
mod net;
mod number;
mod resource;
mod spec;
mod table;
mod text;

pub use argument::ARGUMENTS;
pub use choice::{
    AfterSplitBrain0,
    AfterSplitBrain1,
    AfterSplitBrain2,
    Fencing,
    OnCongestion,
    OnIoError,
    OnNoData,
    ReadBalancing,
    RoleResyncConflict,
    WireProtocol, //
};
pub use cpu_mask::CpuMask;
pub use disk::DiskOptions;
pub use net::NetOptions;
pub use number::{
    parse_number,
    Unit, //
};
pub use resource::ResourceOptions;
pub use spec::{
    OptionError,
    OptionKind,
    OptionSpec,
    OptionValue, //
};
pub use table::{
    OptionField,
    OptionTable, //
};
pub use text::{
    FixedBytes,
    FixedStr, //
};

/// Longest text value of an option, in bytes, without a terminating zero.
pub const OPTION_TEXT_MAX: usize = 63;

#[cfg(test)]
mod tests;
