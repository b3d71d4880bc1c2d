// SPDX-License-Identifier: GPL-2.0

//! The engine: every decision about replication, and no I/O.
//!
//! Pure: no allocation, no clock, no randomness, no kernel type, no `unsafe`. Time, randomness,
//! memory and results come in as arguments. The same events give the same effects, always.
//!
//! Three values decide, each with a lock of its own in the driver:
//!
//! - [`volume::Volume`]: the data path of one device. Hot; its lock is short and irq-safe.
//! - [`stream::Stream`]: the order of writes on the connection. Taken inside a volume's lock or
//!   alone.
//! - [`resource::Resource`]: roles, states, handshakes. Rare; one thread feeds it.
//!
//! The contract of all three: feed one event, drop the lock, carry out the effects in order, only
//! then feed the next. Payload never enters: requests are named by tickets.
//!
//! Nothing here panics: in the kernel a panic stops the machine, with locks held. Clippy denies
//! what could. The parts below that still expect a lint calculate with numbers of their own; the
//! codecs, which see what peer, disk and user wrote, may not.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

pub mod backoff;
pub mod bitmap_code;
pub mod broken;
pub mod bytes;
pub mod control;
pub mod establish;
pub mod fault;
pub mod ids;
pub mod life;
pub mod login;
pub mod meta;
pub mod options;
#[expect(clippy::arithmetic_side_effects)]
pub mod resource;
#[expect(clippy::arithmetic_side_effects)]
pub mod state;
pub mod storage;
#[expect(clippy::arithmetic_side_effects)]
pub mod stream;
#[expect(clippy::arithmetic_side_effects)]
pub mod throttle;
pub mod trace;
#[expect(clippy::arithmetic_side_effects)]
pub mod uuid;
#[expect(clippy::arithmetic_side_effects)]
pub mod volume;
pub mod wire;
