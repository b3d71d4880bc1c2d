// SPDX-License-Identifier: GPL-2.0

//! Virtual machines that replicate to each other: the harness under tests, demo, bench and
//! `scripts/vm`.
//!
//! A [`Cluster`] is a set of [`Node`]s a, b, c, ... with two data disks each and a cable between
//! every pair. Nothing of it reaches the host's network, and clusters of different names share
//! nothing but the read-only image.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let spec = vm::Spec { drivers: vm::Drivers::parse("a=drbd,b=drbd")?, ..vm::Spec::default() };
//! let cluster = vm::Cluster::up("example", &spec)?;
//! cluster.node("a")?.ok("cat /proc/drbd")?;
//! cluster.link("a", "b", vm::Link::Down)?;
//! cluster.node("b")?.kill()?;
//! cluster.down()
//! # }
//! ```

mod accel;
mod agent;
mod boot;
mod cluster;
mod console;
mod cpio;
mod image;
mod monitor;
mod node;
pub mod pair;
mod paths;
mod process;
mod qemu;
mod report;
pub mod side;
mod spec;
pub mod states;
mod tsc;
mod write_cache;

pub use agent::Output;
pub use cluster::Cluster;
pub use console::Splat;
pub use image::strip;
pub use monitor::Link;
pub use node::{Node, Stopped};
pub use paths::{repository, run_folder, runs};
pub use process::{stop_on_signals, stop_orphans};
pub use report::reports;
pub use spec::{parse_size, time_scale, Driver, Drivers, Kernel, Spec, FIND_LEAKS};
pub use write_cache::{Loss, Luck};
