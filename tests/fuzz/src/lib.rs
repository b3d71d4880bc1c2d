// SPDX-License-Identifier: GPL-2.0

//! Fuzz targets: one for each parser of bytes that a peer, a disk or a user wrote.
//!
//! A target takes any bytes, feeds a parser, and panics when something is not as it has to be:
//! what parses is written and read back the same, nothing is used outside of its range. That the
//! parser itself does not panic is the first of these things.
//!
//! The same functions run in three ways: over the kept corpus and changes of it in `cargo test`,
//! driven by coverage for some seconds in `make test`, and for as long as one likes in `make fuzz`.

mod activity_log;
mod bitmap_code;
mod cib;
mod drbd_conf;
mod input;
mod metadata_dump;
mod netlink;
mod options;
mod packets;
mod superblock;

/// A parser under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in `tests/fuzz/corpus`.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
    /// Makes inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    activity_log::TARGET,
    bitmap_code::TARGET,
    cib::TARGET,
    drbd_conf::TARGET,
    metadata_dump::TARGET,
    netlink::TARGET,
    options::TARGET,
    packets::TARGET,
    superblock::TARGET,
];

/// The target with this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|target| target.name == name).copied()
}

/// The names of all targets, a space before each.
pub fn names() -> String {
    TARGETS
        .iter()
        .map(|target| format!(" {}", target.name))
        .collect()
}
