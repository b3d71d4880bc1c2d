// SPDX-License-Identifier: GPL-2.0

//! The wire fuzzer: sessions of a peer that lies, against a running module on the same machine.

mod act;
mod mutate;
mod options;
mod packet;
mod peer;
mod react;
mod session;
mod sockets;
mod volume;
pub(crate) mod worker;

use fastrand::Rng;
use tandem_engine::options::NetOptions;

pub(crate) use options::SECRET;

/// Options of a connection, for others.
pub(crate) fn draw_options(rng: &mut Rng) -> NetOptions {
    options::draw(rng, false)
}
