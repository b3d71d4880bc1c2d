// SPDX-License-Identifier: GPL-2.0

//! The live fuzzers: a peer and a tool that lie, against a running module in a virtual machine.
//!
//! Both run in the guest, beside the module (`fuzz-guest`): the wire fuzzer as the peer of many
//! resources at once, over the loopback device; the netlink fuzzer as root and as nobody. The host
//! half ([`host`]) runs batch after batch in a machine, and judges after each.

mod admin;
pub mod batch;
pub mod host;
mod judge;
pub mod messages;
mod place;
pub mod tally;
mod watch;
mod wire;
