// SPDX-License-Identifier: GPL-2.0

//! The engine's second driver: a pair of nodes over simulated disks, links and clocks.
//!
//! Everything that happens is drawn from one seed; the same seed gives the same story.

pub mod admin;
pub mod app;
pub mod batch;
pub mod check;
mod congestion;
pub mod device;
pub mod dialect;
mod digest;
mod discard;
pub mod disk;
pub mod event;
mod fence;
pub mod harm;
pub mod kept;
pub mod listener;
pub mod net;
pub mod node;
pub mod oracle;
pub mod packet;
pub mod picture;
pub mod plan;
pub mod random;
pub mod receive;
pub mod receive_meta;
pub mod rng;
pub mod send;
pub mod shrink;
pub mod story;
mod tear;
pub mod verify;
pub mod vol;
mod watch;
pub mod words;
pub mod worker;
pub mod world;

/// The engine's tables on the heap.
#[derive(Debug)]
pub struct Heap;

impl tandem_engine::engine::storage::Storage for Heap {
    type Array<T: 'static> = Vec<T>;
}
